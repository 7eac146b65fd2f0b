from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.review.blinding import Shown, draw, sides, winner
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


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(0, 1)), max_size=150))
def test_two_versions_stand_on_each_side_as_often_however_they_are_named_in_the_items(
    draws: list[tuple[int, int, int]],
) -> None:
    shown = Shown()
    for first, _, bit in draws:
        shown.side(1 if first > 2 else 2, 2 if first > 2 else 1, bit=bit)
        assert abs(shown.faced[1, 2] - shown.faced[2, 1]) <= 1


@given(st.integers(2, 5), st.integers(0, 10_000))
def test_in_a_round_robin_every_version_stands_left_about_as_often_as_right(versions: int, seed: int) -> None:
    chance, shown = random.Random(seed), Shown()
    pairs = [(one, other) for one in range(1, versions + 1) for other in range(1, one)] * 10
    chance.shuffle(pairs)
    for first, second in pairs:
        shown.side(first, second, bit=chance.getrandbits(1))
    for version in range(1, versions + 1):
        left = sum(times for (one, _), times in shown.faced.items() if one == version)
        right = sum(times for (_, other), times in shown.faced.items() if other == version)
        assert abs(left - right) <= 2 + versions % 2


@given(st.integers(3, 5), st.integers(0, 10_000))
def test_in_rankings_every_version_stands_at_each_place_about_as_often(count: int, seed: int) -> None:
    chance, shown = random.Random(seed), Shown()
    for number in range(12):
        responses = [(number * 10 + version, version) for version in range(1, count + 1)]
        drawn = shown.order(responses, chance=chance)
        assert sorted(drawn) == sorted(response for response, _ in responses)
    placed = [shown.placed[version, place] for version in range(1, count + 1) for place in range(count)]
    assert max(placed) - min(placed) <= 2
