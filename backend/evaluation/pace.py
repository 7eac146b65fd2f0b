"""How fast judging goes and when it will be done. Pure: counts by the hour in, a forecast with its interval out.

The forecast takes the future to be like the last days: it redraws them, and draws from them what is still to do. Not
promised: that nobody goes on holiday. Below the stated minimum it says "not enough yet" instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

DAY = 24
LOOK_BACK = {DAY: 14, 1: 12}
"""How many of the last days, or hours, a forecast looks at."""
LEAST = {DAY: 3, 1: 3}
LEAST_ANSWERS = 20
REDRAWS = 2000
LONGEST = 10 * 365 * DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Hours from now until the last answer, and how many answers came in an hour or a day. `reason` where there is none."""

    hours: float | None = None
    low: float | None = None
    high: float | None = None
    rate: float = 0.0
    unit: str = "day"
    reason: str = ""


def by_step(hourly: Mapping[int, int], *, step: int, now: int) -> np.ndarray:
    """Answers in each of the last whole steps before the hour `now`, from the first in which there was any."""
    last = now // step
    first = min((hour // step for hour in hourly), default=last)
    counts = np.zeros(max(0, last - max(first, last - LOOK_BACK[step])), dtype=float)
    for hour, count in hourly.items():
        place = hour // step - (last - len(counts))
        if 0 <= place < len(counts):
            counts[place] += count
    return counts


def forecast(hourly: Mapping[int, int], remaining: int, *, now: int, seed: int = 0) -> Forecast:
    """When `remaining` answers will be there, from answers by the hour (hours since 1970). By days, or at first by hours."""
    if remaining <= 0:
        return Forecast(hours=0.0, low=0.0, high=0.0, reason="Everything is answered.")
    for step, unit in ((DAY, "day"), (1, "hour")):
        counts = by_step(hourly, step=step, now=now)
        if len(counts) >= LEAST[step] and counts.sum() >= LEAST_ANSWERS and (counts > 0).sum() >= 2:
            return _drawn(counts, remaining, step, unit, np.random.default_rng(seed))
    if hourly and max(hourly) < now - LOOK_BACK[DAY] * DAY:
        return Forecast(reason="Nobody has answered for two weeks.")
    return Forecast(reason=f"Not enough yet: a forecast needs {LEAST_ANSWERS} answers over at least three hours or days.")


def _drawn(counts: np.ndarray, remaining: int, step: int, unit: str, generator: np.random.Generator) -> Forecast:
    """How long the rest takes at redrawn rates, with the chance of the days to come added."""
    drawn = generator.choice(counts, size=(REDRAWS, len(counts)))
    rates = np.maximum(drawn.mean(axis=1), 1e-9)
    steps = remaining / rates
    steps = np.maximum(steps + generator.normal(size=REDRAWS) * counts.std() * np.sqrt(steps) / rates, 0.0)
    rate = float(counts.mean())
    low, high = (float(bound) * step for bound in np.quantile(steps, [0.025, 0.975]))
    middle = remaining / rate * step
    return Forecast(hours=middle, low=min(low, middle), high=max(min(high, LONGEST), middle), rate=rate, unit=unit)


def saved(items: int, overlap_max: int | None, judgements: int) -> int | None:
    """Judgements that adaptive overlap spared on finished items; None where overlap is fixed."""
    return None if overlap_max is None else items * overlap_max - judgements
