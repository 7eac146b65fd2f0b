"""A value compared between slices: each slice with its interval, its difference to all the rest, corrected for many looks.

Every value must be an observation of its own: average several raters' scores of one item first. Values without a slice
count in the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from backend.statistics.intervals import benjamini_hochberg, mean, mean_difference, newcombe, proportions_p_value, wilson
from backend.statistics.results import CONFIDENCE, Result

MIN_N = 20
"""Slices with fewer observations are marked as small, and are left out of the correction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """One slice of the data against the rest of it."""

    name: str
    n: int
    estimate: Result
    difference: Result
    """This slice minus the rest."""
    p_value: float | None
    adjusted_p: float | None
    """Adjusted over the slices that are not small, by Benjamini-Hochberg."""
    small: bool

    def differs(self, q: float = 0.05) -> bool:
        """Whether the difference to the rest stands after the correction."""
        return self.adjusted_p is not None and self.adjusted_p <= q


def compare_shares(
    outcomes: Sequence[float], slices: Sequence[str | None], *, min_n: int = MIN_N, confidence: float = CONFIDENCE
) -> tuple[Slice, ...]:
    """Slices of a share: each outcome is 1 (yes), 0 (no) or between (a tie is .5). Wilson and Newcombe."""
    if any(not 0 <= outcome <= 1 for outcome in outcomes):
        raise ValueError("outcomes of a share lie between 0 and 1")
    total, found = sum(outcomes), []
    for name, inside, _ in _parts(outcomes, slices):
        successes, n, rest = float(inside.sum()), len(inside), len(outcomes) - len(inside)
        others = min(max(total - successes, 0.0), rest)
        found.append(
            Slice(
                name=name,
                n=n,
                estimate=wilson(successes, n, confidence=confidence),
                difference=newcombe(successes, n, others, rest, confidence=confidence),
                p_value=proportions_p_value(successes, n, others, rest),
                adjusted_p=None,
                small=n < min_n,
            )
        )
    return _adjusted(found)


def compare_means(
    values: Sequence[float], slices: Sequence[str | None], *, min_n: int = MIN_N, confidence: float = CONFIDENCE
) -> tuple[Slice, ...]:
    """Slices of a mean: t intervals, and Welch's for the difference."""
    found = []
    for name, inside, outside in _parts(values, slices):
        difference, p_value = mean_difference(inside, outside, confidence=confidence)
        found.append(
            Slice(
                name=name,
                n=len(inside),
                estimate=mean(inside.tolist(), confidence=confidence),
                difference=difference,
                p_value=p_value,
                adjusted_p=None,
                small=len(inside) < min_n,
            )
        )
    return _adjusted(found)


def _parts(values: Sequence[float], slices: Sequence[str | None]) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Each slice's values and all others, the largest slice first."""
    counts = Counter(name for name in slices if name is not None)
    codes = {name: code for code, (name, _) in enumerate(sorted(counts.items(), key=lambda item: (-item[1], item[0])))}
    numbers = np.asarray(values, dtype=float)
    code_of = np.array([-1 if name is None else codes[name] for name in slices], dtype=int)
    if len(numbers) != len(code_of):
        raise ValueError("every value needs a slice, or None")
    for name, code in codes.items():
        inside = code_of == code
        yield name, numbers[inside], numbers[~inside]


def _adjusted(found: Sequence[Slice]) -> tuple[Slice, ...]:
    tested = [i for i, piece in enumerate(found) if piece.p_value is not None and not piece.small]
    adjusted = benjamini_hochberg([p for i in tested if (p := found[i].p_value) is not None])
    by_place = dict(zip(tested, adjusted, strict=True))
    return tuple(replace(piece, adjusted_p=by_place.get(i)) for i, piece in enumerate(found))
