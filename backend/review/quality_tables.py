"""Quality as tables, for pages and downloads. Pure. What cannot be estimated has empty cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from backend.review.gold_queries import GoldRow
from backend.review.quality_queries import ChangedMind, RaterRow
from backend.statistics.results import Estimate, Result

FEW = 10
"""Shares of fewer answers are greyed."""
SMALL = 20
"""Slices of fewer items are greyed."""


def raters_table(
    rows: Sequence[RaterRow], work: Mapping[int, Mapping[str, Any]], others: Mapping[int, Mapping[str, Any]]
) -> pd.DataFrame:
    """One row a rater. `work` and `others` hold the kept figures by account: what they did, and how like the others."""
    found = []
    for row in rows:
        did, beside = work.get(row.account_id, {}), others.get(row.account_id, {})
        alike, reliable = beside.get("alike", {}), beside.get("reliability", {})
        found.append(
            {
                "rater": row.name,
                "state": "; ".join([*(["paused"] if row.paused else []), *row.notices]),
                "answers": int(did.get("answers", 0)),
                "seconds": did["spent"] / did["timed"] if did.get("timed") else None,
                "gold": row.gold.value,
                "gold low": _low(row.gold),
                "gold high": _high(row.gold),
                "gold n": row.gold.n,
                "as before": row.repeats.value,
                "repeats n": row.repeats.n,
                "like the others": alike.get("value"),
                "shared answers": int(alike.get("n", 0)),
                "reliability": reliable.get("value"),
                "skipped": row.skipped,
                "calibration": row.calibration,
            }
        )
    numbers = ("seconds", "gold", "gold low", "gold high", "as before", "like the others", "reliability")
    columns = list(found[0]) if found else ["rater", *numbers]
    return pd.DataFrame(found, columns=columns).astype(dict.fromkeys(numbers, float))


def greyed(frame: pd.DataFrame, small: Mapping[str, str], least: int = FEW) -> Any:
    """The table to look at, with shares of few answers in grey: column → the column that counts it."""

    def grey(row: pd.Series) -> list[str]:
        few = {name for name, count in small.items() if row[count] < least}
        return ["color: rgba(128, 134, 145, 0.9); font-style: italic" if name in few else "" for name in row.index]

    rounded = frame.round({name: 2 for name in frame.columns if frame[name].dtype.kind == "f"})
    return rounded.style.apply(grey, axis=1)


def agreement_table(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """One row a question, or a slice of one."""
    found = [
        {
            "question": row["question"],
            "slice": row["slice"],
            "items": row["items"],
            "raw agreement": row["raw"]["value"],
            "alpha": row["alpha"]["value"],
            "alpha low": row["alpha"].get("low"),
            "alpha high": row["alpha"].get("high"),
            "note": row["alpha"].get("reason", ""),
            "too small": row["items"] < SMALL,
        }
        for row in rows
    ]
    columns = ["question", "slice", "items", "raw agreement", "alpha", "alpha low", "alpha high", "note", "too small"]
    numbers = ("raw agreement", "alpha", "alpha low", "alpha high")
    return pd.DataFrame(found, columns=columns).astype(dict.fromkeys(numbers, float))


def gold_table(rows: Sequence[GoldRow]) -> pd.DataFrame:
    """One row a gold item."""
    found = [
        (one.item_id, one.prompt, one.answer, one.right.n, one.right.value, _low(one.right), _high(one.right),
         one.calibration, one.explanation, one.author, one.at)
        for one in rows
    ]  # fmt: skip
    columns = ["item", "question", "answer", "asked", "right", "low", "high", "calibration", "explanation", "marked by", "at"]
    return pd.DataFrame(found, columns=columns).astype(dict.fromkeys(("right", "low", "high"), float))


def changes_table(rows: Sequence[ChangedMind]) -> pd.DataFrame:
    """One row a repeat that was answered otherwise."""
    found = [(one.rater, one.prompt, one.before, one.after, one.score, one.at) for one in rows]
    return pd.DataFrame(found, columns=["rater", "question", "before", "now", "alike", "at"])


def _low(result: Result) -> float | None:
    return result.low if isinstance(result, Estimate) else None


def _high(result: Result) -> float | None:
    return result.high if isinstance(result, Estimate) else None
