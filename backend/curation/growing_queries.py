"""Reads for growing: records to make others from, the batches that were made, the imports and what they are for."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, exists
from sqlmodel import Session, col, func, or_, select

from backend.access.actors import Actor
from backend.access.policy import check
from backend.conversations import ASSISTANT, messages_from_json
from backend.curation.synthesis import FORMAT
from backend.curation.variations import Original
from backend.store.accounts import Account
from backend.store.models import ModelVersion
from backend.store.records import Project, Record, RecordRevision, Source
from backend.vocabulary import Action, MadeBy, RecordStatus, SourcePurpose


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which records to make others from: people's own, approved unless `waiting` ones are wanted as well."""

    slice_key: str = ""
    slice_value: str = ""
    most: int = 200
    seed: int = 0
    waiting: bool = False


def count(session: Session, actor: Actor, project_id: int, choice: Choice) -> int:
    """How many records fit, whatever the most."""
    check(actor, Action.BULK_REVIEW, project_id)
    return session.exec(select(func.count()).select_from(_fitting(session, project_id, choice).subquery())).one()


def originals(session: Session, actor: Actor, project_id: int, choice: Choice) -> list[Original]:
    """As many as wanted of the records that fit, drawn by the seed, in the order of their ids."""
    check(actor, Action.BULK_REVIEW, project_id)
    fitting = {int(key): int(revision) for key, revision in session.execute(_fitting(session, project_id, choice))}
    drawn = sorted(fitting, key=lambda key: hashlib.sha256(f"{choice.seed}:{key}".encode()).hexdigest())[: choice.most]
    found: dict[int, Original] = {}
    for start in range(0, len(drawn), 500):
        revisions = [fitting[key] for key in drawn[start : start + 500]]
        query = (
            select(Record.id, RecordRevision.number, RecordRevision.messages, Record.slices)
            .join(RecordRevision, col(RecordRevision.record_id) == col(Record.id))
            .where(col(RecordRevision.id).in_(revisions))
        )
        for key, number, messages, slices in session.exec(query):
            if messages and messages[-1]["role"] == ASSISTANT:
                found[key or 0] = Original(key or 0, number, messages_from_json(messages), slices)
    return [found[key] for key in sorted(found)]


def _fitting(session: Session, project_id: int, choice: Choice) -> Select[Any]:
    """(record, revision): the approved text, or the newest where nothing is approved."""
    own = (Record.project_id == project_id, Record.made_by == MadeBy.PEOPLE, col(Record.answer) != "")
    head = (col(RecordRevision.record_id) == col(Record.id)) & (col(RecordRevision.number) == col(Record.head))
    text = col(RecordRevision.id) == col(Record.approved_revision_id)
    if choice.waiting:
        text = text | (col(Record.approved_revision_id).is_(None) & head)
    query: Any = (
        select(Record.id, RecordRevision.id)
        .join(RecordRevision, text)
        .outerjoin(Source, col(Source.id) == col(Record.source_id))
        .where(*own, col(Record.status) != RecordStatus.REJECTED)
        .where(or_(col(Source.id).is_(None), Source.purpose == SourcePurpose.OWN))
    )
    if choice.slice_key:
        unfold = func.json_each if session.get_bind().dialect.name == "sqlite" else func.jsonb_each_text
        pair = unfold(col(Record.slices)).table_valued("key", "value").alias("pair")
        given = pair.c.key == choice.slice_key.replace("\x00", ""), pair.c.value == choice.slice_value.replace("\x00", "")
        query = query.where(exists(select(pair.c.key).where(*given)))
    return query


@dataclass(frozen=True, slots=True)
class Batch:
    """What was made in one go, and what people have said of it since. `by_mitigation`: it is undone where it was made."""

    source_id: int
    name: str
    made_by: MadeBy
    author: str
    created_at: Any
    records: int
    waiting: int
    approved: int
    rejected: int
    flagged: int
    by_mitigation: bool

    @property
    def is_untouched(self) -> bool:
        """Whether nobody has decided on any of it."""
        return self.waiting == self.records


def batches(session: Session, actor: Actor, project_id: int) -> list[Batch]:
    """The newest first."""
    check(actor, Action.BULK_REVIEW, project_id)
    counted: dict[int, dict[str, int]] = {}
    query = (
        select(Record.source_id, Record.status, func.count())
        .where(Record.project_id == project_id, Record.made_by != MadeBy.PEOPLE)
        .group_by(col(Record.source_id), col(Record.status))
    )
    for source_id, status, number in session.exec(query):
        counted.setdefault(source_id or 0, {})[str(status)] = number
    sources = (
        select(Source, Account.name)
        .outerjoin(Account, col(Account.id) == col(Source.created_by))
        .where(Source.project_id == project_id, Source.format == FORMAT)
        .order_by(col(Source.id).desc())
    )
    found = []
    for source, author in session.exec(sources):
        by = counted.get(source.id or 0, {})
        method = MadeBy(source.shape)
        found.append(
            Batch(
                source.id or 0, source.name, method, author or "command line", source.created_at, sum(by.values()),
                by.get(RecordStatus.PENDING, 0), by.get(RecordStatus.APPROVED, 0), by.get(RecordStatus.REJECTED, 0),
                by.get(RecordStatus.FLAGGED, 0), method is MadeBy.COUNTERFACTUAL,
            )
        )  # fmt: skip
    return found


@dataclass(frozen=True, slots=True)
class ImportUse:
    """An import, how many of its records there are and how many are approved, and what it is for."""

    id: int
    name: str
    records: int
    approved: int
    purpose: SourcePurpose


def imports(session: Session, actor: Actor, project_id: int) -> list[ImportUse]:
    """The project's imports, the newest first."""
    check(actor, Action.BULK_REVIEW, project_id)
    held = dict(_by_source(session, project_id, col(Record.id)))
    approved = dict(_by_source(session, project_id, col(Record.approved_revision_id)))
    query = select(Source).where(Source.project_id == project_id, Source.format != FORMAT).order_by(col(Source.id).desc())
    return [
        ImportUse(key := source.id or 0, source.name, held.get(key, 0), approved.get(key, 0), source.purpose)
        for source in session.exec(query)
    ]


def _by_source(session: Session, project_id: int, counted: Any) -> list[tuple[int, int]]:
    query = select(Record.source_id, func.count(counted)).where(Record.project_id == project_id).group_by(col(Record.source_id))
    return [(source_id or 0, number) for source_id, number in session.exec(query)]


def current_model(session: Session, actor: Actor, project_id: int) -> str:
    """What the engine calls the project's current version; "" where none is promoted."""
    check(actor, Action.BULK_REVIEW, project_id)
    project = session.get(Project, project_id)
    version = session.get(ModelVersion, project.current_version_id) if project and project.current_version_id else None
    return version.served_as if version else ""
