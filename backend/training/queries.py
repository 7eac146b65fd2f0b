"""Reads about runs and jobs: tables, one run, its curves, samples and log. Files are read up to a bound."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from sqlmodel import Session, col, select

from backend.access.actors import Actor
from backend.access.policy import check
from backend.errors import NotFound
from backend.jobs import outcomes
from backend.settings import Settings
from backend.store import versions
from backend.store.models import Job, ModelVersion, Run, Snapshot
from backend.vocabulary import FINISHED_JOBS, Action, JobKind, JobStatus, SnapshotKind
from trainer import contract

LOG = contract.LOG
CHUNK = 4 << 20
"""Bytes of metrics that one look reads at most; a longer file is caught up with over several looks."""
POINTS = 2000
"""Points of a curve that are shown; longer curves are thinned evenly."""


_FIGURES = tuple(dict.fromkeys(name for objective in contract.OBJECTIVES.values() for name in objective.metrics))


@dataclass(frozen=True, slots=True)
class RunCard:
    """One run as its page shows it."""

    id: int
    job_id: int
    number: int
    name: str
    snapshot: str
    status: JobStatus
    attempt: int
    max_attempts: int
    progress: dict[str, Any]
    error: str
    config: dict[str, Any]
    result: dict[str, Any]
    folder: Path
    version: str | None
    estimate: dict[str, Any] = field(default_factory=dict)
    """What a plan of the same recipe told before it began: estimated_seconds, estimated_peak_memory_bytes."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens by itself."""
        return self.status in FINISHED_JOBS

    @property
    def objective(self) -> str:
        """What it learns."""
        return str(self.config.get("objective", "sft"))

    @property
    def figures(self) -> tuple[str, ...]:
        """The figures that it is watched by."""
        return contract.OBJECTIVES[self.objective].metrics

    @property
    def chats(self) -> bool:
        """Whether what it makes answers in a chat, and so can be evaluated and promoted."""
        return self.objective in contract.WRITERS

    @property
    def kind(self) -> str:
        """What people call what it makes."""
        return versions.kind_of(self.objective)

    @property
    def share_done(self) -> float:
        """From 0 to 1."""
        total = self.progress.get("total_steps") or 0
        return min(1.0, max(0.0, self.progress.get("step", 0) / total)) if total else 0.0


@dataclass(frozen=True, slots=True)
class SnapshotChoice:
    """A snapshot that can be trained on. Its kind decides what can be learned from it."""

    number: int
    name: str
    rows: int
    kind: str


def snapshot_choices(session: Session, actor: Actor, project_id: int) -> dict[int, SnapshotChoice]:
    """Snapshots to train on by id, newest first."""
    check(actor, Action.TRAIN, project_id)
    query = select(Snapshot).where(Snapshot.project_id == project_id).order_by(col(Snapshot.number).desc())
    return {
        one.id or 0: SnapshotChoice(
            one.number, one.name, one.manifest["counts"]["train"], one.manifest.get("kind", SnapshotKind.SFT.value)
        )
        for one in session.exec(query)
    }


@dataclass(frozen=True, slots=True)
class Beginning:
    """A version that a run may go on from."""

    name: str
    base_model: str
    objective: str
    whole: bool
    """Whether it is whole weights, not an adapter."""


def start_choices(session: Session, actor: Actor, project_id: int) -> dict[int, Beginning]:
    """Versions that runs made, newest first, by id. `recipes.why_not_from` says which objectives can go on from which."""
    check(actor, Action.TRAIN, project_id)
    query = select(ModelVersion, Run.config).join(Run, col(Run.id) == ModelVersion.run_id)
    query = query.where(ModelVersion.project_id == project_id).order_by(col(ModelVersion.number).desc())
    return {
        one.id or 0: Beginning(
            f"{one.number}: {one.name}", one.base_model, str(config.get("objective", "sft")), one.adapter is None
        )
        for one, config in session.exec(query)
    }


