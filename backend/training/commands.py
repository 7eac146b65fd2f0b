"""The command `train`: queues a run, and with `--wait` stays until it has ended.

`--wait` gives a running worker three seconds to take the job; if none does, it runs the job here, in this process's
worker. Stopping the command leaves the run alive: the next worker adopts it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from sqlmodel import Session, col, select

from backend.access.actors import SYSTEM
from backend.access.queries import project_id_of
from backend.errors import InvalidInput, NotFound, TouchstoneError
from backend.jobs import queue
from backend.jobs.launcher import LocalLauncher
from backend.jobs.worker import Worker
from backend.runtime import Runtime
from backend.store.models import Job, ModelVersion, Run, Snapshot
from backend.training import launching, recipes
from backend.vocabulary import FINISHED_JOBS, JobKind, JobStatus

PATIENCE = 3.0
"""Seconds that running workers have to take the job."""


def register(subparsers: Any) -> None:
    """Add the parser."""
    train = subparsers.add_parser("train", help="fine-tune on a snapshot")
    train.add_argument("--project", required=True, help="the project's short name")
    train.add_argument("--snapshot", type=int, metavar="N", help="the snapshot's number; the newest without it")
    train.add_argument("--recipe", type=Path, metavar="FILE", help="a JSON object of recipe fields")
    train.add_argument("--set", dest="assignments", action="append", default=[], metavar="NAME=VALUE", help="one field")
    train.add_argument("--name", default="", help="what to call the run")
    train.add_argument("--wait", action="store_true", help="stay until it has ended; runs it here if no worker takes it")
    train.set_defaults(handler=_train)


def _train(arguments: argparse.Namespace, house: Runtime) -> dict[str, Any]:
    recipe = _recipe_file(arguments.recipe) | recipes.parse_assignments(arguments.assignments)
    with house.database.writing() as session:
        project_id = project_id_of(session, arguments.project)
        run = launching.start_run(
            session=session,
            actor=SYSTEM,
            settings=house.settings,
            project_id=project_id,
            snapshot_id=_snapshot_id(session, project_id, arguments.snapshot),
            recipe=recipe,
            name=arguments.name,
        )
    folder = str(house.settings.runs / run.folder)
    if not arguments.wait:
        return {"run": run.number, "job": run.job_id, "status": JobStatus.QUEUED.value, "folder": folder}
    job = wait(house, run.job_id or 0)
    if job.status is not JobStatus.SUCCEEDED:
        raise TouchstoneError(f"Run {run.number} ended as {job.status.value}. {job.error} Its log: {folder}/log.txt")
    with house.database.reading() as session:
        version = session.exec(select(ModelVersion).where(ModelVersion.run_id == run.id)).one()
        result = session.get_one(Run, run.id).result
    return {"run": run.number, "status": job.status.value, "version": version.served_as, "result": result, "folder": folder}


def wait(house: Runtime, job_id: int) -> Job:
    """The job, once it has ended. Progress goes to standard error."""
    started, worker, told = time.monotonic(), None, ""
    try:
        while True:
            with house.database.reading() as session:
                job = queue.get(session, job_id)
            if (line := _line(job)) != told:
                told = line
                print(line, file=sys.stderr, flush=True)
            if job.status in FINISHED_JOBS:
                return job
            if worker is None and job.status is JobStatus.QUEUED and time.monotonic() - started > PATIENCE:
                print("No worker took the job; it runs here.", file=sys.stderr, flush=True)
                worker = _own_worker(house)
            if worker is not None:
                worker.step(only=job_id)
            time.sleep(0.5)
    finally:
        if worker is not None:
            worker.leave()
            worker.run()


def _own_worker(house: Runtime) -> Worker:
    return Worker(
        database=house.database,
        settings=house.settings,
        launcher=LocalLauncher(house.settings),
        collectors={JobKind.TRAIN: launching.collect},
    )


def _line(job: Job) -> str:
    done, total = job.progress.get("step"), job.progress.get("total_steps")
    return f"{job.status.value}" + (f", step {done} of {total}" if total else "")


def _recipe_file(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path} cannot be read as JSON.") from error
    if not isinstance(value, dict):
        raise InvalidInput(f"{path} must hold a JSON object of recipe fields.")
    return value


def _snapshot_id(session: Session, project_id: int, number: int | None) -> int:
    query = select(Snapshot.id).where(Snapshot.project_id == project_id).order_by(col(Snapshot.number).desc())
    if number is not None:
        query = query.where(Snapshot.number == number)
    found = session.exec(query).first()
    if found is None:
        raise NotFound(f"This project has no snapshot {number}." if number else "Freeze a snapshot first: it has none yet.")
    return found
