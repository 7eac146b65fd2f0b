"""Keeps a record's personal-data findings in step with its text. Whoever adds a revision calls `refresh_findings` after it.

A finding follows its span: found again in the newest revision, its row is moved there and keeps its status, so that what
somebody dismissed stays dismissed. A span that is gone closes its finding, and one that comes back opens it again.
Nothing here commits.

Not promised: rows about older revisions. `with_open_personal_data` looks into those texts itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from sqlmodel import Session, col, select

from backend.conversations import messages_from_json
from backend.detectors import findings as values
from backend.detectors.personal import find_in_messages
from backend.store.privacy import rules_for
from backend.store.records import Finding, Record, RecordRevision
from backend.vocabulary import PERSONAL_FINDINGS, FindingKind, FindingStatus

_BATCH = 500
_FIRST_TO_MATCH = (FindingStatus.OPEN, FindingStatus.DISMISSED, FindingStatus.FIXED)

Key = tuple[FindingKind, str]
"""What makes two findings the same one: their kind and the text that they stand on."""


def refresh_findings(session: Session, record: Record, revision: RecordRevision) -> list[Finding]:
    """Look for personal data in `revision`, which must be the record's newest; returns its findings, also dismissed ones."""
    session.flush()
    earlier = _by_key(session, record)
    kept: list[Finding] = []
    rules = rules_for(session, record.project_id)
    for found in find_in_messages(messages_from_json(revision.messages), rules, stand_ins_in(session, record)):
        candidates = earlier[(found.kind, revision.messages[found.message]["content"][found.start : found.end])]
        row = min(candidates, key=lambda old: _distance(old, found), default=None)
        if row is None:
            row = Finding(project_id=record.project_id, record_id=record.id or 0, revision_id=0, kind=found.kind,
                          detector=found.detector, version=found.version)  # fmt: skip
        else:
            candidates.remove(row)
        place(row, found, revision)
        session.add(row)
        kept.append(row)
    for row in (row for candidates in earlier.values() for row in candidates if row.status is FindingStatus.OPEN):
        row.status = FindingStatus.FIXED
        row.detail = {**row.detail, "gone_in": revision.number}
        session.add(row)
    session.flush()
    return kept


def place(row: Finding, found: values.Finding, revision: RecordRevision) -> None:
    """Put a row where `found` is in `revision`; one that was fixed is open again."""
    row.revision_id, row.message, row.start, row.end = revision.id or 0, found.message, found.start, found.end
    row.score, row.detector, row.version, row.proposal = found.score, found.detector, found.version, found.proposal or ""
    if row.status is FindingStatus.FIXED:
        row.status, row.closed_by, row.detail = FindingStatus.OPEN, None, {}


def with_open_personal_data(session: Session, revision_ids: Iterable[int]) -> set[int]:
    """Those of the revisions, newest or not, whose text holds personal data that nobody dismissed."""
    wanted = list(revision_ids)
    found: set[int] = set()
    for start in range(0, len(wanted), _BATCH):
        batch = wanted[start : start + _BATCH]
        rows = select(Finding.revision_id).where(
            Finding.status == FindingStatus.OPEN,
            col(Finding.kind).in_(PERSONAL_FINDINGS),
            col(Finding.revision_id).in_(batch),
        )
        found |= set(session.exec(rows))
        found |= _in_older(session, batch)
    return found


def _in_older(session: Session, revision_ids: list[int]) -> set[int]:
    """Those of the revisions that are no longer the newest and still hold something undismissed."""
    older = (
        select(RecordRevision, Record)
        .join(Record, col(Record.id) == col(RecordRevision.record_id))
        .where(col(RecordRevision.id).in_(revision_ids), col(RecordRevision.number) != col(Record.head))
    )
    found = set()
    for revision, record in session.exec(older):
        dismissed = {
            key for key, rows in _by_key(session, record).items() if any(row.status is FindingStatus.DISMISSED for row in rows)
        }
        rules = rules_for(session, record.project_id)
        stand_ins = stand_ins_in(session, record)
        for finding in find_in_messages(messages_from_json(revision.messages), rules, stand_ins):
            text = revision.messages[finding.message]["content"][finding.start : finding.end]
            if (finding.kind, text) not in dismissed:
                found.add(revision.id or 0)
    return found


def stand_ins_of(session: Session, project_id: int) -> dict[int, set[str]]:
    """Record id → the stand-ins that were put into it, of every record of the project that has some."""
    said = col(Finding.detail)["stand_in"].as_string()
    fixed = select(Finding.record_id, said).where(
        Finding.project_id == project_id, Finding.status == FindingStatus.FIXED, said.is_not(None)
    )
    found: dict[int, set[str]] = defaultdict(set)
    for record_id, stand_in in session.exec(fixed):
        found[record_id].add(stand_in)
    return found


def stand_ins_in(session: Session, record: Record) -> set[str]:
    """The stand-ins that were put into the record; they look like personal data and are none."""
    fixed = select(Finding).where(Finding.record_id == record.id, Finding.status == FindingStatus.FIXED)
    return {str(row.detail["stand_in"]) for row in session.exec(fixed) if row.detail.get("stand_in")}


def _by_key(session: Session, record: Record) -> dict[Key, list[Finding]]:
    """The record's personal-data findings by what they stand on."""
    rows = select(Finding, RecordRevision).join(RecordRevision, col(RecordRevision.id) == col(Finding.revision_id))
    by_key: dict[Key, list[Finding]] = defaultdict(list)
    for row, revision in session.exec(
        rows.where(Finding.record_id == record.id, col(Finding.kind).in_(PERSONAL_FINDINGS)).order_by(col(Finding.id))
    ):
        by_key[(row.kind, revision.messages[row.message]["content"][row.start : row.end])].append(row)
    return by_key


def _distance(row: Finding, found: values.Finding) -> tuple[int, int, int]:
    """How badly a row fits a finding on the same text: by status first, then by place."""
    return _FIRST_TO_MATCH.index(row.status), abs(row.message - found.message), abs(row.start - found.start)
