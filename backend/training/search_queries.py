"""Reads about searches: the list, one search with its trials so far."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd
from sqlmodel import Session, col, select

from backend.access.actors import Actor
from backend.access.policy import check
from backend.errors import NotFound
from backend.jobs import outcomes
from backend.settings import Settings
from backend.store.models import Job, Search, Snapshot
from backend.training import space_words
from backend.vocabulary import FINISHED_JOBS, Action, JobStatus
from trainer import contract
from trainer.spaces import METHODS

METHOD_NAMES = {name: f"{name.upper() if name == 'tpe' else name.capitalize()}: {told}" for name, told in METHODS.items()}
"""Ways to search, as a form shows them."""


@dataclass(frozen=True, slots=True)
class SearchCard:
    """One search as its page shows it."""

    id: int
    job_id: int
    number: int
    name: str
    snapshot: str
    status: JobStatus
    attempt: int
    progress: dict[str, Any]
    error: str
    method: str
    metric: str
    lower_is_better: bool
    folds: int
    space: dict[str, str]
    """Field → its values in words."""
    best: dict[str, Any]
    """The best trial so far; empty while there is none."""
    trials: pd.DataFrame
    """number, state, value, a column for each field, seconds, message."""
    folder: Any

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens by itself."""
        return self.status in FINISHED_JOBS


def searches(session: Session, actor: Actor, project_id: int) -> dict[int, str]:
    """Newest first: id → what to call it."""
    check(actor, Action.TRAIN, project_id)
    query = select(Search).where(Search.project_id == project_id).order_by(col(Search.number).desc()).limit(500)
    return {one.id or 0: f"{one.number}: {one.name}" for one in session.exec(query)}


def search_card(session: Session, actor: Actor, settings: Settings, search_id: int) -> SearchCard:
    """One search. NotFound where the actor is not in its project."""
    query = (
        select(Search, Job, Snapshot)
        .join(Job, col(Search.job_id) == Job.id)
        .join(Snapshot, col(Search.snapshot_id) == Snapshot.id)
        .where(Search.id == search_id)
    )
    found = session.exec(query).one_or_none()
    if found is None or (not actor.is_admin and actor.role_in(found[0].project_id) is None):
        raise NotFound("There is no such search.")
    search, job, snapshot = found
    check(actor, Action.TRAIN, search.project_id)
    folder = settings.runs / search.folder
    told = outcomes.read_object(folder / contract.TRIALS) or {}
    rows = [row for row in told.get("trials", ()) if isinstance(row, dict)]
    metric = str(search.config["config"].get("best_metric", "loss"))
    lower = metric in contract.LOWER_IS_BETTER
    return SearchCard(
        id=search_id,
        job_id=job.id or 0,
        number=search.number,
        name=search.name,
        snapshot=f"{snapshot.number}: {snapshot.name}",
        status=job.status,
        attempt=job.attempt,
        progress=job.progress,
        error=job.error,
        method=str(search.config["method"]),
        metric=metric,
        lower_is_better=lower,
        folds=int(search.config["folds"]),
        space=space_words.write(search.config["space"]),
        best=_best(rows, lower),
        trials=_frame(rows, list(search.config["space"])),
        folder=folder,
    )


def _best(rows: list[dict[str, Any]], lower: bool) -> dict[str, Any]:
    complete = [row for row in rows if row.get("state") == "complete" and isinstance(row.get("value"), int | float)]
    return min(complete, key=lambda row: row["value"] if lower else -row["value"], default={})


def _frame(rows: list[dict[str, Any]], names: list[str]) -> pd.DataFrame:
    cells = [
        {
            "number": row.get("number"),
            "state": row.get("state"),
            "value": row.get("value"),
            **{name: row.get("params", {}).get(name) for name in names},
            "spread": _spread(row.get("values") or []),
            "seconds": row.get("seconds"),
            "message": row.get("message", ""),
        }
        for row in rows
    ]
    columns = ["number", "state", "value", *names, "spread", "seconds", "message"]
    return pd.DataFrame(cells, columns=columns)


def _spread(values: list[float]) -> float | None:
    """The standard error of the mean over folds; None without folds."""
    if len(values) < 2:
        return None
    middle = sum(values) / len(values)
    return math.sqrt(sum((value - middle) ** 2 for value in values) / (len(values) - 1) / len(values))
