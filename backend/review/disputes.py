"""How far the raters of one item disagree, from 0 (alike) to 1 (opposite). Pure.

The distance of several answers is the mean over their pairs, so that two raters at opposite ends are 1 apart, and four who
agree outvote a fifth. Each question counts by itself, and the one they disagree on most is the item's distance:

    scale     steps between the points, over the steps of the whole scale
    yes_no    0 or 1
    single    0 or 1
    multiple  1 - the options both chose / the options either chose
    compare   1 between opposite winners, half between a winner and none (a tie, both bad)
    rank      the share of response pairs in opposite order; half where one rater put the two on one place

Texts and marked passages do not count, nor do the questions of a comparison or a ranking: its answer is the choice itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from backend.rubrics import Question, Rubric
from backend.vocabulary import QuestionType, TaskKind

_COUNTED = (QuestionType.SCALE, QuestionType.YES_NO, QuestionType.SINGLE, QuestionType.MULTIPLE)
_SLACK = 1e-9
"""Distances are means of fractions: a limit of .6 is reached by what is .6 but for the last digit."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one rater said about one item: a rubric's answers, or a comparison's winner (None: neither), or a ranking."""

    answers: Mapping[str, Any] = field(default_factory=dict)
    winner: int | None = None
    ranking: Sequence[Sequence[int]] | None = None


def distance(kind: TaskKind, rubric: Rubric, judgements: Sequence[Judgement]) -> float:
    """How far the judgements are apart; 0 for fewer than two."""
    if kind is TaskKind.COMPARE:
        return _mean_over_pairs([one.winner for one in judgements], _between_winners)
    if kind is TaskKind.RANK:
        return _mean_over_pairs([_places(one.ranking) for one in judgements if one.ranking], _between_rankings)
    counted = [question for question in rubric.questions if question.type in _COUNTED]
    return max((_on(question, judgements) for question in counted), default=0.0)


def disagree(apart: float, dispute_at: float) -> bool:
    """Whether raters that far apart disagree, by the task's limit."""
    return apart + _SLACK >= dispute_at


def _on(question: Question, judgements: Sequence[Judgement]) -> float:
    """An optional question that a rater left out says nothing about them, except where nothing chosen is an answer."""
    given = [one.answers.get(question.key) for one in judgements]
    if question.type is QuestionType.MULTIPLE:
        return _mean_over_pairs([frozenset(map(str, answer or ())) for answer in given], _between_choices)
    known = [answer for answer in given if answer is not None]
    if question.type is QuestionType.SCALE:
        steps = len(question.scale) - 1
        return _mean_over_pairs(known, lambda one, other: min(1.0, abs(one - other) / steps))
    return _mean_over_pairs(known, lambda one, other: float(one != other))


def _mean_over_pairs(values: Sequence[Any], between: Callable[[Any, Any], float]) -> float:
    pairs = [between(one, other) for one, other in itertools.combinations(values, 2)]
    return sum(pairs) / len(pairs) if pairs else 0.0


def _between_choices(one: frozenset[str], other: frozenset[str]) -> float:
    return 1 - len(one & other) / len(one | other) if one or other else 0.0


def _between_winners(one: int | None, other: int | None) -> float:
    if one == other:
        return 0.0
    return 0.5 if one is None or other is None else 1.0


def _places(ranking: Sequence[Sequence[int]] | None) -> dict[int, int]:
    return {response: place for place, tied in enumerate(ranking or ()) for response in tied}


def _between_rankings(one: Mapping[int, int], other: Mapping[int, int]) -> float:
    shared = sorted(one.keys() & other.keys())
    orders = [
        abs(_sign(one[first] - one[second]) - _sign(other[first] - other[second])) / 2
        for first, second in itertools.combinations(shared, 2)
    ]
    return sum(orders) / len(orders) if orders else 0.0


def _sign(value: int) -> int:
    return (value > 0) - (value < 0)
