"""Exports: records, approved texts, a snapshot, raters' answers, preferences; written as they are read, in bounded memory.

Importing an export again gives the same conversations with the same ids, groups and metadata, and the same labels. Cells
that a spreadsheet would run as a formula are written with an apostrophe before them, which the import takes away again.
Slices that checks gave are not exported: they are worked out anew. A synthetic record says so in its metadata.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from sqlalchemy import select as select_columns
from sqlmodel import Session, col

from backend.access import audit
from backend.access.actors import Actor
from backend.access.policy import check
from backend.conversations import Conversation, messages_from_json
from backend.datasets import annotation_queries, formats, queries
from backend.datasets.formats import MIME, Form, What
from backend.datasets.kinds import Labelling, kind_of
from backend.datasets.plain_metadata import PlainMetadata
from backend.errors import InvalidInput, NotFound, NotReady
from backend.settings import Settings
from backend.store import frozen
from backend.store.database import Database
from backend.store.models import Snapshot, SnapshotRow
from backend.store.privacy import rules_for
from backend.store.records import Project, Record, RecordRevision
from backend.vocabulary import DETECTED, Action, MadeBy, SnapshotKind, Split

SYNTHETIC = "synthetic"
"""The metadata by which an exported record says how it was made."""


@dataclass(frozen=True, slots=True)
class Export:
    """A file to be downloaded; `content` is empty where it went into a stream of the caller's."""

    file_name: str
    mime: str
    content: bytes
    rows: int
    form: Form


def export(
    *,
    database: Database,
    actor: Actor,
    project_id: int,
    what: What,
    form: Form | None = None,
    snapshot_id: int | None = None,
    split: Split | None = None,
    edits: bool = False,
    settings: Settings | None = None,
    out: IO[bytes] | None = None,
) -> Export:
    """Write the file, into `out` if that is given. A snapshot is named by `snapshot_id`, and `split` takes one part of it.

    `edits`: what an expert wrote counts as preferred to the import. Frozen judgements are read from their folder, which
    `settings` say, and only while it is what was frozen. Nobody else's writing waits for it: it is read first and noted in
    the audit trail after. Raises NotReady when there is nothing to write, and InvalidInput for a format that has no place
    for it; something may have gone into `out` by then.
    """
    check(actor, Action.EXPORT, project_id)
    if split is not None and what is not What.SNAPSHOT:
        raise InvalidInput("Only a snapshot has parts to choose from.")
    buffer = io.BytesIO()
    with database.reading() as session:
        project = session.get(Project, project_id)
        if project is None:
            raise NotFound("There is no such project.")
        name, kind, folder = f"{project.slug}-{what.value}", None, None
        if what is What.SNAPSHOT:
            snapshot = _snapshot(session, actor, project_id, snapshot_id)
            name, kind = f"{project.slug}-snapshot-{snapshot.number}", kind_of(snapshot.manifest)
            folder = _checked_folder(snapshot, settings) if kind is not SnapshotKind.SFT else None
        chosen = formats.fitting(what, form, kind)
        rows = _Export(session, project_id, what, chosen, snapshot_id, split, edits, folder).write(out or buffer)
    if not rows:
        raise NotReady("There is nothing to export here yet.")
    with database.writing() as session:
        audit.record(
            session, actor, "export", project_id=project_id, subject=f"snapshot:{snapshot_id}" if snapshot_id else "",
            what=what.value, form=chosen.value, rows=rows,
        )  # fmt: skip
        session.commit()
    told = formats.file_name(name + (f"-{split.value}" if split else ""), chosen)
    return Export(told, MIME.get(chosen, "application/jsonl"), buffer.getvalue(), rows, chosen)


def _checked_folder(snapshot: Snapshot, settings: Settings | None) -> Path | None:
    """The snapshot's folder, once it is found to be what was frozen."""
    if settings is None:
        return None
    folder = settings.snapshots / snapshot.folder
    frozen.verify(folder, snapshot.manifest)
    return folder


def _snapshot(session: Session, actor: Actor, project_id: int, snapshot_id: int | None) -> Snapshot:
    if snapshot_id is None:
        raise InvalidInput("Say which snapshot to export.")
    snapshot = queries.get_snapshot(session, actor, snapshot_id)
    if snapshot.project_id != project_id:
        raise NotFound("There is no such snapshot in this project.")
    return snapshot


