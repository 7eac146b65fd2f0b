"""Writes drafts into the tables in batches. Called inside a use-case's transaction; nothing here commits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import insert
from sqlmodel import Session, col, func, select

from backend.conversations import messages_from_json
from backend.detectors import duplicates
from backend.detectors.duplicates import duplicate_key
from backend.intake.drafts import Draft, Found, customer_words
from backend.intake.files import storable
from backend.intake.neighbours import Clusters, Known, cluster
from backend.intake.readers.rows import Rejected
from backend.store.base import Table, now
from backend.store.records import Faq, FaqCitation, Finding, Record, RecordRevision, RejectedRow, Source
from backend.vocabulary import PERSONAL_FINDINGS, FindingKind, FindingStatus, RecordStatus

BATCH = 1000
CITES = "faq"
"""The slice by which a record names the FAQ that it rests on."""

Step = Callable[[int], None]
"""Told how many drafts are done."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How drafts relate to the records that were there when `state` was taken."""

    state: tuple[int, int]
    first_of: Mapping[str, int]
    """Duplicate key → id of the first record with it."""
    clusters: Clusters


@dataclass(slots=True)
class Filed:
    """What was written."""

    records: int = 0
    duplicates: int = 0
    repaired: int = 0
    masked: int = 0
    findings: Counter[FindingKind] = field(default_factory=Counter)
    """Open personal-data findings by kind."""

    def count(self, draft: Draft) -> None:
        """Add up what was found in a draft."""
        self.records += 1
        self.repaired += any(item.finding.kind is FindingKind.ENCODING for item in draft.found)
        personal = [item for item in draft.found if item.finding.kind in PERSONAL_FINDINGS]
        self.masked += sum(item.fixed_in is not None for item in personal)
        self.findings.update(item.finding.kind for item in personal if item.fixed_in is None)


def state_of(session: Session, project_id: int) -> tuple[int, int]:
    """Changes whenever a record of the project is added or gets a revision."""
    query = select(func.count(), func.coalesce(func.sum(Record.head), 0)).where(Record.project_id == project_id)
    count, revisions = session.exec(query).one()
    return int(count), int(revisions)


def compare(session: Session, project_id: int, drafts: Sequence[Draft]) -> Comparison:
    """Find the exact and near duplicates of the drafts, among themselves and in the project."""
    state = state_of(session, project_id)
    known = list(_known(session, project_id))
    first_of: dict[str, int] = {}
    for record in known:
        first_of.setdefault(record.key, record.record_id)
    texts = [customer_words(draft.versions[-1].messages) for draft in drafts]
    return Comparison(state, first_of, cluster(known, texts))


def _known(session: Session, project_id: int) -> Iterator[Known]:
    query = (
        select(Record.id, Record.cluster, RecordRevision.messages)
        .join(RecordRevision, (col(RecordRevision.record_id) == col(Record.id)) & (RecordRevision.number == Record.head))
        .where(Record.project_id == project_id)
        .order_by(col(Record.id))
    )
    for record_id, label, messages in session.exec(query.execution_options(yield_per=BATCH)):
        turns = messages_from_json(messages)
        yield Known(record_id or 0, label, duplicate_key(turns), customer_words(turns))


def file_records(session: Session, source: Source, drafts: Sequence[Draft], compared: Comparison, step: Step) -> Filed:
    """Store the drafts as pending records of `source`, with revisions, findings, clusters and citations."""
    filed = Filed()
    first_of = dict(compared.first_of)
    for record_id, label in compared.clusters.changed.items():
        record = session.get_one(Record, record_id)
        record.cluster = label
        session.add(record)
    session.flush()
    for start in range(0, len(drafts), BATCH):
        batch = drafts[start : start + BATCH]
        labels = compared.clusters.new[start : start + BATCH]
        rows = [_record_row(source, draft, label) for draft, label in zip(batch, labels, strict=True)]
        _file_batch(session, source, batch, _insert(session, Record, rows), first_of, filed)
        step(start + len(batch))
    return filed


def _file_batch(
    session: Session, source: Source, batch: Sequence[Draft], record_ids: list[int], first_of: dict[str, int], filed: Filed
) -> None:
    """Revisions and findings of a batch whose records are stored."""
    revisions = [
        _revision_row(source, record_id, draft, index)
        for draft, record_id in zip(batch, record_ids, strict=True)
        for index in range(len(draft.versions))
    ]
    revision_ids = iter(_insert(session, RecordRevision, revisions))
    findings = []
    for draft, record_id in zip(batch, record_ids, strict=True):
        ids = [next(revision_ids) for _ in draft.versions]
        findings += [_finding_row(source, record_id, ids[item.version], item) for item in draft.found]
        filed.count(draft)
        first = first_of.setdefault(draft.key, record_id)
        if first != record_id:
            findings.append(_duplicate_row(source, record_id, ids[-1], first))
            filed.duplicates += 1
    if findings:
        session.execute(insert(Finding), findings)


