"""Reads about records under review: the queue's counts, lists, one record with everything known about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pandas as pd
from sqlalchemy import func, or_, true
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from backend.access.actors import Actor
from backend.access.policy import check
from backend.conversations import Message, messages_from_json
from backend.errors import NotFound
from backend.review.filters import DUPLICATES, RecordFilter, where
from backend.review.leases import Lease
from backend.review.queueing import WAITING
from backend.store.accounts import Account
from backend.store.base import now
from backend.store.records import (
    Approval,
    Faq,
    FaqCitation,
    FaqRevision,
    Finding,
    Record,
    RecordComment,
    RecordRevision,
    Source,
)
from backend.store.work import Item
from backend.vocabulary import Action, FindingKind, FindingStatus, MadeBy, RecordStatus

PAGE = 200
"""The most rows of a list that are read at a time."""

ALIKE = 5
"""The most records that one is compared with."""

LIST_COLUMNS = ["id", "status", "question", "answer", "revision", "source", "findings", "metadata", "added"]


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """`waiting` is every pending or flagged record of the project; `yours_today` your rulings since
    midnight UTC that you have not taken back."""

    waiting: int
    flagged: int
    yours_today: int


@dataclass(frozen=True, slots=True)
class RevisionCard:
    """One version of a record's text."""

    id: int
    number: int
    messages: tuple[Message, ...]
    author: str
    reason: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class RulingCard:
    """An approval or rejection; `in_force` unless it was withdrawn."""

    decision: str
    revision: int
    author: str
    reason: str
    created_at: datetime
    in_force: bool
    withdrawn_by: str
    withdrawn_reason: str


@dataclass(frozen=True, slots=True)
class CommentCard:
    """A remark or a flag."""

    author: str
    text: str
    is_flag: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class FindingCard:
    """An open finding in the newest revision."""

    id: int
    kind: str
    message: int
    start: int
    end: int
    proposal: str


@dataclass(frozen=True, slots=True)
class CitedFaq:
    """An FAQ that the record rests on, with the answer in force."""

    id: int
    key: str
    topic: str
    question: str
    answer: str
    is_approved: bool


@dataclass(frozen=True, slots=True)
class RecordDetail:
    """Everything that the review and record pages show about one record. Revisions and rulings are newest first."""

    id: int
    status: RecordStatus
    head: int
    source: str
    external_id: str
    metadata: dict[str, str]
    approved_number: int | None
    revisions: tuple[RevisionCard, ...]
    rulings: tuple[RulingCard, ...]
    comments: tuple[CommentCard, ...]
    findings: tuple[FindingCard, ...]
    citations: tuple[CitedFaq, ...]
    alike: tuple[int, ...]
    """Ids of other records with the same or nearly the same question, those that contradict this one among them."""
    made_by: MadeBy = MadeBy.PEOPLE
    made_of: tuple[int, ...] = ()
    """The records that a synthetic one was made of."""

    @property
    def messages(self) -> tuple[Message, ...]:
        """The newest revision's turns."""
        return self.revisions[0].messages


def queue_counts(session: Session, actor: Actor, project_id: int) -> QueueCounts:
    """What the head of the review page says."""
    check(actor, Action.REVIEW, project_id)
    by_status = select(Record.status, func.count()).where(Record.project_id == project_id, col(Record.status).in_(WAITING))
    counts: dict[str, int] = dict(session.exec(by_status.group_by(col(Record.status))).all())
    midnight = now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    mine = (
        select(func.count())
        .select_from(Approval)
        .join(Record, col(Approval.record_id) == Record.id)
        .where(Record.project_id == project_id, Approval.author_id == actor.account_id, Approval.created_at >= midnight)
        .where(or_(col(Approval.withdrawn_at).is_(None), col(Approval.withdrawn_by) != actor.account_id))
    )
    today = 0 if actor.account_id is None else session.exec(mine).one()
    return QueueCounts(sum(counts.values()), counts.get(RecordStatus.FLAGGED, 0), today)


def record_of(session: Session, actor: Actor, project_id: int, lease: Lease) -> RecordDetail:
    """The record that a lease of the review queue holds."""
    item = session.get(Item, lease.item_id)
    if item is None or item.record_id is None:
        raise NotFound("This item holds no record.")
    return record_detail(session, actor, project_id, item.record_id)


