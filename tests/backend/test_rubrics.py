"""What a rubric takes and refuses."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.errors import InvalidInput
from backend.rubrics import DEFAULT_RATING_RUBRIC, Question, Rubric

SCALE = ("bad", "good")
RIGHT = {"relevance": 5, "fluency": 4, "correctness": 1, "tone": 3}


def test_the_default_asks_the_four_questions_on_five_worded_points() -> None:
    assert DEFAULT_RATING_RUBRIC.keys == ("relevance", "fluency", "correctness", "tone")
    assert {len(question.scale) for question in DEFAULT_RATING_RUBRIC.questions} == {5}


@given(
    st.lists(
        st.builds(
            Question,
            st.from_regex(r"[a-z_][a-z0-9_]{0,20}", fullmatch=True),
            st.text(min_size=1).filter(str.strip),
            st.lists(st.text(min_size=1).filter(str.strip), min_size=2, max_size=10, unique=True).map(tuple),
        ),
        min_size=1,
        max_size=4,
        unique_by=lambda question: question.key,
    )
)
def test_a_rubric_comes_back_from_json_as_it_was(questions: list[Question]) -> None:
    rubric = Rubric(tuple(questions))
    assert Rubric.from_json(rubric.to_json()) == rubric


def test_answers_come_back_in_the_order_of_the_questions() -> None:
    shuffled = dict(reversed(RIGHT.items()))
    assert list(DEFAULT_RATING_RUBRIC.validate(shuffled).items()) == list(RIGHT.items())


@pytest.mark.parametrize(
    "wrong",
    [
        {key: value for key, value in RIGHT.items() if key != "tone"},
        {**RIGHT, "tone": 0},
        {**RIGHT, "tone": 6},
        {**RIGHT, "tone": True},
        {**RIGHT, "tone": "3"},
        {**RIGHT, "tone": 3.0},
        {**RIGHT, "charm": 3},
        {},
    ],
)
def test_answers_that_are_missing_unknown_or_off_the_scale_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        DEFAULT_RATING_RUBRIC.validate(wrong)


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"questions": "tone"},
        {"questions": []},
        {"questions": ["tone"]},
        {"questions": [{"key": "tone", "text": "How?"}]},
        {"questions": [{"key": "tone", "text": "How?", "scale": "bad"}]},
        {"questions": [{"key": "tone", "text": "How?", "scale": [1, 2]}]},
        {"questions": [{"key": "to ne", "text": "How?", "scale": SCALE}]},
        {"questions": [{"key": "tone", "text": " ", "scale": SCALE}]},
        {"questions": [{"key": "tone", "text": "How?", "scale": ["bad"]}]},
        {"questions": [{"key": "tone", "text": "How?", "scale": ["bad", "bad"]}]},
        {"questions": [{"key": "tone", "text": "How?", "scale": SCALE}] * 2},
    ],
)
def test_a_rubric_that_cannot_be_asked_is_refused(value: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        Rubric.from_json(value)
