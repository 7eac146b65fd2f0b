"""Reads for the lead's dashboard: the funnel, who did what on which day, runs, feedback, agreement over time.

Every number is an aggregate in SQL over indexed columns, bounded by days; no table is loaded whole. Days are UTC. What
raters answered comes as figures, which are kept where there are many answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd
from sqlalchemy import case, func
from sqlmodel import Session, col, select

from backend.store.accounts import Account
from backend.store.base import now
from backend.store.conversations import Feedback
from backend.store.models import Job, ModelVersion, Promotion, Run, Snapshot, SnapshotRow
from backend.store.records import Approval, Project, Record, RecordRevision
from backend.store.versions import standing
from backend.vocabulary import RecordStatus, Split, Thumb

DAYS = 30
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
WORK = ("decisions", "edits", "answers")
"""What people do: rulings on records, edited texts, ratings and comparisons."""


@dataclass(frozen=True, slots=True)
class Current:
    """The current version and the decision that made it so; `evidence` is as it stood then."""

    version_id: int
    name: str
    decision: str
    by: str
    at: pd.Timestamp
    reason: str
    overridden: bool
    evidence: dict[str, Any]


def funnel(session: Session, *, project_id: int) -> pd.DataFrame:
    """How many records came how far: step, records."""
    counting = select(
        func.count(),
        func.sum(case((col(Record.status) != RecordStatus.PENDING, 1), else_=0)),
        func.count(col(Record.approved_revision_id)),
    ).where(Record.project_id == project_id)
    imported, ruled, approved = session.exec(counting).one()
    frozen = (
        select(func.count(func.distinct(SnapshotRow.record_id)))
        .join(Snapshot, col(Snapshot.id) == SnapshotRow.snapshot_id)
        .where(Snapshot.project_id == project_id)
    )
    learned = (
        select(func.count())
        .select_from(SnapshotRow)
        .join(Run, col(Run.snapshot_id) == SnapshotRow.snapshot_id)
        .join(ModelVersion, col(ModelVersion.run_id) == Run.id)
        .join(Project, col(Project.current_version_id) == ModelVersion.id)
        .where(Project.id == project_id, SnapshotRow.split == Split.TRAIN)
    )
    rows = [
        ("Imported", imported),
        ("Ruled on", ruled or 0),
        ("Approved", approved),
        ("In a snapshot", session.exec(frozen).one()),
        ("Learned by the current version", session.exec(learned).one()),
    ]
    return pd.DataFrame(rows, columns=["step", "records"])


def work(session: Session, *, project_id: int, days: int = DAYS) -> pd.DataFrame:
    """Who ruled and edited how much on which day: day, person, what, n."""
    since = now() - timedelta(days=days)
    of_records: list[Any] = [Record.project_id == project_id]
    sources: list[tuple[str, Any, Any, Any]] = [
        ("decisions", Approval, col(Approval.author_id), of_records),
        ("edits", RecordRevision, col(RecordRevision.author_id), [*of_records, RecordRevision.number > 1]),
    ]
    parts = []
    for name, table, author, conditions in sources:
        day = _day(session, table.created_at)
        columns: list[Any] = [day, Account.email, func.count()]
        query = select(*columns).select_from(table).join(Account, col(Account.id) == author)
        query = query.join(Record, col(Record.id) == table.record_id)
        rows = session.exec(query.where(*conditions, table.created_at >= since).group_by(day, col(Account.email)))
        parts += [(_date(at), who, name, count) for at, who, count in rows]
    return pd.DataFrame(parts, columns=["day", "person", "what", "n"])


def answers(session: Session, *, rows: Sequence[Sequence[int]], days: int = DAYS) -> pd.DataFrame:
    """The same of raters, from the figure "work": [day since 1970, account, answers] each."""
    first = (now() - _EPOCH).days - days
    recent = [row for row in rows if row[0] >= first]
    found = session.exec(select(Account.id, Account.email).where(col(Account.id).in_({row[1] for row in recent})))
    emails: dict[int | None, str] = {key: email for key, email in found}  # noqa: C416 - a row is no pair to mypy
    parts = [((_EPOCH + timedelta(days=day)).date(), emails[who], "answers", n) for day, who, n in recent if who in emails]
    return pd.DataFrame(parts, columns=["day", "person", "what", "n"])


def together(*parts: pd.DataFrame) -> pd.DataFrame:
    """A row a day and person, and a column for each of WORK."""
    whole = pd.concat(parts, ignore_index=True)
    if whole.empty:
        return pd.DataFrame(columns=["day", "person", *WORK])
    wide = whole.pivot_table(index=["day", "person"], columns="what", values="n", aggfunc="sum", fill_value=0)
    return wide.reindex(columns=list(WORK), fill_value=0).reset_index().rename_axis(columns=None)


def by_day(frame: pd.DataFrame) -> pd.DataFrame:
    """Work summed over people, with a row for every day from the first to the last."""
    if frame.empty:
        return frame.drop(columns="person")
    sums = frame.groupby("day")[list(WORK)].sum()
    return sums.reindex(_days(sums.index), fill_value=0).rename_axis("day").reset_index()


def by_person(frame: pd.DataFrame) -> pd.DataFrame:
    """Work summed over days, the busiest first."""
    sums = frame.groupby("person")[list(WORK)].sum().reset_index()
    return sums.assign(total=sums[list(WORK)].sum(axis=1)).sort_values("total", ascending=False, ignore_index=True)


def runs(session: Session, *, project_id: int, limit: int = 20) -> pd.DataFrame:
    """The newest runs with their job's state and what became of them."""
    columns: list[Any] = [Run.number, Run.name, Snapshot.number, Job.status, Run.result]
    columns += [ModelVersion.name, ModelVersion.stage, Run.config, Run.created_at]
    query = (
        select(*columns)
        .select_from(Run)
        .join(Snapshot, col(Snapshot.id) == Run.snapshot_id)
        .outerjoin(Job, col(Job.id) == Run.job_id)
        .outerjoin(ModelVersion, col(ModelVersion.run_id) == Run.id)
        .where(Run.project_id == project_id)
        .order_by(col(Run.number).desc())
        .limit(limit)
    )
    rows = [
        (
            number,
            name,
            snapshot,
            str(status or ""),
            (result or {}).get("best_validation_loss"),
            version or "",
            standing(stage, config.get("objective", "sft")) if stage else "",
            at,
        )
        for number, name, snapshot, status, result, version, stage, config, at in session.exec(query)
    ]
    return pd.DataFrame(rows, columns=["run", "name", "snapshot", "state", "validation loss", "version", "stage", "started"])


