from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.errors import InvalidInput
from backend.review.answers import marked, ranking_by_id, ranking_by_place, rubric_of
from backend.rubrics import NO_QUESTIONS, Question, Rubric
from backend.vocabulary import QuestionType

FAULTS = Rubric((Question("faults", "What is wrong?", ("Wrong", "Rude"), QuestionType.SPANS),))


@given(st.permutations([11, 22, 33, 44]), st.permutations(range(4)), st.lists(st.booleans(), min_size=3, max_size=3))
def test_a_ranking_comes_back_to_its_rater_as_it_was_given(shown: list[int], order: list[int], ties: list[bool]) -> None:
    places = [[order[0]]]
    for place, tied in zip(order[1:], ties, strict=True):
        if tied:
            places[-1].append(place)
        else:
            places.append([place])
    stored = ranking_by_id(places, shown=shown)
    assert sorted(one for tied in stored for one in tied) == [11, 22, 33, 44]
    assert stored[0] == sorted(shown[place] for place in places[0])
    assert [list(tied) for tied in ranking_by_place(stored, shown=shown)] == [sorted(tied) for tied in places]


@pytest.mark.parametrize(
    "places",
    [None, [], [[0], [1]], [[0], [1], [1]], [[0, 1], [], [2]], [[0], [1], [3]], [[0], [1], [True]], ["012"], [[0, 1], 2]],
)
def test_a_ranking_that_leaves_a_response_out_or_names_it_twice_is_refused(places: Any) -> None:
    with pytest.raises(InvalidInput):
        ranking_by_id(places, shown=[11, 22, 33])


def test_a_marked_passage_counts_characters_and_names_its_response() -> None:
    text = "🚚🚚 is late"
    span = {"response": 1, "start": 0, "end": len(text), "reason": "Rude"}
    found = marked(FAULTS, {"faults": [span]}, texts=["short", text], shown=[11, 22])
    assert found == {"faults": [{**span, "response_id": 22}]}


@pytest.mark.parametrize("span", [{"response": 0, "end": 6}, {"response": 2, "end": 1}])
def test_a_passage_beyond_what_was_shown_is_refused(span: dict[str, int]) -> None:
    with pytest.raises(InvalidInput):
        marked(FAULTS, {"faults": [{"start": 0, "reason": "Rude", **span}]}, texts=["short", "other"], shown=[11, 22])


def test_a_task_without_a_rubric_asks_nothing() -> None:
    assert rubric_of({}) is NO_QUESTIONS
    assert rubric_of(FAULTS.to_json()) == FAULTS
