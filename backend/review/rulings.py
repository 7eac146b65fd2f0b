"""What every decision on a record is made of: load it, rule on its newest revision, follow it with another.

Nothing here commits: each call is a part of a use-case. Promised: at most one approval of a record is in force; an older
one is withdrawn, never removed; `Record.approved_revision_id` names the revision of the one in force.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import Session, col, select

from backend.access.actors import Actor
from backend.conversations import Message, messages_from_json
from backend.errors import Conflict, Forbidden, NotFound, StaleRevision
from backend.review.revisions import as_text
from backend.store.base import now
from backend.store.findings import with_open_personal_data
from backend.store.poor_answers import settle_poor_answer, with_poor_answers
from backend.store.records import Approval, Record, RecordComment, RecordRevision
from backend.store.revisions import add_revision
from backend.vocabulary import Decision, RecordStatus

SUPERSEDED = "Superseded by a later ruling"
"""`withdrawn_reason` of an approval that a newer ruling took the place of."""


def account_of(actor: Actor) -> int:
    """The account that a lease or comment belongs to. Raises Forbidden for whoever has none."""
    if actor.account_id is None:
        raise Forbidden("Only a person who is signed in can review records one by one.")
    return actor.account_id


def load_record(session: Session, project_id: int, record_id: int) -> Record:
    """The record, locked until the transaction ends. Raises NotFound, also for a record of another project."""
    query = select(Record).where(Record.id == record_id, Record.project_id == project_id)
    record = session.exec(query.with_for_update(key_share=True).execution_options(populate_existing=True)).one_or_none()
    if record is None:
        raise NotFound("There is no such record in this project.")
    return record


def revision_of(session: Session, record: Record, number: int | None = None) -> RecordRevision:
    """The revision with this number; the newest by default. Raises NotFound."""
    wanted = record.head if number is None else number
    query = select(RecordRevision).where(RecordRevision.record_id == record.id, RecordRevision.number == wanted)
    revision = session.exec(query).one_or_none()
    if revision is None:
        raise NotFound("This record has no such revision.")
    return revision


def check_newest(session: Session, record: Record, number: int, yours: Sequence[Message] | None = None) -> None:
    """Raise StaleRevision, with both texts, unless `number` is the newest revision's."""
    if record.head == number:
        return
    theirs = as_text(messages_from_json(revision_of(session, record).messages))
    mine = messages_from_json(revision_of(session, record, number).messages) if yours is None else yours
    raise StaleRevision(
        "Somebody changed this record after you opened it. Nothing was saved and nothing is lost: compare both texts below.",
        theirs=theirs,
        yours=as_text(mine),
        newest=record.head,
    )


def refuse_personal_data(session: Session, revision: RecordRevision) -> None:
    """Raise Conflict while the revision holds personal data that nobody masked or dismissed."""
    if with_open_personal_data(session, [revision.id or 0]):
        raise Conflict("This record still holds personal data. Mask it, or edit it out, then approve.")


def refuse_poor_answer(session: Session, revision: RecordRevision) -> None:
    """Raise Conflict while the answer is one that the imported file calls bad."""
    if with_poor_answers(session, [revision.id or 0]):
        raise Conflict("The file that this came from says that the answer is bad. Write a better one, then approve.")


def rule(
    session: Session, actor: Actor, record: Record, revision: RecordRevision, decision: Decision, reason: str = ""
) -> Approval:
    """Add the ruling on the newest revision; the approval in force before is withdrawn."""
    withdraw_living(session, actor, record, f"{SUPERSEDED}" + (f": {reason}" if reason else ""))
    approval = Approval(
        record_id=record.id or 0,
        revision_id=revision.id or 0,
        decision=decision,
        reason=reason,
        author_id=actor.account_id,
    )
    session.add(approval)
    session.flush()
    approved = decision is Decision.APPROVED
    record.status = RecordStatus.APPROVED if approved else RecordStatus.REJECTED
    record.approved_revision_id = revision.id if approved else None
    session.add(record)
    return approval


def withdraw_living(session: Session, actor: Actor, record: Record, reason: str) -> list[Approval]:
    """Take every ruling in force out of force, whatever it was; returns them."""
    living = session.exec(
        select(Approval).where(Approval.record_id == record.id, col(Approval.withdrawn_at).is_(None)).with_for_update()
    ).all()
    for approval in living:
        approval.withdrawn_at, approval.withdrawn_by, approval.withdrawn_reason = now(), actor.account_id, reason
        session.add(approval)
    record.approved_revision_id = None
    session.add(record)
    session.flush()
    return list(living)


def follow(session: Session, actor: Actor, record: Record, messages: Sequence[Message], reason: str) -> RecordRevision:
    """Put `messages` after the newest revision; the record waits for a ruling again."""
    record.status = RecordStatus.PENDING
    revision = add_revision(session, record, messages, reason=reason, author_id=actor.account_id)
    settle_poor_answer(session, record, revision)
    return revision


def flag(session: Session, actor: Actor, record: Record, comment: str) -> None:
    """Mark the record as doubtful; an approval in force is withdrawn, because nothing doubtful enters a snapshot."""
    withdraw_living(session, actor, record, f"Flagged: {comment}")
    session.add(RecordComment(record_id=record.id or 0, author_id=actor.account_id, text=comment, is_flag=True))
    record.status = RecordStatus.FLAGGED
    session.add(record)
    session.flush()
