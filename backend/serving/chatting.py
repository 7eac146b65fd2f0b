"""Use-cases of the chat: start a conversation, take a message, keep an answer.

A question is saved before the engine is asked, so that a broken engine loses nothing; an answer is saved when it is
whole. An actor without a role in the project may not chat; which accounts those are is the policy's matter.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from backend.access.actors import Actor
from backend.access.policy import check
from backend.errors import Conflict, InvalidInput, NotFound, NotReady
from backend.serving.guardrails import checked_message, context
from backend.store.conversations import Chat, ChatTurn
from backend.store.models import ModelVersion
from backend.store.records import Project
from backend.vocabulary import Action

DECODING: dict[str, Any] = {"max_new_tokens": 160, "temperature": 0.0, "top_p": 1.0, "seed": 0}
"""How the chat decodes, unless the project's settings say otherwise under "chat"."""
_EMPTY = "The model gave an empty answer. Ask in other words, or ask for a person."


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who answers: the project's current version and how it decodes."""

    project_id: int
    version_id: int
    version: str
    served_as: str
    decoding: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """What to send to the engine for one saved message."""

    chat_id: int
    position: int
    speaker: Speaker
    messages: tuple[dict[str, str], ...]


def speaker(session: Session, project_id: int) -> Speaker:
    """The current version of the project. Raises NotReady where none is promoted."""
    project = session.get(Project, project_id)
    if project is None:
        raise NotFound("There is no such project.")
    version = session.get(ModelVersion, project.current_version_id) if project.current_version_id else None
    if version is None:
        raise NotReady("No model version is current yet. A lead promotes one on the Promote page; then it answers here.")
    decoding = {**DECODING, **project.settings.get("chat", {})}
    return Speaker(project_id, version.id or 0, version.name, version.served_as, decoding)


def start_chat(
    *, session: Session, actor: Actor, project_id: int, channel: str = "web", slices: Mapping[str, str] | None = None
) -> int:
    """Begin a conversation; returns its id."""
    check(actor, Action.CHAT, project_id)
    speaker(session, project_id)
    chat = Chat(
        project_id=project_id,
        account_id=actor.account_id,
        channel=channel[:64],
        slices={str(name)[:64]: str(value)[:200] for name, value in (slices or {}).items()},
    )
    session.add(chat)
    session.commit()
    return chat.id or 0


def ask(*, session: Session, actor: Actor, chat_id: int, text: str) -> Question:
    """Save a message and say what to send to the engine. The same text again, while it waits for its answer, is a retry."""
    chat = _own_chat(session, actor, chat_id)
    message = checked_message(text)
    turns = turns_of(session, chat_id)
    if not turns or turns[-1].role != "user" or turns[-1].text != message:
        session.add(ChatTurn(chat_id=chat_id, position=len(turns), role="user", text=message))
        _commit_turn(session)
        turns = turns_of(session, chat_id)
    sent = context([{"role": turn.role, "content": turn.text} for turn in turns])
    return Question(chat_id, turns[-1].position, speaker(session, chat.project_id), tuple(sent))


def keep_answer(*, session: Session, actor: Actor, question: Question, text: str, seconds: float) -> int:
    """Save the whole answer; returns its turn's id. Raises Conflict when another window answered meanwhile."""
    _own_chat(session, actor, question.chat_id)
    if not text.strip():
        raise NotReady(_EMPTY)
    turn = ChatTurn(
        chat_id=question.chat_id,
        position=question.position + 1,
        role="assistant",
        text=text,
        version_id=question.speaker.version_id,
        decoding=dict(question.speaker.decoding),
        seconds=seconds,
    )
    session.add(turn)
    _commit_turn(session)
    return turn.id or 0


def keep_exchange(
    *, session: Session, actor: Actor, speaking: Speaker, messages: Sequence[Mapping[str, str]], text: str, seconds: float
) -> int:
    """Save a conversation that a client of the HTTP API holds itself; returns the answer's turn id.

    `speaking` is who gave the answer, and how: by now another version may be current.
    """
    check(actor, Action.CHAT, speaking.project_id)
    if not messages or messages[-1]["role"] != "user":
        raise InvalidInput("The last message must be the user's.")
    if not text.strip():
        raise NotReady(_EMPTY)
    chat = Chat(project_id=speaking.project_id, account_id=actor.account_id, channel="api")
    session.add(chat)
    session.flush()
    for position, message in enumerate(messages):
        session.add(ChatTurn(chat_id=chat.id or 0, position=position, role=message["role"], text=message["content"]))
    answer = ChatTurn(
        chat_id=chat.id or 0,
        position=len(messages),
        role="assistant",
        text=text,
        version_id=speaking.version_id,
        decoding=dict(speaking.decoding),
        seconds=seconds,
    )
    session.add(answer)
    session.commit()
    return answer.id or 0


def turns_of(session: Session, chat_id: int) -> list[ChatTurn]:
    """The turns in order."""
    return list(session.exec(select(ChatTurn).where(ChatTurn.chat_id == chat_id).order_by(col(ChatTurn.position))))


def completion_id() -> str:
    """An id for an API answer."""
    return "chatcmpl-" + secrets.token_hex(12)


def _own_chat(session: Session, actor: Actor, chat_id: int) -> Chat:
    chat = session.get(Chat, chat_id)
    if chat is None or chat.account_id != actor.account_id:
        raise NotFound("There is no such conversation. Start a new one.")
    check(actor, Action.CHAT, chat.project_id)
    return chat


def _commit_turn(session: Session) -> None:
    try:
        session.commit()
    except IntegrityError as error:
        session.rollback()
        raise Conflict("This conversation went on in another window. Reload the page to see it.") from error


def latest_chat(session: Session, *, actor: Actor, project_id: int) -> int | None:
    """The actor's newest conversation on the web page, so that a reload goes on with it."""
    query = select(Chat.id).where(Chat.project_id == project_id, Chat.account_id == actor.account_id, Chat.channel == "web")
    return session.exec(query.order_by(col(Chat.id).desc())).first()
