"""Weights make slice and outcome independent; copies bring slices to their shares."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from backend.curation.plans import shares_of
from backend.curation.weights import HIGHEST, LOWEST, MOST_COPIES, Resampling, gap, resample, reweigh, table
from backend.errors import InvalidInput

names = st.sampled_from(["phone", "mail", "chat"])
rows = st.lists(st.tuples(names, st.sampled_from(["approved", "rejected"])), min_size=1, max_size=60)


def test_the_worked_example_of_kamiran_and_calders() -> None:
    """Ten applicants: five women of whom two were accepted, five men of whom four were (their table 1)."""
    sex = ["m"] * 5 + ["f"] * 5
    outcome = ["+", "+", "+", "+", "-", "+", "+", "-", "-", "-"]
    found = reweigh(sex, outcome).weights
    assert found == pytest.approx({("m", "+"): 0.75, ("m", "-"): 2.0, ("f", "+"): 1.5, ("f", "-"): 2 / 3})


@settings(max_examples=40, deadline=None)
@given(rows)
def test_weights_make_slice_and_outcome_independent(pairs: list[tuple[str, str]]) -> None:
    cells = Counter(pairs)
    assume(len(cells) == len({name for name, _ in cells}) * len({outcome for _, outcome in cells}))
    slices, outcomes = zip(*pairs, strict=True)
    weights = reweigh(slices, outcomes, lowest=1e-6, highest=1e6).weights
    weighted = table(slices, outcomes, [weights[pair] for pair in pairs])
    assert gap(weighted) == pytest.approx(0, abs=1e-9)
    for name in set(slices):
        share = sum(weight for (held, _), weight in weighted.items() if held == name) / len(pairs)
        assert share == pytest.approx(slices.count(name) / len(pairs))


@settings(max_examples=40, deadline=None)
@given(rows, st.lists(st.integers(0, 3), min_size=60, max_size=60))
def test_weights_stay_within_their_bounds_and_have_the_mean_one(pairs: list[tuple[str, str]], copies: list[int]) -> None:
    counts = copies[: len(pairs)]
    assume(sum(counts))
    slices, outcomes = zip(*pairs, strict=True)
    weights = reweigh(slices, outcomes, counts).weights
    given_ = [weights[pair] * count for pair, count in zip(pairs, counts, strict=True) if count]
    assert all(LOWEST <= weight <= HIGHEST for weight in weights.values())
    assert sum(given_) / sum(counts) == pytest.approx(1)


def test_a_bound_that_cuts_is_counted() -> None:
    found = reweigh(["a"] * 100 + ["b"] * 100, ["yes"] * 99 + ["no"] + ["yes"] + ["no"] * 99)
    assert found.cut == 2
    assert max(found.weights.values()) == HIGHEST
    with pytest.raises(InvalidInput):
        reweigh(["a"], ["yes"], lowest=2, highest=3)


@settings(max_examples=40, deadline=None)
@given(st.lists(names, min_size=1, max_size=60), st.sampled_from(Resampling), st.integers(0, 9))
def test_copies_bring_every_slice_to_its_target_and_never_above_the_limit(
    slices: list[str], how: Resampling, seed: int
) -> None:
    copies = resample(slices, how=how, seed=seed)
    assert copies == resample(slices, how=how, seed=seed)
    assert max(copies) <= MOST_COPIES
    sizes, got = Counter(slices), Counter[str]()
    for name, count in zip(slices, copies, strict=True):
        got[name] += count
    target = {
        Resampling.OVER: max(sizes.values()),
        Resampling.UNDER: min(sizes.values()),
        Resampling.SHARES: round(len(slices) / len(sizes)),
    }[how]
    assert all(got[name] == min(target, MOST_COPIES * size) for name, size in sizes.items())


def test_target_shares_that_were_stated_are_kept_to() -> None:
    slices = ["de"] * 80 + ["en"] * 20
    copies = resample(slices, how=Resampling.SHARES, seed=1, shares={"de": 0.6, "en": 0.4})
    assert (sum(copies[:80]), sum(copies[80:])) == (60, 40)
    assert min(copies[80:]) == 2
    with pytest.raises(InvalidInput):
        resample(slices, how=Resampling.SHARES, seed=1, shares={"de": -1.0, "en": 1.0})
    with pytest.raises(InvalidInput, match="de, en"):
        resample(slices, how=Resampling.SHARES, seed=1, shares={"fr": 1.0})


def test_target_shares_are_read_as_they_are_typed() -> None:
    assert shares_of(" mail=40, a=b=60.5 ,") == {"mail": 40.0, "a=b": 60.5}
    assert shares_of("") == {}
    for text in ("mail", "mail=", "=4", "mail=-1", "mail=nan", "mail=inf"):
        with pytest.raises(InvalidInput):
            shares_of(text)
