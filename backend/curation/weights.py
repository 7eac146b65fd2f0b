"""Weights and copies that even out an imbalance. Pure.

Reweighing (Kamiran and Calders 2012): every row of slice s and outcome y gets the weight P(s)·P(y) / P(s, y), after which
slice and outcome are independent in the weighted data. Weights stay between stated bounds and have the mean 1; where a bound
cuts, or a slice lacks an outcome altogether, they come as near to independence as that allows. Resampling: every slice gets
its target share by copies of its rows (0: left out), drawn by a seed.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from backend.errors import InvalidInput

LOWEST, HIGHEST = 0.2, 5.0
"""The bounds that are offered: no row counts less than a fifth or more than five times."""
MOST_COPIES = 5
_STEPS = 80
"""Halvings; more than a double holds digits."""


class Resampling(StrEnum):
    """How rows are drawn."""

    OVER = "over"
    """Small slices are repeated up to the largest."""
    UNDER = "under"
    """Large slices are cut down to the smallest."""
    SHARES = "shares"
    """As many rows as before, in equal or stated shares."""


Cell = tuple[str, str]
"""(slice, outcome)."""


@dataclass(frozen=True, slots=True)
class Weighing:
    """The weight of each cell, and how many cells a bound cut."""

    weights: Mapping[Cell, float]
    cut: int


def reweigh(
    slices: Sequence[str], outcomes: Sequence[str], counts: Sequence[int] | None = None, *,
    lowest: float = LOWEST, highest: float = HIGHEST,
) -> Weighing:  # fmt: skip
    """The weights; `counts` says how often each row stands in the data (1 if left out)."""
    if not 0 < lowest <= 1 <= highest:
        raise InvalidInput("The lowest weight lies above 0 and at most at 1, the highest at 1 or above.")
    cells: Counter[Cell] = Counter()
    for cell, count in zip(zip(slices, outcomes, strict=True), counts or [1] * len(slices), strict=True):
        cells[cell] += count
    cells = +cells
    by_slice, by_outcome = Counter[str](), Counter[str]()
    for (name, outcome), count in cells.items():
        by_slice[name] += count
        by_outcome[outcome] += count
    total = cells.total()
    raw = {(name, outcome): by_slice[name] * by_outcome[outcome] / (total * count) for (name, outcome), count in cells.items()}
    bounded = _with_mean_one(raw, cells, lowest, highest)
    return Weighing(bounded, sum(not lowest <= weight <= highest for weight in raw.values()))


def _with_mean_one(raw: Mapping[Cell, float], cells: Counter[Cell], lowest: float, highest: float) -> dict[Cell, float]:
    """The weights within the bounds, scaled by one factor before they are bounded, so that the mean over rows is 1."""
    total = cells.total()

    def bounded(scale: float) -> dict[Cell, float]:
        return {cell: min(max(weight * scale, lowest), highest) for cell, weight in raw.items()}

    if not total:
        return {}
    low, high = 0.0, highest / min(raw.values())
    for _ in range(_STEPS):
        middle = (low + high) / 2
        mean = sum(weight * cells[cell] for cell, weight in bounded(middle).items()) / total
        low, high = (middle, high) if mean < 1 else (low, middle)
    return bounded(high)


def resample(
    slices: Sequence[str], *, how: Resampling, seed: int, shares: Mapping[str, float] | None = None, most: int = MOST_COPIES
) -> list[int]:
    """How many copies of each row. No row gets more than `most`; a slice that would need more falls short of its target."""
    sizes = Counter(slices)
    wanted = _targets(sizes, how, shares)
    copies = [0] * len(slices)
    places: dict[str, list[int]] = {name: [] for name in sizes}
    for place, name in enumerate(slices):
        places[name].append(place)
    for name, held in places.items():
        each, more = divmod(min(wanted[name], most * len(held)), len(held))
        lucky = set(random.Random(f"{seed}\x00{name}").sample(held, more))  # noqa: S311 - a sample, not a secret
        for place in held:
            copies[place] = each + (place in lucky)
    return copies


def _targets(sizes: Counter[str], how: Resampling, shares: Mapping[str, float] | None) -> dict[str, int]:
    """Rows that each slice should have."""
    if how is not Resampling.SHARES:
        size = max(sizes.values(), default=0) if how is Resampling.OVER else min(sizes.values(), default=0)
        return dict.fromkeys(sizes, size)
    if unknown := sorted(set(shares or {}) - set(sizes)):
        raise InvalidInput(f"No record is of the group “{unknown[0]}”. The groups are: {', '.join(sorted(sizes)[:20])}.")
    asked = {name: float((shares or {}).get(name, 0 if shares else 1)) for name in sizes}
    if any(share < 0 for share in asked.values()) or sum(asked.values()) <= 0:
        raise InvalidInput("Target shares are numbers of 0 or more, and not all 0.")
    whole, total = sum(asked.values()), sizes.total()
    return {name: round(total * share / whole) for name, share in asked.items()}


def table(slices: Sequence[str], outcomes: Sequence[str], counts: Sequence[float]) -> dict[Cell, float]:
    """How much each cell counts in all."""
    found: dict[Cell, float] = {}
    for cell, count in zip(zip(slices, outcomes, strict=True), counts, strict=True):
        found[cell] = found.get(cell, 0.0) + count
    return found


def gap(cells: Mapping[Cell, float]) -> float:
    """The largest difference between two slices in the share of any outcome; 0 when slice and outcome are independent."""
    by_slice: dict[str, float] = {}
    for (name, _), count in cells.items():
        by_slice[name] = by_slice.get(name, 0.0) + count
    counted = [name for name, count in by_slice.items() if count > 0]
    widest = 0.0
    for outcome in {outcome for _, outcome in cells}:
        shares = [cells.get((name, outcome), 0.0) / by_slice[name] for name in counted]
        widest = max(widest, max(shares, default=0.0) - min(shares, default=0.0))
    return widest
