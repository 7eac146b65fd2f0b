"""Searches for a recipe: started as one job of many trials, their result taken in, the best recipe handed to a run.

A search makes no model version: what it finds is a recipe. The run that is started with it learns anew, on all of the
training rows. Not promised: that the recipe is good for another snapshot.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, select

from backend.access import audit
from backend.access.actors import SYSTEM, Actor
from backend.access.policy import check
from backend.errors import IntegrityViolated, InvalidInput, NotFound, NotReady
from backend.jobs import outcomes, queue, slots
from backend.jobs.outcomes import Outcome
from backend.settings import Settings
from backend.store.locking import locked_project
from backend.store.models import Job, Run, Search
from backend.training import launching, recipes
from backend.training.recipes import Recipe
from backend.vocabulary import Action, JobKind, JobStatus, SnapshotKind
from trainer import contract
from trainer.contract import ConfigError
from trainer.spaces import SearchConfig, read_space

ASKED = "asked.json"


def start_search(
    *,
    session: Session,
    actor: Actor,
    settings: Settings,
    project_id: int,
    snapshot_id: int,
    recipe: Recipe,
    space: Mapping[str, Any],
    method: str = "tpe",
    trials: int = 20,
    folds: int = 0,
    prune: bool = True,
    hours: float = 0.0,
    name: str = "",
) -> Search:
    """Queue a search. Raises InvalidInput for a space or recipe that cannot be, NotReady without rows to compare trials by."""
    check(actor, Action.TRAIN, project_id)
    project = locked_project(session, project_id)
    snapshot = launching.ready_snapshot(session, settings, project_id, snapshot_id)
    if not folds and not snapshot.manifest["counts"]["validation"]:
        raise NotReady("This snapshot has no validation rows to compare trials by. Use folds, or freeze one with some.")
    kind = snapshot.manifest.get("kind", SnapshotKind.SFT.value)
    data = str(settings.snapshots / snapshot.folder)
    base = recipes.to_config(recipe, data=data, threads=settings.trainer_threads, kind=kind)
    config = _config(base, space, method=method, trials=trials, folds=folds, prune=prune, hours=hours)
    number = 1 + (session.exec(select(func.max(Search.number)).where(Search.project_id == project_id)).one() or 0)
    folder = settings.runs / f"{project.slug}-search-{number:04d}-{secrets.token_hex(4)}"
    made = Search(
        project_id=project_id,
        number=number,
        name=name.strip()[:200] or f"Search {number}",
        snapshot_id=snapshot_id,
        config=config.to_json(),
        folder=folder.name,
        created_by=actor.account_id,
    )
    launching.write_config(folder / ASKED, made.config)
    try:
        made.job_id = _queue(session, actor, made, folder, snapshot.number)
        session.add(made)
        session.flush()
        audit.record(
            session, actor, "search.start", project_id=project_id, subject=f"search:{made.id}",
            number=number, snapshot=snapshot.number, method=method, trials=config.most_trials, folds=folds,
        )  # fmt: skip
        session.commit()
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return made


def _queue(session: Session, actor: Actor, search: Search, folder: Path, snapshot: int) -> int | None:
    return queue.enqueue(
        session,
        actor=actor,
        project_id=search.project_id,
        kind=JobKind.SEARCH,
        arguments=["search", "--config", str(folder / ASKED), "--out", str(folder)],
        resume_arguments=["resume", str(folder)],
        folder=f"{folder.parent.name}/{folder.name}",
        payload={"run": search.name, "snapshot": snapshot},
        need=slots.needed(search.config["config"]),
    ).id


def _config(base: contract.TrainConfig, space: Mapping[str, Any], **options: Any) -> SearchConfig:
    try:
        return SearchConfig(config=base, space=read_space(dict(space)), told=dict(space), **options)
    except ConfigError as error:
        raise InvalidInput(str(error)) from error


def collect(*, session: Session, settings: Settings, job: Job, outcome: Outcome) -> None:
    """Take in what a search that ended well has found."""
    search = session.exec(select(Search).where(Search.job_id == job.id)).one_or_none()
    if search is None or outcome.status is not JobStatus.SUCCEEDED or search.result:
        return
    result = outcomes.read_object(settings.runs / search.folder / contract.RESULT)
    if result is None or not isinstance(result.get("best"), dict):
        raise IntegrityViolated("The search ended without a result that can be read. Try it again.")
    search.result = result
    session.add(search)
    subject, best = f"search:{search.id}", result["best"]
    audit.record(session, SYSTEM, "search.made", project_id=search.project_id, subject=subject, params=best.get("params"))


def best_recipe(session: Session, actor: Actor, search_id: int) -> tuple[Search, dict[str, Any]]:
    """A finished search and the recipe of its best trial."""
    search = session.get(Search, search_id)
    if search is None or (not actor.is_admin and actor.role_in(search.project_id) is None):
        raise NotFound("There is no such search.")
    check(actor, Action.TRAIN, search.project_id)
    if not search.result:
        raise NotReady("This search has not finished, so there is no best recipe yet.")
    return search, recipes.of_config(search.result["best"]["config"])


def run_best(*, session: Session, actor: Actor, settings: Settings, search_id: int, name: str = "") -> Run:
    """Start a run with the best trial's recipe on the search's snapshot."""
    search, recipe = best_recipe(session, actor, search_id)
    return launching.start_run(
        session=session,
        actor=actor,
        settings=settings,
        project_id=search.project_id,
        snapshot_id=search.snapshot_id,
        recipe=recipe,
        name=name or f"Best of {search.name}",
    )
