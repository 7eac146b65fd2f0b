"""Tables of curation: runs of the checks, topics, mitigations of bias, labels that came with an import."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field

from backend.store.base import Table, created, document, moment, optional_word, word
from backend.vocabulary import JobStatus, MitigationKind, Thumb


class CheckRun(Table, table=True):
    """One pass of checks over a project. `done` of `total` records are through; `cursor` is the last record's id, from which
    a pass that was killed goes on. `found` counts new findings by kind. `holder` is the process that works at it (machine,
    pid and when that began), `beat_at` its last sign of life.
    """

    __table_args__ = (Index("ix_checkrun_status", "status", "id"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id", index=True)
    checks: list[str] = document(list)
    status: JobStatus = word(JobStatus, JobStatus.QUEUED)
    step: str = Field(default="", max_length=200)
    total: int = 0
    done: int = 0
    cursor: int = 0
    found: dict[str, Any] = document()
    error: str = ""
    holder: str = Field(default="", max_length=200)
    created_by: int | None = Field(default=None, foreign_key="account.id")
    created_at: datetime = created()
    beat_at: datetime | None = moment()
    finished_at: datetime | None = moment()


class Topic(Table, table=True):
    """A topic of a project's questions. Its name is the value of the slice "detected · topic" of its records; a person may
    rename it or merge it into another (`merged_into`), and the next clustering keeps to that. `terms` are its words,
    `centre` its place in the space that `backend.detectors.topics` makes, `points` a sample of its records for the map:
    [record id, x, y].
    """

    __table_args__ = (UniqueConstraint("project_id", "name"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id", index=True)
    name: str = Field(max_length=120)
    named_by: int | None = Field(default=None, foreign_key="account.id")
    merged_into: int | None = Field(default=None, foreign_key="topic.id")
    terms: list[str] = document(list)
    centre: list[float] = document(list)
    points: list[list[float]] = document(list)
    size: int = 0
    created_at: datetime = created()


class Mitigation(Table, table=True):
    """Something done about an imbalance, with the report before and after. Undone, it stays as history; `before` also holds
    what undoing puts back.
    """

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id", index=True)
    kind: MitigationKind = word(MitigationKind)
    options: dict[str, Any] = document()
    before: dict[str, Any] = document()
    after: dict[str, Any] = document()
    reason: str = ""
    created_by: int | None = Field(default=None, foreign_key="account.id")
    created_at: datetime = created()
    undone_at: datetime | None = moment()
    undone_by: int | None = Field(default=None, foreign_key="account.id")


class ImportedLabel(Table, table=True):
    """A judgement that an imported file brought with a record: a verdict on an answer (`thumb`), or the answer that was
    preferred to `rejected`. It teaches only while the record is approved.
    """

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id", index=True)
    source_id: int = Field(foreign_key="source.id", index=True)
    record_id: int = Field(foreign_key="record.id", index=True)
    answer: str
    rejected: str = ""
    thumb: Thumb | None = optional_word(Thumb)
    created_at: datetime = created()


class Likeness(Table, table=True):
    """What a record is like. `sketch` is made from revision `revision_id` by `backend.detectors.sketches`, in `version`; once
    `settled`, the record was compared by it with all that are, and `nearest_id` is the most similar earlier record.
    """

    __table_args__ = (Index("ix_likeness_project_similarity", "project_id", "similarity"),)

    record_id: int = Field(foreign_key="record.id", primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    revision_id: int = Field(foreign_key="recordrevision.id")
    version: str = Field(max_length=16)
    sketch: bytes
    settled: bool = False
    nearest_id: int | None = Field(default=None, foreign_key="record.id")
    similarity: float = 0.0
