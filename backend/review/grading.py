"""How right an answer is against a known one, from 0 (wrong) to 1 (right). Pure.

    scale             the same point 1; one point off 0.5 where the scale has at least four points; else 0
    yes_no, single    the same 1, else 0
    multiple          shared choices over all choices that either made (Jaccard)
    spans             overlap of the marked characters: the mean of F1 without and with their reasons
    text              not graded
    comparison        the same response preferred 1; a tie for both bad, or the reverse, 0.5; else 0
    ranking           over all pairs: the same order 1, tied on one side only 0.5, turned round 0

The score of an answer is the mean over what the known answer says; what it leaves open is not graded. An answer is
`right` from RIGHT_AT on: all but small misses. The same measure tells how far a rater repeats their own earlier answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from backend.review.wording import PREFERENCE, RANKING, TITLES, Given, words
from backend.rubrics import Question, Rubric
from backend.vocabulary import QuestionType, TaskKind

RIGHT_AT = 0.75
LENIENT_FROM = 4
"""Scales with at least so many points forgive one point by half."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What was asked, and how right the answer to it is. `asked` is a question's key, PREFERENCE or RANKING."""

    asked: str
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """A graded answer."""

    score: float
    parts: tuple[Part, ...]

    @property
    def right(self) -> bool:
        """Whether it counts as right."""
        return is_right(self.score)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackLine:
    """One thing that was asked, in words. `score` is None where it was not graded."""

    title: str
    yours: str
    wanted: str
    score: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """What a rater is told after an answer in the calibration round, and where they stand in it.

    `passed` and `failed` are set with the answer that ends the round; after a failed one another round begins.
    """

    right: bool
    score: float
    explanation: str
    lines: tuple[FeedbackLine, ...]
    answered: int = 0
    correct: int = 0
    asked: int = 0
    passed: bool = False
    failed: bool = False


def is_right(score: float) -> bool:
    """Whether a score counts as right."""
    return score >= RIGHT_AT - 1e-9


def grade(kind: TaskKind, rubric: Rubric, given: Given, known: Given) -> Grade | None:
    """How right `given` is; None where the known answer says nothing that can be graded."""
    parts: list[Part] = []
    if kind is TaskKind.COMPARE and (known.winner_response_id is not None or known.verdict is not None):
        parts.append(Part(asked=PREFERENCE, score=preference_score(given, known)))
    if kind is TaskKind.RANK and known.ranking:
        parts.append(Part(asked=RANKING, score=ranking_score(given.ranking or (), known.ranking)))
    for question in rubric.questions:
        if question.key in known.answers and question.type is not QuestionType.TEXT:
            score = answer_score(question, given.answers.get(question.key), known.answers[question.key])
            parts.append(Part(asked=question.key, score=score))
    if not parts:
        return None
    return Grade(score=sum(part.score for part in parts) / len(parts), parts=tuple(parts))


def feedback_for(
    kind: TaskKind, rubric: Rubric, given: Given, known: Given, *, names: Mapping[int, str], explanation: str = ""
) -> Feedback:
    """What to tell a rater about an answer of the calibration round; `names` call the responses as the rater saw them."""
    graded = grade(kind, rubric, given, known)
    scores = {part.asked: part.score for part in graded.parts} if graded else {}
    titles = TITLES | {question.key: question.text for question in rubric.questions}
    yours, wanted = words(kind, rubric, given, names), words(kind, rubric, known, names)
    lines = tuple(
        FeedbackLine(title=titles[asked], yours=yours.get(asked, "no answer"), wanted=told, score=scores.get(asked))
        for asked, told in wanted.items()
    )
    score = graded.score if graded else 1.0
    return Feedback(right=is_right(score), score=score, explanation=explanation, lines=lines)


def preference_score(given: Given, known: Given) -> float:
    """Of a comparison's verdict."""
    if given.winner_response_id != known.winner_response_id:
        return 0.0
    if known.winner_response_id is not None or given.verdict == known.verdict:
        return 1.0
    return 0.5 if given.verdict is not None and known.verdict is not None else 0.0


def ranking_score(given: Sequence[Sequence[int]], known: Sequence[Sequence[int]]) -> float:
    """Of a ranking, over all pairs of the known one; responses that the given one leaves out are in no order."""
    mine, right = _places(given), _places(known)
    scores = [_pair_score(mine, right, one, other) for one, other in combinations(right, 2)]
    return sum(scores) / len(scores) if scores else 1.0


def _places(ranking: Sequence[Sequence[int]]) -> dict[int, int]:
    return {response: place for place, together in enumerate(ranking) for response in together}


def _pair_score(mine: Mapping[int, int], right: Mapping[int, int], one: int, other: int) -> float:
    if one not in mine or other not in mine:
        return 0.0
    given, known = _sign(mine[one] - mine[other]), _sign(right[one] - right[other])
    return 1.0 - abs(given - known) / 2


def _sign(difference: int) -> int:
    return (difference > 0) - (difference < 0)


def answer_score(question: Question, given: Any, known: Any) -> float:
    """Of the answer to one question; none at all is as wrong as can be, unless nothing was to be chosen or marked."""
    if question.type in (QuestionType.MULTIPLE, QuestionType.SPANS):
        given = given or []
    if given is None:
        return 0.0
    if question.type is QuestionType.SCALE:
        if given == known:
            return 1.0
        return 0.5 if len(question.scale) >= LENIENT_FROM and abs(given - known) == 1 else 0.0
    if question.type is QuestionType.MULTIPLE:
        either = set(given) | set(known)
        return len(set(given) & set(known)) / len(either) if either else 1.0
    if question.type is QuestionType.SPANS:
        return (_f1(_characters(given, False), _characters(known, False)) + _f1(_characters(given), _characters(known))) / 2
    return float(given == known)


def _characters(spans: Iterable[Mapping[str, Any]], reasons: bool = True) -> set[tuple[Any, ...]]:
    """Every marked character as (response, place), with its reason where that counts."""
    found: set[tuple[Any, ...]] = set()
    for span in spans:
        response = span.get("response_id", span["response"])
        reason = (span["reason"],) if reasons else ()
        found.update((response, place, *reason) for place in range(span["start"], span["end"]))
    return found


def _f1(given: set[tuple[Any, ...]], known: set[tuple[Any, ...]]) -> float:
    total = len(given) + len(known)
    return 2 * len(given & known) / total if total else 1.0
