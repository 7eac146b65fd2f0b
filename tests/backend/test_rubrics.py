"""What a rubric takes and refuses."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.errors import InvalidInput
from backend.rubrics import DEFAULT_RATING_RUBRIC, NO_QUESTIONS, Question, Rubric
from backend.vocabulary import QuestionType, TaskKind

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


EVERY_TYPE = Rubric(
    (
        Question("tone", "How does it sound?", ("cold", "warm")),
        Question("safe", "Is it safe?", type=QuestionType.YES_NO),
        Question("topic", "What is it about?", ("delivery", "returns"), QuestionType.SINGLE),
        Question("faults", "What is wrong?", ("rude", "false"), QuestionType.MULTIPLE, required=False),
        Question("why", "Why?", type=QuestionType.TEXT, required=False),
        Question("where", "Mark it", ("wrong fact", "rude"), QuestionType.SPANS, required=False),
    )
)
GIVEN = {"tone": 2, "safe": False, "topic": "returns"}


def test_each_type_of_question_takes_its_own_answers() -> None:
    span = {"response": 0, "start": 3, "end": 9, "reason": "rude"}
    given = {**GIVEN, "faults": ["false", "rude"], "why": " so ", "where": [{**span, "more": 1}]}
    assert EVERY_TYPE.validate(given) == {**GIVEN, "faults": ["rude", "false"], "why": "so", "where": [span]}
    assert Rubric.from_json(EVERY_TYPE.to_json()) == EVERY_TYPE


def test_empty_answers_to_optional_questions_are_left_out() -> None:
    assert EVERY_TYPE.validate({**GIVEN, "faults": [], "why": " ", "where": []}) == GIVEN


@pytest.mark.parametrize(
    "wrong",
    [
        {"safe": 1},
        {"topic": "weather"},
        {"topic": None},
        {"faults": "rude"},
        {"faults": ["cold"]},
        {"why": 3},
        {"where": [{"response": 0, "start": 3, "end": 3, "reason": "rude"}]},
        {"where": [{"response": 0, "start": 3, "end": 9, "reason": "loud"}]},
    ],
)
def test_an_answer_of_another_type_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        EVERY_TYPE.validate({**GIVEN, **wrong})


def test_a_key_that_the_desk_needs_is_refused_with_what_it_means() -> None:
    rubric = Rubric((Question("topic", "What?", ("tea", "coffee"), QuestionType.SINGLE, keys=("t", "o")),))
    rubric.check_for(TaskKind.RATE)
    with pytest.raises(InvalidInput, match="T of 'tea' in 'topic' already means: tie"):
        rubric.check_for(TaskKind.COMPARE)


def test_two_answers_with_one_key_are_refused() -> None:
    with pytest.raises(InvalidInput, match="same key"):
        Question("topic", "What?", ("tea", "coffee"), QuestionType.SINGLE, keys=("a", "a"))


def test_a_rating_task_needs_something_to_answer_and_a_comparison_does_not() -> None:
    NO_QUESTIONS.check_for(TaskKind.COMPARE)
    with pytest.raises(InvalidInput):
        NO_QUESTIONS.check_for(TaskKind.RATE)
