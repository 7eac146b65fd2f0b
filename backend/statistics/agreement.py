"""How far raters answer alike.

A table has one row an item and one column a rater, with None (or NaN) where a rater did not answer. Intervals come from the
jackknife by item (leave one item out), so they ask that items, not raters, are a sample. Values that no interval can be
put to (everyone agrees on everything, one label only) come back as `NotEstimable`, with what was observed.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from enum import StrEnum

import numpy as np

from backend.statistics import distances
from backend.statistics.distances import Distance, are_numbers, is_missing
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
    answers = distances.encode(table, fewest=2)
    counts = answers.counts
    n = len(counts)
    if not n:
        return NotEstimable(reason="no item was rated by two raters", n=0, method=method)
    alike = 1 - distances.within_units(answers, distances.nominal()) / (counts * (counts - 1))
    return wilson(min(max(0.0, math.fsum(alike)), n), n, confidence=confidence, method=method)


def _jackknife(value: float, without: np.ndarray, method: str, confidence: float) -> Result:
    """A statistic with the jackknife's interval, from its values without each of the items (NaN where undefined)."""
    n = len(without)
    spread = (n - 1) / n * float(((without - without.mean()) ** 2).sum())
    if math.isnan(spread) or spread < 1e-18:
        reason = (
            f"all raters agree on all {n} items" if value > 1 - 1e-12 else f"too few of the {n} items differ from the others"
        )
        return NotEstimable(reason=f"{reason}, so they say nothing about the spread", n=n, method=method, value=value)
    reach = t_quantile(confidence, n - 1) * math.sqrt(spread)
    low, high = max(-1.0, value - reach), min(1.0, value + reach)
    return Estimate(value=value, low=min(low, value), high=max(high, value), n=n, method=method, confidence=confidence)


def _chance_corrected(
    observed: np.ndarray,
    total_observed: float,
    expected: np.ndarray,
    total_expected: float,
    method: str,
    confidence: float,
) -> Result:
    """1 - observed / expected disagreement: over all items (`total_…`), and without each of them."""
    n = len(observed)
    if n < 2:
        return NotEstimable(reason="one item is too few", n=n, method=method)
    if total_expected <= 1e-12:
        return NotEstimable(reason="all answers are the same label, so chance agreement is complete", n=n, method=method)
    defined = expected > 1e-12 * max(1.0, total_expected)
    without = 1 - np.divide(observed, expected, out=np.full(n, np.nan), where=defined)
    return _jackknife(1 - total_observed / total_expected, without, method, confidence)


def cohen_kappa(
    first: Sequence[Label | None],
    second: Sequence[Label | None],
    *,
    weights: Weights | None = None,
    labels: Sequence[Label] | None = None,
    confidence: float = CONFIDENCE,
) -> Result:
    """Cohen's kappa of two raters over the items that both rated.

    For weighted kappa, numbers count by their distance; other labels by their place in `labels`, which must then be given
    (without it, by the order of their text).
    """
    method = "Cohen's kappa" if weights is None else f"Cohen's kappa, {weights} weights"
    pairs = [(a, b) for a, b in zip(first, second, strict=True) if not is_missing(a) and not is_missing(b)]
    if not pairs:
        return NotEstimable(reason="no item was rated by both raters", n=0, method=method)
    # Labels that nobody used count too: they say how far apart the places of those around them are.
    seen = {label for pair in pairs for label in pair}
    order = list(labels) if labels is not None else distances.ordered(seen)
    if strange := seen - set(order):
        raise ValueError(f"labels lacks {sorted(map(str, strange))}")
    place = {label: i for i, label in enumerate(order)}
    a, b = (np.array([place[pair[side]] for pair in pairs]) for side in (0, 1))
    at = _to_scale(order if are_numbers(order) else range(len(order)))
    by_weights = {Weights.LINEAR: distances.absolute, Weights.QUADRATIC: distances.squared}
    distance = distances.nominal() if weights is None else by_weights[weights](at)
    n = len(pairs)
    apart = distance.between(a, b)
    # What each answer would differ from all the other rater's answers.
    to_second = distance.to_all(np.bincount(b, minlength=len(order)).astype(float))
    to_first = distance.to_all(np.bincount(a, minlength=len(order)).astype(float))
    total, expected = float(apart.sum()), float(to_second[a].sum())
    observed = (n - 1) * (total - apart)
    return _chance_corrected(observed, n * total, expected - to_second[a] - to_first[b] + apart, expected, method, confidence)


