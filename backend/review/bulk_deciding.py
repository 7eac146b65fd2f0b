"""A lead's one decision on many records: everything that a filter finds, in one transaction.

Records with open personal data are never approved in bulk; they are counted and left as they are, as are records that
stand where the decision would put them. Whoever was looking at one of the records is told so when they want to save.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal, TypeVar

from sqlalchemy import insert, update
from sqlmodel import Session, col, select

from backend.access import audit
from backend.access.actors import Actor
from backend.access.policy import check
from backend.errors import Conflict, InvalidInput
from backend.review import queueing
from backend.review.filters import RecordFilter, where
from backend.review.revisions import checked_reason
from backend.review.rulings import SUPERSEDED
from backend.store.base import now
from backend.store.findings import with_open_personal_data
from backend.store.poor_answers import with_poor_answers
from backend.store.records import Record, RecordComment, RecordRevision
from backend.store.rulings import add_rulings, withdraw_all
from backend.store.work import Task
from backend.vocabulary import Action, Decision, RecordStatus

BulkDecision = Literal["approve", "reject", "flag"]
_STATUS: dict[BulkDecision, RecordStatus] = {
    "approve": RecordStatus.APPROVED,
    "reject": RecordStatus.REJECTED,
    "flag": RecordStatus.FLAGGED,
}
_BATCH = 500
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BulkResult:
    """How many records the filter found, and what became (or would become) of them."""

    found: int
    decided: int
    unchanged: int
    """Stood there already."""
    personal: int
    """Not approved because of open personal data."""
    poor: int = 0
    """Not approved because the file that they came from calls the answer bad."""


def preview(*, session: Session, actor: Actor, project_id: int, record_filter: RecordFilter, decision: str) -> BulkResult:
    """What `bulk_decide` would do now. Changes nothing."""
    check(actor, Action.BULK_REVIEW, project_id)
    return _sort(session, project_id, record_filter, _checked(decision))[0]


def bulk_decide(
    *,
    session: Session,
    actor: Actor,
    project_id: int,
    record_filter: RecordFilter,
    decision: str,
    reason: str,
    expected: int | None = None,
) -> BulkResult:
    """Decide on everything that the filter finds, or on nothing.

    `expected` is the number that a preview promised to decide; Conflict where it is another by now.
    """
    check(actor, Action.BULK_REVIEW, project_id)
    wanted = _checked(decision)
    why = checked_reason(reason, "a reason that will stand on each record")
    result, chosen = _sort(session, project_id, record_filter, wanted)
    if expected is not None and expected != result.decided:
        raise Conflict(f"The list has changed: it is {result.decided:,} records by now. Look at it again, then decide.")
    task = queueing.queue_task(session, project_id)
    for batch in batched(chosen.items(), _BATCH):
        _decide(session, actor, task, dict(batch), wanted, why)
    if chosen:
        audit.record(
            session,
            actor,
            f"bulk_{wanted}",
            project_id=project_id,
            subject=f"{len(chosen)} records",
            reason=why,
            records=list(chosen)[:1000],
            more=max(0, len(chosen) - 1000),
        )
    session.commit()
    return result


def _checked(decision: str) -> BulkDecision:
    for known in _STATUS:
        if known == decision:
            return known
    raise InvalidInput("A bulk decision is to approve, to reject or to flag.")


def _sort(
    session: Session, project_id: int, record_filter: RecordFilter, decision: BulkDecision
) -> tuple[BulkResult, dict[int, int]]:
    """What is found, by what becomes of it; and the records to decide on, each with the revision that was looked at."""
    query = (
        select(Record.id, Record.status, RecordRevision.id, Record.approved_revision_id)
        .join(RecordRevision, (col(RecordRevision.record_id) == Record.id) & (col(RecordRevision.number) == Record.head))
        .where(*where(session, project_id, record_filter))
        .order_by(col(Record.id))
    )
    rows = session.exec(query).all()
    goal = _STATUS[decision]
    moving = {
        record_id or 0: revision_id or 0
        for record_id, status, revision_id, approved in rows
        if status is not goal or (goal is RecordStatus.APPROVED and approved != revision_id)
    }
    personal = with_open_personal_data(session, moving.values()) if decision == "approve" else set()
    poor = with_poor_answers(session, moving.values()) - personal if decision == "approve" else set()
    chosen = {record: revision for record, revision in moving.items() if revision not in personal and revision not in poor}
    return BulkResult(len(rows), len(chosen), len(rows) - len(moving), len(personal), len(poor)), chosen


def batched(things: Iterable[T], size: int) -> Iterator[list[T]]:
    """The things in lists of at most `size`."""
    rest = iter(things)
    while batch := list(islice(rest, size)):
        yield batch


def _decide(session: Session, actor: Actor, task: Task, chosen: dict[int, int], decision: BulkDecision, why: str) -> None:
    ids = list(chosen)
    queueing.close_items(session, task, ids)
    session.exec(
        select(Record.id).where(col(Record.id).in_(ids)).order_by(col(Record.id)).with_for_update(key_share=True)
    ).all()
    withdrawn_reason = f"Flagged: {why}" if decision == "flag" else f"{SUPERSEDED}: {why}"
    withdraw_all(session, ids, by=actor.account_id, reason=withdrawn_reason)
    heads = select(Record.id, RecordRevision.id).join(
        RecordRevision, (col(RecordRevision.record_id) == Record.id) & (col(RecordRevision.number) == Record.head)
    )
    if dict(session.exec(heads.where(col(Record.id).in_(ids))).all()) != chosen:
        raise Conflict("Somebody edited one of these records meanwhile. Nothing was decided; look at the list again.")
    _insert(session, actor, chosen, decision, why)
    head_id = select(col(RecordRevision.id)).where(
        col(RecordRevision.record_id) == col(Record.id), col(RecordRevision.number) == col(Record.head)
    )
    approved = head_id.scalar_subquery() if decision == "approve" else None
    session.execute(
        update(Record).where(col(Record.id).in_(ids)).values(status=_STATUS[decision], approved_revision_id=approved),
        execution_options={"synchronize_session": False},
    )


def _insert(session: Session, actor: Actor, chosen: dict[int, int], decision: BulkDecision, why: str) -> None:
    """The rows that say what was decided: a flag on each record, or a ruling on each newest revision."""
    author, at = actor.account_id, now()
    if decision == "flag":
        remarks = [
            {"record_id": record_id, "author_id": author, "text": why, "is_flag": True, "created_at": at}
            for record_id in chosen
        ]
        session.execute(insert(RecordComment), remarks)
    else:
        ruling = Decision.APPROVED if decision == "approve" else Decision.REJECTED
        ruled = [(record_id, revision_id, why) for record_id, revision_id in chosen.items()]
        add_rulings(session, ruled, ruling, author_id=author)
