"""Reads about records that are like each other: how many from which similarity on, pairs to look at, contradictions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
from sqlalchemy import Text, cast
from sqlalchemy import select as columns
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, func, select

from backend.access.actors import Actor
from backend.access.policy import check
from backend.curation.resolving import REJECTED
from backend.detectors.alike import LEAST
from backend.detectors.duplicates import THRESHOLD as THRESHOLD
from backend.store.accounts import AuditEntry
from backend.store.curation import Likeness
from backend.store.records import Finding, Record, RecordRevision
from backend.vocabulary import Action, FindingKind, FindingStatus, RecordStatus

AROUND = 0.05
"""How far from the threshold the similarity of a listed pair may be."""
MOST_RESOLUTIONS = 10
_FINE = 10_000


@dataclass(frozen=True, slots=True)
class Overview:
    """`curve` says for each similarity from LEAST on how many records have an earlier one at least that similar."""

    records: int
    compared: int
    exact: int
    """Open findings of exact repeats."""
    near: int
    clusters: int
    contradictions: int
    """Pairs of records."""
    curve: pd.DataFrame


@dataclass(frozen=True, slots=True)
class Side:
    """One record of a pair."""

    record_id: int
    status: str
    question: str
    """Everything that the customer says, a line a turn."""
    answer: str


@dataclass(frozen=True, slots=True)
class Pair:
    """Two records that are like each other, the earlier one first."""

    first: Side
    second: Side
    similarity: float
    exact: bool
    """The whole conversations are equal."""


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two records that answer the same question differently. `findings` are the open ones on either."""

    here: Side
    there: Side
    why: str
    findings: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Resolution:
    """A rejection of duplicates that can be taken back; `number` names it."""

    number: int
    at: datetime
    actor: str
    records: int
    """Those that still stand rejected by it."""
    reason: str


def overview(session: Session, *, actor: Actor, project_id: int) -> Overview:
    """What the page begins with."""
    check(actor, Action.VIEW_RECORDS, project_id)
    here = Record.project_id == project_id
    records = session.exec(select(func.count()).select_from(Record).where(here)).one()
    named = select(func.count(col(Record.cluster).distinct())).where(here, Record.cluster != "")
    compared = select(func.count()).where(col(Likeness.project_id) == project_id, col(Likeness.settled).is_(True))
    kinds = (FindingKind.DUPLICATE, FindingKind.NEAR_DUPLICATE)
    open_ = (
        select(Finding.kind, func.count())
        .where(Finding.project_id == project_id, Finding.status == FindingStatus.OPEN, col(Finding.kind).in_(kinds))
        .group_by(col(Finding.kind))
    )
    counts = {FindingKind(kind): int(count) for kind, count in session.exec(open_)}
    return Overview(
        records=records,
        compared=session.exec(compared).one(),
        exact=counts.get(FindingKind.DUPLICATE, 0),
        near=counts.get(FindingKind.NEAR_DUPLICATE, 0),
        clusters=session.exec(named).one(),
        contradictions=count_contradictions(session, actor=actor, project_id=project_id),
        curve=_curve(session, project_id),
    )


def _curve(session: Session, project_id: int) -> pd.DataFrame:
    """Columns similarity, records; from LEAST to 1 in steps of a hundredth."""
    fine = select(func.round(col(Likeness.similarity) * _FINE).label("place")).where(
        col(Likeness.project_id) == project_id, col(Likeness.similarity) >= LEAST
    )
    place = fine.subquery().c.place
    counts = {int(at): int(count) for at, count in session.execute(select(place, func.count()).group_by(place))}
    places = range(round(LEAST * 100), 101)
    rows = [(place / 100, sum(count for at, count in counts.items() if at * 100 >= place * _FINE)) for place in places]
    return pd.DataFrame(rows, columns=["similarity", "records"])


