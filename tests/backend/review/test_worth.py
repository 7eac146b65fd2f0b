from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from backend.review.worth import FEWEST_LABELS, by_disagreement, by_thin_slices, by_uncertainty


def test_answers_that_differ_come_before_those_that_are_alike() -> None:
    places = by_disagreement(
        {1: ["the same words", "The same words"], 2: ["yes", "no way"], 3: ["one two", "one three"], 4: ["x"]}
    )
    assert [place.item_id for place in places] == [2, 3, 1, 4]
    assert [place.why for place in places] == ["The answers differ here by 100%", "The answers differ here by 67%", "", ""]


def test_what_the_quality_model_is_unsure_of_comes_first() -> None:
    labelled = [("kind helpful answer", True), ("rude useless answer", False)] * FEWEST_LABELS
    places = by_uncertainty({1: ["kind helpful"], 2: ["kind rude"], 3: ["rude useless"]}, labelled)
    assert places is not None
    assert places[0].item_id == 2
    assert places[0].why == "The quality model is unsure here: 50% good"


def test_a_comparison_is_uncertain_where_both_answers_are_judged_alike() -> None:
    labelled = [("kind helpful answer", True), ("rude useless answer", False)] * FEWEST_LABELS
    places = by_uncertainty({1: ["kind helpful", "rude useless"], 2: ["kind", "kind"]}, labelled)
    assert places is not None
    assert [place.item_id for place in places] == [2, 1]
    assert (places[0].why, places[1].why) == ("The quality model finds these answers nearly alike", "")


def test_too_few_labels_or_labels_of_one_kind_teach_no_model() -> None:
    few = [("good", True), ("bad", False)] * (FEWEST_LABELS // 2 - 1)
    assert by_uncertainty({1: ["x"]}, few) is None
    assert by_uncertainty({1: ["x"]}, [("good", True)] * 100) is None
    assert by_uncertainty({1: ["x"]}, [("?!", True), ("...", False)] * 100) is None


def test_thin_slices_take_turns_and_say_how_few_there_are() -> None:
    channel = {n: {"channel": "e-mail"} for n in range(4)} | {n: {"channel": "chat"} for n in range(4, 8)} | {9: {"id": "x"}}
    places = by_thin_slices(channel, {("channel", "e-mail"): 1, ("channel", "chat"): 3})
    assert [place.item_id for place in places] == [0, 1, 4, 2, 5, 3, 6, 7, 9]
    assert places[0].why == "Only 1 approved record in channel = e-mail"
    assert places[2].why == "Only 3 approved records in channel = chat"
    assert places[-1].why == ""
    assert by_thin_slices({1: {"a": "b"}}, {("a", "b"): 0})[0].why == "No approved record in a = b"


@given(
    st.dictionaries(st.integers(0, 99), st.dictionaries(st.sampled_from("ab"), st.sampled_from("xyz"), max_size=2), max_size=30)
)
def test_every_item_gets_one_place(slices: dict[int, dict[str, str]]) -> None:
    found = by_thin_slices(slices, {("a", "x"): 2, ("b", "y"): 0, ("a", "z"): 2})
    assert sorted(place.item_id for place in found) == sorted(slices)
    assert {place.item_id for place in by_disagreement({one: [] for one in slices})} == set(slices)
