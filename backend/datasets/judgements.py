"""From what several people said about answers to one label each: preferences and classes by majority, thumbs by mean rating.

Pure. Answers are told apart by record and text, so that the same words from two models are one answer.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from backend.rubrics import Rubric

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Vote:
    """One person's answer to a comparison of two texts, or a ruling. `better` is None for a tie and for both bad."""

    record_id: int
    texts: tuple[str, str]
    better: str | None
    sources: Mapping[str, int]
    """Which row it comes from: {"annotations": id}, {"rulings": id}, {"feedback": id}, {"imported labels": id}."""


@dataclass(frozen=True, slots=True)
class Score:
    """One person's opinion of a text, from 0 (the worst) to 1."""

    record_id: int
    text: str
    value: float
    sources: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Preference:
    """One answer that is preferred to another."""

    record_id: int
    chosen: str
    rejected: str
    sources: tuple[Mapping[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Thumb:
    """An answer that is good or bad."""

    record_id: int
    text: str
    desirable: bool
    sources: tuple[Mapping[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """The class that one person chose. `text` is the answer that was sorted with its question; empty: the question alone."""

    record_id: int
    text: str
    label: str
    sources: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Class:
    """The class of a question, or of a question with an answer."""

    record_id: int
    text: str
    label: str
    sources: tuple[Mapping[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Weighed(Generic[T]):
    """Labels, and how many answers were left out because people did not agree or said that there is no difference."""

    labels: tuple[T, ...]
    undecided: int = 0


def majority(votes: Iterable[Vote]) -> Weighed[Preference]:
    """A preference for each pair of different texts on which more than half of the votes, ties counted, agree."""
    pairs: dict[tuple[int, str, str], list[Vote]] = defaultdict(list)
    for vote in votes:
        one, two = sorted(vote.texts)
        if one.strip() != two.strip():
            pairs[vote.record_id, one, two].append(vote)
    found, undecided = [], 0
    for (record_id, one, two), cast in sorted(pairs.items()):
        won = {text: sum(vote.better == text for vote in cast) for text in (one, two)}
        chosen = max(won, key=lambda text: won[text])
        if 2 * won[chosen] <= len(cast):
            undecided += 1
            continue
        rejected = two if chosen == one else one
        found.append(Preference(record_id, chosen, rejected, tuple(vote.sources for vote in cast)))
    return Weighed(tuple(found), undecided)


def thumbs(scores: Iterable[Score], *, up_from: float, down_to: float) -> Weighed[Thumb]:
    """A thumb for each text by the mean of its scores; those between the two bounds are left out."""
    gathered: dict[tuple[int, str], list[Score]] = defaultdict(list)
    for score in scores:
        if score.text.strip():
            gathered[score.record_id, score.text].append(score)
    found, undecided = [], 0
    for (record_id, text), given in sorted(gathered.items()):
        mean = sum(score.value for score in given) / len(given)
        if down_to < mean < up_from:
            undecided += 1
        else:
            found.append(Thumb(record_id, text, mean >= up_from, tuple(score.sources for score in given)))
    return Weighed(tuple(found), undecided)


def classes(choices: Iterable[Choice]) -> Weighed[Class]:
    """A class for each text on which more than half of those who sorted it agree."""
    gathered: dict[tuple[int, str], list[Choice]] = defaultdict(list)
    for choice in choices:
        gathered[choice.record_id, choice.text].append(choice)
    found, undecided = [], 0
    for (record_id, text), given in sorted(gathered.items()):
        label, times = Counter(choice.label for choice in given).most_common(1)[0]
        if 2 * times <= len(given):
            undecided += 1
        else:
            found.append(Class(record_id, text, label, tuple(choice.sources for choice in given)))
    return Weighed(tuple(found), undecided)


def rating(rubric: Rubric, answers: Mapping[str, Any], question: str = "") -> float | None:
    """Ratings from 0 to 1: of one question, or the mean of all whose answers are numbers. None where there is none."""
    values = []
    for asked in rubric.questions:
        answer = answers.get(asked.key)
        if not asked.is_number or answer is None or (question and asked.key != question):
            continue
        values.append(float(answer) if isinstance(answer, bool) else (answer - 1) / (len(asked.scale) - 1))
    return sum(values) / len(values) if values else None


def ranked(ranking: Sequence[Sequence[int]]) -> list[tuple[int, int, bool]]:
    """The pairs of a ranking from best to worst: (one, other, whether the one is better; if not, they share a place)."""
    places = [(response_id, place) for place, ids in enumerate(ranking) for response_id in ids]
    return [(one, other, mine < theirs) for index, (one, mine) in enumerate(places) for other, theirs in places[index + 1 :]]


@dataclass(slots=True)
class Sources:
    """Which rows labels come from, by kind of row."""

    ids: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))

    def add(self, sources: Iterable[Mapping[str, int]]) -> None:
        """Note some."""
        for source in sources:
            for name, row_id in source.items():
                self.ids[name].add(row_id)

    def to_json(self) -> dict[str, Any]:
        """By kind of row: how many, and their ids as runs [first, last]."""
        return {name: {"count": len(ids), "ids": runs(ids)} for name, ids in sorted(self.ids.items())}


def runs(ids: Iterable[int]) -> list[list[int]]:
    """Ids as runs [first, last], in order: a manifest names a hundred thousand of them in little room."""
    found: list[list[int]] = []
    for one in sorted(set(ids)):
        if found and found[-1][1] == one - 1:
            found[-1][1] = one
        else:
            found.append([one, one])
    return found
