"""The intraclass correlation: how much of the spread of scores is between items, not between raters (Shrout and Fleiss 1979).

Six forms. (1, ·): each item has raters of its own; (2, ·): the same raters, a sample of many, whose differences in
strictness count as error; (3, ·): these raters alone, whose strictness does not matter. (·, 1) is the reliability of one
rater's score, (·, k) that of the mean of all k. Intervals are those of Shrout and Fleiss, from the F distribution: scores
are taken as normal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum

import numpy as np

from backend.statistics.results import CONFIDENCE, Estimate, NotEstimable, Result, f_quantile


class IccForm(StrEnum):
    """Shrout and Fleiss's forms."""

    ONE_SINGLE = "ICC(1,1)"
    TWO_SINGLE = "ICC(2,1)"
    THREE_SINGLE = "ICC(3,1)"
    ONE_MEAN = "ICC(1,k)"
    TWO_MEAN = "ICC(2,k)"
    THREE_MEAN = "ICC(3,k)"


_OF_MEAN = {
    IccForm.ONE_MEAN: IccForm.ONE_SINGLE,
    IccForm.TWO_MEAN: IccForm.TWO_SINGLE,
    IccForm.THREE_MEAN: IccForm.THREE_SINGLE,
}
_Bounds = tuple[float, float, float]
"""(value, low, high)"""


def icc(
    table: Sequence[Sequence[float | None]], form: IccForm = IccForm.TWO_SINGLE, *, confidence: float = CONFIDENCE
) -> Result:
    """The intraclass correlation of a table with one row an item and one column a rater.

    Rows with a missing score are left out, as the analysis of variance needs a full table; `n` counts the rows used.
    """
    method = f"{form}, F-based interval"
    full = [row for row in table if row and all(score is not None for score in row)]
    n, raters = len(full), len(full[0]) if full else 0
    if any(not isinstance(score, int | float) or not math.isfinite(score) for row in full for score in row):
        return NotEstimable(reason="the intraclass correlation needs numbers", n=n, method=method)
    if raters < 2 or n < 2:
        reason = "there are fewer than two raters" if full and raters < 2 else "fewer than two items were scored by every rater"
        return NotEstimable(reason=reason, n=n, method=method)
    scores = np.array(full, dtype=float)
    if scores.min() == scores.max():
        return NotEstimable(reason="all scores are equal, so they say nothing about the spread", n=n, method=method)
    try:
        value, low, high = _from_squares(scores, form, confidence)
    except ZeroDivisionError:
        return _without_spread(scores, form, method)
    if not all(map(math.isfinite, (value, low, high))):
        return NotEstimable(reason="items differ too little for an interval", n=n, method=method)
    bounds = min(low, value), max(high, value)
    return Estimate(value=value, low=bounds[0], high=bounds[1], n=n, method=method, confidence=confidence)


def icc_forms(table: Sequence[Sequence[float | None]], *, confidence: float = CONFIDENCE) -> dict[IccForm, Result]:
    """All six forms."""
    return {form: icc(table, form, confidence=confidence) for form in IccForm}


def _without_spread(scores: np.ndarray, form: IccForm, method: str) -> NotEstimable:
    n = len(scores)
    if (scores == scores[:, :1]).all():
        return NotEstimable(reason=f"all raters agree on all {n} items", n=n, method=method, value=1.0)
    reason = "raters differ by the same amount on every item, or items do not differ, so there is no interval"
    return NotEstimable(reason=reason, n=n, method=method)


def _from_squares(scores: np.ndarray, form: IccForm, confidence: float) -> _Bounds:
    n, k = scores.shape
    scores = scores - scores.mean()
    rows, columns = scores.mean(axis=1), scores.mean(axis=0)
    between = k * float(rows @ rows) / (n - 1)
    judges = n * float(columns @ columns) / (k - 1)
    residual = scores - rows[:, None] - columns[None, :]
    error = float((residual**2).sum()) / ((n - 1) * (k - 1))
    within = float(((scores - rows[:, None]) ** 2).sum()) / (n * (k - 1))
    # What rounding leaves of a zero must not become a huge ratio.
    floor = 1e-20 * float((scores**2).mean())
    between, judges, error, within = (0.0 if square < floor else square for square in (between, judges, error, within))
    if not between:
        raise ZeroDivisionError("items have equal means")
    single = _OF_MEAN.get(form, form)
    if single is IccForm.ONE_SINGLE:
        bounds = _one_way(between / within, n - 1, n * (k - 1), k, confidence)
    elif single is IccForm.THREE_SINGLE:
        bounds = _one_way(between / error, n - 1, (n - 1) * (k - 1), k, confidence)
    else:
        bounds = _two_way(between, judges, error, n, k, confidence)
    if form is single:
        return bounds
    # Spearman and Brown: the reliability of the mean of k scores. Where raters differ far more than items it has no meaning.
    value, low, high = (k * bound / room if (room := 1 + (k - 1) * bound) > 1e-9 else math.nan for bound in bounds)
    return value, low, high


def _one_way(ratio: float, above: int, below: int, k: int, confidence: float) -> _Bounds:
    lower = ratio / f_quantile(confidence, above, below)
    upper = ratio * f_quantile(confidence, below, above)
    value, low, high = ((f - 1) / (f + k - 1) for f in (ratio, lower, upper))
    return value, low, high


def _two_way(between: float, judges: float, error: float, n: int, k: int, confidence: float) -> _Bounds:
    value = (between - error) / (between + (k - 1) * error + k * (judges - error) / n)
    ratio = judges / error
    # Satterthwaite's degrees of freedom for the mix of mean squares.
    a = k * value * ratio + n * (1 + (k - 1) * value) - k * value
    b = (k * value * ratio) ** 2 * (n - 1) + (n * (1 + (k - 1) * value) - k * value) ** 2
    freedom = (k - 1) * (n - 1) * a**2 / b
    if freedom < 0.05:
        return value, math.nan, math.nan  # the quantile leaves the range of floating point
    f_low, f_high = f_quantile(confidence, n - 1, freedom), f_quantile(confidence, freedom, n - 1)
    rest = k * judges + (k * n - k - n) * error
    low = n * (between - f_low * error) / (f_low * rest + n * between)
    high = n * (f_high * between - error) / (rest + n * f_high * between)
    return value, low, high
