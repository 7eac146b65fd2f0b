"""Use-cases about duplicates: reject all that repeat an earlier record, see beforehand how many, take it back.

The earlier record of each pair is kept. Promised: a rejection names the record that is kept, and can be undone; nothing is
rejected where that would lose something: where the earlier record was rejected by people, where only the later one has an
approved text, where the answers to a near duplicate differ, and where one of the two was edited since. Not promised: that an
undone rejection brings back what people decided since.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import select as columns
from sqlalchemy import update
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, or_, select
from sqlmodel.sql.expression import SelectOfScalar

from backend.access import audit
from backend.access.actors import Actor
from backend.access.policy import check
from backend.conversations import messages_from_json
from backend.detectors.duplicates import THRESHOLD, duplicate_key, similarity
from backend.errors import Conflict, InvalidInput, NotFound
from backend.store.curation import Likeness
from backend.store.findings import with_open_personal_data
from backend.store.locking import locked_project
from backend.store.records import Approval, Finding, Record, RecordRevision
from backend.store.rulings import add_rulings, withdraw_all
from backend.vocabulary import Action, Decision, FindingKind, FindingStatus, RecordStatus

MOST_AT_ONCE = 20_000
"""Records that one press rejects; the rest is left for the next."""
REJECTED, RESTORED = "duplicates_rejected", "duplicates_restored"
_BATCH = 500
_REASON_MAX = 2000
_MARK = "resolved"


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a rejection did, or would do. `number` names it for its undoing; 0 before it is done."""

    number: int
    rejected: int
    approved: int
    """Of these, how many were approved."""
    answers_differ: int
    """Left because their answers are not alike, or because one of the two was edited since they were compared."""
    needed: int
    """Left because the earlier record is rejected, or has no approved text as the later one has."""
    more: bool
    """Whether there are others than these, for another press."""


@dataclass(frozen=True, slots=True)
class _Repeat:
    """A record that is to be rejected, with the finding that says so."""

    finding_id: int
    record_id: int
    revision_id: int
    of: int
    status: RecordStatus
    approved: int | None


@dataclass(frozen=True, slots=True)
class _First:
    """How the earlier record of a pair stands."""

    status: RecordStatus
    is_approved: bool
    is_resolved: bool
    """Whether it was itself rejected as a repeat."""


def preview(*, session: Session, actor: Actor, project_id: int, least: float) -> Resolved:
    """What `reject_duplicates` would do now. Changes nothing."""
    check(actor, Action.BULK_REVIEW, project_id)
    return _choose(session, project_id, least)[0]


def reject_duplicates(
    *, session: Session, actor: Actor, project_id: int, least: float, reason: str, expected: int | None = None
) -> Resolved:
    """Reject what repeats an earlier record: exact repeats and, where `least` is below 1, near duplicates from there on.

    `expected` is the number that a preview promised; Conflict where it is another by now.
    """
    check(actor, Action.BULK_REVIEW, project_id)
    why = reason.strip()
    if not why or len(why) > _REASON_MAX:
        raise InvalidInput("Please say in a few words why they are rejected; the words will stand on each record.")
    locked_project(session, project_id)
    told, chosen = _choose(session, project_id, least)
    if expected is not None and expected != told.rejected:
        raise Conflict(f"It is {told.rejected:,} records by now. Look at the number again, then decide.")
    if not chosen:
        raise NotFound("There is no open duplicate that could be rejected. Nothing was changed.")
    entry = audit.record(
        session, actor, REJECTED, project_id=project_id, subject=f"{len(chosen)} records",
        least=least, reason=why, records=[one.record_id for one in chosen[:1000]], more=max(0, len(chosen) - 1000),
    )  # fmt: skip
    for begin in range(0, len(chosen), _BATCH):
        _reject(session, actor, chosen[begin : begin + _BATCH], why, entry.number)
    session.commit()
    return Resolved(entry.number, told.rejected, told.approved, told.answers_differ, told.needed, told.more)


