"""FAQs: propose a text, rule on it, restore an older one, flag the records that rest on it.

A proposal follows the newest revision and names it; a stale one gets StaleRevision with both texts. The approved revision
stays in force until another is approved. Somebody else than the author rules, or a lead; where the project has only one
person who could, they may approve their own text, and the trail says so.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from sqlalchemy import func
from sqlmodel import Session, col, select

from backend.access import audit
from backend.access.actors import Actor
from backend.access.policy import ALLOWED, check, may
from backend.errors import AlreadyDone, Forbidden, InvalidInput, NotFound, StaleRevision
from backend.review import rulings
from backend.review.revisions import checked_reason
from backend.store.accounts import Account, Membership
from backend.store.base import now
from backend.store.records import Faq, FaqCitation, FaqRevision, Project, Record
from backend.vocabulary import Action, Decision, FaqState, RecordStatus

MOST_QUESTION, MOST_ANSWER, MOST_TOPIC = 2_000, 20_000, 120


@dataclass(frozen=True, slots=True)
class FaqText:
    """What an FAQ says."""

    question: str
    answer: str

    def __str__(self) -> str:
        """One text, for differences and conflicts."""
        return f"{self.question}\n\n{self.answer}"


def add(*, session: Session, actor: Actor, project_id: int, question: str, answer: str, topic: str = "") -> Faq:
    """A new FAQ; its text is a proposal until somebody approves it."""
    check(actor, Action.EDIT_FAQ, project_id)
    text = _checked(question, answer)
    if len(topic.strip()) > MOST_TOPIC:
        raise InvalidInput(f"Please keep the topic under {MOST_TOPIC} characters.")
    session.exec(select(Project.id).where(Project.id == project_id).with_for_update()).one()
    faq = Faq(project_id=project_id, key=_free_key(session, project_id, text.question), topic=_plain(topic))
    session.add(faq)
    session.flush()
    session.add(
        FaqRevision(faq_id=faq.id or 0, number=1, question=text.question, answer=text.answer, author_id=actor.account_id)
    )
    _note(session, actor, "faq_added", faq, revision=1)
    session.commit()
    return faq


def propose(
    *, session: Session, actor: Actor, project_id: int, faq_id: int, based_on: int, question: str, answer: str, reason: str
) -> FaqRevision:
    """Follow the newest revision with another text, which waits for approval. Raises StaleRevision."""
    check(actor, Action.EDIT_FAQ, project_id)
    faq = _load(session, project_id, faq_id)
    text = FaqText(question.strip(), answer.strip())
    newest = _check_newest(session, faq, based_on, text)
    text = _checked(question, answer)
    if text == FaqText(newest.question, newest.answer):
        raise InvalidInput("Nothing has changed, so there is nothing to save.")
    revision = _follow(session, actor, faq, text, checked_reason(reason, "a reason for the change"))
    session.commit()
    return revision


def restore(
    *, session: Session, actor: Actor, project_id: int, faq_id: int, number: int, based_on: int, reason: str
) -> FaqRevision:
    """Propose an older revision's text again, as the newest."""
    check(actor, Action.EDIT_FAQ, project_id)
    faq = _load(session, project_id, faq_id)
    older = _revision(session, faq, number)
    text = FaqText(older.question, older.answer)
    newest = _check_newest(session, faq, based_on, text)
    if text == FaqText(newest.question, newest.answer):
        raise InvalidInput("The newest text is the same as that revision, so there is nothing to restore.")
    why = checked_reason(reason, "a reason for restoring")
    revision = _follow(session, actor, faq, text, f"Revision {number} restored: {why}")
    session.commit()
    return revision


def rule(
    *, session: Session, actor: Actor, project_id: int, faq_id: int, number: int, decision: Decision, reason: str = ""
) -> FaqRevision:
    """Approve or reject the newest proposal. A rejection needs a reason; the approved text stays in force meanwhile."""
    check(actor, Action.APPROVE_FAQ, project_id)
    faq = _load(session, project_id, faq_id)
    looked_at = _revision(session, faq, number)
    revision = _check_newest(session, faq, number, FaqText(looked_at.question, looked_at.answer))
    if revision.state is not FaqState.PROPOSED:
        raise AlreadyDone("Somebody has ruled on this text already.")
    own = revision.author_id is not None and revision.author_id == actor.account_id
    approved = decision is Decision.APPROVED
    if own and approved and not _may_approve_own(session, actor, project_id):
        raise Forbidden("You wrote this text, so another expert or a lead has to approve it.")
    why = reason.strip() if approved and not reason.strip() else checked_reason(reason, "a reason for the rejection")
    revision.state = FaqState.APPROVED if approved else FaqState.REJECTED
    revision.ruled_by, revision.ruled_at, revision.ruled_reason = actor.account_id, now(), why
    session.add(revision)
    if approved:
        faq.approved = revision.number
        session.add(faq)
    _note(session, actor, f"faq_{decision.value}", faq, revision=number, reason=why, own_text=own)
    session.commit()
    return revision