def record_detail(session: Session, actor: Actor, project_id: int, record_id: int) -> RecordDetail:
    """One record of the project. Raises NotFound, also for a record of another project."""
    check(actor, Action.VIEW_RECORDS, project_id)
    record = session.exec(select(Record).where(Record.id == record_id, Record.project_id == project_id)).one_or_none()
    if record is None:
        raise NotFound("There is no such record in this project.")
    source = session.get(Source, record.source_id) if record.source_id is not None else None
    revisions = _revisions(session, record_id)
    numbers = {revision.id: revision.number for revision in revisions}
    findings = _open_findings(session, record)
    return RecordDetail(
        id=record_id,
        status=record.status,
        head=record.head,
        source=source.name if source else "",
        external_id=record.external_id,
        metadata={key: str(value) for key, value in record.slices.items()},
        approved_number=numbers.get(record.approved_revision_id or 0),
        revisions=revisions,
        rulings=_rulings(session, record_id, numbers),
        comments=_comments(session, record_id),
        findings=_finding_cards(findings),
        citations=_citations(session, record_id),
        alike=_alike(session, record, findings),
        made_by=record.made_by,
        made_of=(record.made_from, *record.made_with) if record.made_from else (),
    )


def _revisions(session: Session, record_id: int) -> tuple[RevisionCard, ...]:
    query = select(RecordRevision, Account.email).outerjoin(Account, col(RecordRevision.author_id) == Account.id)
    rows = session.exec(query.where(RecordRevision.record_id == record_id).order_by(col(RecordRevision.number).desc()))
    return tuple(
        RevisionCard(
            revision.id or 0,
            revision.number,
            messages_from_json(revision.messages),
            email or "",
            revision.reason,
            revision.created_at,
        )
        for revision, email in rows
    )


def _rulings(session: Session, record_id: int, numbers: dict[int, int]) -> tuple[RulingCard, ...]:
    author, withdrawer = aliased(Account), aliased(Account)
    query: Any = (
        select(Approval, author.email, withdrawer.email)
        .outerjoin(author, col(Approval.author_id) == author.id)
        .outerjoin(withdrawer, col(Approval.withdrawn_by) == withdrawer.id)
        .where(Approval.record_id == record_id)
        .order_by(col(Approval.id).desc())
    )
    return tuple(
        RulingCard(
            decision=approval.decision.value,
            revision=numbers.get(approval.revision_id, 0),
            author=by or "",
            reason=approval.reason,
            created_at=approval.created_at,
            in_force=approval.withdrawn_at is None,
            withdrawn_by=withdrawn_by or "",
            withdrawn_reason=approval.withdrawn_reason,
        )
        for approval, by, withdrawn_by in session.exec(query)
    )


def _comments(session: Session, record_id: int) -> tuple[CommentCard, ...]:
    query = select(RecordComment, Account.email).outerjoin(Account, col(RecordComment.author_id) == Account.id)
    rows = session.exec(query.where(RecordComment.record_id == record_id).order_by(col(RecordComment.id)))
    return tuple(CommentCard(email or "", remark.text, remark.is_flag, remark.created_at) for remark, email in rows)


def _open_findings(session: Session, record: Record) -> Sequence[Finding]:
    query = select(Finding).where(Finding.record_id == record.id, Finding.status == FindingStatus.OPEN)
    return session.exec(query.order_by(col(Finding.message), col(Finding.start), col(Finding.id))).all()


def _finding_cards(findings: Sequence[Finding]) -> tuple[FindingCard, ...]:
    return tuple(
        FindingCard(
            id=finding.id or 0,
            kind=finding.kind.value,
            message=finding.message,
            start=finding.start,
            end=finding.end,
            proposal=finding.proposal or "",
        )
        for finding in findings
    )


def _alike(session: Session, record: Record, findings: Sequence[Finding]) -> tuple[int, ...]:
    """Records that this one repeats or contradicts, then those of its cluster; a few are enough to compare with."""
    named = [finding.detail.get("of") for finding in findings if finding.kind in DUPLICATES]
    named += [finding.detail.get("other") for finding in findings if finding.kind is FindingKind.CONTRADICTION]
    wanted: Any = col(Record.id).in_([other for other in named if isinstance(other, int)])
    if record.cluster:
        wanted = or_(wanted, col(Record.cluster) == record.cluster)
    query = select(Record.id).where(Record.project_id == record.project_id, Record.id != record.id, wanted)
    return tuple(other or 0 for other in session.exec(query.order_by(col(Record.id)).limit(ALIKE)))


