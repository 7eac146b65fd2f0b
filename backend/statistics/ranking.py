"""Who wins how often, and strengths from pairwise comparisons (Bradley-Terry; Davidson's model where ties are kept).

Comparisons are taken as independent; where one rater or item gives many, the intervals are too narrow. A set in which
somebody never loses to the others has no finite strengths, and comes back as `NotEstimable`.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from backend.statistics.intervals import wilson
from backend.statistics.results import CONFIDENCE, Estimate, NotEstimable, Result, normal_quantile

Item = Hashable


class Outcome(StrEnum):
    """Which side of a comparison won."""

    LEFT = "left"
    RIGHT = "right"
    TIE = "tie"


class Ties(StrEnum):
    """What a tie means for the strengths."""

    HALF = "half"
    """Half a win for each side (Bradley-Terry)."""
    DAVIDSON = "davidson"
    """An outcome of its own, the likelier the closer the two are (Davidson 1970)."""


def win_rate(wins: int, losses: int, ties: int = 0, *, confidence: float = CONFIDENCE) -> Result:
    """The share of comparisons won, a tie counting as half a win, with Wilson's interval."""
    method = "win rate, ties as half wins, Wilson" if ties else "win rate, Wilson"
    return wilson(wins + ties / 2, wins + losses + ties, confidence=confidence, method=method)


@dataclass(frozen=True, slots=True, kw_only=True)
class Strength:
    """An item's place. `share` sums to 1 over the items: of two items, one wins with odds of their shares."""

    item: Item
    share: float
    log_strength: Estimate
    """Natural logarithm of the strength; the items' mean is 0. Differences are log odds of winning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Items from the strongest to the weakest."""

    strengths: tuple[Strength, ...]
    n: int
    method: str
    tie_weight: float | None = None
    """Davidson's nu: how likely ties are between equals; None where ties were split."""

    @property
    def estimable(self) -> bool:
        """Always true; the other kind of result is `NotEstimable`."""
        return True


Comparison = tuple[Item, Item, str]
"""Left item, right item, and an `Outcome`."""


def bradley_terry(
    comparisons: Iterable[Comparison], *, ties: Ties = Ties.HALF, confidence: float = CONFIDENCE
) -> Ranking | NotEstimable:
    """Maximum-likelihood strengths with Wald intervals."""
    method = "Bradley-Terry, ties as half wins" if ties is Ties.HALF else "Davidson"
    counted = Counter((left, right, Outcome(outcome)) for left, right, outcome in comparisons if left != right)
    n = counted.total()
    items = list(dict.fromkeys(item for left, right, _ in counted for item in (left, right)))
    if n == 0:
        return NotEstimable(reason="there are no comparisons", n=0, method=method)
    if reason := _separated(items, counted):
        return NotEstimable(reason=reason, n=n, method=method)
    if ties is Ties.DAVIDSON and (reason := _ties_unknown(items, counted)):
        return NotEstimable(reason=reason, n=n, method=method)
    fit = _fit(*_design(items, counted, ties))
    if fit is None:
        return NotEstimable(reason="the strengths did not settle; there are too few comparisons", n=n, method=method)
    theta, covariance = fit
    return _ranking(items, theta, covariance, n, method, ties, confidence)


def _separated(items: Sequence[Item], counted: Mapping[tuple[Item, Item, Outcome], int]) -> str | None:
    """Why there are no finite strengths: some items never lose (or tie) against the rest, or never meet them."""
    beats: dict[Item, set[Item]] = defaultdict(set)
    loses: dict[Item, set[Item]] = defaultdict(set)
    for left, right, outcome in counted:
        for winner, loser in ((left, right), (right, left)):
            if outcome is Outcome.TIE or (outcome is Outcome.LEFT) == (winner == left):
                beats[winner].add(loser)
                loses[loser].add(winner)
    ahead, behind = _reachable(items[0], loses), _reachable(items[0], beats)
    if len(ahead | behind) < len(items):
        return "some items were never compared with the others, not even through third ones"
    if len(ahead) < len(items) or len(behind) < len(items):
        return "some items always win against the others, so how much stronger they are is unknown"
    return None


def _ties_unknown(items: Sequence[Item], counted: Mapping[tuple[Item, Item, Outcome], int]) -> str | None:
    """Why Davidson's nu has no finite value: no ties, or wins and ties that one large nu and far strengths explain alike.

    They do not when some circle of items has more wins than ties along it. With a win as a step of -1 and a tie as one of
    +1 that is a circle of negative length, which shows in distances (Bellman-Ford) that never stop falling.
    """
    if not any(outcome is Outcome.TIE for _, _, outcome in counted):
        return "there are no ties, so how likely they are is unknown"
    steps = []
    for left, right, outcome in counted:
        if outcome is Outcome.TIE:
            steps += [(left, right, 1), (right, left, 1)]
        else:
            steps.append((left, right, -1) if outcome is Outcome.LEFT else (right, left, -1))
    distance = dict.fromkeys(items, 0)
    for _ in items:
        falling = False
        for start, end, length in steps:
            if distance[start] + length < distance[end]:
                distance[end], falling = distance[start] + length, True
        if not falling:
            return "nearly all comparisons go one way, so how likely ties between equals are is unknown"
    return None


