"""What the answers to an item come down to, as a suggestion for whoever rules on it. Pure.

A choice (a scale's point, yes or no, one option, the better response) is weighed by Dawid and Skene's model: raters count
as far as they were reliable over the given answers; where that cannot be estimated, by a plain count. Several options:
those that more than half of the raters chose. A ranking: by the mean place. Free texts and marked passages have none.
`confidence` is the model's chance of the answer, else the share of the raters behind it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from backend.review.wording import PREFERENCE, RANKING, Given
from backend.rubrics import Question, Rubric
from backend.statistics.reliability import Reliability, dawid_skene
from backend.vocabulary import QuestionType, TaskKind, Verdict

WEIGHED = "raters weighed by reliability (Dawid-Skene)"
COUNTED = "plain count"
NOMINAL = (QuestionType.SCALE, QuestionType.YES_NO, QuestionType.SINGLE)
FIRST, SECOND = "first", "second"
"""Labels of a comparison by the item's own order; the others are a tie and both bad."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """The likeliest answer to what was asked, as it is stored; a preference is FIRST, SECOND, tie or both_bad."""

    answer: Any
    confidence: float
    method: str

    def to_json(self) -> dict[str, Any]:
        """As rulings keep it."""
        return {"answer": self.answer, "confidence": round(self.confidence, 4), "method": self.method}


@dataclass(frozen=True, slots=True)
class Said:
    """One rater's newest answer to one item. `responses` are the item's, in its own order."""

    item_id: int
    rater: Hashable
    given: Given
    responses: tuple[int, ...]


def preference(given: Given, responses: Sequence[int]) -> str | None:
    """A comparison's answer as a label that means the same for every rater of the item."""
    if given.winner_response_id is not None:
        return FIRST if given.winner_response_id == responses[0] else SECOND
    return str(given.verdict) if given.verdict in (Verdict.TIE, Verdict.BOTH_BAD) else None


def suggest(kind: TaskKind, rubric: Rubric, item_id: int, answers: Iterable[Said]) -> dict[str, Suggestion]:
    """What was asked → the suggestion, from the answers to this item and, for reliability, to others of the task."""
    known = list(answers)
    mine = [one for one in known if one.item_id == item_id]
    found: dict[str, Suggestion | None] = {}
    if kind is TaskKind.COMPARE:
        found[PREFERENCE] = _weighed(known, item_id, lambda one: preference(one.given, one.responses))
    elif kind is TaskKind.RANK:
        found[RANKING] = _ranked([one.given.ranking for one in mine if one.given.ranking])
    for question in rubric.questions:
        if question.type in NOMINAL:
            found[question.key] = _weighed(known, item_id, _answer_to(question))
        elif question.type is QuestionType.MULTIPLE:
            found[question.key] = _chosen_by_most(question, mine)
    return {asked: suggestion for asked, suggestion in found.items() if suggestion is not None}


def _answer_to(question: Question) -> Callable[[Said], Any]:
    return lambda one: one.given.answers.get(question.key)


def _weighed(known: Sequence[Said], item_id: int, label: Callable[[Said], Any]) -> Suggestion | None:
    triples = [(one.item_id, one.rater, answer) for one in known if (answer := label(one)) is not None]
    mine = Counter(answer for item, _, answer in triples if item == item_id)
    if not mine:
        return None
    fitted = dawid_skene(triples)
    if isinstance(fitted, Reliability):
        consensus = next(one for one in fitted.items if one.item == item_id)
        return Suggestion(answer=consensus.label, confidence=consensus.confidence, method=WEIGHED)
    (answer, votes), *rest = mine.most_common()
    if rest and rest[0][1] == votes:
        return None
    return Suggestion(answer=answer, confidence=votes / mine.total(), method=COUNTED)


def _chosen_by_most(question: Question, mine: Sequence[Said]) -> Suggestion | None:
    given = [one.given.answers[question.key] for one in mine if question.key in one.given.answers]
    if not given:
        return None
    shares = {option: sum(option in answer for answer in given) / len(given) for option in question.scale}
    answer = [option for option, share in shares.items() if share > 0.5]
    return Suggestion(answer=answer, confidence=min(max(share, 1 - share) for share in shares.values()), method=COUNTED)


def _ranked(rankings: Sequence[Sequence[Sequence[int]]]) -> Suggestion | None:
    """By the mean place; how many of the raters' pairs stand in that order is how sure it is."""
    if not rankings:
        return None
    places = [{one: place for place, together in enumerate(ranking) for one in together} for ranking in rankings]
    shared = sorted(set.intersection(*(set(each) for each in places)))
    if not shared:
        return None
    means = {one: sum(each[one] for each in places) / len(places) for one in shared}
    order = [[one for one in shared if means[one] == place] for place in sorted(set(means.values()))]
    where: Mapping[int, int] = {one: place for place, together in enumerate(order) for one in together}
    alike = [
        _sign(each[one] - each[other]) == _sign(where[one] - where[other])
        for each in places
        for one, other in combinations(shared, 2)
    ]
    return Suggestion(answer=order, confidence=sum(alike) / len(alike) if alike else 1.0, method="mean place")


def _sign(difference: float) -> int:
    return (difference > 0) - (difference < 0)