def runs(session: Session, actor: Actor, project_id: int) -> pd.DataFrame:
    """Newest first: id, number, name, snapshot, objective, status, step, of, best_loss, tokens_per_second, base_model, …"""
    check(actor, Action.TRAIN, project_id)
    query = (
        select(Run, Job, Snapshot.number, ModelVersion.served_as)
        .join(Job, col(Run.job_id) == Job.id)
        .join(Snapshot, col(Run.snapshot_id) == Snapshot.id)
        .outerjoin(ModelVersion, col(ModelVersion.run_id) == Run.id)
        .where(Run.project_id == project_id)
        .order_by(col(Run.number).desc())
        .limit(500)
    )
    rows = [
        {
            "id": run.id,
            "number": run.number,
            "name": run.name,
            "snapshot": snapshot,
            "objective": run.config.get("objective", "sft"),
            "status": job.status.value,
            "step": job.progress.get("step"),
            "of": job.progress.get("total_steps"),
            "best_loss": run.result.get("best_validation_loss"),
            "tokens_per_second": run.result.get("tokens_per_second"),
            "base_model": run.config["base_model"],
            "version": version or "",
            "started": run.created_at,
        }
        for run, job, snapshot, version in session.exec(query)
    ]
    columns = [
        "id",
        "number",
        "name",
        "snapshot",
        "objective",
        "status",
        "step",
        "of",
        "best_loss",
        "tokens_per_second",
        "base_model",
    ]
    return pd.DataFrame(rows, columns=[*columns, "version", "started"])


def run_card(session: Session, actor: Actor, settings: Settings, run_id: int) -> RunCard:
    """One run. NotFound where the actor is not in its project."""
    query = (
        select(Run, Job, Snapshot, ModelVersion.served_as)
        .join(Job, col(Run.job_id) == Job.id)
        .join(Snapshot, col(Run.snapshot_id) == Snapshot.id)
        .outerjoin(ModelVersion, col(ModelVersion.run_id) == Run.id)
        .where(Run.id == run_id)
    )
    found = session.exec(query).one_or_none()
    if found is None or (not actor.is_admin and actor.role_in(found[0].project_id) is None):
        raise NotFound("There is no such run.")
    run, job, snapshot, version = found
    check(actor, Action.TRAIN, run.project_id)
    return RunCard(
        id=run_id,
        job_id=job.id or 0,
        number=run.number,
        name=run.name,
        snapshot=f"{snapshot.number}: {snapshot.name}",
        status=job.status,
        attempt=job.attempt,
        max_attempts=job.max_attempts,
        progress=job.progress,
        error=job.error,
        config=run.config,
        result=run.result,
        folder=settings.runs / run.folder,
        version=version,
        estimate=job.payload.get("estimate") or {},
    )


@dataclass(frozen=True, slots=True)
class JobCard:
    """One job as the queue page shows it."""

    id: int
    kind: JobKind
    title: str
    label: str
    status: JobStatus
    attempt: int
    max_attempts: int
    worker: str
    progress: dict[str, Any]
    error: str
    created: Any
    log: Path

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens by itself."""
        return self.status in FINISHED_JOBS


def jobs(session: Session, actor: Actor, settings: Settings, project_id: int, *, limit: int = 100) -> list[JobCard]:
    """The project's jobs: those that run or wait first, then the newest."""
    check(actor, Action.TRAIN, project_id)
    query = select(Job).where(Job.project_id == project_id)
    query = query.order_by(col(Job.status).in_(FINISHED_JOBS), col(Job.id).desc()).limit(limit)
    return [
        JobCard(
            id=job.id or 0,
            kind=job.kind,
            title=_job_title(job),
            label=job_label(job),
            status=job.status,
            attempt=job.attempt,
            max_attempts=job.max_attempts,
            worker=job.worker.partition("/")[0],
            progress=job.progress,
            error=job.error,
            created=job.created_at,
            log=settings.data / job.folder / contract.LOG,
        )
        for job in session.exec(query)
    ]


