from __future__ import annotations

from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from backend.review.mixture import plan
from backend.vocabulary import ItemPurpose

SHARE = st.just(0.0) | st.floats(0.001, 0.25)
SHARES = st.tuples(SHARE, SHARE)


@given(seed=st.integers(0, 2**31), account=st.integers(1, 10**6), shares=SHARES, length=st.integers(1, 600))
def test_each_kind_has_its_share_but_for_two(seed: int, account: int, shares: tuple[float, float], length: int) -> None:
    gold, repeats = shares
    found = Counter(plan(seed=seed, account_id=account, gold_share=gold, repeat_share=repeats, start=0, count=length))
    assert abs(found[ItemPurpose.GOLD] - gold * length) <= 2
    assert abs(found[ItemPurpose.REPEAT] - repeats * length) <= 2
    assert sum(found.values()) == length


@given(seed=st.integers(0, 2**31), shares=SHARES, start=st.integers(0, 300), count=st.integers(1, 30))
def test_a_window_of_the_plan_is_the_same_whenever_it_is_asked_for(
    seed: int, shares: tuple[float, float], start: int, count: int
) -> None:
    gold, repeats = shares
    whole = plan(seed=seed, account_id=1, gold_share=gold, repeat_share=repeats, start=0, count=start + count)
    assert plan(seed=seed, account_id=1, gold_share=gold, repeat_share=repeats, start=start, count=count) == whole[start:]


def test_raters_get_their_copies_at_different_places() -> None:
    places = {
        tuple(plan(seed=3, account_id=account, gold_share=0.1, repeat_share=0.1, start=0, count=60)) for account in range(20)
    }
    assert len(places) == 20


def test_where_the_next_copy_comes_does_not_follow_from_the_last() -> None:
    drawn = plan(seed=1, account_id=1, gold_share=0.1, repeat_share=0.0, start=0, count=2000)
    golds = [place for place, purpose in enumerate(drawn) if purpose is ItemPurpose.GOLD]
    gaps = {later - earlier for earlier, later in pairwise(golds)}
    assert len(gaps) > 10
