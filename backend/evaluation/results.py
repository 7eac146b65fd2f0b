"""What people's judgements add up to. Pure: ratings and votes in, frozen results with intervals out.

Several raters' answers to one item are averaged first, and intervals count items (for win rates: questions): two raters
on one item are not two independent trials. In a win rate a win is 1, a tie and "both bad" are a half, a loss is 0; the
counts of each stand beside it. Agreement compares what raters preferred, not the side on which they saw it.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from backend.statistics.agreement import Level, krippendorff_alpha, percent_agreement, tabulate
from backend.statistics.intervals import mean, wilson
from backend.statistics.results import Result
from backend.vocabulary import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """One rater's newest answers to one response."""

    task_id: int
    item_id: int
    rater_id: int | None
    version: str
    answers: Mapping[str, int]
    slices: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One rater's newest verdict on one pair. `winner` is the preferred version, None for a tie and for both bad."""

    task_id: int
    item_id: int
    question_id: int
    rater_id: int | None
    first: str
    second: str
    verdict: Verdict
    winner: str | None
    slices: Mapping[str, str] = field(default_factory=dict)

    def score(self, version: str) -> float:
        """1 where the version won, 0 where it lost, one half for neither."""
        return 0.5 if self.winner is None else float(self.winner == version)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """A version's mean on one question. `n` of the estimate counts items, `ratings` the answers behind them."""

    version: str
    question: str
    estimate: Result
    ratings: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadToHead:
    """`second` (the candidate) against `first`, from `second`'s side."""

    first: str
    second: str
    wins: int
    losses: int
    ties: int
    both_bad: int
    questions: int
    win_rate: Result
    """Over the questions that were judged."""

    @property
    def judgements(self) -> int:
        """All verdicts."""
        return self.wins + self.losses + self.ties + self.both_bad


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far raters answered alike: the share of pairs of answers that are the same, and Krippendorff's alpha."""

    question: str
    raw: Result
    alpha: Result


def rating_means(ratings: Sequence[Rating], questions: Sequence[str]) -> list[Mean]:
    """Each version's mean on each question, versions in order of their names."""
    found = []
    for version in sorted({rating.version for rating in ratings}):
        of_version = [rating for rating in ratings if rating.version == version]
        for question in questions:
            values = [value for value, _ in rating_values(of_version, question)]
            count = sum(question in rating.answers for rating in of_version)
            if count:
                found.append(Mean(version=version, question=question, estimate=mean(values), ratings=count))
    return found


def rating_values(ratings: Iterable[Rating], question: str) -> list[tuple[float, Mapping[str, str]]]:
    """One value an item, its raters' mean, with the item's slices."""
    by_item: dict[int, list[int]] = defaultdict(list)
    slices: dict[int, Mapping[str, str]] = {}
    for rating in ratings:
        if question in rating.answers:
            by_item[rating.item_id].append(rating.answers[question])
            slices[rating.item_id] = rating.slices
    return [(math.fsum(values) / len(values), slices[item]) for item, values in by_item.items()]


def head_to_heads(votes: Sequence[Vote]) -> list[HeadToHead]:
    """Every pair of versions that met."""
    pairs: dict[tuple[str, str], list[Vote]] = defaultdict(list)
    for vote in votes:
        pairs[vote.first, vote.second].append(vote)
    return [_head_to_head(first, second, of_pair) for (first, second), of_pair in sorted(pairs.items())]


def _head_to_head(first: str, second: str, votes: Sequence[Vote]) -> HeadToHead:
    points = [value for value, _ in vote_values(votes, second)]
    verdicts = Counter(
        "win" if vote.winner == second else "loss" if vote.winner == first else str(vote.verdict) for vote in votes
    )
    return HeadToHead(
        first=first,
        second=second,
        wins=verdicts["win"],
        losses=verdicts["loss"],
        ties=verdicts["tie"],
        both_bad=verdicts["both_bad"],
        questions=len(points),
        win_rate=win_rate(points),
    )


def win_rate(points: Sequence[float]) -> Result:
    """The mean of one score a question, with Wilson's interval over questions."""
    total = min(math.fsum(points), len(points))
    return wilson(total, len(points), method="win rate over questions, ties as half wins, Wilson")


def vote_values(votes: Iterable[Vote], version: str) -> list[tuple[float, Mapping[str, str]]]:
    """One score a question, its judgements' mean from the version's side, with the question's slices."""
    by_question: dict[int, list[float]] = defaultdict(list)
    slices: dict[int, Mapping[str, str]] = {}
    for vote in votes:
        if version in (vote.first, vote.second):
            by_question[vote.question_id].append(vote.score(version))
            slices[vote.question_id] = vote.slices
    return [(math.fsum(scores) / len(scores), slices[question]) for question, scores in by_question.items()]


def left_share(votes: Iterable[Vote]) -> Result:
    """How often the left side won where a side won at all: a half, if the side does not matter."""
    sides = Counter(vote.verdict for vote in votes)
    left, right = sides[Verdict.LEFT], sides[Verdict.RIGHT]
    return wilson(left, left + right, method="share of left among the verdicts for a side, Wilson")


def rating_agreement(ratings: Iterable[Rating], questions: Sequence[str]) -> list[Agreement]:
    """Agreement on each question; alpha counts how far apart two points of the scale are."""
    given = list(ratings)
    found = []
    for question in questions:
        labels = [(one.item_id, one.rater_id, one.answers[question]) for one in given if question in one.answers]
        found.append(_agreement(question, labels, Level.ORDINAL))
    return found


def vote_agreement(votes: Iterable[Vote]) -> Agreement:
    """Agreement on which version is better, or that neither is."""
    labels = [(vote.item_id, vote.rater_id, vote.winner or str(vote.verdict)) for vote in votes]
    return _agreement("preference", labels, Level.NOMINAL)


def _agreement(question: str, labels: Iterable[tuple[Hashable, Hashable, Hashable]], level: Level) -> Agreement:
    table, _, _ = tabulate(labels)
    return Agreement(question=question, raw=percent_agreement(table), alpha=krippendorff_alpha(table, level))