def _job_title(job: Job) -> str:
    return str(job.payload.get("run") or job.payload.get("candidate") or "")


def job_label(job: Job) -> str:
    """What to call a job: its number, its kind and what it is about."""
    return f"Job {job.id}, {job.kind.value} {_job_title(job)}".strip()


def log_tail(path: Path, most: int = 16_000) -> str:
    """The end of a log."""
    return outcomes.tail(path, most)


@dataclass(frozen=True, slots=True)
class Metrics:
    """What was read of a run's metrics so far. Hand it to `read_metrics` again to read on from there."""

    train: tuple[dict[str, Any], ...] = ()
    validation: tuple[dict[str, Any], ...] = ()
    offset: int = 0
    inode: int = 0
    complete: bool = field(default=True, compare=False)
    """False when the bound was reached and there is more to read at once."""

    @property
    def samples(self) -> list[dict[str, str]]:
        """What the model said at the newest validation."""
        return list(self.validation[-1].get("samples") or ()) if self.validation else []

    def frame(self) -> pd.DataFrame:
        """A row a step, thinned: step, loss, learning_rate, tokens_per_second, validation_loss and the objective's figures."""
        stride = max(1, len(self.train) // POINTS)
        shown = [*self.train[::stride], *self.train[-1:]] if stride > 1 else list(self.train)
        train = pd.DataFrame(shown, columns=["step", "loss", "learning_rate", "tokens_per_second"])
        figures = [name for name in _FIGURES if any(name in row for row in self.validation)]
        checks = pd.DataFrame(self.validation, columns=["step", "loss", *figures])
        checks = checks.rename(columns={"loss": "validation_loss"})
        merged = train.drop_duplicates("step").merge(checks.drop_duplicates("step", keep="last"), on="step", how="outer")
        return merged.sort_values("step").reset_index(drop=True)


def read_metrics(folder: Path, known: Metrics | None = None) -> Metrics:
    """Read on. A file that was replaced (a resumed run drops what came after its checkpoint) is read from the start."""
    known = known or Metrics()
    try:
        with (folder / contract.METRICS).open("rb") as file:
            about = os.fstat(file.fileno())
            if about.st_ino != known.inode or about.st_size < known.offset:
                known = Metrics(inode=about.st_ino)
            file.seek(known.offset)
            data = file.read(CHUNK)
    except OSError:
        return Metrics()
    whole = data[: data.rfind(b"\n") + 1]
    events = [event for line in whole.splitlines() if (event := _event(line)) is not None]
    return Metrics(
        train=(*known.train, *(event for event in events if event.get("event") == "train")),
        validation=(*known.validation, *(event for event in events if event.get("event") == "validation")),
        offset=known.offset + len(whole),
        inode=known.inode,
        complete=len(data) < CHUNK or not whole,
    )


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) and isinstance(value.get("step"), int) else None


def compare(session: Session, actor: Actor, settings: Settings, run_ids: Sequence[int]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(settings that differ and results, a column a run; validation curves: step, run, validation_loss)."""
    cards = [run_card(session, actor, settings, run_id) for run_id in run_ids]
    names = {card.id: f"{card.number}: {card.name}" for card in cards}
    keys = [key for key in (cards[0].config if cards else {}) if len({str(card.config.get(key)) for card in cards}) > 1]
    results = ("best_validation_loss", "best_step", "steps", "tokens_per_second", "seconds", "peak_memory_bytes")
    table = [{"what": key} | {names[card.id]: str(card.config.get(key)) for card in cards} for key in keys]
    table += [{"what": key} | {names[card.id]: str(card.result.get(key, "")) for card in cards} for key in results]
    curves = []
    for card in cards:
        frame = read_metrics(card.folder).frame().dropna(subset=["validation_loss"])
        curves.append(frame[["step", "validation_loss"]].assign(run=names[card.id]))
    return pd.DataFrame(table), pd.concat(curves) if curves else pd.DataFrame(columns=["step", "validation_loss", "run"])
