"""Figures a token compare between models that cut texts into the same tokens."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from backend.evaluation.tokens import tokens_apart

COUNTS = st.integers(1, 10**6)


@given(COUNTS, COUNTS, st.floats(0.01, 20))
def test_the_loss_over_the_others_tokens_spends_as_many_nats(mine: int, other: int, loss: float) -> None:
    share = tokens_apart({"reference_tokens": mine, "loss_n": 5}, {"reference_tokens": other, "loss_n": 5})
    assert (share is None) is (mine == other)
    assert abs(loss * (share or 1.0) * other - loss * mine) < 1e-6 * loss * mine


@given(st.sampled_from([{}, {"reference_tokens": 0}, {"reference_tokens": None}, {"reference_tokens": 9, "loss_n": 4}]))
def test_what_is_not_known_is_not_said_to_differ(theirs: dict[str, int]) -> None:
    assert tokens_apart({"reference_tokens": 7, "loss_n": 5}, theirs) is None
    assert tokens_apart(theirs, {"reference_tokens": 7, "loss_n": 5}) is None
