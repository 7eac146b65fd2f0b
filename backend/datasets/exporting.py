"""Exports: records, approved revisions or a snapshot as JSONL (OpenAI, ShareGPT, Alpaca) or CSV.

Importing an export again gives the same conversations with the same ids, groups and metadata. Cells that a spreadsheet
would run as a formula are written with an apostrophe before them, which the import takes away again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlmodel import Session, col, select

from backend.access import audit
from backend.access.actors import Actor
from backend.access.policy import check
from backend.conversations import Conversation, Shape, messages_from_json, to_csv, to_jsonl
from backend.datasets import queries
from backend.datasets.kinds import kind_of
from backend.errors import InvalidInput, NotFound, NotReady
from backend.store.models import SnapshotRow
from backend.store.records import Project, Record, RecordRevision
from backend.vocabulary import Action, SnapshotKind, Split


class What(StrEnum):
    """What is exported."""

    RECORDS = "records"
    """Every record's newest text, whatever its status."""
    APPROVED = "approved"
    """The approved text of every approved record."""
    SNAPSHOT = "snapshot"
    """What a snapshot froze."""


SHAPES = {"openai": Shape.OPENAI, "sharegpt": Shape.SHAREGPT, "alpaca": Shape.ALPACA, "csv": Shape.PAIRS}
"""The names that people choose from."""


@dataclass(frozen=True, slots=True)
class Export:
    """A file to be downloaded."""

    file_name: str
    mime: str
    content: bytes
    rows: int


def export(
    *,
    session: Session,
    actor: Actor,
    project_id: int,
    what: What,
    shape: Shape,
    snapshot_id: int | None = None,
    split: Split | None = None,
) -> Export:
    """The file. A snapshot is named by `snapshot_id`, and `split` takes one part of it. Raises NotReady when it is empty."""
    check(actor, Action.EXPORT, project_id)
    project = session.get(Project, project_id)
    if project is None:
        raise NotFound("There is no such project.")
    name = f"{project.slug}-{what.value}"
    if what is What.SNAPSHOT:
        if snapshot_id is None:
            raise InvalidInput("Say which snapshot to export.")
        snapshot = queries.get_snapshot(session, actor, snapshot_id)
        if snapshot.project_id != project_id:
            raise NotFound("There is no such snapshot in this project.")
        if kind_of(snapshot.manifest) is not SnapshotKind.SFT:
            raise InvalidInput("Its rows are labels, which these formats have no place for. Its folder holds them as JSONL.")
        name = f"{project.slug}-snapshot-{snapshot.number}" + (f"-{split.value}" if split else "")
    conversations = _conversations(session, project_id, what, snapshot_id, split)
    if not conversations:
        raise NotReady("There is nothing to export here yet.")
    audit.record(
        session,
        actor,
        "export",
        project_id=project_id,
        subject=f"snapshot:{snapshot_id}" if snapshot_id else "",
        what=what.value,
        shape=shape.value,
        rows=len(conversations),
    )
    session.commit()
    return build(name, conversations, shape)


def build(name: str, conversations: Sequence[Conversation], shape: Shape) -> Export:
    """The file of these conversations."""
    if shape is Shape.PAIRS:
        return Export(f"{name}.csv", "text/csv", _encoded(to_csv(conversations)), len(conversations))
    content = _encoded(to_jsonl(conversations, shape))
    return Export(f"{name}-{shape.value}.jsonl", "application/jsonl", content, len(conversations))


def _encoded(lines: Iterable[str]) -> bytes:
    return "".join(lines).encode()


def _conversations(
    session: Session, project_id: int, what: What, snapshot_id: int | None, split: Split | None
) -> list[Conversation]:
    query = select(Record, RecordRevision.messages).where(Record.project_id == project_id).order_by(col(Record.id))
    if what is What.RECORDS:
        query = query.join(
            RecordRevision, (col(RecordRevision.record_id) == Record.id) & (col(RecordRevision.number) == Record.head)
        )
    elif what is What.APPROVED:
        query = query.join(RecordRevision, col(Record.approved_revision_id) == RecordRevision.id)
    else:
        query = query.join(SnapshotRow, col(SnapshotRow.record_id) == Record.id)
        query = query.join(RecordRevision, col(SnapshotRow.revision_id) == RecordRevision.id)
        query = query.where(SnapshotRow.snapshot_id == snapshot_id)
        if split is not None:
            query = query.where(SnapshotRow.split == split)
    return [
        Conversation(messages_from_json(messages), record.slices, record.external_id or None, record.group or None)
        for record, messages in session.exec(query)
    ]
