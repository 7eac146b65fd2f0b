"""Keeps answers that a file calls bad from being approved as they are. Nothing here commits.

A finding of this kind stands on the answer of the newest revision, whatever cleaning does to its words. It is closed when a
person writes another answer or dismisses it, and open again when the bad answer comes back.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlmodel import Session, col, select

from backend.store.findings import GONE_IN, close_as_gone, open_again
from backend.store.records import Finding, Record, RecordRevision
from backend.vocabulary import FindingKind, FindingStatus

_BATCH = 500


def with_poor_answers(session: Session, revision_ids: Iterable[int]) -> set[int]:
    """Those of the revisions, newest ones of their records, whose answer is known to be bad."""
    wanted = list(revision_ids)
    found: set[int] = set()
    for start in range(0, len(wanted), _BATCH):
        rows = (
            select(RecordRevision.id)
            .join(Finding, col(Finding.record_id) == col(RecordRevision.record_id))
            .join(Record, (col(Record.id) == col(RecordRevision.record_id)) & (col(Record.head) == RecordRevision.number))
            .where(
                Finding.kind == FindingKind.POOR_ANSWER,
                Finding.status == FindingStatus.OPEN,
                col(RecordRevision.id).in_(wanted[start : start + _BATCH]),
            )
        )
        found |= {revision_id or 0 for revision_id in session.exec(rows)}
    return found


def settle_poor_answer(session: Session, record: Record, revision: RecordRevision) -> None:
    """A person has just written `revision`, the record's newest one: what that means for its answer."""
    rows = select(Finding).where(Finding.record_id == record.id, Finding.kind == FindingKind.POOR_ANSWER)
    for row in session.exec(rows).all():
        if row.status is FindingStatus.OPEN and _answer(session, record, revision.number - 1) != revision.messages[-1]:
            close_as_gone(row, revision.number)
        elif row.status is FindingStatus.FIXED and _answer(session, record, row.detail[GONE_IN] - 1) == revision.messages[-1]:
            open_again(row)
            row.revision_id, row.message = revision.id or 0, len(revision.messages) - 1
            row.start, row.end = 0, len(revision.messages[-1]["content"])
        session.add(row)
    session.flush()


def _answer(session: Session, record: Record, number: int) -> dict[str, str] | None:
    query = select(RecordRevision).where(RecordRevision.record_id == record.id, RecordRevision.number == number)
    revision = session.exec(query).one_or_none()
    return revision.messages[-1] if revision else None
