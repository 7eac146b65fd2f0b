"""Use-cases of cleaning: starting a run of the checks, stopping it, taking it up.

Promised: of a project's runs one is at work at a time, whoever starts them. A run whose process died is taken up by the next
that asks for the same checks, or by the worker, where it was. Not promised: that a stop is heeded at once; the batch that is
being looked at is finished.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import timedelta

from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from backend.access import audit
from backend.access.actors import Actor
from backend.access.policy import check as allow
from backend.errors import AlreadyDone, Conflict, InvalidInput, NotFound
from backend.jobs.processes import here, started
from backend.store.base import now
from backend.store.curation import CheckRun
from backend.store.locking import locked_project
from backend.vocabulary import FINISHED_JOBS, Action, Check, JobStatus

SILENT = timedelta(minutes=5)
"""How long a process of another machine gives no sign of life until it counts as dead."""


def named(words: Iterable[str]) -> list[Check]:
    """The checks of these names, in the order in which they run; all where there are none. Raises InvalidInput."""
    known = {check.value: check for check in Check}
    wanted = [word.strip() for word in words if word.strip()]
    if unknown := [word for word in wanted if word not in known]:
        raise InvalidInput(f"There is no check called {unknown[0][:60]!r}. There are: {', '.join(known)}.")
    return [check for check in Check if not wanted or check.value in wanted]


def ask(*, session: Session, actor: Actor, project_id: int, checks: Iterable[Check] = tuple(Check)) -> CheckRun:
    """A run of these checks, waiting for whoever takes it up: the worker, or the command line. A run of the same checks that
    died is that run.
    """
    allow(actor, Action.BULK_REVIEW, project_id)
    wanted = [check.value for check in Check if check in frozenset(checks)]
    if not wanted:
        raise InvalidInput("Choose at least one check.")
    locked_project(session, project_id)
    run = None
    for earlier in session.exec(_unfinished().where(CheckRun.project_id == project_id)).all():
        if is_alive(earlier):
            raise Conflict("Checks of this project are at work right now. Wait for their end, or stop them first.")
        if earlier.checks == wanted and earlier.status is not JobStatus.STOPPING:
            run = earlier
        elif earlier.status is JobStatus.QUEUED:
            raise AlreadyDone("Other checks of this project wait for the worker already. Stop them first, or let them run.")
        else:
            _end(session, earlier, JobStatus.CANCELLED if earlier.status is JobStatus.STOPPING else JobStatus.LOST)
    if run is None:
        run = CheckRun(project_id=project_id, checks=wanted, created_by=actor.account_id)
        session.add(run)
        session.flush()
        audit.record(
            session, actor, "checks_started", project_id=project_id, subject=f"check run {run.id}", checks=wanted
        )  # fmt: skip
    session.commit()
    return run


def stop(*, session: Session, actor: Actor, project_id: int, run_id: int) -> CheckRun:
    """End a run: one that waits at once, one at work after its batch. What it found stays."""
    allow(actor, Action.BULK_REVIEW, project_id)
    run = session.exec(
        select(CheckRun).where(CheckRun.id == run_id, CheckRun.project_id == project_id).with_for_update()
    ).first()
    if run is None:
        raise NotFound("There is no such run in this project.")
    if run.status in FINISHED_JOBS:
        raise AlreadyDone("This run has ended already. Nothing was changed.")
    if is_alive(run):
        run.status = JobStatus.STOPPING
        session.add(run)
    else:
        _end(session, run, JobStatus.CANCELLED)
    audit.record(session, actor, "checks_stopped", project_id=project_id, subject=f"check run {run.id}", records=run.done)
    session.commit()
    return run


def due(session: Session) -> list[int]:
    """Runs that nobody is at: those that wait, and those whose process died."""
    runs = session.exec(_unfinished().order_by(col(CheckRun.id))).all()
    return [run.id or 0 for run in runs if not is_alive(run)]


def take_up(*, session: Session, run_id: int) -> CheckRun | None:
    """Make this process the one that works at the run; None where it is no longer to be worked at, or somebody else is."""
    run = session.get(CheckRun, run_id)
    if run is None:
        return None
    locked_project(session, run.project_id)
    session.refresh(run)
    if run.status in FINISHED_JOBS or is_alive(run):
        return None
    others = session.exec(_unfinished().where(CheckRun.project_id == run.project_id, CheckRun.id != run_id)).all()
    if any(is_alive(other) for other in others):
        return None
    if run.status is JobStatus.STOPPING:
        _end(session, run, JobStatus.CANCELLED)
        session.commit()
        return None
    run.status, run.holder, run.beat_at = JobStatus.RUNNING, me(), now()
    session.add(run)
    session.commit()
    return run


def me() -> str:
    """This process, as `CheckRun.holder` names it."""
    return f"{here()} {os.getpid()} {started(os.getpid())}"


def is_alive(run: CheckRun) -> bool:
    """Whether a living process is at the run."""
    if run.status not in (JobStatus.RUNNING, JobStatus.STOPPING) or run.beat_at is None:
        return False
    machine, _, process = run.holder.partition(" ")
    if machine == here():
        pid, _, began = process.partition(" ")
        return pid.isdigit() and str(started(int(pid))) == began
    return now() - run.beat_at < SILENT


def _unfinished() -> SelectOfScalar[CheckRun]:
    return select(CheckRun).where(col(CheckRun.status).not_in(FINISHED_JOBS))


def _end(session: Session, run: CheckRun, status: JobStatus) -> None:
    run.status, run.finished_at = status, now()
    session.add(run)
