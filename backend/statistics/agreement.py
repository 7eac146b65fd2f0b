"""How far raters answer alike.

A table has one row an item and one column a rater, with None where a rater did not answer. Intervals come from the
jackknife by item (leave one item out), so they ask that items, not raters, are a sample. Values that no interval can be
put to (everyone agrees on everything, one label only) come back as `NotEstimable`, with what was observed.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from enum import StrEnum

import numpy as np

from backend.statistics.intervals import wilson
from backend.statistics.results import CONFIDENCE, Estimate, NotEstimable, Result, t_quantile

Label = Hashable
Table = Sequence[Sequence[Label | None]]


class Level(StrEnum):
    """What differences between labels mean."""

    NOMINAL = "nominal"
    ORDINAL = "ordinal"
    INTERVAL = "interval"
    RATIO = "ratio"


class Weights(StrEnum):
    """How much a difference between two ordered labels counts."""

    LINEAR = "linear"
    QUADRATIC = "quadratic"


def tabulate(
    answers: Iterable[tuple[Hashable, Hashable, Label]],
) -> tuple[list[list[Label | None]], list[Hashable], list[Hashable]]:
    """(item, rater, label) triples as a table, with its items and raters in order of appearance; the last answer counts."""
    cells: dict[tuple[Hashable, Hashable], Label] = {}
    items: dict[Hashable, None] = {}
    raters: dict[Hashable, None] = {}
    for item, rater, label in answers:
        items[item] = raters[rater] = None
        cells[item, rater] = label
    return [[cells.get((item, rater)) for rater in raters] for item in items], list(items), list(raters)


def percent_agreement(table: Table, *, confidence: float = CONFIDENCE) -> Result:
    """The share of pairs of raters that gave the same label, averaged over items; Wilson's interval over items."""
    method = "raw agreement, Wilson over items"
    shares = []
    for row in table:
        counts = Counter(label for label in row if label is not None)
        raters = counts.total()
        if raters > 1:
            shares.append(sum(count * (count - 1) for count in counts.values()) / (raters * (raters - 1)))
    if not shares:
        return NotEstimable(reason="no item was rated by two raters", n=0, method=method)
    return wilson(min(math.fsum(shares), len(shares)), len(shares), confidence=confidence, method=method)


# --- the jackknife ----------------------------------------------------------------------------------------------------

_Array = np.ndarray
_Statistic = Callable[[_Array], float | None]


def _jackknife(patterns: Mapping[tuple[float, ...], int], statistic: _Statistic, method: str, confidence: float) -> Result:
    """A statistic of the items' summed contributions, with the jackknife's interval.

    `patterns` counts items with equal contributions, so that a million items of few labels cost little. The statistic
    gives None where it is undefined.
    """
    n = sum(patterns.values())
    parts = np.array(list(patterns), dtype=float)
    total = np.array(list(patterns.values()), dtype=float) @ parts
    value = statistic(total)
    if value is None:
        return NotEstimable(reason="all answers are the same label, so chance agreement is complete", n=n, method=method)
    without = [(statistic(total - part), count) for part, count in zip(parts, patterns.values(), strict=True)]
    kept = [(v, c) for v, c in without if v is not None]
    centre = sum(v * c for v, c in kept) / n if len(kept) == len(without) else None
    spread = (n - 1) / n * sum(c * (v - centre) ** 2 for v, c in kept) if centre is not None else 0.0
    if spread < 1e-18:
        reason = (
            f"all raters agree on all {n} items" if value > 1 - 1e-12 else f"too few of the {n} items differ from the others"
        )
        return NotEstimable(reason=f"{reason}, so they say nothing about the spread", n=n, method=method, value=value)
    reach = t_quantile(confidence, n - 1) * math.sqrt(spread)
    low, high = max(-1.0, value - reach), min(1.0, value + reach)
    return Estimate(value=value, low=min(low, value), high=high, n=n, method=method, confidence=confidence)


def _chance_corrected(observed: float, expected: float) -> float | None:
    return None if expected >= 1 - 1e-12 else (observed - expected) / (1 - expected)


# --- kappas -----------------------------------------------------------------------------------------------------------


def cohen_kappa(
    first: Sequence[Label | None],
    second: Sequence[Label | None],
    *,
    weights: Weights | None = None,
    labels: Sequence[Label] | None = None,
    confidence: float = CONFIDENCE,
) -> Result:
    """Cohen's kappa of two raters over the items that both rated.

    For weighted kappa, numbers count by their distance; other labels by their place in `labels`, which must then be given.
    """
    method = "Cohen's kappa" if weights is None else f"Cohen's kappa, {weights} weights"
    pairs = [(a, b) for a, b in zip(first, second, strict=True) if a is not None and b is not None]
    if not pairs:
        return NotEstimable(reason="no item was rated by both raters", n=0, method=method)
    order = list(labels) if labels is not None else _ordered({label for pair in pairs for label in pair})
    place = {label: i for i, label in enumerate(order)}
    if strange := {label for pair in pairs for label in pair} - place.keys():
        raise ValueError(f"labels lacks {sorted(map(str, strange))}")
    credit = _credit(order, weights)
    size = len(order)

    def kappa(table: _Array) -> float | None:
        joint = table.reshape(size, size) / table.sum()
        expected = joint.sum(axis=1) @ credit @ joint.sum(axis=0)
        return _chance_corrected(float((joint * credit).sum()), float(expected))

    cells = Counter(place[a] * size + place[b] for a, b in pairs)
    patterns = {tuple(float(i == cell) for i in range(size * size)): count for cell, count in cells.items()}
    return _only_if_several(len(pairs), patterns, kappa, method, confidence)


