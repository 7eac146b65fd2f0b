"""Reads about topics, for the pages: how many records each has, how they stand, where they lie on the map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
from sqlalchemy import case
from sqlalchemy import select as columns
from sqlmodel import Session, col, func, select

from backend.access.actors import Actor
from backend.access.policy import check as allow
from backend.curation.cleaning import is_alive
from backend.curation.clustering import NO_TOPIC, topics_of
from backend.detectors import sentiment
from backend.detectors.topics import LEAST_TEXTS, SLICE
from backend.store.curation import CheckRun
from backend.store.records import Record
from backend.store.slicing import slice_of
from backend.vocabulary import FINISHED_JOBS, Action, Check, RecordStatus

TOPIC = SLICE
"""The slice's key."""
LEAST = LEAST_TEXTS
COLUMNS = ["id", "topic", "records", "share", "approved", "negative", "includes", "words"]
SNIPPET = 110
_AT_ONCE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Looking:
    """A run of the checks that looks for topics and has not ended."""

    is_alive: bool
    step: str
    done: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The project's topics. `table` has the columns of COLUMNS, the largest topic first."""

    table: pd.DataFrame
    records: int
    none: int
    """Records that fit no topic."""
    new: int
    """Records that no run has looked at yet."""
    looking: Looking | None
    error: str
    """Why the last run failed, if it did."""

    @property
    def is_too_small(self) -> bool:
        """Whether there are too few records to find topics in."""
        return self.records < LEAST_TEXTS


def overview(session: Session, *, actor: Actor, project_id: int) -> Overview:
    """All of the page's first tab but the map. Sentiment is a share of the records that have one."""
    allow(actor, Action.VIEW_RECORDS, project_id)
    topic, mood = slice_of(session, SLICE), slice_of(session, sentiment.SLICE)
    query = columns(
        topic,
        func.count(),
        func.sum(case((col(Record.status) == RecordStatus.APPROVED, 1), else_=0)),
        func.sum(case((mood == sentiment.NEGATIVE, 1), else_=0)),
        func.count(mood),
    )
    counts = {row[0]: row[1:] for row in session.execute(query.where(col(Record.project_id) == project_id).group_by(topic))}
    rows = topics_of(session, project_id)
    table: list[dict[str, Any]] = []
    total = sum(count for count, *_ in counts.values())
    for row in rows:
        if row.merged_into is not None:
            continue
        count, approved, negative, moods = counts.get(row.name, (0, 0, 0, 0))
        parts = [part.name.partition(" · merged ")[0] for part in rows if part.merged_into == row.id]
        table.append(
            {
                "id": row.id,
                "topic": row.name,
                "records": count,
                "share": count / total if total else 0.0,
                "words": ", ".join(row.terms),
                "approved": approved / count if count else None,
                "negative": negative / moods if moods else None,
                "includes": ", ".join(parts),
            }
        )
    frame = pd.DataFrame(table, columns=COLUMNS).astype({"approved": float, "negative": float})
    looking, error = _run(session, project_id)
    return Overview(
        table=frame.sort_values(["records", "topic"], ascending=[False, True], ignore_index=True),
        records=total,
        none=counts.get(NO_TOPIC, (0,))[0],
        new=counts.get(None, (0,))[0],
        looking=looking,
        error=error,
    )


def looking(session: Session, *, actor: Actor, project_id: int) -> Looking | None:
    """The run that looks for topics now, or waits to."""
    allow(actor, Action.VIEW_RECORDS, project_id)
    return _run(session, project_id)[0]


def places(session: Session, *, actor: Actor, project_id: int) -> pd.DataFrame:
    """Records on the map: record, topic, x, y, question (a snippet). Texts are as they are now; so are the topics."""
    allow(actor, Action.VIEW_RECORDS, project_id)
    spots = {int(point[0]): point[1:] for row in topics_of(session, project_id) for point in row.points}
    ids = sorted(spots)
    rows: list[tuple[int, str, float, float, str]] = []
    for start in range(0, len(ids), _AT_ONCE):
        query = columns(
            Record.id, slice_of(session, SLICE), Record.prompt
        ).where(  # type: ignore[call-overload]
            Record.project_id == project_id, col(Record.id).in_(ids[start : start + _AT_ONCE])
        )
        for record_id, name, prompt in session.execute(query):
            x, y = spots[record_id]
            rows.append((record_id, name or NO_TOPIC, x, y, _short(prompt)))
    return pd.DataFrame(rows, columns=["record", "topic", "x", "y", "question"])


def _short(text: str) -> str:
    line = " ".join(text[: 3 * SNIPPET].split())
    return line if len(line) <= SNIPPET else line[: SNIPPET - 1] + "…"


def _run(session: Session, project_id: int) -> tuple[Looking | None, str]:
    """What is at work, and what went wrong last."""
    newest = select(CheckRun).where(CheckRun.project_id == project_id).order_by(col(CheckRun.id).desc()).limit(20)
    run = next((run for run in session.exec(newest) if Check.TOPICS.value in run.checks), None)
    if run is None:
        return None, ""
    if run.status in FINISHED_JOBS:
        return None, run.error
    return Looking(is_alive=is_alive(run), step=run.step, done=run.done, total=run.total), ""