@dataclass(frozen=True, slots=True)
class _Export:
    """What to write, and from where."""

    session: Session
    project_id: int
    what: What
    form: Form
    snapshot_id: int | None
    split: Split | None
    edits: bool
    folder: Path | None

    def write(self, out: IO[bytes]) -> int:
        """Write it; returns how many rows."""
        if self.what is What.ANNOTATIONS:
            columns = annotation_queries.columns(self.session, self.project_id)
            return formats.write_table(out, annotation_queries.rows(self.session, self.project_id), columns, self.form)
        if self.form in (Form.DPO, Form.KTO):
            return formats.write_lines(out, self._judgements())
        keys: set[str] = set()
        if self.form in (Form.CSV, Form.PARQUET):  # these name all columns before the first row
            for conversation in self._conversations(texts=False):
                keys |= conversation.metadata.keys()
        return formats.write_conversations(out, self._conversations(), self.form, keys)

    def _conversations(self, *, texts: bool = True) -> Iterator[Conversation]:
        columns: Any = [
            Record.external_id, Record.group, Record.slices, Record.made_by, RecordRevision.messages if texts else Record.id,
        ]  # fmt: skip
        query: Any = select_columns(*columns).where(col(Record.project_id) == self.project_id)
        if self.what is What.RECORDS:
            query = query.join(
                RecordRevision, (col(RecordRevision.record_id) == Record.id) & (col(RecordRevision.number) == Record.head)
            )
        elif self.what is What.APPROVED:
            query = query.join(RecordRevision, col(Record.approved_revision_id) == RecordRevision.id)
        else:
            query = query.join(SnapshotRow, col(SnapshotRow.record_id) == Record.id)
            query = query.join(RecordRevision, col(SnapshotRow.revision_id) == RecordRevision.id)
            query = query.where(SnapshotRow.snapshot_id == self.snapshot_id)
            if self.split is not None:
                query = query.where(SnapshotRow.split == self.split)
        plain = PlainMetadata(rules_for(self.session, self.project_id)) if self.what is What.SNAPSHOT else None
        found = self.session.execute(query.order_by(col(Record.id)), execution_options={"yield_per": formats.BATCH})
        for external_id, group, slices, made_by, messages in found:
            metadata = {key: value for key, value in slices.items() if not key.startswith(DETECTED)}
            metadata = plain.of(metadata) if plain else metadata  # as the snapshot's own folder has it
            if made_by is not MadeBy.PEOPLE:
                metadata.setdefault(SYNTHETIC, made_by.value)
            yield Conversation(messages_from_json(messages) if texts else (), metadata, external_id or None, group or None)

    def _judgements(self) -> Iterator[dict[str, Any]]:
        """Lines of what people said: as it stands now, or as a snapshot froze it."""
        kind = SnapshotKind.PREFERENCES if self.form is Form.DPO else SnapshotKind.THUMBS
        if self.what is What.SNAPSHOT:
            yield from self._frozen()
            return
        found = queries.harvest(self.session, self.project_id, Labelling(kind=kind, edits=self.edits))
        plain = PlainMetadata(rules_for(self.session, self.project_id))
        for row in found.records:
            metadata = plain.of({key: value for key, value in row.slices.items() if not key.startswith(DETECTED)})
            for number, line in enumerate(found.lines[row.record_id], start=1):
                named = {"id": f"{row.record_id}-{number}", "metadata": metadata}
                yield formats.preference_line(named | line, self.form)

    def _frozen(self) -> Iterator[dict[str, Any]]:
        """The lines of a snapshot's folder."""
        if self.folder is None:
            raise InvalidInput("Say where the snapshots lie: their folders hold these rows.")
        for part in Split if self.split is None else (self.split,):
            with (self.folder / f"{part.value}.jsonl").open(encoding="utf-8") as file:
                for text in file:
                    line = json.loads(text)
                    line["metadata"] = {key: value for key, value in line["metadata"].items() if not key.startswith(DETECTED)}
                    yield formats.preference_line(line, self.form)