def _citations(session: Session, record_id: int) -> tuple[CitedFaq, ...]:
    """With the approved answer; where none is approved yet, with the newest proposal."""
    shown = func.coalesce(Faq.approved, Faq.head)
    query = (
        select(Faq, FaqRevision)
        .join(FaqCitation, col(FaqCitation.faq_id) == Faq.id)
        .join(FaqRevision, (col(FaqRevision.faq_id) == Faq.id) & (col(FaqRevision.number) == shown))
        .where(FaqCitation.record_id == record_id)
        .order_by(col(Faq.topic), col(Faq.key))
    )
    return tuple(
        CitedFaq(faq.id or 0, faq.key, faq.topic, text.question, text.answer, faq.approved is not None)
        for faq, text in session.exec(query)
    )


def count_records(session: Session, actor: Actor, project_id: int, record_filter: RecordFilter) -> int:
    """How many records the filter finds."""
    check(actor, Action.VIEW_RECORDS, project_id)
    query = select(func.count()).select_from(Record).where(*where(session, project_id, record_filter))
    return session.exec(query).one()


def list_records(
    session: Session, actor: Actor, project_id: int, record_filter: RecordFilter, *, offset: int = 0, limit: int | None = PAGE
) -> pd.DataFrame:
    """The records by id, columns LIST_COLUMNS; `limit=None` reads them all, for a download."""
    check(actor, Action.VIEW_RECORDS, project_id)
    query = (
        select(
            Record.id,
            Record.status,
            Record.prompt,
            Record.answer,
            Record.head,
            Source.name,
            Record.slices,
            Record.created_at,
        )  # type: ignore[call-overload]
        .outerjoin(Source, col(Record.source_id) == Source.id)
        .where(*where(session, project_id, record_filter))
        .order_by(col(Record.id))
    )
    rows = session.exec(query.offset(offset).limit(limit) if limit is not None else query).all()
    found = _open_kinds(session, project_id, [row[0] for row in rows])
    return pd.DataFrame(
        [
            {
                "id": row[0],
                "status": str(row[1]),
                "question": row[2],
                "answer": row[3],
                "revision": row[4],
                "source": row[5] or "",
                "findings": ", ".join(found.get(row[0], [])),
                "metadata": "; ".join(f"{key}: {value}" for key, value in row[6].items()),
                "added": row[7],
            }
            for row in rows
        ],
        columns=LIST_COLUMNS,
    )


def _open_kinds(session: Session, project_id: int, record_ids: Sequence[int]) -> dict[int, list[str]]:
    """The kinds of open findings of these records; of the whole project where they are many."""
    query = select(Finding.record_id, Finding.kind).where(
        Finding.project_id == project_id, Finding.status == FindingStatus.OPEN
    )
    if len(record_ids) <= PAGE:
        query = query.where(col(Finding.record_id).in_(record_ids))
    kinds: dict[int, list[str]] = {}
    for record_id, kind in session.exec(query.distinct().order_by(col(Finding.kind))):
        kinds.setdefault(record_id, []).append(str(kind))
    return kinds


def sources(session: Session, actor: Actor, project_id: int) -> dict[int, str]:
    """The project's imports by id, newest first."""
    check(actor, Action.VIEW_RECORDS, project_id)
    query = select(Source.id, Source.name).where(Source.project_id == project_id).order_by(col(Source.id).desc())
    return {source_id or 0: name for source_id, name in session.exec(query)}


def slice_values(session: Session, actor: Actor, project_id: int, *, most: int = 50) -> dict[str, list[str]]:
    """The metadata keys with their values; at most `most` keys and `most` values of each."""
    check(actor, Action.VIEW_RECORDS, project_id)
    unfold = func.json_each if session.get_bind().dialect.name == "sqlite" else func.jsonb_each_text
    # most records have the slices of many others: each sort is taken apart once
    sorts = select(Record.slices).where(Record.project_id == project_id).distinct().subquery("sorts")
    pair = unfold(sorts.c.slices).table_valued("key", "value").alias("pair")
    query: Any = (
        select(pair.c.key, pair.c.value)
        .select_from(sorts)
        .join(pair, true())
        .distinct()
        .order_by(pair.c.key, pair.c.value)
        .limit(5000)
    )
    values: dict[str, list[str]] = {}
    for key, value in session.exec(query):
        if key in values or len(values) < most:
            values.setdefault(key, []).append(str(value))
    return {key: found[:most] for key, found in values.items()}