def undo_resolution(*, session: Session, actor: Actor, project_id: int, number: int) -> int:
    """Take a rejection back; returns how many records stand again as they did. Those ruled on or edited since stay."""
    check(actor, Action.BULK_REVIEW, project_id)
    locked_project(session, project_id)
    mark = col(Finding.detail)[_MARK].as_integer()
    query = select(Finding).where(Finding.project_id == project_id, Finding.status == FindingStatus.FIXED, mark == number)
    findings = session.exec(query.order_by(col(Finding.id))).all()
    if not findings:
        raise NotFound("There is nothing left to undo of this. Nothing was changed.")
    restored = 0
    for begin in range(0, len(findings), _BATCH):
        restored += _restore(session, actor, findings[begin : begin + _BATCH])
    audit.record(session, actor, RESTORED, project_id=project_id, subject=f"entry {number}", records=restored)
    session.commit()
    return restored


def _choose(session: Session, project_id: int, least: float) -> tuple[Resolved, list[_Repeat]]:
    """What is to be rejected, the first MOST_AT_ONCE, and what is left alone."""
    if not THRESHOLD <= least <= 1:
        raise InvalidInput(f"Near duplicates begin at a similarity of {THRESHOLD}.")
    chosen: list[_Repeat] = []
    differ = needed = 0
    for repeat, first, still in _open(session, project_id, least):
        if not still:
            differ += 1
        elif _is_needed(repeat, first):
            needed += 1
        elif len(chosen) == MOST_AT_ONCE:
            return _told(chosen, differ, needed, more=True), chosen
        else:
            chosen.append(repeat)
    return _told(chosen, differ, needed, more=False), chosen


def _told(chosen: Sequence[_Repeat], differ: int, needed: int, *, more: bool) -> Resolved:
    approved = sum(one.approved is not None for one in chosen)
    return Resolved(0, len(chosen), approved, differ, needed, more)


def _is_needed(repeat: _Repeat, first: _First) -> bool:
    """Whether rejecting would lose something that the earlier record does not give."""
    if repeat.approved is not None and not first.is_approved:
        return True
    return first.status is RecordStatus.REJECTED and not first.is_resolved


def _open(session: Session, project_id: int, least: float) -> Iterator[tuple[_Repeat, _First, bool]]:
    """Open findings about repeats by record, with the earlier record, and whether they still hold of both newest texts."""
    first, of_first = aliased(Record), aliased(RecordRevision)
    wanted = or_(
        col(Finding.kind) == FindingKind.DUPLICATE,
        (col(Finding.kind) == FindingKind.NEAR_DUPLICATE) & (col(Finding.score) >= least) & (least < 1),
    )
    resolved = set(session.exec(_resolved(project_id)))
    as_compared = (col(Finding.revision_id) == col(RecordRevision.id)) & (col(Likeness.revision_id) == col(of_first.id))
    query = (
        columns(
            col(Finding.id), col(Finding.kind), col(Record.id), col(RecordRevision.id), col(Record.status),
            col(Record.approved_revision_id), col(Record.answer), col(first.id), col(first.status), col(first.answer),
            col(first.approved_revision_id).is_not(None), as_compared, col(RecordRevision.messages), col(of_first.messages),
        )
        .join(Record, col(Record.id) == col(Finding.record_id))
        .join(RecordRevision, (col(RecordRevision.record_id) == Record.id) & (col(RecordRevision.number) == Record.head))
        .join(first, col(first.id) == col(Finding.detail)["of"].as_integer())
        .join(of_first, (col(of_first.record_id) == first.id) & (col(of_first.number) == first.head))
        .outerjoin(Likeness, col(Likeness.record_id) == col(first.id))
        .where(
            col(Finding.project_id) == project_id, col(Finding.status) == FindingStatus.OPEN, wanted,
            col(Record.status) != RecordStatus.REJECTED, col(first.project_id) == project_id,
        )
        .order_by(col(Record.id), col(Finding.id))
    )  # fmt: skip
    seen: set[int] = set()
    for row in session.execute(query.execution_options(yield_per=2000)):
        if row[2] not in seen:
            seen.add(row[2])
            if row[1] is FindingKind.DUPLICATE:
                still = duplicate_key(messages_from_json(row[12])) == duplicate_key(messages_from_json(row[13]))
            else:
                still = bool(row[11]) and similarity(row[6], row[9]) >= THRESHOLD
            yield _Repeat(row[0], row[2], row[3], row[7], row[4], row[5]), _First(row[8], row[10], row[7] in resolved), still


