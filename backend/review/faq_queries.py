"""Reads about FAQs: the list by topic, one with its history, the records that rest on it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
from sqlalchemy import func, or_
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from backend.access.actors import Actor
from backend.access.policy import check
from backend.errors import NotFound
from backend.store.accounts import Account
from backend.store.records import Approval, Faq, FaqCitation, FaqRevision, Record, RecordRevision
from backend.vocabulary import Action, FaqState, RecordStatus

FAQ_COLUMNS = ["id", "topic", "question", "state", "revision", "cited_by", "changed"]
CITING_COLUMNS = ["id", "status", "question", "answer", "may_need_an_edit"]


@dataclass(frozen=True, slots=True)
class FaqRevisionCard:
    """One version of an FAQ, with the ruling on it."""

    number: int
    question: str
    answer: str
    state: FaqState
    author_id: int | None
    author: str
    reason: str
    created_at: datetime
    ruled_by: str
    ruled_reason: str
    ruled_at: datetime | None


@dataclass(frozen=True, slots=True)
class FaqDetail:
    """An FAQ with its revisions, newest first. `approved` is the number in force, None where none is."""

    id: int
    key: str
    topic: str
    head: int
    approved: int | None
    revisions: tuple[FaqRevisionCard, ...]

    @property
    def newest(self) -> FaqRevisionCard:
        """The newest revision."""
        return self.revisions[0]

    @property
    def in_force(self) -> FaqRevisionCard | None:
        """The approved revision."""
        return next((revision for revision in self.revisions if revision.number == self.approved), None)


def list_faqs(session: Session, actor: Actor, project_id: int, *, text: str = "", topic: str | None = None) -> pd.DataFrame:
    """By topic and question, columns FAQ_COLUMNS. `state` is approved, change waiting, proposed or rejected."""
    check(actor, Action.EDIT_FAQ, project_id)
    newest = (col(FaqRevision.faq_id) == Faq.id) & (col(FaqRevision.number) == Faq.head)
    cited = select(func.count()).where(FaqCitation.faq_id == Faq.id).correlate(Faq).scalar_subquery()
    query: Any = (
        select(Faq, FaqRevision, cited)
        .join(FaqRevision, newest)
        .where(Faq.project_id == project_id)
        .order_by(col(Faq.topic), col(FaqRevision.question), col(Faq.id))
    )
    if wanted := text.replace("\x00", "").strip():
        found = [col(column).icontains(wanted, autoescape=True) for column in (FaqRevision.question, FaqRevision.answer)]
        query = query.where(or_(*found))
    if topic is not None:
        query = query.where(Faq.topic == topic)
    rows = [
        {
            "id": faq.id,
            "topic": faq.topic,
            "question": revision.question,
            "state": _state(faq, revision),
            "revision": faq.head,
            "cited_by": count,
            "changed": revision.created_at,
        }
        for faq, revision, count in session.exec(query)
    ]
    return pd.DataFrame(rows, columns=FAQ_COLUMNS)


def _state(faq: Faq, newest: FaqRevision) -> str:
    if newest.state is FaqState.PROPOSED and faq.approved is not None:
        return "change waiting"
    if newest.state is FaqState.REJECTED and faq.approved is not None:
        return "approved"
    return newest.state.value


def topics(session: Session, actor: Actor, project_id: int) -> list[str]:
    """The topics in use."""
    check(actor, Action.EDIT_FAQ, project_id)
    return list(session.exec(select(Faq.topic).where(Faq.project_id == project_id).distinct().order_by(col(Faq.topic))))


def faq_choices(session: Session, actor: Actor, project_id: int) -> dict[int, str]:
    """Every FAQ's newest question by id, for linking a record to one."""
    check(actor, Action.VIEW_RECORDS, project_id)
    query = (
        select(Faq.id, FaqRevision.question)
        .join(FaqRevision, (col(FaqRevision.faq_id) == Faq.id) & (col(FaqRevision.number) == Faq.head))
        .where(Faq.project_id == project_id)
        .order_by(col(FaqRevision.question))
    )
    return {faq_id or 0: question for faq_id, question in session.exec(query)}


def faq_detail(session: Session, actor: Actor, project_id: int, faq_id: int) -> FaqDetail:
    """One FAQ of the project. Raises NotFound, also for an FAQ of another project."""
    check(actor, Action.EDIT_FAQ, project_id)
    faq = session.exec(select(Faq).where(Faq.id == faq_id, Faq.project_id == project_id)).one_or_none()
    if faq is None:
        raise NotFound("There is no such FAQ in this project.")
    author, ruler = aliased(Account), aliased(Account)
    query: Any = (
        select(FaqRevision, author.email, ruler.email)
        .outerjoin(author, col(FaqRevision.author_id) == author.id)
        .outerjoin(ruler, col(FaqRevision.ruled_by) == ruler.id)
        .where(FaqRevision.faq_id == faq_id)
        .order_by(col(FaqRevision.number).desc())
    )
    revisions = tuple(
        FaqRevisionCard(
            number=revision.number,
            question=revision.question,
            answer=revision.answer,
            state=revision.state,
            author_id=revision.author_id,
            author=by or "",
            reason=revision.reason,
            created_at=revision.created_at,
            ruled_by=ruled_by or "",
            ruled_reason=revision.ruled_reason,
            ruled_at=revision.ruled_at,
        )
        for revision, by, ruled_by in session.exec(query)
    )
    return FaqDetail(faq_id, faq.key, faq.topic, faq.head, faq.approved, revisions)


def citing_records(session: Session, actor: Actor, project_id: int, faq_id: int) -> pd.DataFrame:
    """The records that rest on an FAQ, columns CITING_COLUMNS.

    One may need an edit where the answer in force replaced another after the record was written and last approved.
    """
    detail = faq_detail(session, actor, project_id, faq_id)
    replaced = sum(revision.state is FaqState.APPROVED for revision in detail.revisions) > 1
    since = detail.in_force.ruled_at if detail.in_force and replaced else None
    ruled = (
        select(func.max(Approval.created_at))
        .where(Approval.record_id == Record.id, col(Approval.withdrawn_at).is_(None))
        .correlate(Record)
        .scalar_subquery()
    )
    query: Any = (
        select(Record, RecordRevision.created_at, ruled)
        .join(FaqCitation, col(FaqCitation.record_id) == Record.id)
        .join(RecordRevision, (col(RecordRevision.record_id) == Record.id) & (col(RecordRevision.number) == Record.head))
        .where(FaqCitation.faq_id == faq_id, Record.project_id == project_id)
        .order_by(col(Record.id))
    )
    rows = [
        {
            "id": record.id,
            "status": record.status.value,
            "question": record.prompt,
            "answer": record.answer,
            "may_need_an_edit": since is not None
            and max(written, ruled_at or written) < since
            and record.status is not RecordStatus.FLAGGED,
        }
        for record, written, ruled_at in session.exec(query)
    ]
    return pd.DataFrame(rows, columns=CITING_COLUMNS)