def file_rejected(session: Session, source: Source, rejected: Sequence[Rejected]) -> None:
    """Store the rows that could not be taken."""
    rows = [
        {"source_id": source.id, "line": row.line, "reason": storable(row.reason), "content": storable(row.excerpt)}
        for row in rejected
    ]
    for start in range(0, len(rows), BATCH):
        session.execute(insert(RejectedRow), rows[start : start + BATCH])


def cite(session: Session, project_id: int) -> int:
    """Link records with the FAQs that they name, whichever came first; returns how many links are new."""
    named = col(Record.slices)[CITES].as_string()
    there = select(FaqCitation.id).where(FaqCitation.record_id == Record.id, FaqCitation.faq_id == Faq.id)
    query = (
        select(Faq.id, Record.id)
        .join(Record, (col(Record.project_id) == col(Faq.project_id)) & (named == col(Faq.key)))
        .where(Faq.project_id == project_id, ~there.exists())
    )
    rows = [{"faq_id": faq_id, "record_id": record_id} for faq_id, record_id in session.exec(query)]
    for start in range(0, len(rows), BATCH):
        session.execute(insert(FaqCitation), rows[start : start + BATCH])
    return len(rows)


def _insert(session: Session, table: type[Table], rows: list[dict[str, Any]]) -> list[int]:
    """Insert rows in order and return their ids in the same order."""
    key = table.__table__.c.id  # type: ignore[attr-defined]
    return list(session.scalars(insert(table).returning(key, sort_by_parameter_order=True), rows))


def _record_row(source: Source, draft: Draft, label: str) -> dict[str, Any]:
    newest = draft.newest
    return {
        "project_id": source.project_id,
        "source_id": source.id,
        "external_id": draft.conversation.external_id or "",
        "group": draft.conversation.group or "",
        "cluster": label,
        "content_hash": draft.hashes[-1],
        "status": RecordStatus.PENDING,
        "head": len(draft.versions),
        "approved_revision_id": None,
        "prompt": newest.prompt,
        "answer": newest.answer or "",
        "slices": dict(draft.conversation.metadata),
        "created_at": now(),
    }


def _revision_row(source: Source, record_id: int, draft: Draft, index: int) -> dict[str, Any]:
    version = draft.versions[index]
    return {
        "record_id": record_id,
        "number": index + 1,
        "messages": [message.to_json() for message in version.messages],
        "content_hash": draft.hashes[index],
        "based_on": index or None,
        "reason": version.reason,
        "author_id": source.created_by,
        "created_at": now(),
    }


def _finding_row(source: Source, record_id: int, revision_id: int, item: Found) -> dict[str, Any]:
    found = item.finding
    detail: dict[str, Any] = {"changes": list(item.changes)} if item.changes else {}
    if item.fixed_in is not None:
        detail["gone_in"] = item.fixed_in + 1
        if found.kind in PERSONAL_FINDINGS:
            detail["masked"] = True
    return {
        "project_id": source.project_id,
        "record_id": record_id,
        "revision_id": revision_id,
        "kind": found.kind,
        "message": found.message,
        "start": found.start,
        "end": found.end,
        "score": found.score,
        "detector": found.detector,
        "version": found.version,
        "proposal": found.proposal or "",
        "detail": detail,
        "status": FindingStatus.OPEN if item.fixed_in is None else FindingStatus.FIXED,
        "closed_by": None if item.fixed_in is None else source.created_by,
        "created_at": now(),
    }


def _duplicate_row(source: Source, record_id: int, revision_id: int, first: int) -> dict[str, Any]:
    return {
        "project_id": source.project_id,
        "record_id": record_id,
        "revision_id": revision_id,
        "kind": FindingKind.DUPLICATE,
        "message": 0,
        "start": 0,
        "end": 0,
        "score": 1.0,
        "detector": "duplicates",
        "version": duplicates.VERSION,
        "proposal": "",
        "detail": {"of": first},
        "status": FindingStatus.OPEN,
        "closed_by": None,
        "created_at": now(),
    }
