"""Use-case of feedback: a verdict on an answer is kept, and the conversation becomes a record in the review queue.

Promised: the record's text and the comment on it are masked (e-mail, phone, card) before they are stored in the queue;
several verdicts on one answer make one record, and one row until somebody has dealt with it. Not promised: that masking
finds every kind of personal data; reviewers look at each record before it can be approved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import update
from sqlmodel import Session, col, select

from backend.access import audit
from backend.access.actors import Actor
from backend.access.policy import check
from backend.conversations import Message, content_hash, fault
from backend.detectors.personal import mask
from backend.errors import InvalidInput, NotFound
from backend.serving.chatting import turns_of
from backend.store.base import now
from backend.store.conversations import Chat, ChatTurn, Feedback
from backend.store.findings import refresh_findings
from backend.store.models import ModelVersion
from backend.store.privacy import rules_for
from backend.store.records import Project, Record, RecordComment, RecordRevision, Source
from backend.vocabulary import Action, RecordStatus, Thumb

SOURCE = "Chat feedback"
COMMENT_MAX = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What somebody says about an answer; at least one part must be given. `csat` is 1 (bad) to 5 (good)."""

    thumb: Thumb | None = None
    csat: int | None = None
    resolved: bool | None = None
    wants_person: bool = False
    comment: str = ""

    def __post_init__(self) -> None:
        if self.csat is not None and (isinstance(self.csat, bool) or self.csat not in range(1, 6)):
            raise InvalidInput("The satisfaction score must be a whole number from 1 to 5.")
        if len(self.comment) > COMMENT_MAX:
            raise InvalidInput(f"The comment has {len(self.comment):,} characters; {COMMENT_MAX:,} is the most.")
        if (
            self.thumb is None
            and self.csat is None
            and self.resolved is None
            and not self.wants_person
            and not self.comment.strip()
        ):
            raise InvalidInput("Say at least one thing: a thumb, a score, whether it was resolved, or a comment.")

    @property
    def is_complaint(self) -> bool:
        """Whether somebody should answer this, and not only learn from it."""
        low = self.csat is not None and self.csat <= 2
        return self.thumb is Thumb.DOWN or low or self.resolved is False or self.wants_person

    def words(self) -> str:
        """The verdict as a reviewer reads it."""
        parts = [
            {Thumb.UP: "thumbs up", Thumb.DOWN: "thumbs down"}.get(self.thumb) if self.thumb else None,
            f"satisfaction {self.csat} of 5" if self.csat else None,
            None if self.resolved is None else ("resolved" if self.resolved else "not resolved"),
            "asked for a person" if self.wants_person else None,
        ]
        said = ", ".join(part for part in parts if part)
        comment = mask(self.comment.strip())
        return f"Feedback: {said or 'a comment'}." + (f"\n{comment}" if comment else "")


def give_feedback(*, session: Session, actor: Actor, turn_id: int, opinion: Opinion) -> Feedback:
    """Keep an opinion on an assistant's turn of the actor's own chat, and put the conversation into the review queue."""
    # locked, so that two clicks at once make one record
    turn = session.exec(select(ChatTurn).where(ChatTurn.id == turn_id).with_for_update(key_share=True)).one_or_none()
    chat = session.get(Chat, turn.chat_id) if turn else None
    if turn is None or chat is None or chat.account_id != actor.account_id:
        raise NotFound("There is no such answer in your conversations.")
    check(actor, Action.SEND_FEEDBACK, chat.project_id)
    if turn.role != "assistant":
        raise InvalidInput("Feedback is about an answer of the assistant.")
    turns = [t for t in turns_of(session, chat.id or 0) if t.position <= turn.position]
    messages = [Message(t.role, t.text) for t in _alternating(turns)]
    earlier = session.exec(select(Feedback).where(Feedback.turn_id == turn_id).order_by(col(Feedback.id).desc())).first()
    record_id = earlier.record_id if earlier else None
    if record_id is None:
        version = session.get(ModelVersion, turn.version_id) if turn.version_id else None
        slices = {**chat.slices, "channel": chat.channel, "model": version.name if version else ""}
        record_id = _new_record(session, chat.project_id, messages, slices, group=f"chat-{chat.id}")
    if earlier is not None and earlier.handled_at is None:
        feedback = earlier
    else:
        feedback = Feedback(project_id=chat.project_id, chat_id=chat.id, turn_id=turn_id, version_id=turn.version_id)
    return _keep(session, actor, feedback, record_id, opinion)