def fleiss_kappa(table: Table, *, confidence: float = CONFIDENCE) -> Result:
    """Fleiss' kappa; every item needs the same number of ratings, by whichever raters.

    So raters may be missing, as long as equally many answered each item (five of ten, say): who they were does not
    matter. Items that nobody rated do not count. With unequal numbers Krippendorff's alpha is the one that is defined.
    """
    method = "Fleiss' kappa"
    answers = distances.encode(table, fewest=1)
    counts = answers.counts
    n = len(counts)
    if n and counts.min() != counts.max():
        reason = f"items have from {counts.min()} to {counts.max()} ratings, but need the same number; "
        return NotEstimable(reason=reason + "use Krippendorff's alpha", n=n, method=method)
    if not n or counts[0] == 1:
        return NotEstimable(reason="no item was rated by two raters", n=n, method=method)
    raters = int(counts[0])
    within = distances.within_units(answers, distances.nominal())
    apart = within / (raters * (raters - 1))
    margins = np.bincount(answers.code).astype(float)
    squares = float(margins @ margins)
    of_items = np.bincount(answers.unit, margins[answers.code], n)
    # The squares of the margins without an item: (margin - own count) squared, multiplied out.
    without = squares - 2 * of_items + (raters**2 - within)
    total, size = float(apart.sum()), n * raters
    observed = (total - apart) / max(n - 1, 1)
    expected = 1 - without / max(size - raters, 1) ** 2
    return _chance_corrected(observed, total / n, expected, 1 - squares / size**2, method, confidence)


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
    answers = distances.encode(table, fewest=2, labels=labels)
    counts = answers.counts
    n = len(counts)
    if not n:
        return NotEstimable(reason="no item was rated by two raters", n=0, method=method)
    margins = np.bincount(answers.code, minlength=len(answers.labels)).astype(float)
    distance = _distance(answers.labels, level, margins, labels is not None)
    if isinstance(distance, str):
        return NotEstimable(reason=distance, n=n, method=method)
    within = distances.within_units(answers, distance)
    apart, size = within / (counts - 1), len(answers.code)
    to_all = distance.to_all(margins)
    total, expected = float(apart.sum()), float(margins @ to_all)
    without = expected - 2 * np.bincount(answers.unit, to_all[answers.code], n) + within
    observed = (size - counts - 1) * (total - apart)
    return _chance_corrected(observed, (size - 1) * total, without, expected, method, confidence)


def _distance(order: Sequence[Label], level: Level, margins: np.ndarray, in_known_order: bool) -> Distance | str:
    """How labels differ at this level, or why that cannot be said."""
    if level is Level.NOMINAL:
        return distances.nominal()
    if not are_numbers(order) and (level is not Level.ORDINAL or not in_known_order):
        return f"{level} alpha needs numbers" + (", or labels in a known order" if level is Level.ORDINAL else "")
    if level is Level.ORDINAL:
        # Between two labels lie all the answers in between, and half of those at the two ends.
        return distances.squared(np.cumsum(margins) - margins / 2)
    if level is Level.INTERVAL:
        return distances.squared(_to_scale(order))
    at = np.array([float(label) for label in order])  # type: ignore[arg-type]
    if at.min() < 0:
        return "ratio alpha needs numbers of 0 or more"
    if len(at) > distances.MAX_RATIO_VALUES:
        return f"ratio alpha takes up to {distances.MAX_RATIO_VALUES} different numbers; round them"
    return distances.ratio(at)


def _to_scale(numbers: Iterable[Label]) -> np.ndarray:
    """From -1 to 1: the unit does not matter, and squares of huge or tiny numbers would leave the range of floating point."""
    at = np.array([float(number) for number in numbers])  # type: ignore[arg-type]
    at = at - (at.min() + at.max()) / 2
    return np.asarray(at / (at.max() or 1.0))
