"""Tables of what is taught: projects, sources, records with their revisions, approvals, findings, FAQs."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field

from backend.store.base import Table, created, document, moment, word
from backend.vocabulary import Decision, FaqState, FindingKind, FindingStatus, MadeBy, RecordStatus, SourcePurpose


class Project(Table, table=True):
    """One chatbot being tuned. `settings` holds the gate, rubric and the like, each under its stage's key."""

    id: int | None = Field(default=None, primary_key=True)
    slug: str = Field(unique=True, index=True, max_length=64)
    name: str = Field(max_length=200)
    description: str = ""
    settings: dict[str, Any] = document()
    current_version_id: int | None = Field(default=None)
    created_at: datetime = created()


class Source(Table, table=True):
    """One import. The same content (by hash) is imported once into a project."""

    __table_args__ = (UniqueConstraint("project_id", "content_hash"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id", index=True)
    name: str = Field(max_length=300)
    format: str = Field(default="", max_length=32)
    shape: str = Field(default="", max_length=32)
    mapping: dict[str, Any] = document()
    purpose: SourcePurpose = word(SourcePurpose, SourcePurpose.OWN)
    content_hash: str = Field(max_length=64)
    imported: int = 0
    rejected: int = 0
    duplicates: int = 0
    created_by: int | None = Field(default=None, foreign_key="account.id")
    created_at: datetime = created()


class RejectedRow(Table, table=True):
    """A row that an import could not take."""

    id: int | None = Field(default=None, primary_key=True)
    source_id: int = Field(foreign_key="source.id", index=True)
    line: int
    reason: str
    content: str = ""


class Record(Table, table=True):
    """A conversation ending in a reference answer. Texts live in its revisions; `head` is the newest one's number.

    `prompt` and `answer` repeat the head revision's last user turn and last assistant turn for lists and searches.
    `approved_revision_id` names the revision that snapshots take, NULL when none is approved now.

    `checked` says which families of checks saw the newest text, in which version ("" for none; `backend.store.checked`
    reads it). `compared` is whether it was compared with the others for near duplicates: without that it enters no snapshot.
    `weight` and `copies` are what mitigations of bias set: how much the row counts in training, and how often it stands in
    the training split (0: not at all). A synthetic record says how it was made (`made_by`) and from which (`made_from`; one
    joined from several names the others in `made_with`).
    """

    __table_args__ = (
        Index("ix_record_project_status", "project_id", "status", "id"),
        Index("ix_record_project_external", "project_id", "external_id"),
        Index("ix_record_project_cluster", "project_id", "cluster"),
    )

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id", index=True)
    source_id: int | None = Field(default=None, foreign_key="source.id", index=True)
    external_id: str = Field(default="", max_length=200)
    group: str = Field(default="", max_length=200, sa_column_kwargs={"name": "group_key"})
    cluster: str = Field(default="", max_length=64)
    content_hash: str = Field(index=True, max_length=64)
    status: RecordStatus = word(RecordStatus, RecordStatus.PENDING)
    head: int = 1
    approved_revision_id: int | None = Field(default=None, index=True)
    prompt: str = ""
    answer: str = ""
    slices: dict[str, Any] = document()
    checked: str = Field(default="", max_length=400)
    compared: bool = True
    weight: float = 1.0
    copies: int = 1
    made_by: MadeBy = word(MadeBy, MadeBy.PEOPLE)
    made_from: int | None = Field(default=None, foreign_key="record.id", index=True)
    made_with: list[int] = document(list)
    created_at: datetime = created()


class RecordRevision(Table, table=True):
    """One version of a record's text; never changed, only followed."""

    __table_args__ = (UniqueConstraint("record_id", "number"),)

    id: int | None = Field(default=None, primary_key=True)
    record_id: int = Field(foreign_key="record.id", index=True)
    number: int
    messages: list[dict[str, str]] = document(list)
    content_hash: str = Field(max_length=64)
    based_on: int | None = None
    reason: str = ""
    author_id: int | None = Field(default=None, foreign_key="account.id")
    created_at: datetime = created()


class Approval(Table, table=True):
    """A ruling on one revision. Withdrawn, it stays as history."""

    id: int | None = Field(default=None, primary_key=True)
    record_id: int = Field(foreign_key="record.id", index=True)
    revision_id: int = Field(foreign_key="recordrevision.id", index=True)
    decision: Decision = word(Decision)
    reason: str = ""
    author_id: int | None = Field(default=None, foreign_key="account.id", index=True)
    created_at: datetime = created()
    withdrawn_at: datetime | None = moment()
    withdrawn_by: int | None = Field(default=None, foreign_key="account.id")
    withdrawn_reason: str = ""


class RecordComment(Table, table=True):
    """A remark or a flag on a record."""

    id: int | None = Field(default=None, primary_key=True)
    record_id: int = Field(foreign_key="record.id", index=True)
    author_id: int | None = Field(default=None, foreign_key="account.id")
    text: str = ""
    is_flag: bool = False
    created_at: datetime = created()


class Finding(Table, table=True):
    """What a check found in a revision. `message` is the turn's index; `start` and `end` are characters in it. `proposal` is
    what would stand in place of the span, "" to take it away, NULL where a person has to decide.
    """

    __table_args__ = (Index("ix_finding_project_status", "project_id", "status", "kind"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    record_id: int = Field(foreign_key="record.id", index=True)
    revision_id: int = Field(foreign_key="recordrevision.id")
    kind: FindingKind = word(FindingKind)
    message: int = 0
    start: int = 0
    end: int = 0
    score: float = 1.0
    detector: str = Field(max_length=64)
    version: str = Field(max_length=32)
    proposal: str | None = None
    detail: dict[str, Any] = document()
    status: FindingStatus = word(FindingStatus, FindingStatus.OPEN)
    closed_by: int | None = Field(default=None, foreign_key="account.id")
    created_at: datetime = created()


class Faq(Table, table=True):
    """A question with its approved answer. `head` is the newest revision's number, `approved` the one in force."""

    __table_args__ = (UniqueConstraint("project_id", "key"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id", index=True)
    key: str = Field(max_length=120)
    topic: str = Field(default="", max_length=120)
    head: int = 1
    approved: int | None = None
    created_at: datetime = created()


class FaqRevision(Table, table=True):
    """One version of an FAQ; never changed except for the ruling on it."""

    __table_args__ = (UniqueConstraint("faq_id", "number"),)

    id: int | None = Field(default=None, primary_key=True)
    faq_id: int = Field(foreign_key="faq.id", index=True)
    number: int
    question: str
    answer: str
    state: FaqState = word(FaqState, FaqState.PROPOSED)
    based_on: int | None = None
    reason: str = ""
    author_id: int | None = Field(default=None, foreign_key="account.id")
    ruled_by: int | None = Field(default=None, foreign_key="account.id")
    ruled_at: datetime | None = moment()
    ruled_reason: str = ""
    created_at: datetime = created()


class FaqCitation(Table, table=True):
    """A record that rests on an FAQ, named by its import or linked by an expert."""

    __table_args__ = (UniqueConstraint("faq_id", "record_id"),)

    id: int | None = Field(default=None, primary_key=True)
    faq_id: int = Field(foreign_key="faq.id", index=True)
    record_id: int = Field(foreign_key="record.id", index=True)
