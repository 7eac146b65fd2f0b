"""An expert's decisions on one record under a lease: approve, edit, reject, flag, skip; and undo of the last one.

A decision names its lease and the revision that was looked at: who lost the lease gets LeaseLost, who looked at an older
text gets StaleRevision with both texts. Every decision is a row with author, time and reason and an entry in the audit
trail. Nothing is overwritten; an undo is a decision of its own, written as further rows.

A flag takes an approval out of force, because the text is in doubt until somebody rules. An edit does not: the approved
revision stays what snapshots take until the new one is ruled on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlmodel import Session, col, select

from backend.access import audit
from backend.access.actors import Actor
from backend.access.policy import check
from backend.conversations import Message, messages_from_json
from backend.errors import Conflict, LeaseLost
from backend.review import leases, queueing, rulings
from backend.review.leases import Lease
from backend.review.revisions import checked_edit, checked_reason
from backend.store.records import Approval, Record, RecordComment, RecordRevision
from backend.store.work import Item, Skip, Slot
from backend.vocabulary import Action, Decision, RecordStatus


class Act(StrEnum):
    """What was done to a record."""

    APPROVED = "approved"
    EDITED = "edited"
    REJECTED = "rejected"
    FLAGGED = "flagged"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Done:
    """A decision and what it found, which is what `undo` needs. `head` is the newest revision's number after it."""

    act: Act
    record_id: int
    account_id: int
    head: int
    head_before: int
    status: RecordStatus
    status_before: RecordStatus
    approved_before: int | None
    """The revision that was approved before."""
    ruling_id: int | None = None


@dataclass(frozen=True, slots=True)
class _Hold:
    """What a decision works on: the slot that is held, its record and the record's newest revision."""

    slot: Slot
    record: Record
    revision: RecordRevision

    def done(self, act: Act, lease: Lease, before: Done | None = None, ruling: Approval | None = None) -> Done:
        """The decision as a value; `before` is one that `standing` made."""
        was = before or self.standing(act, lease)
        return Done(
            act,
            was.record_id,
            was.account_id,
            self.record.head,
            was.head_before,
            self.record.status,
            was.status_before,
            was.approved_before,
            ruling.id if ruling else None,
        )

    def standing(self, act: Act, lease: Lease) -> Done:
        """How things stand before the decision."""
        record = self.record
        return Done(
            act,
            record.id or 0,
            lease.account_id,
            record.head,
            record.head,
            record.status,
            record.status,
            record.approved_revision_id,
        )


def approve(*, session: Session, actor: Actor, project_id: int, lease: Lease, number: int) -> Done:
    """Let the revision into snapshots. Conflict while it holds personal data, or an answer that its file calls bad."""
    hold = _hold(session, actor, project_id, lease, number)
    done = _rule(session, actor, hold, lease, Decision.APPROVED, "")
    session.commit()
    return done


def reject(*, session: Session, actor: Actor, project_id: int, lease: Lease, number: int, reason: str) -> Done:
    """Keep the record out of snapshots, for a reason."""
    hold = _hold(session, actor, project_id, lease, number)
    done = _rule(session, actor, hold, lease, Decision.REJECTED, checked_reason(reason, "a reason for the rejection"))
    session.commit()
    return done


def edit(
    *,
    session: Session,
    actor: Actor,
    project_id: int,
    lease: Lease,
    based_on: int,
    messages: Sequence[Message],
    reason: str,
    most_chars: int = 100_000,
    then_approve: bool = False,
) -> list[Done]:
    """Save a new revision. The lease goes on, unless the revision is approved in the same step.

    Returns the decisions made, in order. Where approving is refused nothing is saved.
    """
    hold = _hold(session, actor, project_id, lease)
    rulings.check_newest(session, hold.record, based_on, messages)
    text = checked_edit(messages_from_json(hold.revision.messages), messages, most_chars=most_chars)
    why = checked_reason(reason, "a reason for the edit")
    before = hold.standing(Act.EDITED, lease)
    revision = rulings.follow(session, actor, hold.record, text, why)
    _note(session, actor, "record_edited", hold.record, revision=revision.number, reason=why)
    done = [hold.done(Act.EDITED, lease, before)]
    if then_approve:
        done.append(_rule(session, actor, _Hold(hold.slot, hold.record, revision), lease, Decision.APPROVED, why))
    session.commit()
    return done


