"""Splits: what hangs together stays together, and nothing stays empty that need not."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.datasets.splits import Member, Ratios, assign, bundles
from backend.errors import InvalidInput
from backend.vocabulary import Split

keys = st.sampled_from(["", "a", "b", "c", "d", "e", "f"])
member_sets = st.dictionaries(st.integers(1, 500), st.tuples(keys, keys), max_size=60).map(
    lambda found: [Member(key, tuple(f"{i}:{k}" if k else "" for i, k in enumerate(value))) for key, value in found.items()]
)
seeds = st.integers(0, 1000)


@given(member_sets, seeds)
def test_rows_that_share_a_key_are_never_in_two_splits(members: list[Member], seed: int) -> None:
    split_of = assign(members, seed=seed)
    assert split_of.keys() == {member.id for member in members}
    for key in {key for member in members for key in member.keys if key}:
        assert len({split_of[member.id] for member in members if key in member.keys}) == 1


@given(member_sets, seeds)
def test_with_three_bundles_no_split_is_empty_and_train_never_is(members: list[Member], seed: int) -> None:
    found = set(assign(members, seed=seed).values())
    if members:
        assert Split.TRAIN in found
    if len(bundles(members)) == 2:
        assert found == {Split.TRAIN, Split.TEST}
    if len(bundles(members)) >= 3:
        assert found == set(Split)


@given(member_sets, seeds, st.randoms())
def test_the_order_of_the_rows_does_not_matter(members: list[Member], seed: int, random: object) -> None:
    shuffled = list(members)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert assign(shuffled, seed=seed) == assign(members, seed=seed)


@given(st.integers(30, 300), seeds)
def test_single_rows_are_split_exactly_by_the_shares(count: int, seed: int) -> None:
    sizes = Counter(assign([Member(i) for i in range(1, count + 1)], seed=seed).values())
    assert sizes[Split.TEST] == sizes[Split.VALIDATION] == max(1, round(count / 10))


@given(st.integers(80, 150), st.integers(1, 10), seeds)
def test_new_rows_bring_nothing_from_test_to_train(count: int, more: int, seed: int) -> None:
    before = assign([Member(i) for i in range(1, count + 1)], seed=seed)
    after = assign([Member(i) for i in range(1, count + more + 1)], seed=seed)
    leaked = [i for i in before if (before[i], after[i]) == (Split.TEST, Split.TRAIN)]
    assert not leaked


def test_another_seed_draws_another_test_set() -> None:
    members = [Member(i) for i in range(1, 101)]
    assert assign(members, seed=1) != assign(members, seed=2)


def test_one_large_bundle_goes_to_train() -> None:
    members = [Member(i, ("big",)) for i in range(1, 51)] + [Member(i) for i in range(51, 101)]
    for seed in range(20):
        assert assign(members, seed=seed)[1] is Split.TRAIN


def test_a_share_of_zero_leaves_its_split_empty() -> None:
    found = assign([Member(i) for i in range(1, 41)], seed=0, ratios=Ratios(0.9, 0.0, 0.1))
    assert Counter(found.values()) == {Split.TRAIN: 36, Split.TEST: 4}


@pytest.mark.parametrize("shares", [(0.8, 0.1, 0.2), (0.0, 0.5, 0.5), (1.2, -0.1, -0.1), (float("nan"), 0.1, 0.1)])
def test_shares_that_make_no_sense_are_refused(shares: tuple[float, float, float]) -> None:
    with pytest.raises(InvalidInput):
        Ratios(*shares)
