"""Puts the stages' collectors and the worker together, and brings the commands `worker` and `jobs`."""

from __future__ import annotations

import argparse
import signal
from typing import Any

from sqlmodel import col, select

from backend.evaluation import evaluating
from backend.jobs.launcher import LocalLauncher
from backend.jobs.outcomes import Collector
from backend.jobs.worker import Worker
from backend.runtime import Runtime
from backend.store.models import Job
from backend.training import launching
from backend.vocabulary import FINISHED_JOBS, JobKind

COLLECTORS: dict[JobKind, Collector] = {JobKind.TRAIN: launching.collect, JobKind.EVALUATE: evaluating.collect}
"""Who takes in what a job of each kind left."""


def make_worker(house: Runtime) -> Worker:
    """A worker with children on this machine."""
    launcher = LocalLauncher(house.settings)
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
    worker = make_worker(house)
    before = {number: signal.signal(number, lambda *_: worker.leave()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        return {"left_running": worker.run(once=arguments.once)}
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _jobs(arguments: argparse.Namespace, house: Runtime) -> list[dict[str, Any]]:
    query = select(Job).order_by(col(Job.id).desc()).limit(1000)
    if not arguments.all:
        query = query.where(col(Job.status).not_in(FINISHED_JOBS))
    shown = ("id", "project_id", "kind", "status", "attempt", "max_attempts", "worker", "pid", "progress", "error", "folder")
    with house.database.reading() as session:
        return [{name: getattr(job, name) for name in shown} for job in session.exec(query)]