def flag_citing(*, session: Session, actor: Actor, project_id: int, faq_id: int, comment: str) -> int:
    """Send the records that cite this FAQ back to review, each with the comment; returns how many were not there yet."""
    check(actor, Action.REVIEW, project_id)
    faq = _load(session, project_id, faq_id)
    why = checked_reason(comment, "a comment that says what changed")
    citing = (
        select(Record)
        .join(FaqCitation, col(FaqCitation.record_id) == Record.id)
        .where(FaqCitation.faq_id == faq_id, Record.project_id == project_id, Record.status != RecordStatus.FLAGGED)
        .order_by(col(Record.id))
        .with_for_update(of=Record, key_share=True)
    )
    records = session.exec(citing).all()
    for record in records:
        rulings.flag(session, actor, record, why)
    if records:
        _note(session, actor, "faq_citing_flagged", faq, records=[record.id for record in records][:1000], reason=why)
    session.commit()
    return len(records)


def _load(session: Session, project_id: int, faq_id: int) -> Faq:
    """The FAQ, locked until the transaction ends. Raises NotFound, also for one of another project."""
    query = select(Faq).where(Faq.id == faq_id, Faq.project_id == project_id).with_for_update(key_share=True)
    faq = session.exec(query.execution_options(populate_existing=True)).one_or_none()
    if faq is None:
        raise NotFound("There is no such FAQ in this project.")
    return faq


def _revision(session: Session, faq: Faq, number: int) -> FaqRevision:
    query = select(FaqRevision).where(FaqRevision.faq_id == faq.id, FaqRevision.number == number)
    revision = session.exec(query.execution_options(populate_existing=True)).one_or_none()
    if revision is None:
        raise NotFound("This FAQ has no such revision.")
    return revision


def _check_newest(session: Session, faq: Faq, number: int, yours: FaqText) -> FaqRevision:
    """The newest revision. Raises StaleRevision, with both texts, unless it is the one with this number."""
    newest = _revision(session, faq, faq.head)
    if newest.number != number:
        raise StaleRevision(
            "Somebody changed this FAQ after you opened it. Nothing was saved and nothing is lost: compare both texts below.",
            theirs=str(FaqText(newest.question, newest.answer)),
            yours=str(yours),
            newest=faq.head,
        )
    return newest


def _follow(session: Session, actor: Actor, faq: Faq, text: FaqText, reason: str) -> FaqRevision:
    revision = FaqRevision(
        faq_id=faq.id or 0,
        number=faq.head + 1,
        question=text.question,
        answer=text.answer,
        based_on=faq.head,
        reason=reason,
        author_id=actor.account_id,
    )
    faq.head = revision.number
    session.add(revision)
    session.add(faq)
    _note(session, actor, "faq_proposed", faq, revision=revision.number, reason=reason)
    return revision


def _may_approve_own(session: Session, actor: Actor, project_id: int) -> bool:
    """A lead or admin may; an expert only where nobody else in the project could approve."""
    if may(actor, Action.BULK_REVIEW, project_id):
        return True
    able = [role for role, actions in ALLOWED.items() if Action.APPROVE_FAQ in actions]
    others = (
        select(func.count())
        .select_from(Membership)
        .join(Account, col(Account.id) == Membership.account_id)
        .where(Membership.project_id == project_id, col(Membership.role).in_(able))
        .where(Membership.account_id != actor.account_id, col(Account.is_active).is_(True))
    )
    return session.exec(others).one() == 0


def _checked(question: str, answer: str) -> FaqText:
    text = FaqText(_plain(question), _plain(answer))
    for name, part, most in (("question", text.question, MOST_QUESTION), ("answer", text.answer, MOST_ANSWER)):
        if not part:
            raise InvalidInput(f"Please write the {name}.")
        if len(part) > most:
            raise InvalidInput(f"Please keep the {name} under {most:,} characters.")
    return text


def _plain(text: str) -> str:
    """Stripped. Raises InvalidInput for what no database can hold."""
    if "\x00" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise InvalidInput("The text contains characters that cannot be stored. Please type it again.")
    return text.strip()


def _free_key(session: Session, project_id: int, question: str) -> str:
    """A short name from the question's words that no FAQ of the project has yet."""
    ascii_text = unicodedata.normalize("NFKD", question).encode("ascii", "ignore").decode().lower()
    stem = "_".join(re.findall(r"[a-z0-9]+", ascii_text))[:60].strip("_") or "question"
    taken = set(
        session.exec(select(Faq.key).where(Faq.project_id == project_id, col(Faq.key).startswith(stem, autoescape=True)))
    )
    number = 1
    while (key := stem if number == 1 else f"{stem}_{number}") in taken:
        number += 1
    return key


def _note(session: Session, actor: Actor, action: str, faq: Faq, **detail: object) -> None:
    audit.record(session, actor, action, project_id=faq.project_id, subject=f"faq {faq.key}", **detail)
