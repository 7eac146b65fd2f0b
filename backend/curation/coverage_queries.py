"""Reads for the coverage of incoming chats by approved records: by topic, and by the metadata that chats and records share."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import case
from sqlalchemy import select as columns
from sqlmodel import Session, col, func, select

from backend.access.actors import Actor
from backend.access.policy import check as allow
from backend.curation.clustering import NO_TOPIC, topics_of
from backend.curation.coverage import TARGET, Asked, Cover, Held, cover
from backend.detectors.telling_words import LONGEST
from backend.detectors.topics import SLICE, Assigner
from backend.store.conversations import Chat, ChatTurn, Feedback
from backend.store.records import Record
from backend.vocabulary import DETECTED, Action, MadeBy, RecordStatus, Thumb

MOST_CHATS = 5000
"""The newest chats; older ones say less about what comes in."""
MOST_VALUES = 50
"""Metadata with more values than this is a number or a name, not a subject."""
CHANNEL = "channel"
_AT_ONCE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How the approved records cover what comes in. `subjects`: by slice key, SLICE first."""

    chats: int
    """How many were looked at; 0 where coverage is by the target alone."""
    has_topics: bool
    target: int
    subjects: dict[str, list[Cover]]


@dataclass(frozen=True, slots=True)
class _Incoming:
    text: str
    slices: Mapping[str, str]
    up: int
    down: int


def stamp(session: Session, *, actor: Actor, project_id: int) -> tuple[int, ...]:
    """What coverage is worked out from, in short: it is the same as long as this is. Topics' names and sizes are told apart."""
    allow(actor, Action.VIEW_RECORDS, project_id)
    turns = select(func.max(ChatTurn.id)).join(Chat, col(Chat.id) == ChatTurn.chat_id).where(Chat.project_id == project_id)
    verdicts = select(func.max(Feedback.id)).where(Feedback.project_id == project_id)
    status = columns(func.count(), func.count(Record.approved_revision_id), func.max(Record.id))  # type: ignore[arg-type]
    counts = session.execute(status.where(col(Record.project_id) == project_id)).one()
    names = hash(tuple((row.id, row.name, row.merged_into, row.size) for row in topics_of(session, project_id)))
    return (session.exec(turns).one() or 0, session.exec(verdicts).one() or 0, *(int(count or 0) for count in counts), names)


def coverage(session: Session, *, actor: Actor, project_id: int, target: int = TARGET) -> Coverage:
    """Topics and metadata, thin ones first. Without chats every subject of the records is held against the target."""
    allow(actor, Action.VIEW_RECORDS, project_id)
    rows = topics_of(session, project_id)
    incoming = _incoming(session, project_id)
    subjects: dict[str, list[Cover]] = {}
    if rows:
        roots = {row.id: row.name for row in rows}
        names = [*(roots[row.merged_into or row.id] for row in rows), NO_TOPIC]
        labels = Assigner([row.centre for row in rows]).assign([chat.text for chat in incoming])
        asked = _asked((names[label], chat) for label, chat in zip(labels.tolist(), incoming, strict=True))
        held = dict.fromkeys(roots[row.id] for row in rows if row.merged_into is None)
        known = _held(session, project_id, [SLICE]).get(SLICE, {})
        topics = {name: known.get(name, Held()) for name in held}
        subjects[SLICE] = cover(asked, topics, target=target)
    keys = sorted({key for chat in incoming for key in chat.slices}) if incoming else _keys(session, project_id)
    for key, values in _held(session, project_id, keys).items():
        if len(values) <= MOST_VALUES:
            asked = _asked((chat.slices[key], chat) for chat in incoming if key in chat.slices)
            subjects[key] = cover(asked, values, target=target)
    return Coverage(chats=len(incoming), has_topics=bool(rows), target=target, subjects=subjects)


def _asked(chats: Iterable[tuple[str, _Incoming]]) -> dict[str, Asked]:
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for subject, chat in chats:
        for place, more in enumerate((1, chat.up + chat.down, chat.down)):
            counts[subject][place] += more
    return {subject: Asked(chats=chats, thumbs=thumbs, down=down) for subject, (chats, thumbs, down) in counts.items()}


def _incoming(session: Session, project_id: int) -> list[_Incoming]:
    """The newest chats in which somebody wrote something: what they wrote, what is known of them, the verdicts."""
    newest = select(Chat.id, Chat.slices, Chat.channel).where(Chat.project_id == project_id).order_by(col(Chat.id).desc())
    chats = {chat_id or 0: {**slices, CHANNEL: channel} for chat_id, slices, channel in session.exec(newest.limit(MOST_CHATS))}
    ids = sorted(chats)
    texts: dict[int, list[str]] = defaultdict(list)
    verdicts: Counter[tuple[int, Thumb]] = Counter()
    for start in range(0, len(ids), _AT_ONCE):
        chunk = ids[start : start + _AT_ONCE]
        said = select(ChatTurn.chat_id, func.substr(ChatTurn.text, 1, LONGEST))
        said = said.where(col(ChatTurn.chat_id).in_(chunk), ChatTurn.role == "user")
        for chat_id, text in session.exec(said.order_by(col(ChatTurn.chat_id), col(ChatTurn.position))):
            texts[chat_id].append(text)
        thumbs = select(Feedback.chat_id, Feedback.thumb).where(col(Feedback.chat_id).in_(chunk))
        for given_to, thumb in session.exec(thumbs.where(col(Feedback.thumb).is_not(None))):
            if given_to is not None and thumb is not None:
                verdicts[given_to, Thumb(thumb)] += 1
    return [
        _Incoming(
            "\n".join(texts[chat_id])[:LONGEST],
            {str(key): str(value) for key, value in chats[chat_id].items() if str(value).strip()},
            verdicts[chat_id, Thumb.UP],
            verdicts[chat_id, Thumb.DOWN],
        )
        for chat_id in ids
        if texts[chat_id]
    ]


def _pairs(session: Session) -> Any:
    unfold = func.json_each if session.get_bind().dialect.name == "sqlite" else func.jsonb_each_text
    return unfold(col(Record.slices)).table_valued("key", "value").alias("pair")


def _held(session: Session, project_id: int, keys: Iterable[str]) -> dict[str, dict[str, Held]]:
    """Key → value → the records; synthetic ones are none that an expert wrote, and do not count."""
    pair = _pairs(session)
    query: Any = (
        columns(
            pair.c.key,
            pair.c.value,
            func.count(Record.approved_revision_id),  # type: ignore[arg-type]
            func.sum(case((col(Record.status) == RecordStatus.PENDING, 1), else_=0)),
        )
        .select_from(Record)
        .join(pair, col(Record.id).is_not(None))
        .where(col(Record.project_id) == project_id, col(Record.made_by) == MadeBy.PEOPLE, pair.c.key.in_(list(keys)))
        .group_by(pair.c.key, pair.c.value)
    )
    found: dict[str, dict[str, Held]] = {}
    for key, value, approved, pending in session.execute(query):
        found.setdefault(key, {})[str(value)] = Held(approved=int(approved), pending=int(pending or 0))
    return found


def _keys(session: Session, project_id: int) -> list[str]:
    """Metadata that records came with."""
    pair = _pairs(session)
    query: Any = columns(pair.c.key).select_from(Record).join(pair, col(Record.id).is_not(None))
    names = session.execute(query.where(col(Record.project_id) == project_id).distinct().order_by(pair.c.key).limit(100))
    return [name for (name,) in names if not name.startswith(DETECTED)]
