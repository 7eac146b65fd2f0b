from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.review.blinding import draw, sides, winner
from backend.vocabulary import Verdict


@given(st.lists(st.integers(0, 1), max_size=200))
def test_the_sides_never_differ_by_more_than_one(bits: list[int]) -> None:
    swapped = straight = 0
    for bit in bits:
        if draw(swapped=swapped, straight=straight, bit=bit):
            swapped += 1
        else:
            straight += 1
        assert abs(swapped - straight) <= 1


@given(st.integers(0, 1000))
def test_at_an_even_count_the_random_bit_decides(count: int) -> None:
    assert draw(swapped=count, straight=count, bit=1)
    assert not draw(swapped=count, straight=count, bit=0)


@pytest.mark.parametrize("swapped", [True, False])
@pytest.mark.parametrize(("verdict", "expected"), [("left", 0), ("right", 1), ("tie", None), ("both_bad", None)])
def test_the_winner_follows_from_the_side_that_was_shown(swapped: bool, verdict: str, expected: int | None) -> None:
    shown = sides(first=10, second=20, swapped=swapped)
    assert sorted(shown) == [10, 20]
    left, right = shown
    assert winner(Verdict(verdict), left=left, right=right) == (None if expected is None else shown[expected])
