"""Progress as tables and sentences. Pure: counts by hour in, what is done and when the rest will be. Hours are UTC."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd

from backend.evaluation.pace import DAY, Forecast, forecast, saved
from backend.vocabulary import TaskStatus

Entry = Mapping[str, Any]
_SUMS = ("answers", "corrections", "spent", "timed")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def open_tasks(tasks: Sequence[Entry]) -> list[Entry]:
    """Those that hand out items."""
    return [task for task in tasks if task["status"] == TaskStatus.OPEN]


def hourly(tasks: Iterable[Entry]) -> dict[int, int]:
    """Answers by the hour of several tasks together."""
    counts: Counter[int] = Counter()
    for task in tasks:
        counts.update({int(hour): count for hour, count in task["hourly"].items()})
    return dict(counts)


def daily_table(tasks: Iterable[Entry], names: Mapping[int, str], days: int) -> pd.DataFrame:
    """One row a day, one column a task, from the first answer within the last `days` before the newest."""
    counts = {names[task["id"]]: {int(day): n for day, n in task["daily"].items()} for task in tasks if task["daily"]}
    every = [day for found in counts.values() for day in found]
    if not every:
        return pd.DataFrame(columns=["day"])
    first = max(min(every), max(every) - days + 1)
    span = range(first, max(every) + 1)
    columns = {name: [found.get(day, 0) for day in span] for name, found in counts.items()}
    kept = {name: values for name, values in columns.items() if any(values)}
    return pd.DataFrame({"day": [day_of(day) for day in span], **kept})


def day_of(day: int) -> date:
    """The date of a day since 1970."""
    return (_EPOCH + timedelta(days=day)).date()


def moment_of(hour: float) -> datetime:
    """The moment of an hour since 1970."""
    return _EPOCH + timedelta(hours=hour)


def hour_at(moment: datetime) -> int:
    """Whole hours since 1970."""
    return int((moment - _EPOCH).total_seconds() // 3600)


def task_table(tasks: Sequence[Entry], names: Mapping[int, str], *, at: datetime) -> pd.DataFrame:
    """One row a task: how far it is, how fast it goes, when it will be done."""
    rows = []
    for task in tasks:
        found = forecast({int(hour): n for hour, n in task["hourly"].items()}, task["wanted"], now=hour_at(at))
        running = task["status"] == TaskStatus.OPEN
        when = finish_text(found, at) if running or not task["wanted"] else "Not handed out now"
        answers = sum(task["daily"].values())
        counts = [task[name] for name in ("kind", "status", "items", "finished", "disputed")]
        pace = rate_text(found) if running else ""
        rows.append((names[task["id"]], *counts, answers, task["wanted"], pace, when))
    columns = ["task", "kind", "state", "items", "finished", "disputed", "answers", "still wanted", "rate", "done by"]
    return pd.DataFrame(rows, columns=columns)


def rate_text(found: Forecast) -> str:
    """Answers by day or hour."""
    return f"{found.rate:,.1f} a {found.unit}" if found.rate else ""


def finish_text(found: Forecast, at: datetime) -> str:
    """When the last answer will be there, with its interval, or why nobody can say."""
    if found.hours is None or found.low is None or found.high is None:
        return found.reason
    if not found.hours:
        return found.reason
    written = "%d %b %Y" if found.hours > 2 * DAY else "%d %b, %H:%M"
    likely, low, high = (at + timedelta(hours=hours) for hours in (found.hours, found.low, found.high))
    last = "later than anybody plans" if found.high > 2 * 365 * DAY else f"{high:{written}}"
    return f"{likely:{written}} ({low:{written}} to {last})"


def savings_table(tasks: Sequence[Entry], names: Mapping[int, str]) -> pd.DataFrame:
    """What adaptive overlap saved: one row a task that has it."""
    rows = []
    for task in tasks:
        spared = saved(task["finished"], task["overlap_max"], task["on_finished"])
        if spared is not None:
            full = task["finished"] * task["overlap_max"]
            share = spared / full if full else None
            rows.append((names[task["id"]], task["finished"], task["on_finished"], full, spared, share))
    columns = ["task", "finished items", "judgements given", "judgements at full overlap", "saved", "share saved"]
    return pd.DataFrame(rows, columns=columns).astype({"share saved": float})


def rater_table(raters: Sequence[Entry], people: Mapping[int, str], *, task_id: int | None = None) -> pd.DataFrame:
    """One row a rater over the tasks (or in one): answers, pace, when they were last here."""
    rows: dict[int, dict[str, Any]] = {}
    for one in raters:
        if task_id is None or one["task"] == task_id:
            row = rows.setdefault(one["account"], {**dict.fromkeys(_SUMS, 0), "first": one["first"], "last": 0})
            row.update({key: row[key] + one[key] for key in _SUMS})
            row["first"], row["last"] = min(row["first"], one["first"]), max(row["last"], one["last"])
    found = [
        (people.get(account, "somebody who left"), row["answers"], row["corrections"],
         row["spent"] / row["timed"] if row["timed"] else None, moment_of(row["first"]), moment_of(row["last"]))
        for account, row in sorted(rows.items(), key=lambda one: -one[1]["answers"])
    ]  # fmt: skip
    columns = ["rater", "answers", "corrections", "mean seconds", "first hour of work", "last hour of work"]
    return pd.DataFrame(found, columns=columns).astype({"mean seconds": float})
