from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.preflight import line

SOME = st.floats(1e-3, 1e3)


@given(st.floats(0, 10), st.floats(1e-6, 1), st.floats(100, 1000), st.floats(1.3, 10))
def test_two_steps_say_what_a_step_and_what_a_token_costs(start: float, rate: float, tokens: float, times: float) -> None:
    found = line((tokens, start + rate * tokens), (tokens * times, start + rate * tokens * times))
    assert found == pytest.approx((start, rate), rel=1e-3, abs=1e-3)


@given(SOME, SOME, SOME, SOME)
def test_times_that_noise_has_bent_never_give_a_negative_cost(
    tokens: float, seconds: float, more: float, longer: float
) -> None:
    start, rate = line((tokens, seconds), (tokens + more, longer))
    assert rate > 0
    assert start >= -1e-9 * longer
