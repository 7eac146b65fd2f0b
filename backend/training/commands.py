"""The command `train`: queues a run, and with `--wait` stays until it has ended.

How `--wait` waits is told in `backend.jobs.waiting`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from sqlmodel import Session, select

from backend.access.actors import SYSTEM
from backend.access.queries import project_id_of
from backend.errors import InvalidInput, NotFound, TouchstoneError
from backend.jobs.waiting import wait
from backend.runtime import Runtime
from backend.store.frozen import snapshot_id
from backend.store.models import ModelVersion, Run
from backend.training import launching, recipes
from backend.vocabulary import JobKind, JobStatus


def register(subparsers: Any) -> None:
    """Add the parser."""
    train = subparsers.add_parser("train", help="fine-tune on a snapshot")
    train.add_argument("--project", required=True, help="the project's short name")
    train.add_argument("--snapshot", type=int, metavar="N", help="the snapshot's number; the newest without it")
    train.add_argument("--recipe", type=Path, metavar="FILE", help="a JSON object of recipe fields")
    train.add_argument("--set", dest="assignments", action="append", default=[], metavar="NAME=VALUE", help="one field")
    train.add_argument("--from", dest="version", metavar="VERSION", help="go on from this model version (its served name)")
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
            snapshot_id=snapshot_id(session, project_id, arguments.snapshot),
            recipe=recipe,
            name=arguments.name,
            initial_version_id=_version_id(session, project_id, arguments.version) if arguments.version else None,
        )
    folder = str(house.settings.runs / run.folder)
    if not arguments.wait:
        return {"run": run.number, "job": run.job_id, "status": JobStatus.QUEUED.value, "folder": folder}
    job = wait(
        database=house.database, settings=house.settings, job_id=run.job_id or 0, collectors={JobKind.TRAIN: launching.collect}
    )
    if job.status is not JobStatus.SUCCEEDED:
        raise TouchstoneError(f"Run {run.number} ended as {job.status.value}. {job.error} Its log: {folder}/log.txt")
    with house.database.reading() as session:
        version = session.exec(select(ModelVersion.served_as).where(ModelVersion.run_id == run.id)).one_or_none()
        result = session.get_one(Run, run.id).result
    return {"run": run.number, "status": job.status.value, "version": version, "result": result, "folder": folder}


def _version_id(session: Session, project_id: int, served_as: str) -> int:
    found = session.exec(
        select(ModelVersion.id).where(ModelVersion.project_id == project_id, ModelVersion.served_as == served_as)
    ).one_or_none()
    if found is None:
        raise NotFound(f"This project has no model version {served_as!r}.")
    return found


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
