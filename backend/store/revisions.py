"""Adds a revision to a record: the one way in which a record's text changes. Nothing here decides or commits."""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import Session, select

from backend.conversations import Conversation, Message, content_hash
from backend.store.findings import carry_findings, refresh_findings
from backend.store.records import Record, RecordRevision


def add_revision(
    session: Session, record: Record, messages: Sequence[Message], *, reason: str, author_id: int | None
) -> RecordRevision:
    """Put `messages` after the record's newest revision, look for personal data in them, and move along what else was found.

    The caller has made sure that nobody else added one meanwhile, and settles what becomes of an approval.
    """
    based_on = record.head
    record.head = based_on + 1
    record.content_hash = content_hash(messages)
    conversation = Conversation(tuple(messages))
    record.prompt, record.answer = conversation.prompt, conversation.answer or ""
    revision = RecordRevision(
        record_id=record.id or 0,
        number=record.head,
        messages=[message.to_json() for message in messages],
        content_hash=record.content_hash,
        based_on=based_on,
        reason=reason,
        author_id=author_id,
    )
    session.add_all([record, revision])
    session.flush()
    refresh_findings(session, record, revision)
    before = select(RecordRevision).where(RecordRevision.record_id == record.id, RecordRevision.number == based_on)
    for older in session.exec(before):
        carry_findings(session, record, older, revision)
    return revision
