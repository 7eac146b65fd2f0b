"""Starting runs, and taking in what they leave: a run's result, the base version, the version that it made.

A run is a row, a folder with the trainer's config, and a job. `collect` is called by the worker in the transaction that
ends the job. A version's weights are in its run's folder; what the engine serves is a small file beside them that names
both. Not promised: that a base model on a hub can still be fetched later.
"""

from __future__ import annotations

import json
import math
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col, select

from backend.access import audit
from backend.access.actors import SYSTEM, Actor
from backend.access.policy import check
from backend.errors import IntegrityViolated, InvalidInput, NotFound, NotReady, ServiceUnavailable
from backend.jobs import outcomes, queue, slots
from backend.jobs.outcomes import Outcome
from backend.settings import Settings
from backend.store import frozen, versions
from backend.store.locking import locked_project
from backend.store.models import Job, ModelVersion, Run, Snapshot
from backend.store.records import Project
from backend.training import recipes
from backend.training.estimates import estimate_for
from backend.training.recipes import Recipe
from backend.vocabulary import Action, JobKind, JobStatus, SnapshotKind
from trainer import contract


def start_run(
    *,
    session: Session,
    actor: Actor,
    settings: Settings,
    project_id: int,
    snapshot_id: int,
    recipe: Recipe | None = None,
    name: str = "",
    priority: int = 0,
    initial_version_id: int | None = None,
) -> Run:
    """Queue a run on a snapshot, whose folder is checked first. With `initial_version_id` it goes on from an earlier version.

    Raises InvalidInput for a recipe that cannot be, or does not fit what the snapshot holds.
    """
    check(actor, Action.TRAIN, project_id)
    project = locked_project(session, project_id)
    snapshot = ready_snapshot(session, settings, project_id, snapshot_id)
    data = settings.snapshots / snapshot.folder
    kind = snapshot.manifest.get("kind", SnapshotKind.SFT.value)
    start = _start_from(session, project_id, recipe or {}, initial_version_id, kind)
    config = recipes.to_config(
        start.recipe, data=str(data), threads=settings.trainer_threads, kind=kind, initial_adapter=start.adapter
    )
    number = 1 + (session.exec(select(func.max(Run.number)).where(Run.project_id == project_id)).one() or 0)
    folder = settings.runs / f"{project.slug}-{number:04d}-{secrets.token_hex(4)}"
    write_config(folder / contract.CONFIG, config.to_json())
    run = Run(
        project_id=project_id,
        number=number,
        name=name.strip()[:200] or f"Run {number}",
        snapshot_id=snapshot_id,
        config=config.to_json(),
        folder=folder.name,
        created_by=actor.account_id,
    )
    try:
        estimate = estimate_for(session, settings, project_id, config.to_json())
        _queue(session, actor, run, snapshot, folder, priority, estimate)
        session.commit()
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return run


def ready_snapshot(session: Session, settings: Settings, project_id: int, snapshot_id: int) -> Snapshot:
    """A snapshot of the project that has rows to learn from and is what was frozen."""
    snapshot = session.get(Snapshot, snapshot_id)
    if snapshot is None or snapshot.project_id != project_id:
        raise NotFound("There is no such snapshot in this project.")
    if not snapshot.manifest["counts"]["train"]:
        raise NotReady("This snapshot has no rows to train on. Freeze one with a larger share of train.")
    frozen.verify(settings.snapshots / snapshot.folder, snapshot.manifest)
    return snapshot


@dataclass(frozen=True, slots=True)
class _Start:
    recipe: Recipe
    adapter: str | None = None


def _start_from(session: Session, project_id: int, recipe: Recipe, version_id: int | None, kind: str) -> _Start:
    """The recipe with the weights of an earlier version: its adapter, or its whole model as the base."""
    if version_id is None:
        return _Start(recipe)
    version = session.get(ModelVersion, version_id)
    if version is None or version.project_id != project_id:
        raise NotFound("There is no such model version in this project.")
    if recipe.get("base_model") not in (None, "", version.base_model):
        raise InvalidInput(
            f"{version.name} was made from {version.base_model}, so a run that goes on from it cannot start from another model."
        )
    objective = str(recipe.get("objective") or next(iter(recipes.objectives_for(kind))))
    before = versions.objective_of(session, version)
    if why := recipes.why_not_from(before, objective, whole=version.adapter is None):
        raise InvalidInput(why)
    return _Start({**recipe, "base_model": version.base_model, "revision": version.revision}, version.adapter)


def _queue(
    session: Session, actor: Actor, run: Run, snapshot: Snapshot, folder: Path, priority: int, estimate: Mapping[str, Any]
) -> None:
    job = queue.enqueue(
        session,
        actor=actor,
        project_id=run.project_id,
        kind=JobKind.TRAIN,
        arguments=["run", "--config", str(folder / contract.CONFIG), "--out", str(folder)],
        resume_arguments=["resume", str(folder)],
        folder=f"{folder.parent.name}/{folder.name}",
        priority=priority,
        payload={"run": run.name, "snapshot": snapshot.number, "estimate": estimate},
        need=slots.needed(run.config),
    )
    run.job_id = job.id
    session.add(run)
    session.flush()
    audit.record(
        session,
        actor,
        "run.start",
        project_id=run.project_id,
        subject=f"run:{run.id}",
        number=run.number,
        snapshot=snapshot.number,
        snapshot_hash=snapshot.content_hash,
        base_model=run.config["base_model"],
        objective=run.config["objective"],
    )


