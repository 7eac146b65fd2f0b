"""The arithmetic behind `agreement`: answers as codes, and how far labels lie apart, added up without tables of pairs.

A measurement can have as many labels as answers, so nothing here is as large as labels times labels.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

Label = Hashable
MAX_RATIO_VALUES = 20_000
"""Ratios have no short cut: the time grows with the square of how many different values there are."""


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers to those items that have at least `fewest`, sorted by item. `unit` counts items from 0."""

    unit: np.ndarray
    code: np.ndarray
    labels: tuple[Label, ...]
    """What each code stands for, in order."""

    @property
    def counts(self) -> np.ndarray:
        """How many answers each item has."""
        return np.bincount(self.unit)


def is_missing(label: Label | None) -> bool:
    """None, and the NaN that data frames put for nothing."""
    return label is None or label != label


def encode(table: Iterable[Sequence[Label | None]], *, fewest: int, labels: Sequence[Label] | None = None) -> Answers:
    """A table's answers; labels in the order given, else in that of numbers, else in that of their text."""
    place: dict[Label, int] = {}
    units: list[int] = []
    codes: list[int] = []
    unit = 0
    for row in table:
        present = [label for label in row if not is_missing(label)]
        if len(present) >= fewest:
            units += [unit] * len(present)
            codes += [place.setdefault(label, len(place)) for label in present]
            unit += 1
    order = ordered(place) if labels is None else [label for label in labels if label in place]
    if strange := place.keys() - set(order):
        raise ValueError(f"labels lacks {sorted(map(str, strange))}")
    new = {label: i for i, label in enumerate(order)}
    translated = np.array([new[label] for label in place], dtype=int)
    return Answers(np.array(units, dtype=int), translated[np.array(codes, dtype=int)], tuple(order))


def ordered(labels: Iterable[Label]) -> list[Label]:
    """Numbers by size, other labels by their text."""
    found = list(labels)
    return sorted(found, key=float if are_numbers(found) else str)  # type: ignore[arg-type]


def are_numbers(labels: Iterable[Label]) -> bool:
    """Whether all labels are numbers."""
    return all(isinstance(label, int | float) for label in labels)


@dataclass(frozen=True, slots=True)
class Distance:
    """How far two codes lie apart, and how far each code lies from all the answers that `margins` counts, together."""

    between: Callable[[np.ndarray, np.ndarray], np.ndarray]
    to_all: Callable[[np.ndarray], np.ndarray]


def nominal() -> Distance:
    """1 for different labels."""
    return Distance(lambda a, b: (a != b).astype(float), lambda margins: margins.sum() - margins)


def squared(at: np.ndarray) -> Distance:
    """The squared difference of positions."""
    x = at - at.mean()

    def to_all(margins: np.ndarray) -> np.ndarray:
        return np.asarray(margins.sum() * x**2 - 2 * x * (margins @ x) + margins @ x**2)

    return Distance(lambda a, b: (x[a] - x[b]) ** 2, to_all)


def absolute(at: np.ndarray) -> Distance:
    """The difference of positions without its sign."""

    def to_all(margins: np.ndarray) -> np.ndarray:
        by_place = np.argsort(at, kind="stable")
        x, m = at[by_place], margins[by_place]
        below, weighted = np.cumsum(m), np.cumsum(m * x)
        sums = np.empty(len(at))
        sums[by_place] = x * (2 * below - below[-1]) + weighted[-1] - 2 * weighted
        return sums

    return Distance(lambda a, b: np.abs(at[a] - at[b]), to_all)


def ratio(at: np.ndarray) -> Distance:
    """The squared difference relative to the sum, for numbers of 0 or more."""

    def relative(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        total = x + y
        return np.divide(x - y, total, out=np.zeros_like(total), where=total > 0) ** 2

    def to_all(margins: np.ndarray) -> np.ndarray:
        parts = np.array_split(at, len(at) // 256 + 1)
        return np.concatenate([relative(part[:, None], at[None, :]) @ margins for part in parts])

    return Distance(lambda a, b: relative(at[a], at[b]), to_all)


def within_units(answers: Answers, distance: Distance) -> np.ndarray:
    """For each item the sum of distances over all ordered pairs of its answers."""
    unit, code = answers.unit, answers.code
    counts = answers.counts
    sums = np.zeros(len(counts))
    for step in range(1, int(counts.max(initial=1))):
        alike = unit[:-step] == unit[step:]
        apart = distance.between(code[:-step][alike], code[step:][alike])
        sums += 2 * np.bincount(unit[step:][alike], apart, len(counts))
    return sums
