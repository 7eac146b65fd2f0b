from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer import preflight
from trainer.contract import TrainConfig
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


def test_what_does_not_fit_is_told_with_the_largest_batch_that_would(snapshot: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = TrainConfig(data=str(snapshot), batch_size=8)
    told = preflight.describe(config)
    assert told["fits"]
    assert told["largest_batch"] == told["rows"]
    monkeypatch.setattr(preflight, "memory_of", lambda _: int(told["estimated_peak_memory_bytes"] / 0.93))
    tight = preflight.describe(config)
    assert not tight["fits"]
    assert 0 <= tight["largest_batch"] < 8
    assert "batch size of at most" in tight["fits_why"] or "Not one conversation" in tight["fits_why"]
