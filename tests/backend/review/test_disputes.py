from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.review.disputes import Judgement, disagree, distance
from backend.rubrics import NO_QUESTIONS, Question, Rubric
from backend.vocabulary import QuestionType, TaskKind

RUBRIC = Rubric(
    (
        Question("tone", "Tone?", ("1", "2", "3", "4", "5")),
        Question("true", "True?", type=QuestionType.YES_NO, required=False),
        Question("topic", "Topic?", ("a", "b"), QuestionType.SINGLE, required=False),
        Question("faults", "Faults?", ("x", "y", "z"), QuestionType.MULTIPLE, required=False),
        Question("why", "Why?", type=QuestionType.TEXT, required=False),
    )
)


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([{"tone": 1}, {"tone": 5}], 1.0),
        ([{"tone": 2}, {"tone": 3}], 0.25),
        ([{"tone": 3, "true": True}, {"tone": 3, "true": False}], 1.0),
        ([{"tone": 3, "true": True}, {"tone": 3}], 0.0),
        ([{"tone": 3, "topic": "a"}, {"tone": 4, "topic": "b"}], 1.0),
        ([{"tone": 3, "faults": ["x", "y"]}, {"tone": 3, "faults": ["y"]}], 0.5),
        ([{"tone": 3, "faults": ["x"]}, {"tone": 3}], 1.0),
        ([{"tone": 3, "why": "this"}, {"tone": 3, "why": "that"}], 0.0),
        ([{"tone": 1}, {"tone": 5}, {"tone": 5}], 2 / 3),
        ([{"tone": 5}], 0.0),
        ([], 0.0),
    ],
)
def test_ratings_are_as_far_apart_as_the_question_they_differ_on_most(answers: list[dict[str, Any]], expected: float) -> None:
    assert distance(TaskKind.RATE, RUBRIC, [Judgement(one) for one in answers]) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("winners", "expected"), [([1, 1], 0.0), ([1, 2], 1.0), ([1, None], 0.5), ([None, None], 0.0), ([1, 1, 1, 1, 2], 0.4)]
)
def test_comparisons_are_apart_by_their_winners(winners: list[int | None], expected: float) -> None:
    judged = [Judgement({"why": number}, winner=one) for number, one in enumerate(winners)]
    assert distance(TaskKind.COMPARE, NO_QUESTIONS, judged) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ([[1], [2], [3]], [[3], [2], [1]], 1.0),
        ([[1], [2], [3]], [[2], [1], [3]], 1 / 3),
        ([[1], [2], [3]], [[1, 2, 3]], 0.5),
        ([[1, 2], [3]], [[1, 2], [3]], 0.0),
    ],
)
def test_rankings_are_apart_by_the_pairs_in_another_order(one: Any, other: Any, expected: float) -> None:
    judged = [Judgement(ranking=one), Judgement(ranking=other)]
    assert distance(TaskKind.RANK, NO_QUESTIONS, judged) == pytest.approx(expected)


@given(st.lists(st.integers(1, 5), min_size=2, max_size=6), st.randoms())
def test_a_distance_is_from_0_to_1_whoever_answered_first(points: list[int], chance: Any) -> None:
    judged = [Judgement({"tone": point}) for point in points]
    found = distance(TaskKind.RATE, RUBRIC, judged)
    chance.shuffle(judged)
    assert 0 <= found <= 1
    assert distance(TaskKind.RATE, RUBRIC, judged) == pytest.approx(found)
    assert (found == 0) == (len(set(points)) == 1)


def test_raters_disagree_from_the_limit_on() -> None:
    assert disagree(0.1 + 0.2, 0.3)
    assert disagree(0.5, 0.5)
    assert not disagree(0.49, 0.5)