def repeat_run(*, session: Session, actor: Actor, settings: Settings, run_id: int) -> Run:
    """A new run from the beginning, with the same snapshot and recipe. To go on with a stopped one, see `controlling`."""
    run = session.get(Run, run_id)
    if run is None:
        raise NotFound("There is no such run.")
    recipe, name = recipes.of_config(run.config), f"{run.name} again"
    adapter = run.config.get("initial_adapter")
    begun = select(ModelVersion.id).where(ModelVersion.project_id == run.project_id, ModelVersion.adapter == adapter)
    return start_run(
        session=session,
        actor=actor,
        settings=settings,
        project_id=run.project_id,
        snapshot_id=run.snapshot_id,
        recipe=recipe,
        name=name,
        initial_version_id=session.exec(begun).first() if adapter else None,
    )


def collect(*, session: Session, settings: Settings, job: Job, outcome: Outcome) -> None:
    """Take in what a succeeded run left: its result, the version that it made, and the base version if there is none yet.

    What chats is a candidate that the engine is offered. What scores or sorts is a version too, but one that is neither
    served nor promoted, and its base model is none to chat with.
    """
    run = session.exec(select(Run).where(Run.job_id == job.id)).one_or_none()
    if run is None or outcome.status is not JobStatus.SUCCEEDED:
        return
    if run.result or session.exec(select(ModelVersion).where(ModelVersion.run_id == run.id)).first() is not None:
        return
    folder = settings.runs / run.folder
    result = outcomes.read_object(folder / contract.RESULT)
    if result is None:
        raise IntegrityViolated("The run ended without a result that can be read. Try it again.")
    run.result = {key: value for key, value in result.items() if not (isinstance(value, float) and not math.isfinite(value))}
    session.add(run)
    project = locked_project(session, run.project_id)
    chats = run.config.get("objective", "sft") in contract.WRITERS
    if chats:
        base_version(session, settings, project, run.config["base_model"], run.config.get("revision"))
    version = _made(session, project, run, folder)
    if chats:
        serve(settings, version)
    audit.record(
        session,
        SYSTEM,
        "version.made",
        project_id=run.project_id,
        subject=f"version:{version.id}",
        run=run.number,
        objective=run.config.get("objective", "sft"),
        served_as=version.served_as,
    )


def base_version(session: Session, settings: Settings, project: Project, base_model: str, revision: str | None) -> ModelVersion:
    """The version that is a base model as it is; made, and offered to the engine, when first needed. The caller commits."""
    query = select(ModelVersion).where(
        ModelVersion.project_id == project.id,
        col(ModelVersion.run_id).is_(None),
        ModelVersion.base_model == base_model,
        ModelVersion.revision == revision,
    )
    found = session.exec(query).first()
    if found is None:
        first = select(ModelVersion.id).where(ModelVersion.project_id == project.id, ModelVersion.number == 0)
        number = _next_number(session, project) if session.exec(first).first() is not None else 0
        found = ModelVersion(
            project_id=project.id or 0,
            number=number,
            name=f"{Path(base_model).name} as it is",
            base_model=base_model,
            revision=revision,
            served_as=f"{project.slug}-base" + (f"-{number}" if number else ""),
        )
        session.add(found)
        session.flush()
        serve(settings, found)
    return found


def serve(settings: Settings, version: ModelVersion) -> None:
    """Offer a version to the engine: one small file, replaced in one step."""
    folder = settings.models / version.served_as
    value = {"base_model": version.base_model, "revision": version.revision, "adapter": version.adapter}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _replace(folder / contract.SERVED, value)
    except OSError as error:
        raise ServiceUnavailable(
            "The models folder cannot be written (is the disk full?). Free some space, then try the job again."
        ) from error


def _made(session: Session, project: Project, run: Run, folder: Path) -> ModelVersion:
    """The version that a run made. One that writes no answers has a name at the engine too, but is not offered there."""
    adapter, weights = folder / contract.ADAPTER, folder / contract.MODEL
    if not adapter.is_dir() and not weights.is_dir():
        raise IntegrityViolated("The run ended without weights. Try it again.")
    number = _next_number(session, project)
    version = ModelVersion(
        project_id=project.id or 0,
        number=number,
        name=run.name,
        run_id=run.id,
        base_model=run.config["base_model"] if adapter.is_dir() else str(weights),
        revision=run.config.get("revision") if adapter.is_dir() else None,
        adapter=str(adapter) if adapter.is_dir() else None,
        served_as=f"{project.slug}-v{number}",
    )
    session.add(version)
    session.flush()
    return version


def _next_number(session: Session, project: Project) -> int:
    """Numbers of versions count from 1; 0 is the first base model."""
    newest = session.exec(select(func.max(ModelVersion.number)).where(ModelVersion.project_id == project.id)).one()
    return 1 + (newest or 0)


def write_config(path: Path, config: Mapping[str, Any]) -> None:
    """Make the new folder of a job, with its config in it. Raises ServiceUnavailable, and leaves nothing then."""
    try:
        path.parent.mkdir(parents=True)
        _replace(path, config)
    except OSError as error:
        shutil.rmtree(path.parent, ignore_errors=True)
        raise ServiceUnavailable(
            "The runs folder cannot be written (is the disk full?), so nothing was started. Free some space and try again."
        ) from error


def _replace(path: Path, value: Mapping[str, Any]) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, indent=1)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
