from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from backend.review.drift import FEWEST, LAST, fallen

SCORES = st.lists(st.sampled_from([0.0, 0.5, 0.75, 1.0]), max_size=80)


@given(SCORES)
def test_a_notice_needs_enough_answers_and_a_fall_beyond_chance(scores: list[float]) -> None:
    found = fallen(scores)
    if found is None:
        return
    assert len(scores) >= FEWEST
    assert found.recent.n == min(len(scores), LAST)
    assert found.recent.high < (found.floor if found.earlier is None else found.earlier)


def test_a_good_rater_who_becomes_careless_is_noticed() -> None:
    found = fallen([1.0] * 40 + [0.0] * 8 + [1.0] * 12)
    assert found is not None
    assert found.sentence == "60% of the last 20 right, 100% before"


def test_a_few_unlucky_answers_raise_nothing() -> None:
    assert fallen([1.0] * 18 + [0.0] * 2) is None
    assert fallen([1.0, 1.0, 1.0, 0.0] * 15) is None


def test_a_rater_who_was_never_good_is_below_the_floor() -> None:
    found = fallen([0.0, 0.0, 1.0, 0.0] * 5)
    assert found is not None
    assert found.sentence == "25% of the last 20 right, which is below 60%"


def test_what_a_lead_has_seen_comes_back_only_with_new_answers() -> None:
    fallen_low = [0.0] * 20
    assert fallen(fallen_low) is not None
    assert fallen(fallen_low, seen=20) is None
    assert fallen(fallen_low + [0.0] * (FEWEST - 1), seen=20) is None
    assert fallen(fallen_low + [0.0] * FEWEST, seen=20) is not None
