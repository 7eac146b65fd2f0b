"""The job table as a queue. Nothing here commits, except `claim` and `adopt`, whose result must be known to be theirs.

Two facts fence a job: its `attempt`, which grows by one with every claim, and the `worker` that holds it. Whatever a worker
writes names both, and is ignored (False) when either is no longer so. A job is handed out once: on PostgreSQL by row locks
that others skip, on SQLite because a writing transaction is alone. With it the claim leases the GPUs that it needs, and
whatever ends the attempt frees them (see `slots`, which has the rule of who is next).
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import func, update
from sqlmodel import Session, col, select

from backend.access.actors import Actor
from backend.errors import Conflict, InvalidInput, NotFound
from backend.jobs import slots
from backend.jobs.processes import Identity
from backend.jobs.slots import ONE_GPU, Need, Room
from backend.jobs.states import ACTIVE, move
from backend.store.base import now
from backend.store.models import Job
from backend.vocabulary import FINISHED_JOBS, JobKind, JobStatus

ARGUMENTS, RESUME_ARGUMENTS = "arguments", "resume_arguments"
PAUSING = "pausing"
"""The key in a payload under which it stands that a stop is meant as a pause."""
ANYTHING = Room()
"""Room for a job whatever it needs: for who starts it elsewhere, or not at all."""


def enqueue(
    session: Session,
    *,
    actor: Actor,
    project_id: int,
    kind: JobKind,
    arguments: Sequence[str],
    folder: str,
    resume_arguments: Sequence[str] | None = None,
    priority: int = 0,
    max_attempts: int = 3,
    payload: dict[str, Any] | None = None,
    need: Need = ONE_GPU,
) -> Job:
    """Add a job that runs `python -m trainer <arguments>`; the caller commits.

    `folder` is where the child leaves its files, relative to the data folder ("runs/shop-0001"). `resume_arguments` are
    used instead where a checkpoint of an earlier attempt is there. Higher priorities go first. `need` says how many GPUs.
    """
    if not arguments:
        raise InvalidInput("A job needs arguments for the trainer.")
    job = Job(
        project_id=project_id,
        kind=kind,
        payload={
            **(payload or {}),
            ARGUMENTS: list(arguments),
            RESUME_ARGUMENTS: list(resume_arguments) if resume_arguments is not None else None,
        },
        folder=folder,
        priority=priority,
        max_attempts=max_attempts,
        gpus=need.gpus,
        gpus_only=need.only,
        created_by=actor.account_id,
    )
    session.add(job)
    session.flush()
    return job


def get(session: Session, job_id: int) -> Job:
    """The job, as the database has it now. Raises NotFound."""
    job = session.get(Job, job_id, populate_existing=True)
    if job is None:
        raise NotFound("There is no such job.")
    return job


def claim(session: Session, *, worker: str, seconds: int, only: int | None = None, room: Room = ANYTHING) -> Job | None:
    """Take the next queued job that `room` can hold for `worker`, with a fresh nonce, the next attempt and the GPUs that it
    needs. Commits. None when none waits.
    """
    job = _next(session, only, room)
    if job is None:
        return None
    job.status = move(job.status, JobStatus.RUNNING)
    job.attempt += 1
    job.worker = worker
    job.lease_expires_at = now() + timedelta(seconds=seconds)
    job.nonce = f"{job.id}-{job.attempt}-{secrets.token_hex(16)}"  # a Ray cluster's people read it too
    job.boot_id, job.pid, job.pid_started = "", None, None
    job.stop_requested_at = None
    job.started_at, job.finished_at = now(), None
    job.error = ""
    session.add(job)
    session.flush()
    slots.lease(session, job, room.offer)
    session.commit()
    return job


def _next(session: Session, only: int | None, room: Room) -> Job | None:
    """The job to be taken now, locked. One that somebody else has in hand meanwhile is passed over."""
    passed: set[int] = set()
    while (job_id := slots.choose(session, room, only=only, passed=passed)) is not None:
        query = select(Job).where(Job.id == job_id, Job.status == JobStatus.QUEUED).with_for_update(skip_locked=True)
        job = session.exec(query.execution_options(populate_existing=True)).one_or_none()
        if job is not None:
            return job
        passed.add(job_id)
    return None


def active(session: Session) -> list[Job]:
    """Every job that some worker holds or held."""
    return list(session.exec(select(Job).where(col(Job.status).in_(ACTIVE)).order_by(col(Job.id))))


def adopt(session: Session, job: Job, *, worker: str, seconds: int) -> bool:
    """Take a job over from the worker and attempt that `job` names, unless somebody else was faster. Commits."""
    unchanged = col(Job.lease_expires_at) == job.lease_expires_at
    values = {"worker": worker, "lease_expires_at": now() + timedelta(seconds=seconds)}
    taken = _update(session, job.id, job.attempt, job.worker, values, unchanged)
    session.commit()
    return taken


def started(session: Session, *, job_id: int, attempt: int, worker: str, identity: Identity) -> bool:
    """Note who the child is."""
    values = {"boot_id": identity.machine, "pid": identity.pid, "pid_started": identity.started}
    return _update(session, job_id, attempt, worker, values)


def heartbeat(
    session: Session, *, job_id: int, attempt: int, worker: str, seconds: int, progress: dict[str, Any] | None = None
) -> bool:
    """Renew the lease and, if given, the progress. False when the job is no longer this worker's."""
    values: dict[str, Any] = {"lease_expires_at": now() + timedelta(seconds=seconds)}
    if progress is not None:
        values["progress"] = progress
    return _update(session, job_id, attempt, worker, values)


