"""Reads for the results and slices pages: judgements with the versions that they are about, and the state of tasks.

Only a rater's newest answer to an item counts; what was corrected stays in the tables as history. Every read is behind
VIEW_RESULTS: raters have no part in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
from sqlalchemy import Integer, case, func
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from backend.access.actors import Actor
from backend.access.policy import check
from backend.evaluation.results import Rating, Vote
from backend.rubrics import Question, Rubric
from backend.store.accounts import Account
from backend.store.models import Evaluation, ModelVersion, Response
from backend.store.work import Annotation, Item, Slot, Task
from backend.vocabulary import Action, ItemStatus, TaskKind, TaskStatus


@dataclass(frozen=True, slots=True)
class TaskState:
    """A judging task and how far it is."""

    id: int
    name: str
    kind: TaskKind
    status: TaskStatus
    overlap: int
    items: int
    items_done: int
    answers: int
    answers_wanted: int
    questions: int | None
    """How many questions were drawn, where that is known."""
    identical: int
    created_at: datetime


def tasks(session: Session, *, actor: Actor, project_id: int) -> list[TaskState]:
    """The project's rating and comparison tasks, the newest first."""
    check(actor, Action.VIEW_RESULTS, project_id)
    kinds = [TaskKind.RATE, TaskKind.COMPARE]
    found = session.exec(
        select(Task).where(Task.project_id == project_id, col(Task.kind).in_(kinds)).order_by(col(Task.id).desc())
    ).all()
    ids = [task.id for task in found]
    items = _counts(session, Item.task_id, col(Item.status) == ItemStatus.DONE, ids)
    slots = _counts(session, Slot.task_id, col(Slot.done_at).is_not(None), ids)
    return [
        TaskState(
            id=task.id or 0,
            name=task.name,
            kind=task.kind,
            status=task.status,
            overlap=task.overlap,
            items=items.get(task.id, (0, 0))[0],
            items_done=items.get(task.id, (0, 0))[1],
            answers=slots.get(task.id, (0, 0))[1],
            answers_wanted=slots.get(task.id, (0, 0))[0],
            questions=task.options.get("drawn"),
            identical=int(task.options.get("identical", 0)),
            created_at=task.created_at,
        )
        for task in found
    ]


def _counts(session: Session, key: Any, done: Any, ids: list[int | None]) -> Mapping[int | None, tuple[int, int]]:
    """task id → (rows, done rows)"""
    columns: list[Any] = [key, func.count(), func.sum(case((done, 1), else_=0), type_=Integer)]
    counted = select(*columns).where(col(key).in_(ids)).group_by(key)
    return {task_id: (rows, finished or 0) for task_id, rows, finished in session.exec(counted)}


def work_by_rater(session: Session, *, actor: Actor, project_id: int, task_id: int) -> pd.DataFrame:
    """Answers, corrections and mean seconds of each rater in a task."""
    check(actor, Action.VIEW_RESULTS, project_id)
    first = case((col(Annotation.number) == 1, 1), else_=0)
    columns: list[Any] = [Account.email, func.sum(first), func.sum(1 - first), func.avg(Annotation.seconds)]
    columns.append(func.max(Annotation.created_at))
    query = (
        select(*columns)
        .join(Account, col(Account.id) == Annotation.account_id)
        .where(Annotation.task_id == task_id, Annotation.project_id == project_id)
        .group_by(col(Account.email))
        .order_by(func.sum(first).desc(), col(Account.email))
    )
    rows = session.exec(query).all()
    frame = pd.DataFrame(rows, columns=["rater", "answers", "corrections", "mean seconds", "last answer"])
    return frame.astype({"answers": "int64", "corrections": "int64"})


def rubric_questions(session: Session, *, project_id: int, task_id: int | None = None) -> list[Question]:
    """The questions of the project's rating tasks (or of one), each key once, in order."""
    query = select(Task.rubric).where(Task.project_id == project_id, Task.kind == TaskKind.RATE)
    if task_id is not None:
        query = query.where(Task.id == task_id)
    found: dict[str, Question] = {}
    for stored in session.exec(query.order_by(col(Task.id))):
        for question in Rubric.from_json(stored).questions:
            found.setdefault(question.key, question)
    return list(found.values())


