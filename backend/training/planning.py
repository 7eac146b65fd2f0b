"""A look before a run: the trainer's own plan of it, made by a worker on the machine that would train.

The plan is a job of its own and a folder; nothing else is kept.
"""

from __future__ import annotations

import secrets
import shutil
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from backend.access.actors import Actor
from backend.access.policy import check
from backend.errors import NotFound
from backend.jobs import outcomes, queue, slots
from backend.settings import Settings
from backend.store.locking import locked_project
from backend.store.models import Job
from backend.training import launching, recipes
from backend.training.estimates import PLANNED
from backend.training.recipes import Recipe
from backend.vocabulary import FINISHED_JOBS, Action, JobKind, JobStatus, SnapshotKind
from trainer import contract

ASKED = "asked.json"


def start_plan(*, session: Session, actor: Actor, settings: Settings, project_id: int, snapshot_id: int, recipe: Recipe) -> Job:
    """Queue a plan. Raises InvalidInput and NotReady as `launching.start_run` would."""
    check(actor, Action.TRAIN, project_id)
    project = locked_project(session, project_id)
    snapshot = launching.ready_snapshot(session, settings, project_id, snapshot_id)
    kind = snapshot.manifest.get("kind", SnapshotKind.SFT.value)
    data = str(settings.snapshots / snapshot.folder)
    config = recipes.to_config(recipe, data=data, threads=settings.trainer_threads, kind=kind).to_json()
    folder = settings.runs / f"{project.slug}-plan-{secrets.token_hex(6)}"
    launching.write_config(folder / ASKED, config)
    try:
        job = queue.enqueue(
            session,
            actor=actor,
            project_id=project_id,
            kind=JobKind.PLAN,
            arguments=["plan", "--config", str(folder / ASKED), "--out", str(folder)],
            folder=f"{folder.parent.name}/{folder.name}",
            priority=10,  # somebody waits for it
            max_attempts=1,
            payload={"run": f"a look at snapshot {snapshot.number}", PLANNED: config},
            need=slots.needed({**config, "processes": 1}),  # a plan looks at one GPU, however many will train
        )
        session.commit()
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return job


@dataclass(frozen=True, slots=True)
class PlanCard:
    """A plan as the page shows it: what the trainer told, or why it could not."""

    job_id: int
    status: JobStatus
    error: str
    told: dict[str, Any]

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens by itself."""
        return self.status in FINISHED_JOBS


def plan_card(session: Session, actor: Actor, settings: Settings, job_id: int) -> PlanCard:
    """One plan. NotFound where the actor is not in its project."""
    job = session.get(Job, job_id)
    if job is None or job.kind is not JobKind.PLAN or (not actor.is_admin and actor.role_in(job.project_id) is None):
        raise NotFound("There is no such plan.")
    check(actor, Action.TRAIN, job.project_id)
    told = outcomes.read_object(settings.data / job.folder / contract.RESULT) if job.status is JobStatus.SUCCEEDED else None
    return PlanCard(job_id, job.status, job.error, told or {})
