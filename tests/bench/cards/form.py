"""The one form of a scorecard, and what the cards are measured on.

A card: {"detector", "check", "version", "date", "command", "data", "measures", "details"?, "weakness"}. A measure:
{"name", "value", "n", "low"?, "high"?, "goal"?, "at_most"?, "unit"?}; without a unit the value is a share from 0 to 1, `goal`
is the least that would do, or with `at_most` the most. Details are rows of one table. `weakness` is a plain sentence.
"""

from __future__ import annotations

import csv
import datetime
import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backend.statistics.intervals import wilson
from backend.statistics.results import Estimate
from backend.vocabulary import Check

ROOT = Path(__file__).resolve().parents[3]
DATA = ROOT.parent / "shared" / "data"
"""Public data; `column` and the cards read it, nothing copies it."""
SAMPLE = ROOT / "backend" / "intake" / "sample"
COMMAND = "make scorecards"


def share(name: str, hits: int, n: int, *, goal: float | None = None, at_most: bool = False) -> dict[str, Any]:
    """A measure that is `hits` of `n`, with Wilson's interval."""
    counted = wilson(hits, n)
    bounds = {"low": round(counted.low, 4), "high": round(counted.high, 4)} if isinstance(counted, Estimate) else {}
    return {"name": name, "value": round(hits / n, 4) if n else None, "n": n, **bounds, **_goal(goal, at_most)}


def figure(
    name: str, value: float, n: int, *, unit: str = "", goal: float | None = None, at_most: bool = False
) -> dict[str, Any]:
    """A measure that is no plain proportion."""
    return {"name": name, "value": round(value, 4), "n": n, **({"unit": unit} if unit else {}), **_goal(goal, at_most)}


def made(
    *,
    detector: str,
    check: Check | str,
    version: str,
    data: str,
    measures: Sequence[dict[str, Any]],
    weakness: str,
    details: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    """The card, dated today."""
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    known = {"detector": detector, "check": str(check), "version": version, "date": today, "command": COMMAND, "data": data}
    rows = {"details": list(details)} if details else {}
    return {**known, "measures": list(measures), **rows, "weakness": weakness}


@functools.cache
def column(name: str, key: str) -> tuple[str, ...]:
    """A column of a CSV file of the public data."""
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return tuple(row[key] for row in csv.DictReader(file))


def bank_questions() -> tuple[str, ...]:
    """banking77: 10,003 questions of a bank's customers."""
    return column("banking77/train.csv", "text")


def shop_utterances() -> tuple[str, ...]:
    """bitext: 6,480 utterances of a shop's customers."""
    return column("bitext/customer_service_train.csv", "utterance")


def sample(name: str) -> list[dict[str, Any]]:
    """The rows of a file of the sample project, such as "records.jsonl"."""
    return [json.loads(line) for line in (SAMPLE / name).read_text(encoding="utf-8").splitlines()]


def mistakes(kind: str) -> dict[str, dict[str, Any]]:
    """The sample's planted mistakes of a kind, by the record's id."""
    held = json.loads((SAMPLE / "mistakes.json").read_text(encoding="utf-8"))["records"]
    return {row["id"]: row for row in held if row["kind"] == kind}


def _goal(goal: float | None, at_most: bool) -> dict[str, Any]:
    return {} if goal is None else {"goal": goal, **({"at_most": True} if at_most else {})}
