from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.review import grading
from backend.review.grading import answer_score, feedback_for, grade, preference_score, ranking_score
from backend.review.wording import words
from backend.rubrics import NO_QUESTIONS, Question, Rubric
from backend.vocabulary import QuestionType, TaskKind, Verdict

FIVE = Question("tone", "How does it sound?", ("a", "b", "c", "d", "e"))
THREE = Question("size", "How long is it?", ("short", "right", "long"))
YES = Question("fits", "Does it fit?", type=QuestionType.YES_NO)
ONE = Question("kind", "Which kind?", ("x", "y"), QuestionType.SINGLE)
MANY = Question("faults", "Which faults?", ("rude", "wrong", "long"), QuestionType.MULTIPLE)
NOTE = Question("note", "Anything else?", type=QuestionType.TEXT)
MARKS = Question("marks", "Where?", ("wrong fact", "rude"), QuestionType.SPANS)


@dataclass
class Said:
    answers: dict[str, Any] = field(default_factory=dict)
    verdict: Verdict | None = None
    winner_response_id: int | None = None
    ranking: list[list[int]] | None = None


def span(start: int, end: int, reason: str = "rude", response: int = 7) -> dict[str, Any]:
    return {"response": 0, "response_id": response, "start": start, "end": end, "reason": reason}


@pytest.mark.parametrize(
    ("question", "given_", "known", "score"),
    [
        (FIVE, 4, 4, 1.0), (FIVE, 3, 4, 0.5), (FIVE, 5, 4, 0.5), (FIVE, 2, 4, 0.0), (FIVE, None, 4, 0.0),
        (THREE, 2, 3, 0.0), (THREE, 3, 3, 1.0),
        (YES, True, True, 1.0), (YES, False, True, 0.0),
        (ONE, "x", "x", 1.0), (ONE, "y", "x", 0.0),
        (MANY, ["rude"], ["rude", "wrong"], 0.5), (MANY, [], [], 1.0), (MANY, None, [], 1.0), (MANY, ["long"], ["rude"], 0.0),
        (MARKS, [span(0, 10)], [span(0, 10)], 1.0), (MARKS, [span(0, 10, "wrong fact")], [span(0, 10)], 0.5),
        (MARKS, [span(0, 5)], [span(0, 10)], 2 / 3), (MARKS, [], [span(0, 10)], 0.0), (MARKS, [], [], 1.0),
        (MARKS, [span(0, 10, response=8)], [span(0, 10)], 0.0),
    ],
)  # fmt: skip
def test_an_answer_scores_as_its_question_says(question: Question, given_: Any, known: Any, score: float) -> None:
    assert answer_score(question, given_, known) == pytest.approx(score)


WINNER = st.sampled_from([1, 2, None])


@given(st.tuples(WINNER, st.sampled_from(list(Verdict))), st.tuples(WINNER, st.sampled_from([Verdict.TIE, Verdict.BOTH_BAD])))
def test_a_preference_is_right_where_the_same_response_wins(mine: tuple[Any, Any], right: tuple[Any, Any]) -> None:
    given_ = Said(winner_response_id=mine[0], verdict=mine[1])
    known = Said(winner_response_id=right[0], verdict=right[1])
    score = preference_score(given_, known)
    assert (score == 0.0) == (mine[0] != right[0])
    if right[0] is None and mine[0] is None and mine[1] in (Verdict.TIE, Verdict.BOTH_BAD):
        assert score == (1.0 if mine[1] == right[1] else 0.5)


@st.composite
def rankings(draw: st.DrawFn) -> list[list[int]]:
    order = draw(st.permutations([1, 2, 3, 4]))
    cuts = draw(st.lists(st.booleans(), min_size=3, max_size=3))
    places = [[order[0]]]
    for response, apart in zip(order[1:], cuts, strict=True):
        if apart:
            places.append([response])
        else:
            places[-1].append(response)
    return places


@given(rankings(), rankings())
def test_a_ranking_scores_by_its_pairs(one: list[list[int]], other: list[list[int]]) -> None:
    assert ranking_score(one, one) == 1.0
    assert ranking_score(one, other) == ranking_score(other, one)
    assert 0.0 <= ranking_score(one, other) <= 1.0
    strict = [[response] for place in one for response in place]
    assert ranking_score(strict[::-1], strict) == 0.0


def test_a_ranking_without_an_answer_is_wrong() -> None:
    assert ranking_score((), [[1], [2]]) == 0.0


def test_only_what_the_known_answer_says_is_graded() -> None:
    rubric = Rubric((FIVE, YES, NOTE))
    known = Said({"tone": 4, "note": "because"})
    found = grade(TaskKind.RATE, rubric, Said({"tone": 3, "fits": False, "note": "no"}), known)
    assert found is not None
    assert [(part.asked, part.score) for part in found.parts] == [("tone", 0.5)]
    assert not found.right
    assert grade(TaskKind.RATE, rubric, Said({"tone": 1}), Said({"note": "because"})) is None
    assert grade(TaskKind.COMPARE, NO_QUESTIONS, Said(verdict=Verdict.TIE), Said()) is None


def test_small_misses_are_forgiven_and_large_ones_are_not() -> None:
    assert grading.is_right(0.75)
    assert not grading.is_right(0.74)


def test_feedback_tells_what_was_right_in_words() -> None:
    told = feedback_for(
        TaskKind.COMPARE,
        Rubric((YES,)),
        Said({"fits": False}, Verdict.LEFT, 1),
        Said({"fits": True}, None, 2),
        names={1: "Left", 2: "Right"},
        explanation="The left one invents a price.",
    )
    assert [(line.title, line.yours, line.wanted, line.score) for line in told.lines] == [
        ("Which response is better?", "Left is better", "Right is better", 0.0),
        ("Does it fit?", "No", "Yes", 0.0),
    ]
    assert (told.right, told.score, told.explanation) == (False, 0.0, "The left one invents a price.")


def test_every_kind_of_answer_has_words() -> None:
    rubric = Rubric((FIVE, YES, ONE, MANY, NOTE, MARKS))
    answers = {"tone": 5, "fits": True, "kind": "x", "faults": [], "note": "hm", "marks": [span(2, 4)]}
    told = words(TaskKind.RANK, rubric, Said(answers, ranking=[[2], [1, 3]]), {1: "Response 1", 2: "Response 2"})
    assert told == {
        "ranking": "Response 2 > Response 1 = another response",
        "tone": "5 · e",
        "fits": "Yes",
        "kind": "x",
        "faults": "none of them",
        "note": "hm",
        "marks": "rude (2–4)",
    }
