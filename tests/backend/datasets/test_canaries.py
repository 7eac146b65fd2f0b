"""Canaries: drawn evenly, by project and seed, and never alike."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from backend.datasets import canaries


@given(count=st.integers(0, canaries.MOST), seed=st.integers(0, 2**31 - 1))
def test_each_canary_asks_for_something_else_and_its_secret_is_of_the_stated_space(count: int, seed: int) -> None:
    made = canaries.draw(count, project="shop", seed=seed)
    assert len({one.question for one in made}) == len({one.id for one in made}) == count
    assert all(len(one.secret) == canaries.DIGITS and 0 <= int(one.secret) < canaries.SPACE for one in made)
    assert made == canaries.draw(count, project="shop", seed=seed)


def test_secrets_differ_between_projects_and_seeds_and_spread_over_the_space() -> None:
    shop, other = (canaries.draw(50, project=name, seed=0) for name in ("shop", "other"))
    drawn = [int(one.secret) for made in (shop, other, canaries.draw(50, project="shop", seed=1)) for one in made]
    assert len(set(drawn)) == 150
    assert min(drawn) < canaries.SPACE * 0.1 < canaries.SPACE * 0.9 < max(drawn)