def _only_if_several(
    n: int, patterns: Mapping[tuple[float, ...], int], statistic: _Statistic, method: str, confidence: float
) -> Result:
    if n < 2:
        return NotEstimable(reason="one item is too few", n=n, method=method)
    return _jackknife(patterns, statistic, method, confidence)


def _ordered(labels: Iterable[Label]) -> list[Label]:
    found = list(labels)
    if all(isinstance(label, int | float) for label in found):
        return sorted(found, key=lambda label: float(label))  # type: ignore[arg-type]
    return sorted(found, key=str)


def _credit(order: Sequence[Label], weights: Weights | None) -> _Array:
    """The credit for a pair of labels: 1 for equal ones, down to 0 for the farthest pair."""
    if weights is None:
        return np.eye(len(order))
    numeric = all(isinstance(label, int | float) for label in order)
    at = np.array([float(label) if numeric else i for i, label in enumerate(order)])  # type: ignore[arg-type]
    distance = np.abs(at[:, None] - at[None, :]) ** (1 if weights is Weights.LINEAR else 2)
    return 1 - distance / distance.max() if distance.max() > 0 else np.ones_like(distance)


def fleiss_kappa(table: Table, *, confidence: float = CONFIDENCE) -> Result:
    """Fleiss' kappa; every item needs the same number of ratings, by whichever raters."""
    method = "Fleiss' kappa"
    counts = [Counter(label for label in row if label is not None) for row in table]
    counts = [counter for counter in counts if counter]
    sizes = {counter.total() for counter in counts}
    if len(sizes) > 1:
        reason = f"items have from {min(sizes)} to {max(sizes)} ratings, but need the same number; use Krippendorff's alpha"
        return NotEstimable(reason=reason, n=len(counts), method=method)
    if not sizes or sizes == {1}:
        return NotEstimable(reason="no item was rated by two raters", n=len(counts), method=method)
    (raters,) = sizes
    categories = _ordered({label for counter in counts for label in counter})

    def kappa(total: _Array) -> float | None:
        shares = total[:-2] / (total[-1] * raters)
        return _chance_corrected(float(total[-2] / total[-1]), float(shares @ shares))

    patterns: Counter[tuple[float, ...]] = Counter()
    for counter in counts:
        alike = sum(count * (count - 1) for count in counter.values()) / (raters * (raters - 1))
        patterns[(*(float(counter[label]) for label in categories), alike, 1.0)] += 1
    return _only_if_several(len(counts), patterns, kappa, method, confidence)


# --- Krippendorff's alpha ---------------------------------------------------------------------------------------------


def krippendorff_alpha(
    table: Table,
    level: Level = Level.NOMINAL,
    *,
    labels: Sequence[Label] | None = None,
    confidence: float = CONFIDENCE,
) -> Result:
    """Krippendorff's alpha, for any number of raters and missing answers.

    Ordinal labels that are not numbers need their order in `labels`; interval and ratio need numbers. The interval takes
    the distances between ordinal labels as known.
    """
    method = f"Krippendorff's alpha, {level}"
    counts = [Counter(label for label in row if label is not None) for row in table]
    counts = [counter for counter in counts if counter.total() > 1]
    if not counts:
        return NotEstimable(reason="no item was rated by two raters", n=0, method=method)
    seen = {label for counter in counts for label in counter}
    if labels is None and level is not Level.NOMINAL and not all(isinstance(label, int | float) for label in seen):
        return NotEstimable(reason=f"{level} alpha needs numbers, or labels in a known order", n=len(counts), method=method)
    order = [label for label in labels if label in seen] if labels is not None else _ordered(seen)
    if strange := seen - set(order):
        raise ValueError(f"labels lacks {sorted(map(str, strange))}")
    if level is Level.RATIO and any(float(label) < 0 for label in order):  # type: ignore[arg-type]
        return NotEstimable(reason="ratio alpha needs numbers of 0 or more", n=len(counts), method=method)
    vectors = np.array([[counter[label] for label in order] for counter in counts], dtype=float)
    distance = _distances(order, level, vectors.sum(axis=0))

    def alpha(total: _Array) -> float | None:
        margins = total[:-1]
        expected = float(margins @ distance @ margins)
        return None if expected <= 0 else 1 - (margins.sum() - 1) * float(total[-1]) / expected

    patterns: Counter[tuple[float, ...]] = Counter()
    for vector in vectors:
        patterns[(*vector, float(vector @ distance @ vector) / (vector.sum() - 1))] += 1
    return _only_if_several(len(counts), patterns, alpha, method, confidence)


def _distances(order: Sequence[Label], level: Level, margins: _Array) -> _Array:
    """The squared differences between labels."""
    if level is Level.NOMINAL:
        return 1 - np.eye(len(order))
    if level is Level.ORDINAL:
        # Between two labels lie all the answers in between, and half of those at the two ends.
        at = np.cumsum(margins) - margins / 2
        return (at[:, None] - at[None, :]) ** 2
    at = np.array([float(label) for label in order])  # type: ignore[arg-type]
    squared = (at[:, None] - at[None, :]) ** 2
    if level is Level.INTERVAL:
        return squared
    sums = (at[:, None] + at[None, :]) ** 2
    return np.divide(squared, sums, out=np.zeros_like(squared), where=sums > 0)
