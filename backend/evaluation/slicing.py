"""A measure compared between the values of one metadata key, as a table for the slices page. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from backend.statistics.results import Estimate, Result
from backend.statistics.slices import Slice, compare_means, compare_shares

COLUMNS = (
    "slice",
    "n",
    "value",
    "low",
    "high",
    "difference to the rest",
    "difference low",
    "difference high",
    "p",
    "adjusted p",
    "too small",
    "stands out",
)

Values = Sequence[tuple[float, Mapping[str, str]]]
"""One observation each: a value and the slices that it belongs to, by metadata key."""


def slice_keys(values: Values) -> list[str]:
    """The metadata keys by which the values can be cut: those with at least two different values."""
    found: dict[str, set[str]] = {}
    for _, slices in values:
        for key, value in slices.items():
            found.setdefault(key, set()).add(value)
    return sorted(key for key, texts in found.items() if len(texts) > 1)


def slice_table(values: Values, key: str, *, shares: bool, min_n: int) -> pd.DataFrame:
    """One row a slice, the largest first. `shares`: the values are yes/no (or a half), not points or scores.

    "adjusted p" is Benjamini-Hochberg's over the slices of at least `min_n`; "stands out" means that it is at most 0.05.
    """
    compare = compare_shares if shares else compare_means
    found = compare([value for value, _ in values], [slices.get(key) for _, slices in values], min_n=min_n)
    return pd.DataFrame([_row(piece) for piece in found], columns=list(COLUMNS))


def _row(piece: Slice) -> tuple[object, ...]:
    value, low, high = _parts(piece.estimate)
    difference, difference_low, difference_high = _parts(piece.difference)
    return (
        piece.name,
        piece.n,
        value,
        low,
        high,
        difference,
        difference_low,
        difference_high,
        piece.p_value,
        piece.adjusted_p,
        piece.small,
        piece.differs(),
    )


def _parts(result: Result) -> tuple[float | None, float | None, float | None]:
    """(value, low, high); what cannot be estimated has no interval, and perhaps no value."""
    if isinstance(result, Estimate):
        return result.value, result.low, result.high
    return result.value, None, None
