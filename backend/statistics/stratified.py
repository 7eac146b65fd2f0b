"""A share compared between two groups within strata, and an alarm where the whole tells another story than its parts.

Simpson's paradox: a slice can look better over all the data only because it holds more of an easy topic. Mantel and
Haenszel's pooled odds ratio compares like with like; Robins, Breslow and Greenland's variance gives its interval. It
takes the odds ratio as the same in all strata: where it truly differs, the pooled one is a mean of them.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from backend.statistics.results import CONFIDENCE, Estimate, NotEstimable, Result, normal_quantile


class Stratum(NamedTuple):
    """How often each of two groups succeeded in one stratum. Counts may be fractional (a tie is half a success)."""

    inside_yes: float
    inside_no: float
    outside_yes: float
    outside_no: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SimpsonCheck:
    """The odds ratio over all the data and within strata, and whether they contradict each other."""

    crude: Result
    pooled: Result
    alarm: bool
    reason: str
    """Why there is an alarm, or why none could be given; empty where all is well."""
    n: int


def odds_ratio(table: Stratum, *, confidence: float = CONFIDENCE) -> Result:
    """The odds ratio of one table (inside to outside) with Woolf's interval."""
    method, n = "odds ratio, Woolf", round(sum(table))
    _check(table)
    if min(table) <= 0:
        return NotEstimable(reason="a group has no successes or no failures", n=n, method=method)
    a, b, c, d = table
    return _on_log_scale(a * d / (b * c), math.sqrt(1 / a + 1 / b + 1 / c + 1 / d), n, method, confidence)


def mantel_haenszel(strata: Iterable[Stratum], *, confidence: float = CONFIDENCE) -> Result:
    """Mantel and Haenszel's pooled odds ratio (inside to outside), with Robins, Breslow and Greenland's interval.

    Strata that hold one group only add nothing; `n` counts observations in the strata that hold both.
    """
    method = "Mantel-Haenszel odds ratio, Robins-Breslow-Greenland"
    tables = [Stratum(*table) for table in strata]
    for table in tables:
        _check(table)
    tables = [table for table in tables if table[0] + table[1] > 0 and table[2] + table[3] > 0]
    n = round(sum(map(sum, tables)))
    if not tables:
        return NotEstimable(reason="no stratum holds both groups", n=0, method=method)
    for_, against, pr, mixed, qs = 0.0, 0.0, 0.0, 0.0, 0.0
    for a, b, c, d in tables:
        total = a + b + c + d
        r, s, p, q = a * d / total, b * c / total, (a + d) / total, (b + c) / total
        for_, against = for_ + r, against + s
        pr, mixed, qs = pr + p * r, mixed + p * s + q * r, qs + q * s
    if for_ <= 0 or against <= 0:
        return NotEstimable(reason="within the strata one group always or never succeeds", n=n, method=method)
    variance = pr / (2 * for_**2) + mixed / (2 * for_ * against) + qs / (2 * against**2)
    return _on_log_scale(for_ / against, math.sqrt(variance), n, method, confidence)


def stratify(outcomes: Sequence[float], inside: Sequence[bool], strata: Sequence[Hashable]) -> dict[Hashable, Stratum]:
    """Tables by stratum. Each outcome is 1 (yes), 0 (no) or between (a tie is .5)."""
    found: dict[Hashable, list[float]] = defaultdict(lambda: [0.0] * 4)
    for outcome, within, stratum in zip(outcomes, inside, strata, strict=True):
        if not 0 <= outcome <= 1:
            raise ValueError("outcomes of a share lie between 0 and 1")
        table = found[stratum]
        table[0 if within else 2] += outcome
        table[1 if within else 3] += 1 - outcome
    return {stratum: Stratum(*table) for stratum, table in found.items()}


def simpson_alarm(strata: Iterable[Stratum], *, confidence: float = CONFIDENCE) -> SimpsonCheck:
    """Compares the crude odds ratio with the pooled one.

    The alarm is raised where the direction reverses, or where the pooled interval does not hold the crude value.
    """
    tables = [Stratum(*table) for table in strata]
    sums = Stratum(*(math.fsum(table[i] for table in tables) for i in range(4)))
    crude, pooled = odds_ratio(sums, confidence=confidence), mantel_haenszel(tables, confidence=confidence)
    alarm, reason = False, ""
    if isinstance(crude, NotEstimable):
        reason = f"over all the data {crude.reason}"
    elif isinstance(pooled, NotEstimable):
        reason = pooled.reason
    elif (crude.value > 1) != (pooled.value > 1) and not math.isclose(crude.value, pooled.value, rel_tol=1e-9):
        alarm, reason = True, "the direction reverses within the strata"
    elif not pooled.low <= crude.value <= pooled.high:
        alarm, reason = True, "the difference over all the data is not the one within the strata"
    return SimpsonCheck(crude=crude, pooled=pooled, alarm=alarm, reason=reason, n=round(sum(sums)))


def _check(table: Stratum) -> None:
    if min(table) < 0:
        raise ValueError(f"{tuple(table)} holds a negative count")


def _on_log_scale(value: float, error: float, n: int, method: str, confidence: float) -> Estimate:
    reach = math.exp(normal_quantile(confidence) * error)
    return Estimate(value=value, low=value / reach, high=value * reach, n=n, method=method, confidence=confidence)
