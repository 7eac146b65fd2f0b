"""Intervals for proportions, differences and means, and corrections for looking at many at once.

Observations are taken as independent. Where several ratings belong to one item, average them first, or pass the items as
`groups` to `mean_bootstrap`.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np

from backend.statistics.results import (
    CONFIDENCE,
    Estimate,
    NotEstimable,
    Result,
    normal_p_value,
    normal_quantile,
    t_p_value,
    t_quantile,
)


def _wilson_bounds(successes: float, n: int, confidence: float) -> tuple[float, float]:
    z = normal_quantile(confidence)
    share = successes / n
    centre = share + z * z / (2 * n)
    reach = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    # Rounding may push a bound a hair past the observed share at 0 and 1.
    low, high = (centre - reach) / scale, (centre + reach) / scale
    return max(0.0, min(low, share)), min(1.0, max(high, share))


def wilson(successes: float, n: int, *, confidence: float = CONFIDENCE, method: str = "Wilson") -> Result:
    """A proportion with Wilson's score interval, good also for few observations and for 0 or all successes.

    `successes` may be fractional, as when ties count half; the interval is then a little wide.
    """
    if n < 0 or not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n} make no proportion")
    if n == 0:
        return NotEstimable(reason="there are no observations", n=0, method=method)
    low, high = _wilson_bounds(successes, n, confidence)
    return Estimate(value=successes / n, low=low, high=high, n=n, method=method, confidence=confidence)


def newcombe(s1: float, n1: int, s2: float, n2: int, *, confidence: float = CONFIDENCE) -> Result:
    """The difference of two independent proportions (first minus second), Newcombe's interval from two Wilson intervals."""
    method = "Newcombe"
    if n1 == 0 or n2 == 0:
        return NotEstimable(reason="one of the two groups has no observations", n=n1 + n2, method=method)
    p1, p2 = s1 / n1, s2 / n2
    (low1, high1), (low2, high2) = _wilson_bounds(s1, n1, confidence), _wilson_bounds(s2, n2, confidence)
    low = p1 - p2 - math.hypot(p1 - low1, high2 - p2)
    high = p1 - p2 + math.hypot(high1 - p1, p2 - low2)
    return Estimate(value=p1 - p2, low=low, high=high, n=n1 + n2, method=method, confidence=confidence)


def proportions_p_value(s1: float, n1: int, s2: float, n2: int) -> float | None:
    """Two-sided p-value of the score test that two proportions are equal; None where neither varies."""
    if n1 == 0 or n2 == 0:
        return None
    pooled = (s1 + s2) / (n1 + n2)
    spread = pooled * (1 - pooled) * (1 / n1 + 1 / n2)
    return normal_p_value((s1 / n1 - s2 / n2) / math.sqrt(spread)) if spread > 0 else None


def mean(values: Sequence[float], *, confidence: float = CONFIDENCE) -> Result:
    """The mean with Student's t interval."""
    method, n = "mean, t interval", len(values)
    if n == 0:
        return NotEstimable(reason="there are no observations", n=0, method=method)
    centre = math.fsum(values) / n
    if n == 1:
        return NotEstimable(reason="one observation says nothing about the spread", n=1, method=method, value=centre)
    if min(values) == max(values):
        reason = f"all {n} observations are equal, so they say nothing about the spread"
        return NotEstimable(reason=reason, n=n, method=method, value=centre)
    reach = t_quantile(confidence, n - 1) * float(np.std(values, ddof=1)) / math.sqrt(n)
    return Estimate(value=centre, low=centre - reach, high=centre + reach, n=n, method=method, confidence=confidence)


def mean_difference(
    first: Sequence[float] | np.ndarray, second: Sequence[float] | np.ndarray, *, confidence: float = CONFIDENCE
) -> tuple[Result, float | None]:
    """The difference of two independent means (first minus second) with Welch's interval, and its p-value."""
    method, n = "difference of means, Welch", len(first) + len(second)
    if len(first) < 2 or len(second) < 2:
        return NotEstimable(reason="one of the two groups has fewer than two observations", n=n, method=method), None
    one, two = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    a, b = float(one.var(ddof=1)) / len(one), float(two.var(ddof=1)) / len(two)
    difference = float(one.mean() - two.mean())
    if a + b < 1e-24:
        reason = "all observations within each group are equal, so they say nothing about the spread"
        return NotEstimable(reason=reason, n=n, method=method, value=difference), None
    freedom = (a + b) ** 2 / (a * a / (len(first) - 1) + b * b / (len(second) - 1))
    error = math.sqrt(a + b)
    reach = t_quantile(confidence, freedom) * error
    low, high = difference - reach, difference + reach
    estimate = Estimate(value=difference, low=low, high=high, n=n, method=method, confidence=confidence)
    return estimate, t_p_value(difference / error, freedom)


def mean_bootstrap(
    values: Sequence[float],
    *,
    seed: int,
    groups: Sequence[Hashable] | None = None,
    resamples: int = 2000,
    confidence: float = CONFIDENCE,
) -> Result:
    """The mean with a percentile bootstrap interval; whole groups (items, raters) are drawn where given."""
    method = "mean, bootstrap" if groups is None else "mean, bootstrap by group"
    if not values:
        return NotEstimable(reason="there are no observations", n=0, method=method)
    centre = math.fsum(values) / len(values)
    keys: dict[Hashable, int] = {}
    index = np.array([keys.setdefault(key, len(keys)) for key in (groups if groups is not None else range(len(values)))])
    if len(keys) < 2 or min(values) == max(values):
        what = "the values are all equal" if len(keys) > 1 else "there is only one group"
        return NotEstimable(reason=f"{what}, so they say nothing about the spread", n=len(values), method=method, value=centre)
    sums, counts = np.bincount(index, weights=np.asarray(values, float)), np.bincount(index)
    generator = np.random.default_rng(seed)
    means = np.empty(resamples)
    for draw in range(resamples):
        picked = generator.integers(len(keys), size=len(keys))
        means[draw] = sums[picked].sum() / counts[picked].sum()
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(value=centre, low=float(low), high=float(high), n=len(values), method=method, confidence=confidence)


# --- many tests at once -----------------------------------------------------------------------------------------------


def benjamini_hochberg(p_values: Sequence[float]) -> tuple[float, ...]:
    """p-values adjusted so that rejecting those at or below q keeps the false discovery rate at q, in the given order."""
    n, bound, adjusted = len(p_values), 1.0, [1.0] * len(p_values)
    for rank, i in reversed(list(enumerate(_by_size(p_values), start=1))):
        adjusted[i] = bound = min(bound, p_values[i] * n / rank)
    return tuple(adjusted)


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """p-values adjusted by Holm's step-down rule, against any false rejection."""
    n, bound, adjusted = len(p_values), 0.0, [1.0] * len(p_values)
    for rank, i in enumerate(_by_size(p_values), start=1):
        adjusted[i] = bound = min(1.0, max(bound, p_values[i] * (n - rank + 1)))
    return tuple(adjusted)


def bonferroni(p_values: Sequence[float]) -> tuple[float, ...]:
    """p-values multiplied by how many there are."""
    return tuple(min(1.0, p * len(p_values)) for p in p_values)


def _by_size(p_values: Sequence[float]) -> list[int]:
    return sorted(range(len(p_values)), key=lambda i: p_values[i])
