"""Tables of what happens after promotion: chats, their turns, feedback."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, UniqueConstraint, or_
from sqlmodel import Field, col

from backend.store.base import Table, created, document, moment, optional_word
from backend.vocabulary import Thumb


class Chat(Table, table=True):
    """A conversation with a project's chatbot; only the account that began it goes on with it."""

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id", index=True)
    account_id: int | None = Field(default=None, foreign_key="account.id", index=True)
    channel: str = Field(default="web", max_length=64)
    slices: dict[str, Any] = document()
    created_at: datetime = created()


class ChatTurn(Table, table=True):
    """One message. An assistant's turn names the version that spoke and how it was decoded."""

    __table_args__ = (UniqueConstraint("chat_id", "position"),)

    id: int | None = Field(default=None, primary_key=True)
    chat_id: int = Field(foreign_key="chat.id", index=True)
    position: int
    role: str = Field(max_length=16)
    text: str
    version_id: int | None = Field(default=None, foreign_key="modelversion.id", index=True)
    decoding: dict[str, Any] = document()
    seconds: float | None = None
    created_at: datetime = created()


class Feedback(Table, table=True):
    """A verdict on a chat turn, and the record that it became in the review queue."""

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id", index=True)
    chat_id: int | None = Field(default=None, foreign_key="chat.id", index=True)
    turn_id: int | None = Field(default=None, foreign_key="chatturn.id", index=True)
    version_id: int | None = Field(default=None, foreign_key="modelversion.id", index=True)
    record_id: int | None = Field(default=None, foreign_key="record.id", index=True)
    thumb: Thumb | None = optional_word(Thumb)
    csat: int | None = None
    resolved: bool | None = None
    wants_person: bool = False
    comment: str = ""
    handled_at: datetime | None = moment()
    created_at: datetime = created()


def open_complaint() -> ColumnElement[bool]:
    """The condition on Feedback that somebody has to answer it, and nobody has said that they did."""
    low = col(Feedback.csat) <= 2
    bad = or_(col(Feedback.thumb) == Thumb.DOWN, col(Feedback.wants_person), col(Feedback.resolved).is_(False), low)
    return bad & col(Feedback.handled_at).is_(None)