def flag(*, session: Session, actor: Actor, project_id: int, lease: Lease, number: int, comment: str) -> Done:
    """Mark the record as doubtful and pass it on to others; an approval in force is withdrawn."""
    hold = _hold(session, actor, project_id, lease, number)
    why = checked_reason(comment, "a comment that says what is doubtful")
    before = hold.standing(Act.FLAGGED, lease)
    rulings.flag(session, actor, hold.record, why)
    _pass_on(session, hold, lease, why)
    _note(session, actor, "record_flagged", hold.record, revision=hold.record.head, reason=why)
    session.commit()
    return hold.done(Act.FLAGGED, lease, before)


def skip(*, session: Session, actor: Actor, project_id: int, lease: Lease, reason: str) -> Done:
    """Leave the record to others; it is not offered to this person again."""
    hold = _hold(session, actor, project_id, lease)
    why = checked_reason(reason, "a reason for skipping")
    _pass_on(session, hold, lease, why)
    session.commit()
    return hold.done(Act.SKIPPED, lease)


def undo(*, session: Session, actor: Actor, project_id: int, done: Done, seconds: int) -> Lease:
    """Take one's own decision back and hold the record again. Raises Conflict where others have acted on it since."""
    check(actor, Action.REVIEW, project_id)
    if done.account_id != actor.account_id:
        raise Conflict("Only the person who decided can undo a decision.")
    lease = queueing.take(session, actor, project_id, done.record_id, seconds)
    record = rulings.load_record(session, project_id, done.record_id)
    if (record.head, record.status) != (done.head, done.status):
        raise Conflict("This cannot be undone any more: somebody has changed or ruled on the record since.")
    if done.ruling_id is not None:
        living = select(Approval.id).where(Approval.record_id == record.id, col(Approval.withdrawn_at).is_(None))
        if session.exec(living.order_by(col(Approval.id).desc())).first() != done.ruling_id:
            raise Conflict("This cannot be undone any more: somebody has ruled on the record since.")
    _take_back(session, actor, record, done)
    _note(session, actor, "decision_undone", record, act=done.act.value, revision=record.head)
    session.commit()
    return lease


def _take_back(session: Session, actor: Actor, record: Record, done: Done) -> None:
    why = f"Undone: {done.act.value}"
    if done.act is Act.EDITED:
        before = rulings.revision_of(session, record, done.head_before)
        rulings.follow(session, actor, record, messages_from_json(before.messages), why)
    elif done.act in (Act.APPROVED, Act.REJECTED):
        rulings.withdraw_living(session, actor, record, why)
    elif done.act is Act.FLAGGED:
        session.add(RecordComment(record_id=record.id or 0, author_id=actor.account_id, text="The flag was taken back."))
    if done.approved_before is not None and record.approved_revision_id is None:
        earlier = session.get_one(RecordRevision, done.approved_before)
        rulings.rule(session, actor, record, earlier, Decision.APPROVED, f"{why}; the earlier approval holds again")
    record.status = done.status_before
    session.add(record)


def _hold(session: Session, actor: Actor, project_id: int, lease: Lease, number: int | None = None) -> _Hold:
    """What the lease stands for, after every check. Raises Forbidden, LeaseLost, NotFound or StaleRevision."""
    check(actor, Action.REVIEW, project_id)
    slot = leases.held(session, slot_id=lease.slot_id, account_id=rulings.account_of(actor), fence=lease.fence)
    item = session.get_one(Item, slot.item_id)
    if item.record_id is None:
        raise LeaseLost("This item holds no record to review.")
    record = rulings.load_record(session, project_id, item.record_id)
    if number is not None:
        rulings.check_newest(session, record, number)
    return _Hold(slot, record, rulings.revision_of(session, record))


def _rule(session: Session, actor: Actor, hold: _Hold, lease: Lease, decision: Decision, reason: str) -> Done:
    act = Act.APPROVED if decision is Decision.APPROVED else Act.REJECTED
    before = hold.standing(act, lease)
    if decision is Decision.APPROVED:
        rulings.refuse_personal_data(session, hold.revision)
        rulings.refuse_poor_answer(session, hold.revision)
    ruling = rulings.rule(session, actor, hold.record, hold.revision, decision, reason)
    leases.finish(session, slot=hold.slot)
    _note(session, actor, f"record_{act.value}", hold.record, revision=hold.revision.number, reason=reason)
    return hold.done(act, lease, before, ruling)


def _pass_on(session: Session, hold: _Hold, lease: Lease, reason: str) -> None:
    """Release the slot and remember that this person is not to be asked again."""
    session.add(Skip(item_id=hold.slot.item_id, account_id=lease.account_id, reason=reason))
    leases.release(session, slot_id=lease.slot_id, account_id=lease.account_id, fence=lease.fence)


def _note(session: Session, actor: Actor, action: str, record: Record, **detail: object) -> None:
    audit.record(session, actor, action, project_id=record.project_id, subject=f"record {record.id}", **detail)
