"""The commands `train` and `search`: they queue a job, and with `--wait` stay until it has ended.

How `--wait` waits is told in `backend.jobs.waiting`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from sqlmodel import Session, select

from backend.access.actors import SYSTEM
from backend.access.queries import project_id_of
from backend.errors import InvalidInput, NotFound, TouchstoneError
from backend.jobs.waiting import wait
from backend.runtime import Runtime
from backend.store.frozen import snapshot_id
from backend.store.models import ModelVersion, Run, Search
from backend.training import launching, recipes, searching, space_words
from backend.vocabulary import JobKind, JobStatus
from trainer import contract
from trainer.spaces import METHODS


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
    search = subparsers.add_parser("search", help="look for a recipe: grid, random or Optuna, with folds if asked for")
    search.add_argument("--project", required=True, help="the project's short name")
    search.add_argument("--snapshot", type=int, metavar="N", help="the snapshot's number; the newest without it")
    search.add_argument("--recipe", type=Path, metavar="FILE", help="a JSON object of recipe fields that all trials have")
    search.add_argument("--set", dest="assignments", action="append", default=[], metavar="NAME=VALUE", help="one field")
    search.add_argument("--space", type=Path, metavar="FILE", help='what to vary: {"lora_rank": {"choices": [4, 8]}, …}')
    search.add_argument(
        "--vary", action="append", default=[], metavar="NAME=VALUES", help='one field, such as "epochs=3, 5" or "epochs=2 to 9"'
    )
    search.add_argument("--method", choices=tuple(METHODS), default="tpe", help="how to search (default: %(default)s)")
    search.add_argument("--trials", type=int, default=20, help="at most so many (default: %(default)s)")
    search.add_argument("--folds", type=int, default=0, help="k-fold cross-validation, grouped; 0 for none")
    search.add_argument("--no-prune", action="store_true", help="let hopeless trials go on")
    search.add_argument("--hours", type=float, default=0.0, help="no trial begins after so many hours; 0 for no limit")
    search.add_argument("--name", default="", help="what to call the search")
    search.add_argument("--wait", action="store_true", help="stay until it has ended; runs it here if no worker takes it")
    search.set_defaults(handler=_search)


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


def _search(arguments: argparse.Namespace, house: Runtime) -> dict[str, Any]:
    space = _recipe_file(arguments.space) | space_words.read(recipes.parse_assignments(arguments.vary).items())
    with house.database.writing() as session:
        project_id = project_id_of(session, arguments.project)
        made = searching.start_search(
            session=session,
            actor=SYSTEM,
            settings=house.settings,
            project_id=project_id,
            snapshot_id=snapshot_id(session, project_id, arguments.snapshot),
            recipe=_recipe_file(arguments.recipe) | recipes.parse_assignments(arguments.assignments),
            space=space,
            method=arguments.method,
            trials=arguments.trials,
            folds=arguments.folds,
            prune=not arguments.no_prune,
            hours=arguments.hours,
            name=arguments.name,
        )
    folder = str(house.settings.runs / made.folder)
    if not arguments.wait:
        return {"search": made.number, "job": made.job_id, "status": JobStatus.QUEUED.value, "folder": folder}
    collectors = {JobKind.SEARCH: searching.collect}
    job = wait(database=house.database, settings=house.settings, job_id=made.job_id or 0, collectors=collectors)
    if job.status is not JobStatus.SUCCEEDED:
        raise TouchstoneError(f"Search {made.number} ended as {job.status.value}. {job.error} Its folder: {folder}")
    with house.database.reading() as session:
        result = session.get_one(Search, made.id).result
    return {"search": made.number, "status": job.status.value, "result": result, "folder": folder}


def _version_id(session: Session, project_id: int, served_as: str) -> int:
    found = session.exec(
        select(ModelVersion.id).where(ModelVersion.project_id == project_id, ModelVersion.served_as == served_as)
    ).one_or_none()
    if found is None:
        raise NotFound(f"This project has no model version {served_as!r}.")
    return found


def _recipe_file(path: Path | None) -> dict[str, Any]:
    try:
        return contract.read_json(path) if path else {}
    except contract.ConfigError as error:
        raise InvalidInput(str(error)) from error