def ratings(session: Session, *, actor: Actor, project_id: int, task_id: int | None = None) -> list[Rating]:
    """Every rater's newest answers to every rated response."""
    check(actor, Action.VIEW_RESULTS, project_id)
    columns: list[Any] = [Annotation.task_id, Annotation.item_id, Annotation.account_id, Annotation.answers]
    columns += [Response.slices, Response.version_id, Response.decoding]
    query = (
        select(*columns)
        .join(Item, col(Item.id) == Annotation.item_id)
        .join(Response, col(Response.id) == Item.response_id)
        .where(*_newest(project_id, task_id), col(Annotation.verdict).is_(None))
        .order_by(col(Annotation.id))
    )
    names = version_names(session, project_id=project_id)
    return [
        Rating(
            task_id=task, item_id=item, rater_id=rater, version=_name(names, version, decoding), answers=answers, slices=slices
        )
        for task, item, rater, answers, slices, version, decoding in session.exec(query)
    ]


def votes(session: Session, *, actor: Actor, project_id: int, task_id: int | None = None) -> list[Vote]:
    """Every rater's newest verdict on every compared pair."""
    check(actor, Action.VIEW_RESULTS, project_id)
    first, second = aliased(Response), aliased(Response)
    columns: list[Any] = [Annotation.task_id, Annotation.item_id, Annotation.account_id, Annotation.verdict]
    columns += [Annotation.winner_response_id, first.id, first.version_id, first.decoding, second.version_id, second.decoding]
    columns += [first.record_id, first.slices]
    query = (
        select(*columns)
        .join(Item, col(Item.id) == Annotation.item_id)
        .join(first, first.id == Item.first_response_id)
        .join(second, second.id == Item.second_response_id)
        .where(*_newest(project_id, task_id), col(Annotation.verdict).is_not(None))
        .order_by(col(Annotation.id))
    )
    names = version_names(session, project_id=project_id)
    found = []
    for task, item, rater, verdict, winner, first_id, one, one_how, other, other_how, record, slices in session.exec(query):
        left, right = _name(names, one, one_how), _name(names, other, other_how)
        found.append(
            Vote(
                task_id=task,
                item_id=item,
                question_id=-item if record is None else record,
                rater_id=rater,
                first=left,
                second=right,
                verdict=verdict,
                winner=None if winner is None else left if winner == first_id else right,
                slices=slices,
            )
        )
    return found


def _newest(project_id: int, task_id: int | None) -> list[Any]:
    later = aliased(Annotation)
    corrected = (
        select(later.id)
        .where(
            later.item_id == Annotation.item_id,
            later.account_id == Annotation.account_id,
            col(later.number) > Annotation.number,
        )
        .exists()
    )
    conditions = [col(Annotation.project_id) == project_id, ~corrected]
    return conditions if task_id is None else [*conditions, col(Annotation.task_id) == task_id]


def measured(session: Session, *, actor: Actor, project_id: int, measure: str) -> list[tuple[str, float, Mapping[str, str]]]:
    """(version, value, slices) of an automatic measure ("exact_match", "rouge_l") in each version's newest evaluation."""
    check(actor, Action.VIEW_RESULTS, project_id)
    newest = (
        select(func.max(Response.evaluation_id))
        .join(Evaluation, col(Evaluation.id) == Response.evaluation_id)
        .where(Response.project_id == project_id, col(Evaluation.finished_at).is_not(None))
        .group_by(col(Response.version_id))
    )
    names = version_names(session, project_id=project_id)
    last: dict[int, int] = {}
    query = select(Response.version_id, Response.evaluation_id, Response.metrics, Response.slices).where(
        Response.project_id == project_id, col(Response.evaluation_id).in_(newest)
    )
    rows = session.exec(query.order_by(col(Response.id))).all()
    for version, evaluation, _, _ in rows:
        last[version or 0] = max(last.get(version or 0, 0), evaluation or 0)
    return [
        (_name(names, version, {}), float(metrics[measure]), slices)
        for version, evaluation, metrics, slices in rows
        if evaluation == last[version or 0] and isinstance(metrics.get(measure), bool | int | float)
    ]


def version_names(session: Session, *, project_id: int) -> dict[int, str]:
    """What each version is called in results: its number and name."""
    query = select(ModelVersion.id, ModelVersion.number, ModelVersion.name).where(ModelVersion.project_id == project_id)
    return {key or 0: f"{number} · {name}" for key, number, name in session.exec(query)}


def _name(names: Mapping[int, str], version_id: int | None, decoding: Mapping[str, Any]) -> str:
    if version_id is not None and version_id in names:
        return names[version_id]
    return str(decoding.get("model") or "Unknown version")
