"""What may be done to a record outside the queue: comment, withdraw an approval, restore an older revision, cite an FAQ.

No lease is needed; a restore names the newest revision that was looked at, and a stale one gets both texts back.
"""

from __future__ import annotations

from sqlmodel import Session, select

from backend.access import audit
from backend.access.actors import Actor
from backend.access.policy import check
from backend.conversations import messages_from_json
from backend.errors import AlreadyDone, InvalidInput, NotFound
from backend.review import rulings
from backend.review.revisions import checked_reason
from backend.store.records import Approval, Faq, FaqCitation, RecordComment, RecordRevision
from backend.vocabulary import Action, RecordStatus


def comment(*, session: Session, actor: Actor, project_id: int, record_id: int, text: str) -> RecordComment:
    """Leave a remark for whoever looks at the record next."""
    check(actor, Action.REVIEW, project_id)
    record = rulings.load_record(session, project_id, record_id)
    remark = RecordComment(record_id=record.id or 0, author_id=actor.account_id, text=checked_reason(text, "a comment"))
    session.add(remark)
    audit.record(session, actor, "record_commented", project_id=project_id, subject=f"record {record_id}")
    session.commit()
    return remark


def withdraw(*, session: Session, actor: Actor, project_id: int, record_id: int, reason: str) -> list[Approval]:
    """Take the ruling on a record out of force; it waits for review again. The lineage page lists what learned from it."""
    check(actor, Action.REVIEW, project_id)
    record = rulings.load_record(session, project_id, record_id)
    why = checked_reason(reason, "a reason for withdrawing")
    withdrawn = rulings.withdraw_living(session, actor, record, why)
    if not withdrawn:
        raise AlreadyDone("No approval or rejection of this record is in force, so there is nothing to withdraw.")
    record.status = RecordStatus.PENDING
    session.add(record)
    audit.record(
        session,
        actor,
        "ruling_withdrawn",
        project_id=project_id,
        subject=f"record {record_id}",
        reason=why,
        approvals=[approval.id for approval in withdrawn],
    )
    session.commit()
    return withdrawn


def restore(
    *, session: Session, actor: Actor, project_id: int, record_id: int, number: int, based_on: int, reason: str
) -> RecordRevision:
    """Make an older revision's text the newest again, as a new revision that waits for review."""
    check(actor, Action.REVIEW, project_id)
    record = rulings.load_record(session, project_id, record_id)
    why = checked_reason(reason, "a reason for restoring")
    older = rulings.revision_of(session, record, number)
    messages = messages_from_json(older.messages)
    rulings.check_newest(session, record, based_on, messages)
    if older.content_hash == record.content_hash:
        raise InvalidInput("The newest text is the same as that revision, so there is nothing to restore.")
    revision = rulings.follow(session, actor, record, messages, f"Revision {number} restored: {why}")
    audit.record(
        session,
        actor,
        "record_restored",
        project_id=project_id,
        subject=f"record {record_id}",
        restored=number,
        revision=revision.number,
        reason=why,
    )
    session.commit()
    return revision


def cite(*, session: Session, actor: Actor, project_id: int, record_id: int, faq_id: int) -> FaqCitation:
    """Say that a record rests on an FAQ, so that it is looked at again when the FAQ's answer changes."""
    check(actor, Action.REVIEW, project_id)
    record = rulings.load_record(session, project_id, record_id)
    faq = session.exec(select(Faq).where(Faq.id == faq_id, Faq.project_id == project_id)).one_or_none()
    if faq is None:
        raise NotFound("There is no such FAQ in this project.")
    known = select(FaqCitation).where(FaqCitation.record_id == record_id, FaqCitation.faq_id == faq_id)
    citation = session.exec(known).one_or_none()
    if citation is None:
        citation = FaqCitation(faq_id=faq_id, record_id=record.id or 0)
        session.add(citation)
        audit.record(session, actor, "faq_cited", project_id=project_id, subject=f"record {record_id}", faq=faq.key)
        session.commit()
    return citation