def pairs(session: Session, *, actor: Actor, project_id: int, threshold: float, limit: int = 6) -> list[Pair]:
    """Pairs whose similarity is nearest to the threshold, on both sides of it, the most similar first."""
    check(actor, Action.VIEW_RECORDS, project_id)
    value = col(Likeness.similarity)
    here = (col(Likeness.project_id) == project_id, value >= LEAST)
    above = value.between(threshold - 1e-9, threshold + AROUND)
    below = value.between(threshold - AROUND, threshold - 1e-9)
    chosen = [
        row
        for condition, order in ((above, value), (below, value.desc()))
        for row in session.exec(
            select(Likeness.nearest_id, Likeness.record_id, Likeness.similarity)
            .where(*here, condition)
            .order_by(order, col(Likeness.record_id))
            .limit(limit // 2)
        )
    ]
    sides = _sides(session, [record_id for row in chosen for record_id in row[:2] if record_id])
    exact = _exact(session, [row[1] for row in chosen])
    found = [Pair(sides[first or 0], sides[second], float(similar), exact=second in exact) for first, second, similar in chosen]
    return sorted(found, key=lambda pair: (-pair.similarity, pair.second.record_id))


def _exact(session: Session, record_ids: list[int]) -> set[int]:
    query = select(Finding.record_id).where(col(Finding.record_id).in_(record_ids), Finding.kind == FindingKind.DUPLICATE)
    return set(session.exec(query.where(Finding.status == FindingStatus.OPEN)))


def count_contradictions(session: Session, *, actor: Actor, project_id: int) -> int:
    """How many pairs of records contradict each other."""
    check(actor, Action.VIEW_RECORDS, project_id)
    return session.exec(select(func.count()).select_from(_contradicting(project_id).subquery())).one()


def contradictions(session: Session, *, actor: Actor, project_id: int, offset: int = 0, limit: int = 50) -> list[Contradiction]:
    """Pairs of records with an open contradiction, each once, by the first record's id."""
    check(actor, Action.VIEW_RECORDS, project_id)
    rows = session.execute(_contradicting(project_id).offset(offset).limit(limit)).all()
    sides = _sides(session, [record_id for row in rows for record_id in row[:2]])
    return [
        Contradiction(sides[here], sides[there], str(why), tuple(one for one in (mine, theirs) if one))
        for here, there, why, mine, theirs in rows
        if here in sides and there in sides
    ]


def _contradicting(project_id: int) -> Any:
    """Here, there, why, the finding here, the one there: seen from the earlier record where both have one."""
    mine, theirs = aliased(Finding), aliased(Finding)
    other = col(mine.detail)["other"].as_integer()
    back = (
        (col(theirs.record_id) == other)
        & (col(theirs.detail)["other"].as_integer() == col(mine.record_id))
        & (col(theirs.kind) == FindingKind.CONTRADICTION)
        & (col(theirs.status) == FindingStatus.OPEN)
    )
    return (
        columns(col(mine.record_id), other, cast(col(mine.detail)["why"].as_string(), Text), col(mine.id), col(theirs.id))
        .outerjoin(theirs, back)
        .where(
            col(mine.project_id) == project_id,
            col(mine.kind) == FindingKind.CONTRADICTION,
            col(mine.status) == FindingStatus.OPEN,
            (col(mine.record_id) < other) | col(theirs.id).is_(None),
        )
        .order_by(col(mine.record_id), col(mine.id))
    )


def _sides(session: Session, record_ids: list[int]) -> dict[int, Side]:
    head = (col(RecordRevision.record_id) == Record.id) & (col(RecordRevision.number) == Record.head)
    query = (
        select(Record.id, Record.status, Record.answer, RecordRevision.messages)
        .join(RecordRevision, head)
        .where(col(Record.id).in_(record_ids))
    )
    return {
        record_id or 0: Side(
            record_id or 0,
            RecordStatus(status).value,
            "\n".join(turn["content"] for turn in messages if turn["role"] == "user"),
            answer,
        )
        for record_id, status, answer, messages in session.exec(query)
    }


def resolutions(session: Session, *, actor: Actor, project_id: int) -> list[Resolution]:
    """The newest rejections of duplicates that can still be taken back."""
    check(actor, Action.VIEW_RECORDS, project_id)
    query = select(AuditEntry).where(AuditEntry.project_id == project_id, AuditEntry.action == REJECTED)
    entries = session.exec(query.order_by(col(AuditEntry.number).desc()).limit(MOST_RESOLUTIONS)).all()
    found = []
    for entry in entries:
        standing = select(func.count()).where(
            Finding.project_id == project_id,
            Finding.status == FindingStatus.FIXED,
            col(Finding.detail)["resolved"].as_integer() == entry.number,
        )
        if count := session.exec(standing).one():
            found.append(Resolution(entry.number, entry.at, entry.actor, count, str(entry.detail.get("reason", ""))))
    return found