def _reachable(start: Item, edges: Mapping[Item, set[Item]]) -> set[Item]:
    seen, waiting = {start}, [start]
    while waiting:
        for item in edges.get(waiting.pop(), ()):
            if item not in seen:
                seen.add(item)
                waiting.append(item)
    return seen


def _design(
    items: Sequence[Item], counted: Mapping[tuple[Item, Item, Outcome], int], ties: Ties
) -> tuple[np.ndarray, np.ndarray]:
    """For each pair of items and each possible outcome its features, and how often it came.

    The likelihood is that of a choice among outcomes: a win has its item's strength, a tie the mean of the two and nu.
    """
    place = {item: i for i, item in enumerate(items)}
    width = len(items) + (ties is Ties.DAVIDSON)
    outcomes: dict[tuple[int, int], list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    for (left, right, outcome), count in counted.items():
        i, j = sorted((place[left], place[right]))
        tally = outcomes[i, j]
        if outcome is Outcome.TIE:
            tally[2] += count
        else:
            tally[0 if (outcome is Outcome.LEFT) == (place[left] == i) else 1] += count
    features = np.zeros((len(outcomes), 3 if ties is Ties.DAVIDSON else 2, width))
    weights = np.zeros(features.shape[:2])
    for row, ((i, j), (first, second, tied)) in enumerate(outcomes.items()):
        features[row, 0, i] = features[row, 1, j] = 1
        if ties is Ties.DAVIDSON:
            features[row, 2, [i, j, -1]] = 0.5, 0.5, 1
            weights[row] = first, second, tied
        else:
            weights[row] = first + tied / 2, second + tied / 2
    return features, weights


def _fit(features: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Newton's method with step halving on the concave likelihood; the first item's strength is held at 0."""
    free = features[:, :, 1:]
    theta = np.zeros(free.shape[2])
    totals = weights.sum(axis=1)
    for _ in range(100):
        likelihood, chance = _likelihood(free, weights, theta)
        means = np.einsum("ro,rof->rf", chance, free)
        gradient = np.einsum("ro,rof->f", weights, free) - totals @ means
        second = np.einsum("r,ro,rof,rog->fg", totals, chance, free, free) - np.einsum("r,rf,rg->fg", totals, means, means)
        step = np.linalg.lstsq(second, gradient, rcond=None)[0]
        if np.abs(step).max(initial=0.0) < 1e-10:
            return theta, np.linalg.pinv(second)
        scale = 1.0
        while scale > 1e-6 and _likelihood(free, weights, theta + scale * step)[0] < likelihood - 1e-12 * abs(likelihood):
            scale /= 2
        theta = theta + scale * step
    return None


def _likelihood(features: np.ndarray, weights: np.ndarray, theta: np.ndarray) -> tuple[float, np.ndarray]:
    utility = features @ theta
    utility -= utility.max(axis=1, keepdims=True)
    chance = np.exp(utility)
    chance /= chance.sum(axis=1, keepdims=True)
    return float((weights * np.log(np.maximum(chance, 1e-300))).sum()), chance


def _ranking(
    items: Sequence[Item], theta: np.ndarray, covariance: np.ndarray, n: int, method: str, ties: Ties, confidence: float
) -> Ranking:
    """Strengths relative to their mean, so that no item has to be the reference."""
    size = len(items)
    full = np.zeros((size, len(theta)))
    full[1:, : size - 1] = np.eye(size - 1)
    centre = (np.eye(size) - 1 / size) @ full
    logs = centre @ theta
    errors = np.sqrt(np.maximum(np.diag(centre @ covariance @ centre.T), 0))
    shares = np.exp(logs - logs.max()) / np.exp(logs - logs.max()).sum()
    z = normal_quantile(confidence)
    strengths = [
        Strength(
            item=item,
            share=float(share),
            log_strength=Estimate(
                value=float(log),
                low=float(log - z * error),
                high=float(log + z * error),
                n=n,
                method=f"{method}, Wald",
                confidence=confidence,
            ),
        )
        for item, share, log, error in zip(items, shares, logs, errors, strict=True)
    ]
    strengths.sort(key=lambda strength: (-strength.share, str(strength.item)))
    nu = math.exp(theta[-1]) if ties is Ties.DAVIDSON else None
    return Ranking(strengths=tuple(strengths), n=n, method=method, tie_weight=nu)