def send_feedback(
    *, session: Session, actor: Actor, project_id: int, messages: Sequence[Mapping[str, str]], opinion: Opinion
) -> Feedback:
    """The same for a conversation that took place elsewhere (a shop's own chat window, by the HTTP API)."""
    check(actor, Action.SEND_FEEDBACK, project_id)
    turns = [Message(message["role"], message["content"]) for message in messages]
    if problem := fault(turns):
        raise InvalidInput(f"messages must be a conversation that ends with the answer that the feedback is about: {problem}.")
    record_id = _new_record(session, project_id, turns, {"channel": "api"}, group="")
    return _keep(session, actor, Feedback(project_id=project_id), record_id, opinion)


def close_feedback(*, session: Session, actor: Actor, feedback_id: int) -> Feedback:
    """Mark a complaint as answered."""
    feedback = session.get(Feedback, feedback_id)
    if feedback is None:
        raise NotFound("There is no such feedback.")
    check(actor, Action.BULK_REVIEW, feedback.project_id)
    feedback.handled_at = feedback.handled_at or now()
    session.add(feedback)
    audit.record(session, actor, "feedback_handled", project_id=feedback.project_id, subject=f"feedback {feedback_id}")
    session.commit()
    return feedback


def _keep(session: Session, actor: Actor, feedback: Feedback, record_id: int, opinion: Opinion) -> Feedback:
    """Save what was said. Onto earlier words about the same answer it adds; a part said anew takes the older one's place."""
    feedback.record_id = record_id
    feedback.thumb = opinion.thumb or feedback.thumb
    feedback.csat = opinion.csat or feedback.csat
    feedback.resolved = feedback.resolved if opinion.resolved is None else opinion.resolved
    feedback.wants_person = opinion.wants_person or feedback.wants_person
    feedback.comment = "\n".join(
        part
        for part in (feedback.comment, mask(opinion.comment.strip(), rules=rules_for(session, feedback.project_id)))
        if part
    )
    session.add(feedback)
    session.add(
        RecordComment(record_id=record_id, author_id=actor.account_id, text=opinion.words(), is_flag=opinion.is_complaint)
    )
    session.commit()
    return feedback


def _new_record(session: Session, project_id: int, turns: Sequence[Message], slices: Mapping[str, str], *, group: str) -> int:
    rules = rules_for(session, project_id)
    messages = [Message(turn.role, mask(turn.content, rules=rules)) for turn in turns]
    digest = content_hash(messages)
    source = _source(session, project_id)
    record = Record(
        project_id=project_id,
        source_id=source.id,
        group=group,
        content_hash=digest,
        status=RecordStatus.PENDING,
        prompt=next((m.content for m in reversed(messages) if m.role == "user"), ""),
        answer=messages[-1].content,
        slices={key: value for key, value in slices.items() if value},
    )
    session.add(record)
    session.flush()
    revision = RecordRevision(
        record_id=record.id or 0,
        number=1,
        messages=[message.to_json() for message in messages],
        content_hash=digest,
        reason="From chat feedback, personal data masked",
    )
    session.add(revision)
    session.flush()
    refresh_findings(session, record, revision)
    # counted by the database: feedback comes from many processes at once
    session.execute(update(Source).where(col(Source.id) == source.id).values(imported=col(Source.imported) + 1))
    return record.id or 0


def _source(session: Session, project_id: int) -> Source:
    """The standing source that feedback comes from, made on first use."""
    standing = select(Source).where(Source.project_id == project_id, Source.content_hash == SOURCE)
    found = session.exec(standing).one_or_none()
    if found is None:  # the project's row is locked, so that two at once make one
        session.exec(select(Project.id).where(Project.id == project_id).with_for_update()).one_or_none()
        found = session.exec(standing).one_or_none()
    if found is None:
        found = Source(project_id=project_id, name=SOURCE, format="chat", shape="openai", content_hash=SOURCE)
        session.add(found)
        session.flush()
    return found


def _alternating(turns: Sequence[ChatTurn]) -> list[ChatTurn]:
    """Without questions that never got an answer, so that the record is a well-formed conversation."""
    return [turn for turn, after in zip(turns, [*turns[1:], None], strict=True) if after is None or after.role != turn.role]
