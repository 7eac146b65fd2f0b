"""What the use-cases about findings load, hold and settle alike. Nothing here decides or commits."""

from __future__ import annotations

from collections.abc import Collection

from sqlmodel import Session, col, select

from backend.access.actors import Actor
from backend.errors import NotFound
from backend.store.base import now
from backend.store.findings import with_open_personal_data
from backend.store.records import Approval, Finding, Record, RecordRevision
from backend.vocabulary import RecordStatus

LONGEST_REASON = 2000


def findings_named(session: Session, project_id: int, finding_ids: Collection[int]) -> list[Finding]:
    """These findings of the project, by id. Raises NotFound unless all are there."""
    query = select(Finding).where(Finding.project_id == project_id, col(Finding.id).in_(finding_ids))
    findings = list(session.exec(query.order_by(col(Finding.id))))
    if not findings or len(findings) != len(set(finding_ids)):
        raise NotFound("There is no such finding in this project.")
    return findings


def locked_record(session: Session, project_id: int, record_id: int) -> Record:
    """The record, read anew and held until the transaction ends. Raises NotFound."""
    query = select(Record).where(Record.id == record_id, Record.project_id == project_id)
    record = session.exec(query.with_for_update(key_share=True).execution_options(populate_existing=True)).one_or_none()
    if record is None:
        raise NotFound("There is no such record in this project.")
    return record


def revision_of(session: Session, record: Record, number: int) -> RecordRevision | None:
    """The record's revision of this number."""
    query = select(RecordRevision).where(RecordRevision.record_id == record.id, RecordRevision.number == number)
    return session.exec(query).one_or_none()


def wait_for_review(session: Session, actor: Actor, record: Record, reason: str) -> int:
    """The record is pending again. Approvals of texts that hold personal data are taken back; returns how many."""
    withdrawn = 0
    if record.status in (RecordStatus.APPROVED, RecordStatus.REJECTED):
        record.status = RecordStatus.PENDING
    approved = record.approved_revision_id
    if approved is not None and with_open_personal_data(session, [approved]):
        living = select(Approval).where(Approval.record_id == record.id, col(Approval.withdrawn_at).is_(None))
        for approval in session.exec(living):
            approval.withdrawn_at, approval.withdrawn_by, approval.withdrawn_reason = now(), actor.account_id, reason
            session.add(approval)
            withdrawn += 1
        record.approved_revision_id = None
    session.add(record)
    session.flush()
    return withdrawn
