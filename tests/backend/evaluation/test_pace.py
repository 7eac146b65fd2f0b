from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from backend.evaluation import pace, progress_tables
from backend.evaluation.pace import DAY, forecast

NOW = 20_000 * DAY + 5


def by_day(*counts: int) -> dict[int, int]:
    """So many answers at noon of each of the last days before today."""
    return {(20_000 - len(counts) + n) * DAY + 12: count for n, count in enumerate(counts) if count}


def test_a_steady_pace_gives_a_date_and_a_narrow_interval_an_uneven_one_a_wide_one() -> None:
    steady, uneven = forecast(by_day(*[100] * 10), 1000, now=NOW), forecast(by_day(*[200, 0] * 5), 1000, now=NOW)
    assert (steady.hours, steady.rate, steady.unit) == (240.0, 100.0, "day")
    assert steady.low is not None
    assert steady.high is not None
    assert uneven.low is not None
    assert uneven.high is not None
    assert steady.high - steady.low < uneven.high - uneven.low


def test_it_says_not_enough_yet_and_that_all_is_done() -> None:
    assert "Not enough yet" in forecast(by_day(3), 100, now=NOW).reason
    assert "Not enough yet" in forecast({}, 100, now=NOW).reason
    assert forecast({}, 0, now=NOW).reason == "Everything is answered."
    assert "two weeks" in forecast({hour - 40 * DAY: n for hour, n in by_day(5, 5, 5).items()}, 9, now=NOW).reason


def test_a_first_day_is_forecast_by_hours() -> None:
    hours = {NOW - n: 30 for n in range(1, 7)}
    found = forecast(hours, 60, now=NOW)
    assert (found.unit, found.rate, found.hours) == ("hour", 30.0, 2.0)
    text = progress_tables.finish_text(found, datetime(2026, 5, 1, 12, 0, tzinfo=UTC))
    assert text.startswith("01 May, 14:00 (")


@given(st.lists(st.integers(0, 500), min_size=3, max_size=14), st.integers(1, 10**6))
def test_the_interval_holds_the_middle_and_more_work_never_ends_sooner(counts: list[int], remaining: int) -> None:
    found, more = (forecast(by_day(*counts), wanted, now=NOW) for wanted in (remaining, remaining * 2))
    if found.hours is None or found.low is None or found.high is None:
        assert found.reason
        return
    assert 0 <= found.low <= found.hours <= found.high
    assert more.hours is not None
    assert more.hours >= found.hours


def test_adaptive_overlap_saves_what_was_not_asked() -> None:
    assert pace.saved(10, 5, 22) == 28
    assert pace.saved(10, None, 22) is None