def current(session: Session, *, project_id: int) -> Current | None:
    """The current version with the newest decision that made it current; None while there is none."""
    query = (
        select(ModelVersion, Promotion, Account.email)
        .join(Project, col(Project.current_version_id) == ModelVersion.id)
        .outerjoin(Promotion, col(Promotion.version_id) == ModelVersion.id)
        .outerjoin(Account, col(Account.id) == Promotion.author_id)
        .where(Project.id == project_id)
        .order_by(col(Promotion.id).desc())
        .limit(1)
    )
    found = session.exec(query).first()
    if found is None:
        return None
    version, promotion, who = found
    return Current(
        version_id=version.id or 0,
        name=version.name,
        decision=str(promotion.kind).replace("_", " ") if promotion else "set",
        by=who or "system",
        at=pd.Timestamp(promotion.created_at if promotion else version.created_at),
        reason=promotion.reason if promotion else "",
        overridden=bool(promotion and promotion.overridden),
        evidence=promotion.evidence if promotion else {},
    )


def feedback(session: Session, *, project_id: int, days: int = DAYS) -> pd.DataFrame:
    """Feedback by day: day, up, down, satisfaction (mean of 1 to 5), all."""
    day = _day(session, Feedback.created_at)
    up, down = (func.sum(case((col(Feedback.thumb) == thumb, 1), else_=0)) for thumb in (Thumb.UP, Thumb.DOWN))
    columns: list[Any] = [day, up, down, func.avg(Feedback.csat), func.count()]
    query = (
        select(*columns)
        .where(Feedback.project_id == project_id, col(Feedback.created_at) >= now() - timedelta(days=days))
        .group_by(day)
        .order_by(day)
    )
    rows = [
        (_date(at), ups, downs, None if csat is None else float(csat), n) for at, ups, downs, csat, n in session.exec(query)
    ]
    frame = pd.DataFrame(rows, columns=["day", "up", "down", "satisfaction", "all"])
    if frame.empty:
        return frame
    whole = frame.set_index("day").reindex(_days(frame["day"])).rename_axis("day").reset_index()
    return whole.fillna({"up": 0, "down": 0, "all": 0})


def agreement(weeks: Sequence[Mapping[str, Any]], *, days: int = 90) -> pd.DataFrame:
    """By week, how often two raters of one comparison agreed: week, pairs, agreed (share); from the figure "agreement"."""
    first = (now() - _EPOCH).days - days
    rows = [
        ((_EPOCH + timedelta(days=one["week"])).date(), one["pairs"], one["agreed"]) for one in weeks if one["week"] >= first
    ]
    return pd.DataFrame(rows, columns=["week", "pairs", "agreed"])


def _days(found: Any) -> Any:
    """Every day from the first to the last, so that a day without anything shows as such."""
    return pd.date_range(min(found), max(found), freq="D").date


def _day(session: Session, moment: Any) -> Any:
    """The UTC day of a column: text on SQLite, a date on PostgreSQL."""
    if session.get_bind().dialect.name == "postgresql":
        return func.date(func.timezone("UTC", moment))
    return func.date(moment)


def _date(day: Any) -> date:
    return day if isinstance(day, date) else date.fromisoformat(str(day))
