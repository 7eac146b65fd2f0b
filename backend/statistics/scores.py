"""Plainer scores from pairwise comparisons than Bradley-Terry strengths, for tables that readers know: no intervals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from backend.statistics.ranking import Comparison, Item, Outcome

_POINTS = {Outcome.LEFT: 1.0, Outcome.RIGHT: 0.0, Outcome.TIE: 0.5}


def average_win_rates(comparisons: Iterable[Comparison]) -> dict[Item, float]:
    """Each item's win rate against each opponent, ties as halves, averaged over the opponents it met.

    So it does not matter how often it met whom, as it does for the win rate over all comparisons.
    """
    met: dict[Item, dict[Item, list[float]]] = defaultdict(lambda: defaultdict(list))
    for left, right, outcome in comparisons:
        if left != right:
            points = _POINTS[Outcome(outcome)]
            met[left][right].append(points)
            met[right][left].append(1 - points)
    return {item: sum(sum(points) / len(points) for points in against.values()) / len(against) for item, against in met.items()}


def elo(comparisons: Iterable[Comparison], *, k: float = 4.0, start: float = 1000.0) -> dict[Item, float]:
    """Elo ratings in the order in which the comparisons came; a small `k` moves slowly and hangs less on that order."""
    ratings: dict[Item, float] = {}
    for left, right, outcome in comparisons:
        if left != right:
            first, second = ratings.setdefault(left, start), ratings.setdefault(right, start)
            step = k * (_POINTS[Outcome(outcome)] - 1 / (1 + 10 ** ((second - first) / 400)))
            ratings[left], ratings[right] = first + step, second - step
    return ratings