def _resolved(project_id: int) -> SelectOfScalar[int]:
    """The records that were rejected as repeats."""
    return select(Finding.record_id).where(
        Finding.project_id == project_id,
        Finding.status == FindingStatus.FIXED,
        col(Finding.detail)[_MARK].as_integer().is_not(None),
    )


def _reject(session: Session, actor: Actor, some: Sequence[_Repeat], why: str, number: int) -> None:
    ids = [one.record_id for one in some]
    withdraw_all(session, ids, by=actor.account_id, reason=f"Rejected as a duplicate: {why}")
    ruled = [(one.record_id, one.revision_id, f"{_said(one.of)}: {why}"[:_REASON_MAX]) for one in some]
    add_rulings(session, ruled, Decision.REJECTED, author_id=actor.account_id)
    records = update(Record).where(col(Record.id).in_(ids)).values(status=RecordStatus.REJECTED, approved_revision_id=None)
    session.execute(records, execution_options={"synchronize_session": False})
    before = {one.finding_id: one for one in some}
    for finding in session.exec(select(Finding).where(col(Finding.id).in_(before))):
        one = before[finding.id or 0]
        finding.status, finding.closed_by = FindingStatus.FIXED, actor.account_id
        finding.detail = {**finding.detail, _MARK: number, "was": one.status.value, "was_approved": one.approved}
        session.add(finding)
    session.flush()


def _said(of: int) -> str:
    return f"Duplicate of record {of}"


def _restore(session: Session, actor: Actor, findings: Iterable[Finding]) -> int:
    """Put records back as they stood, where the rejection is still the last word; the findings are open again."""
    by_record = {finding.record_id: finding for finding in findings}
    ruling = (
        select(Approval, Record)
        .join(Record, col(Record.id) == col(Approval.record_id))
        .where(col(Approval.record_id).in_(by_record), col(Approval.withdrawn_at).is_(None))
    )
    standing = {
        record.id or 0: record
        for approval, record in session.exec(ruling)
        if record.status is RecordStatus.REJECTED and approval.reason.startswith(_said(by_record[record.id or 0].detail["of"]))
    }
    withdraw_all(session, list(standing), by=actor.account_id, reason="Undone: rejected as a duplicate")
    approved = {one: by_record[one].detail.get("was_approved") for one in standing}
    personal = with_open_personal_data(session, [revision for revision in approved.values() if revision])
    again = {one: revision for one, revision in approved.items() if revision and revision not in personal}
    why = "Undone: rejected as a duplicate; the earlier approval holds again"
    ruled = [(one, revision, why) for one, revision in again.items()]
    add_rulings(session, ruled, Decision.APPROVED, author_id=actor.account_id)
    for one, record in standing.items():
        was = RecordStatus(by_record[one].detail["was"])
        record.status = RecordStatus.PENDING if was is RecordStatus.APPROVED and one not in again else was
        record.approved_revision_id = again.get(one)
        session.add(record)
    for finding in by_record.values():
        finding.detail = {key: value for key, value in finding.detail.items() if key not in (_MARK, "was", "was_approved")}
        finding.status, finding.closed_by = FindingStatus.OPEN, None
        session.add(finding)
    session.flush()
    return len(standing)
