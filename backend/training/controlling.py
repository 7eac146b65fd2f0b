"""Stopping jobs and trying them again. What a person asks for is noted at once; the worker does it at its next look."""

from __future__ import annotations

from sqlmodel import Session

from backend.access import audit
from backend.access.actors import Actor
from backend.access.policy import check
from backend.errors import NotFound
from backend.jobs import queue
from backend.store.models import Job
from backend.vocabulary import Action, JobKind

ACTION_FOR = {
    JobKind.TRAIN: Action.TRAIN,
    JobKind.EVALUATE: Action.EVALUATE,
    JobKind.SEARCH: Action.TRAIN,
    JobKind.PLAN: Action.TRAIN,
}
"""What one must be allowed to do to steer a job of each kind."""


def cancel(*, session: Session, actor: Actor, job_id: int) -> Job:
    """Ask a job to stop. One that waits ends at once; a run stops at its next step and keeps a checkpoint."""
    job = _steered(session, actor, job_id)
    job = queue.request_stop(session, job)
    audit.record(session, actor, "job.cancel", project_id=job.project_id, subject=f"job:{job_id}", attempt=job.attempt)
    session.commit()
    return job


def resume(*, session: Session, actor: Actor, job_id: int) -> Job:
    """Put an ended job back into the queue; a run goes on from its last checkpoint, if it has one."""
    job = _steered(session, actor, job_id)
    job = queue.requeue(session, job)
    audit.record(session, actor, "job.resume", project_id=job.project_id, subject=f"job:{job_id}", attempt=job.attempt)
    session.commit()
    return job


def _steered(session: Session, actor: Actor, job_id: int) -> Job:
    job = queue.locked(session, job_id)
    if not actor.is_admin and actor.role_in(job.project_id) is None:
        raise NotFound("There is no such job.")
    check(actor, ACTION_FOR[job.kind], job.project_id)
    return job
