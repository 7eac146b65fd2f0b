"""Reads about chats and feedback."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from sqlmodel import Session, col, func, select

from backend.access.actors import Actor
from backend.store.conversations import Chat, ChatTurn, Feedback, open_complaint
from backend.store.models import ModelVersion
from backend.store.records import Record
from backend.vocabulary import Thumb

COLUMNS = [
    "id",
    "when",
    "version",
    "thumb",
    "csat",
    "resolved",
    "wants_person",
    "comment",
    "question",
    "answer",
    "record",
    "handled",
]


@dataclass(frozen=True, slots=True)
class FeedbackCounts:
    """Totals of a project. `open_complaints` counts what somebody has to answer and nobody has closed."""

    chats: int
    feedback: int
    up: int
    down: int
    mean_csat: float | None
    open_complaints: int


def feedback_counts(session: Session, project_id: int) -> FeedbackCounts:
    """Counts for the head of the feedback page."""
    here = Feedback.project_id == project_id

    def count(*conditions: object) -> int:
        return session.exec(select(func.count()).select_from(Feedback).where(here, *conditions)).one()  # type: ignore[arg-type]

    return FeedbackCounts(
        chats=session.exec(select(func.count()).select_from(Chat).where(Chat.project_id == project_id)).one(),
        feedback=count(),
        up=count(col(Feedback.thumb) == Thumb.UP),
        down=count(col(Feedback.thumb) == Thumb.DOWN),
        mean_csat=session.exec(select(func.avg(Feedback.csat)).where(here)).one(),
        open_complaints=count(open_complaint()),
    )


def feedback_list(session: Session, project_id: int, *, waiting: bool = False, limit: int = 200) -> pd.DataFrame:
    """The newest feedback, or with `waiting` the oldest open complaints, with its record's texts; columns `COLUMNS`."""
    query = (
        select(Feedback, Record, ModelVersion)
        .outerjoin(Record, col(Record.id) == col(Feedback.record_id))
        .outerjoin(ModelVersion, col(ModelVersion.id) == col(Feedback.version_id))
        .where(Feedback.project_id == project_id, *([open_complaint()] if waiting else []))
        .order_by(col(Feedback.id) if waiting else col(Feedback.id).desc())
        .limit(limit)
    )
    rows = [
        [
            feedback.id,
            feedback.created_at,
            version.name if version else "",
            str(feedback.thumb) if feedback.thumb else "",
            feedback.csat,
            feedback.resolved,
            feedback.wants_person,
            feedback.comment,
            record.prompt if record else "",
            record.answer if record else "",
            feedback.record_id,
            feedback.handled_at is not None,
        ]
        for feedback, record, version in session.exec(query)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


@dataclass(frozen=True, slots=True)
class ShownTurn:
    """One turn as the chat page shows it."""

    id: int
    role: str
    text: str
    version: str
    rated: bool


def shown_turns(session: Session, *, actor: Actor, chat_id: int) -> list[ShownTurn]:
    """The actor's own conversation in order, with the version that spoke and whether feedback was given."""
    query = (
        select(ChatTurn, ModelVersion.name, func.count(col(Feedback.id)))
        .outerjoin(ModelVersion, col(ModelVersion.id) == col(ChatTurn.version_id))
        .outerjoin(Feedback, col(Feedback.turn_id) == col(ChatTurn.id))
        .join(Chat, col(Chat.id) == ChatTurn.chat_id)
        .where(ChatTurn.chat_id == chat_id, Chat.account_id == actor.account_id)
        .group_by(col(ChatTurn.id), col(ModelVersion.name))
        .order_by(col(ChatTurn.position))
    )
    return [
        ShownTurn(turn.id or 0, turn.role, turn.text, version or "", bool(rated))
        for turn, version, rated in session.exec(query)
    ]
