"""The arithmetic of the bias audit: every slice against the rest, in every measure, corrected for all the looks. Pure.

Shares have Wilson's intervals and Newcombe's for the difference, means Student's and Welch's. Benjamini and Hochberg's
correction is over every test of the audit at once, slices that are too small left out. A difference says that slices are
treated unlike in the data, not why, and not that it is unfair.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from backend.curation.observed import (
    ANSWERED_BADLY,
    APPROVED,
    ASKED_BADLY,
    MENTIONS,
    MOOD,
    REFUSED,
    TONE,
    WORDS,
    Measure,
    Observed,
)
from backend.statistics.intervals import (
    benjamini_hochberg,
    mean,
    mean_difference,
    newcombe,
    proportions_p_value,
    wilson,
)  # fmt: skip
from backend.statistics.results import Estimate, Result
from backend.vocabulary import DETECTED

MIN_N = 20
LEVEL = 0.05
COLUMNS = (
    "key", "slice", "measure", "title", "is_share", "n", "value", "low", "high", "rest", "difference", "difference low",
    "difference high", "p", "adjusted p", "too small", "stands out",
)  # fmt: skip


def audit_table(observed: Observed, *, min_n: int = MIN_N) -> pd.DataFrame:
    """One row for each slice and measure. `rest` is the mean of the records outside of the slice."""
    cells = list(_cells(observed, min_n))
    tested = [i for i, cell in enumerate(cells) if cell["p"] is not None and not cell["too small"]]
    adjusted = benjamini_hochberg([cells[i]["p"] for i in tested])
    for i, p_value in zip(tested, adjusted, strict=True):
        cells[i]["adjusted p"], cells[i]["stands out"] = p_value, p_value <= LEVEL
    frame = pd.DataFrame(cells, columns=list(COLUMNS))
    numbers = ["value", "low", "high", "rest", "difference", "difference low", "difference high", "p", "adjusted p"]
    return frame.astype(dict.fromkeys(numbers, float))


def counts_table(observed: Observed, key: str) -> pd.DataFrame:
    """How many records each value of a key has, and which share of all with Wilson's interval."""
    n = len(observed.record_ids)
    rows = []
    for name, inside in observed.cuts[key].items():
        low, high = _bounds(wilson(int(inside.sum()), n))
        rows.append((name, int(inside.sum()), float(inside.mean()), low, high))
    return pd.DataFrame(rows, columns=["slice", "records", "share", "low", "high"])


_ITSELF = {
    (DETECTED + "abuse", ASKED_BADLY), (DETECTED + "abuse", ANSWERED_BADLY), (DETECTED + "sentiment", MOOD),
}  # fmt: skip
"""Slices that the measure itself made; comparing them would say nothing."""


def _cells(observed: Observed, min_n: int) -> Iterator[dict[str, Any]]:
    for measure in observed.measures:
        known = ~np.isnan(measure.values)
        for key, values in observed.cuts.items():
            for name, held in values.items() if (key, measure.key) not in _ITSELF else ():
                inside, outside = measure.values[held & known], measure.values[~held & known]
                if len(inside):
                    yield {"key": key, "slice": name} | _cell(measure, inside, outside, min_n)


def _cell(measure: Measure, inside: np.ndarray, outside: np.ndarray, min_n: int) -> dict[str, Any]:
    n, rest = len(inside), len(outside)
    if measure.share:
        yes, others = float(inside.sum()), float(outside.sum())
        estimate, difference = wilson(yes, n), newcombe(yes, n, others, rest)
        p_value = proportions_p_value(yes, n, others, rest)
    else:
        estimate = mean(inside.tolist())
        difference, p_value = mean_difference(inside, outside)
    (low, high), (least, most) = _bounds(estimate), _bounds(difference)
    return {
        "measure": measure.key, "title": measure.title, "is_share": measure.share, "n": n, "value": float(inside.mean()),
        "low": low, "high": high, "rest": float(outside.mean()) if rest else None, "difference": difference.value if
        isinstance(difference, Estimate) else None, "difference low": least, "difference high": most, "p": p_value,
        "adjusted p": None, "too small": min(n, rest) < min_n, "stands out": False,
    }  # fmt: skip


def _bounds(result: Result) -> tuple[float | None, float | None]:
    return (result.low, result.high) if isinstance(result, Estimate) else (None, None)


# --- in words ---


def key_title(key: str) -> str:
    """A key as it is offered: whether it came with the data, was detected, or is about whom the question mentions."""
    if key.startswith(MENTIONS):
        return f"{key.removeprefix(MENTIONS)} (mentioned in the question)"
    return key.removeprefix(DETECTED) + " (detected)" if key.startswith(DETECTED) else key


_SAID = {
    WORDS: ("answers are {by:.0f} words longer", "answers are {by:.0f} words shorter", "{value:.0f} against {rest:.0f}"),
    MOOD: ("customers sound more content", "customers sound less content", "{value:+.2f} against {rest:+.2f}"),
    TONE: ("answers sound warmer", "answers sound cooler", "{value:+.2f} against {rest:+.2f}"),
    REFUSED: ("answers refuse more often", "answers refuse less often", "{value:.1%} against {rest:.1%}"),
    ANSWERED_BADLY: ("answers are flagged as abusive more often", "answers are flagged as abusive less often",
                     "{value:.1%} against {rest:.1%}"),
    ASKED_BADLY: ("questions are flagged as abusive more often", "questions are flagged as abusive less often",
                  "{value:.1%} against {rest:.1%}"),
    APPROVED: ("records are approved more often", "records are approved less often", "{value:.1%} against {rest:.1%}"),
}  # fmt: skip


def sentence(row: Mapping[str, object]) -> str:
    """One row of the audit in words."""
    more, less, figures = _SAID[str(row["measure"])]
    value, rest = float(str(row["value"])), float(str(row["rest"]))
    said = (more if value > rest else less).format(by=abs(value - rest))
    figure = figures.format(value=value, rest=rest)
    return f"{key_title(str(row['key']))} = {row['slice']}: {said} than in the rest ({figure}; {row['n']:,} records)."


def standing(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows that stand out, the surest first; of a key with two values only one, as the other says the same."""
    found = frame[frame["stands out"]].sort_values(["adjusted p", "n"], ascending=[True, False])
    mirrored = found.groupby(["key", "measure"])["n"].transform("size").eq(2) & ~found["key"].str.startswith(MENTIONS)
    two = frame.groupby(["key", "measure"])["slice"].transform("size").reindex(found.index).eq(2)
    return found[~(mirrored & two & found.duplicated(["key", "measure"]))]
