"""Stopping jobs and trying them again. What a person asks for is noted at once; the worker does it at its next look."""

from __future__ import annotations

from sqlmodel import Session

from backend.access import audit
from backend.access.actors import Actor
from backend.access.policy import check
from backend.errors import InvalidInput, NotFound
from backend.jobs import queue
from backend.store.models import Job
from backend.vocabulary import Action, JobKind

ACTION_FOR = {
    JobKind.TRAIN: Action.TRAIN,
    JobKind.EVALUATE: Action.EVALUATE,
    JobKind.SEARCH: Action.TRAIN,
    JobKind.PLAN: Action.TRAIN,
    JobKind.EXPORT: Action.EXPORT,
}
"""What one must be allowed to do to steer a job of each kind."""


PAUSED_AND_RESUMED = frozenset({JobKind.TRAIN, JobKind.SEARCH})
"""Jobs that can go on from where they stopped."""


def cancel(*, session: Session, actor: Actor, job_id: int) -> Job:
    """Ask a job to stop. One that waits ends at once; a run stops at its next step and keeps a checkpoint."""
    job = _steered(session, actor, job_id)
    job = queue.request_stop(session, job)
    audit.record(session, actor, "job.cancel", project_id=job.project_id, subject=f"job:{job_id}", attempt=job.attempt)
    session.commit()
    return job


def pause(*, session: Session, actor: Actor, job_id: int) -> Job:
    """Ask a run or a search to stop for now. It keeps a checkpoint, and goes on from it when it is resumed."""
    job = _steered(session, actor, job_id)
    if job.kind not in PAUSED_AND_RESUMED:
        raise InvalidInput("This kind of job keeps nothing to go on from. Stop it, and start it again later.")
    job = queue.request_stop(session, job, pause=True)
    audit.record(session, actor, "job.pause", project_id=job.project_id, subject=f"job:{job_id}", attempt=job.attempt)
    session.commit()
    return job


def put_first(*, session: Session, actor: Actor, job_id: int) -> Job:
    """Let a waiting job be the next one that a worker takes, before those of other projects too."""
    job = _steered(session, actor, job_id)
    job = queue.put_first(session, job)
    audit.record(session, actor, "job.first", project_id=job.project_id, subject=f"job:{job_id}", priority=job.priority)
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
