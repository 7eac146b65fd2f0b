"""Puts the stages' collectors, the worker and its chores together, and brings the commands `worker` and `jobs`."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import structlog
from sqlmodel import Session, col, select

from backend.curation import cleaning
from backend.errors import ServiceUnavailable
from backend.evaluation import evaluating, figuring
from backend.jobs import launchers
from backend.jobs.outcomes import Collector
from backend.jobs.worker import Worker
from backend.review import ordering
from backend.runtime import Runtime
from backend.store.models import Job
from backend.training import launching, searching
from backend.vocabulary import FINISHED_JOBS, JobKind

log = structlog.get_logger("worker")
COLLECTORS: dict[JobKind, Collector] = {
    JobKind.TRAIN: launching.collect,
    JobKind.EVALUATE: evaluating.collect,
    JobKind.SEARCH: searching.collect,
}
"""Who takes in what a job of each kind left."""

CHORES: dict[str, Callable[[Session], list[Any]]] = {"figures": figuring.due, "reorder": ordering.due, "clean": cleaning.due}
"""Commands that a worker runs between its jobs, and what they would have to do."""


class Chores:
    """What a worker has done between its jobs, in a child process of low rank: figures of projects with many judgements,
    the order of queues that have learned from their answers, and the checks that people started.

    One child at a time; it takes the project's figures for itself in the database, so that of several workers one works.
    It ends with the worker: what it had not kept by then is worked out by the next.
    """

    def __init__(self, house: Runtime, *, every: float = 10.0) -> None:
        self._house, self._every, self._looked = house, every, 0.0
        self._child: subprocess.Popen[bytes] | None = None
        self._turns = list(CHORES)

    @property
    def idle(self) -> bool:
        """Whether no child is at work."""
        return self._child is None or self._child.poll() is not None

    def look(self) -> None:
        """Start the child if it is time and there is something to do. An error is logged, and jobs go on."""
        if not self.idle:
            return
        if time.monotonic() - self._looked < self._every:
            return
        self._looked = time.monotonic()
        try:
            with self._house.database.reading() as session:
                waiting = {name: due for name in self._turns if (due := CHORES[name](session))}
            for name, due in list(waiting.items())[:1]:
                self._turns.append(self._turns.pop(self._turns.index(name)))  # the other one first, the next time
                self._child = subprocess.Popen(  # noqa: S603 - one of CHORES
                    [sys.executable, "-m", "backend", name],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                )
                log.info("chore_started", chore=name, due=due, pid=self._child.pid)
        except (ServiceUnavailable, OSError) as error:
            log.warning("chore_not_started", reason=str(error))

    def end(self) -> None:
        """Stop the child."""
        if self._child is not None and self._child.poll() is None:
            self._child.terminate()
            self._child.wait()


def make_worker(house: Runtime) -> Worker:
    """A worker with children where the settings say."""
    launcher = launchers.configured(house.settings)
    return Worker(database=house.database, settings=house.settings, launcher=launcher, collectors=COLLECTORS)


def register(subparsers: Any) -> None:
    """Add `worker` and `jobs` to the command line."""
    worker = subparsers.add_parser("worker", help="run queued jobs; SIGTERM leaves them running for the next worker to adopt")
    worker.add_argument("--once", action="store_true", help="end when nothing is left to do")
    worker.set_defaults(handler=_worker)
    jobs = subparsers.add_parser("jobs", help="list jobs, newest first")
    jobs.add_argument("--all", action="store_true", help="also those that have ended")
    jobs.set_defaults(handler=_jobs)


def _worker(arguments: argparse.Namespace, house: Runtime) -> dict[str, Any]:
    worker, chores = make_worker(house), Chores(house)
    before = {number: signal.signal(number, lambda *_: worker.leave()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        return {"left_running": worker.run(once=arguments.once, look=None if arguments.once else chores.look)}
    finally:
        chores.end()
        for number, handler in before.items():
            signal.signal(number, handler)


def _jobs(arguments: argparse.Namespace, house: Runtime) -> list[dict[str, Any]]:
    query = select(Job).order_by(col(Job.id).desc()).limit(1000)
    if not arguments.all:
        query = query.where(col(Job.status).not_in(FINISHED_JOBS))
    shown = ("id", "project_id", "kind", "status", "attempt", "max_attempts", "worker", "pid", "progress", "error", "folder")
    with house.database.reading() as session:
        return [{name: getattr(job, name) for name in shown} for job in session.exec(query)]
