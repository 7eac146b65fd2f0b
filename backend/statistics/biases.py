"""What else decides comparisons: the side on which an answer stood, and its length.

Position: of the comparisons that somebody won, how many the left side won. Length: how many the longer answer won. Both
are one half where they do not matter. The length-controlled win rate asks what the win rate would be were both answers
equally long (Dubois et al. 2024, AlpacaEval 2).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence

import numpy as np

from backend.statistics.intervals import wilson
from backend.statistics.results import CONFIDENCE, Estimate, NotEstimable, Result, normal_quantile


def position_bias(outcomes: Iterable[str], *, confidence: float = CONFIDENCE) -> Result:
    """The share of "left" among the outcomes "left" and "right"; others (ties, both bad) do not count.

    Means something only where sides were drawn by chance. Biased where the interval does not hold .5.
    """
    method = "share of wins on the left side, Wilson"
    sides = [outcome for outcome in outcomes if outcome in ("left", "right")]
    if not sides:
        return NotEstimable(reason="no comparison was won by either side", n=0, method=method)
    return wilson(sides.count("left"), len(sides), confidence=confidence, method=method)


def length_bias(comparisons: Iterable[tuple[float, float, str]], *, confidence: float = CONFIDENCE) -> Result:
    """How often the longer answer won: (left length, right length, outcome) triples; ties and equal lengths do not count.

    Above .5 longer answers win more often. They may also be better: the length-controlled win rate tells what remains.
    """
    method = "share of wins of the longer answer, Wilson"
    decided = [
        (left > right) == (outcome == "left")
        for left, right, outcome in comparisons
        if left != right and outcome in ("left", "right")
    ]
    if not decided:
        return NotEstimable(reason="no comparison of answers of different length was won", n=0, method=method)
    return wilson(sum(decided), len(decided), confidence=confidence, method=method)


def length_controlled_win_rate(
    scores: Sequence[float],
    length_differences: Sequence[float],
    *,
    groups: Sequence[Hashable] | None = None,
    confidence: float = CONFIDENCE,
) -> Result:
    """The win rate that would be seen were both answers equally long.

    `scores` are 1 for a win, 0 for a loss, .5 for neither; `length_differences` are own minus other length. As in
    AlpacaEval 2 the score is regressed (logistic) on tanh(difference / its standard deviation), and read off at zero;
    without that model's terms for single instructions, which need many models. The interval is robust (sandwich) and
    takes comparisons of one group (item) as one observation where `groups` are given.
    """
    method = "length-controlled win rate, logistic" + ("" if groups is None else ", robust by group")
    y, difference = np.asarray(scores, dtype=float), np.asarray(length_differences, dtype=float)
    if len(y) != len(difference) or (groups is not None and len(groups) != len(y)):
        raise ValueError("every score needs a length difference, and a group where groups are given")
    if len(y) and not (y.min() >= 0 and y.max() <= 1):
        raise ValueError("scores lie between 0 and 1")
    n = len(y)
    if n == 0:
        return NotEstimable(reason="there are no comparisons", n=0, method=method)
    plain = float(y.mean())
    spread = float(difference.std())
    if spread <= 1e-9 * max(1.0, float(np.abs(difference).max())):
        return NotEstimable(reason="the lengths differ by the same in all comparisons", n=n, method=method, value=plain)
    x = np.tanh(difference / spread)
    if reason := _separable(x, y):
        return NotEstimable(reason=reason, n=n, method=method, value=plain)
    keys: dict[Hashable, int] = {}
    cluster = np.arange(n) if groups is None else np.array([keys.setdefault(key, len(keys)) for key in groups])
    fitted = _logistic_intercept(x, y, cluster)
    if fitted is None:
        reason = "too few comparisons differ in their outcome to tell the effect of length"
        return NotEstimable(reason=reason, n=n, method=method, value=plain)
    at_zero, error = fitted
    reach = normal_quantile(confidence) * error
    value, low, high = ((1 + math.tanh(logit / 2)) / 2 for logit in (at_zero, at_zero - reach, at_zero + reach))
    return Estimate(value=value, low=low, high=high, n=n, method=method, confidence=confidence)


def _separable(x: np.ndarray, y: np.ndarray) -> str:
    """Why the regression has no finite solution: wins and losses do not overlap in length."""
    won, lost = x[y > 0], x[y < 1]
    if not len(won) or not len(lost):
        return "every comparison was won, or every one was lost"
    if won.min() >= lost.max() or lost.min() >= won.max():
        return "length alone tells every win from every loss, so what remains is unknown"
    return ""


def _logistic_intercept(x: np.ndarray, y: np.ndarray, cluster: np.ndarray) -> tuple[float, float] | None:
    """The intercept and its robust standard error; None where they cannot be told."""
    design = np.column_stack([np.ones_like(x), x])
    beta = np.zeros(2)
    for _ in range(100):
        chance = 1 / (1 + np.exp(-np.clip(design @ beta, -500, 500)))
        information = design.T @ (design * (chance * (1 - chance))[:, None])
        if np.linalg.cond(information) > 1e12:
            return None
        step = np.linalg.solve(information, design.T @ (y - chance))
        # A step too long for the curve is cut, as the likelihood is concave but flat far out.
        beta = beta + step * min(1.0, 5 / max(float(np.abs(step).max()), 1e-300))
        if np.abs(step).max() < 1e-10:
            break
    else:
        return None
    sums = np.zeros((int(cluster.max()) + 1, 2))
    np.add.at(sums, cluster, design * (y - chance)[:, None])
    bread = np.linalg.inv(information)
    variance = float((bread @ (sums.T @ sums) @ bread)[0, 0])
    return (float(beta[0]), math.sqrt(variance)) if variance > 1e-18 and len(sums) > 2 else None
