"""The states of a job and the ways between them. Pure.

queued ──→ running ──→ succeeded
  │ ↑         │ ├────→ failed ────┐
  │ │         │ ├────→ lost ──────┤
  │ │         ↓ │                 │
  │ │    stopping ───→ cancelled ─┤
  │ │           └────→ paused ────┤
  │ └───────────┴─────────────────┘   again: by itself after a crash, or because a person asks for it
  └────────────────→ cancelled, paused
"""

from __future__ import annotations

import enum

from backend.errors import Conflict
from backend.vocabulary import FINISHED_JOBS, JobStatus

_S = JobStatus

ALLOWED: dict[JobStatus, frozenset[JobStatus]] = {
    _S.QUEUED: frozenset({_S.RUNNING, _S.CANCELLED, _S.PAUSED}),
    _S.RUNNING: frozenset({_S.STOPPING, _S.SUCCEEDED, _S.FAILED, _S.CANCELLED, _S.LOST, _S.QUEUED}),
    _S.STOPPING: frozenset({_S.SUCCEEDED, _S.FAILED, _S.CANCELLED, _S.LOST, _S.PAUSED}),
    _S.FAILED: frozenset({_S.QUEUED}),
    _S.CANCELLED: frozenset({_S.QUEUED}),
    _S.LOST: frozenset({_S.QUEUED}),
    _S.PAUSED: frozenset({_S.QUEUED}),
    _S.SUCCEEDED: frozenset(),
}

ACTIVE = frozenset({JobStatus.RUNNING, JobStatus.STOPPING})
"""A worker holds the job and a child may be alive."""


class End(enum.StrEnum):
    """How a child ended."""

    OK = "ok"
    STOPPED = "stopped"
    """It stopped at a step boundary and kept a checkpoint."""
    REFUSED = "refused"
    """It said why it cannot do this: bad input, out of memory, disk full, a loss that is not finite."""
    CRASHED = "crashed"
    """It ended with an error that it did not foresee, or by a signal."""
    VANISHED = "vanished"
    """It is gone, and nobody saw how."""


def move(current: JobStatus, target: JobStatus) -> JobStatus:
    """`target`, if the way there exists. Raises Conflict with a sentence otherwise."""
    if target not in ALLOWED[current]:
        if current in FINISHED_JOBS:
            raise Conflict(f"This job has ended already ({current.value}).")
        raise Conflict(f"A job that is {current.value} cannot become {target.value}.")
    return target


def after(end: End, *, stop_requested: bool, may_retry: bool, pausing: bool = False) -> JobStatus:
    """Where a job goes when its child has ended. `pausing`: who asked it to stop means it to go on later.

    Work that was done counts, even if somebody asked to stop meanwhile. A child that nobody asked to stop, but which was
    stopped (the machine shuts down), crashed or vanished goes back into the queue while it may.
    """
    if end is End.OK:
        return JobStatus.SUCCEEDED
    if stop_requested:
        return JobStatus.PAUSED if pausing and end is not End.REFUSED else JobStatus.CANCELLED
    if end is End.REFUSED:
        return JobStatus.FAILED
    if may_retry:
        return JobStatus.QUEUED
    return {End.STOPPED: JobStatus.CANCELLED, End.CRASHED: JobStatus.FAILED, End.VANISHED: JobStatus.LOST}[end]
