"""Tables of what is learned: snapshots, jobs, runs, model versions, evaluations, responses, promotions."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint, false
from sqlmodel import Field

from backend.store.base import Table, created, document, moment, word
from backend.vocabulary import JobKind, JobStatus, PromotionKind, Split, Stage


class Snapshot(Table, table=True):
    """An immutable dataset version. `folder` is relative to the snapshots folder; `content_hash` is the manifest's."""

    __table_args__ = (UniqueConstraint("project_id", "number"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id", index=True)
    number: int
    name: str = Field(default="", max_length=200)
    seed: int = 0
    manifest: dict[str, Any] = document()
    content_hash: str = Field(max_length=64)
    folder: str = Field(max_length=200)
    created_by: int | None = Field(default=None, foreign_key="account.id")
    created_at: datetime = created()


class SnapshotRow(Table, table=True):
    """A revision in a snapshot, and the approval that let it in."""

    __table_args__ = (UniqueConstraint("snapshot_id", "record_id"),)

    id: int | None = Field(default=None, primary_key=True)
    snapshot_id: int = Field(foreign_key="snapshot.id", index=True)
    record_id: int = Field(foreign_key="record.id", index=True)
    revision_id: int = Field(foreign_key="recordrevision.id", index=True)
    approval_id: int | None = Field(default=None, foreign_key="approval.id")
    split: Split = word(Split)
    position: int
    group: str = Field(default="", max_length=200, sa_column_kwargs={"name": "group_key"})
    content_hash: str = Field(max_length=64)


class Job(Table, table=True):
    """Queued work; the table is the truth about it.

    `attempt` is the fencing token: what an older attempt reports is ignored. The child is known by (boot_id, pid,
    pid_started, nonce). `worker` holds the job until `lease_expires_at`. It needs `gpus` at once where there are GPUs;
    where there are none it does without, unless `gpus_only`.
    """

    __table_args__ = (Index("ix_job_status_priority", "status", "priority", "id"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id", index=True)
    kind: JobKind = word(JobKind)
    status: JobStatus = word(JobStatus, JobStatus.QUEUED)
    payload: dict[str, Any] = document()
    folder: str = Field(default="", max_length=300)
    priority: int = 0
    attempt: int = 0
    max_attempts: int = 3
    gpus: int = Field(default=1, sa_column_kwargs={"server_default": "1"})
    gpus_only: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    worker: str = Field(default="", max_length=120)
    lease_expires_at: datetime | None = moment()
    boot_id: str = Field(default="", max_length=64)
    pid: int | None = None
    pid_started: float | None = None
    nonce: str = Field(default="", max_length=64)
    stop_requested_at: datetime | None = moment()
    progress: dict[str, Any] = document()
    error: str = ""
    created_by: int | None = Field(default=None, foreign_key="account.id")
    created_at: datetime = created()
    started_at: datetime | None = moment()
    finished_at: datetime | None = moment()


class Run(Table, table=True):
    """One training execution. `folder` is relative to the runs folder."""

    __table_args__ = (UniqueConstraint("project_id", "number"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id", index=True)
    number: int
    name: str = Field(default="", max_length=200)
    snapshot_id: int = Field(foreign_key="snapshot.id", index=True)
    job_id: int | None = Field(default=None, foreign_key="job.id", index=True)
    config: dict[str, Any] = document()
    result: dict[str, Any] = document()
    folder: str = Field(max_length=300)
    created_by: int | None = Field(default=None, foreign_key="account.id")
    created_at: datetime = created()


class Search(Table, table=True):
    """A search for a recipe on one snapshot. `config` is what the trainer was asked, `result` holds the best trial."""

    __table_args__ = (UniqueConstraint("project_id", "number"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id", index=True)
    number: int
    name: str = Field(default="", max_length=200)
    snapshot_id: int = Field(foreign_key="snapshot.id", index=True)
    job_id: int | None = Field(default=None, foreign_key="job.id", index=True)
    config: dict[str, Any] = document()
    result: dict[str, Any] = document()
    folder: str = Field(max_length=300)
    created_by: int | None = Field(default=None, foreign_key="account.id")
    created_at: datetime = created()


class ModelVersion(Table, table=True):
    """A base model as it is (number 0, no run), or what a run produced. `served_as` is its name at the engine."""

    __table_args__ = (UniqueConstraint("project_id", "number"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id", index=True)
    number: int
    name: str = Field(max_length=200)
    run_id: int | None = Field(default=None, foreign_key="run.id", unique=True)
    base_model: str = Field(max_length=500)
    revision: str | None = Field(default=None, max_length=120)
    adapter: str | None = Field(default=None, max_length=500)
    served_as: str = Field(unique=True, max_length=120)
    stage: Stage = word(Stage, Stage.CANDIDATE)
    created_at: datetime = created()


class Evaluation(Table, table=True):
    """Versions that answered one split of one snapshot, with the report on them."""

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id", index=True)
    snapshot_id: int = Field(foreign_key="snapshot.id", index=True)
    split: Split = word(Split, Split.TEST)
    job_id: int | None = Field(default=None, foreign_key="job.id", index=True)
    base_version_id: int = Field(foreign_key="modelversion.id")
    candidate_version_id: int = Field(foreign_key="modelversion.id", index=True)
    decoding: dict[str, Any] = document()
    report: dict[str, Any] = document()
    created_by: int | None = Field(default=None, foreign_key="account.id")
    created_at: datetime = created()
    finished_at: datetime | None = moment()


class Response(Table, table=True):
    """A model's output to a prompt. `slices` repeats the record's metadata, `metrics` its scores."""

    __table_args__ = (UniqueConstraint("evaluation_id", "version_id", "record_id"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id", index=True)
    evaluation_id: int | None = Field(default=None, foreign_key="evaluation.id", index=True)
    version_id: int | None = Field(default=None, foreign_key="modelversion.id", index=True)
    record_id: int | None = Field(default=None, foreign_key="record.id", index=True)
    prompt: list[dict[str, str]] = document(list)
    reference: str = ""
    text: str
    decoding: dict[str, Any] = document()
    metrics: dict[str, Any] = document()
    slices: dict[str, Any] = document()
    created_at: datetime = created()


class Promotion(Table, table=True):
    """A recorded decision about a version, with the evidence as it stood."""

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id", index=True)
    version_id: int = Field(foreign_key="modelversion.id", index=True)
    previous_version_id: int | None = Field(default=None, foreign_key="modelversion.id")
    kind: PromotionKind = word(PromotionKind)
    evidence: dict[str, Any] = document()
    overridden: bool = False
    reason: str = ""
    author_id: int | None = Field(default=None, foreign_key="account.id")
    created_at: datetime = created()