def release(session: Session, *, job_id: int, attempt: int, worker: str) -> bool:
    """End the lease now, so that another worker may adopt the child at once."""
    return _update(session, job_id, attempt, worker, {"lease_expires_at": now()})


def finish(session: Session, *, job_id: int, attempt: int, worker: str, status: JobStatus, error: str = "") -> bool:
    """Move a held job to its end, or back into the queue. False, and nothing changed, for an older attempt."""
    job = session.exec(
        select(Job).where(Job.id == job_id).with_for_update().execution_options(populate_existing=True)
    ).one_or_none()
    if job is None or (job.attempt, job.worker) != (attempt, worker) or job.status not in ACTIVE:
        return False
    job.status = move(job.status, status)
    job.error = error
    job.lease_expires_at = None
    job.finished_at = None if status is JobStatus.QUEUED else now()
    session.add(job)
    session.flush()
    slots.give_back(session, job_id)
    return True


def request_stop(session: Session, job: Job, *, pause: bool = False) -> Job:
    """Ask a job to stop, for good or for now: a queued one ends at once, a running one stops at its next step. Twice is once,
    and the last word counts.
    """
    job.payload = {**job.payload, PAUSING: pause}
    if job.status is JobStatus.QUEUED:
        job.status, job.finished_at = move(job.status, JobStatus.PAUSED if pause else JobStatus.CANCELLED), now()
    elif job.status is not JobStatus.STOPPING:
        job.status, job.stop_requested_at = move(job.status, JobStatus.STOPPING), now()
    session.add(job)
    session.flush()
    return job


def requeue(session: Session, job: Job, *, attempts: int = 3) -> Job:
    """Put an ended job back into the queue, with `attempts` more tries. Attempts keep counting: they are the fence."""
    if job.status not in FINISHED_JOBS:
        raise Conflict(f"This job is {job.status.value}; it can be tried again once it has ended.")
    job.status = move(job.status, JobStatus.QUEUED)
    job.max_attempts = job.attempt + attempts
    job.payload = {key: value for key, value in job.payload.items() if key != PAUSING}
    job.worker, job.lease_expires_at, job.stop_requested_at, job.finished_at = "", None, None, None
    session.add(job)
    session.flush()
    return job


def put_first(session: Session, job: Job) -> Job:
    """Let a waiting job be the next one."""
    if job.status is not JobStatus.QUEUED:
        raise Conflict(f"This job is {job.status.value}; only one that waits can be put first.")
    highest = session.exec(select(func.max(Job.priority)).where(Job.status == JobStatus.QUEUED)).one()
    job.priority = (highest or 0) + 1
    session.add(job)
    session.flush()
    return job


def locked(session: Session, job_id: int) -> Job:
    """The job, locked until the transaction ends. Raises NotFound."""
    query = select(Job).where(Job.id == job_id).with_for_update().execution_options(populate_existing=True)
    job = session.exec(query).one_or_none()
    if job is None:
        raise NotFound("There is no such job.")
    return job


def _update(session: Session, job_id: int | None, attempt: int, worker: str, values: dict[str, Any], *also: Any) -> bool:
    statement = update(Job).where(
        col(Job.id) == job_id, col(Job.attempt) == attempt, col(Job.worker) == worker, col(Job.status).in_(ACTIVE), *also
    )
    return session.connection().execute(statement.values(**values)).rowcount == 1
