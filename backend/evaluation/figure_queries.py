"""Reads figures for pages: worked out on the spot while a project has few judgements, else the kept ones with their age.

Every read is behind VIEW_RESULTS or VIEW_DASHBOARD: raters have no part in it. `stamp` changes when anything that figures
are made of is added, so that a page may keep what it read under it. Not promised: that a new name or a closed finding shows
before the next judgement; pages keep figures for a minute at most.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import bindparam, func
from sqlmodel import Session, col, select

from backend.access.actors import Actor
from backend.access.policy import check
from backend.evaluation import figures, progress_queries
from backend.evaluation.figures import Material
from backend.evaluation.judgement_queries import read
from backend.evaluation.measured_queries import measured
from backend.rubrics import Question, Rubric
from backend.store.accounts import Account
from backend.store.models import Evaluation, Response
from backend.store.records import Finding
from backend.store.work import Adjudication, Annotation, Figure, Item, RubricVersion, Slot, Task
from backend.vocabulary import Action, TaskKind

LIVE_MOST = 10_000
"""Annotations up to which figures are worked out when a page asks."""
MOST_TASKS = 40
"""Tasks, the newest, that get figures of their own."""
COUNTED_MOST = 100_000
REFRESH = "refresh"
"""The row that is no figure: whether new ones were asked for, and who works them out until when."""


@dataclass(frozen=True, slots=True)
class State:
    """What a page must know before it asks for a figure."""

    stamp: tuple[int, ...]
    live: bool
    asked: bool = False
    working: bool = False


@dataclass(frozen=True, slots=True)
class Kept:
    """A figure. `at` and `behind` are for kept ones: when it was worked out, and how many judgements came since."""

    value: dict[str, Any]
    at: datetime | None = None
    behind: int = 0
    seconds: float = 0.0


def state(session: Session, *, actor: Actor, project_id: int, action: Action = Action.VIEW_RESULTS) -> State:
    """How the project's figures are had, and the stamp under which they can be kept."""
    check(actor, action, project_id)
    some, *found = session.execute(_stamp_query(), {"project": project_id}).one()
    many = some > LIVE_MOST
    asked = working = False
    if many and (row := refresh_row(session, project_id)) is not None:
        asked, working = bool(row.value.get("asked")), float(row.value.get("until") or 0) > datetime.now().timestamp()
    return State(tuple(number or 0 for number in found), not many, asked, working)


@cache
def _stamp_query() -> Any:
    """How many judgements there are, counted up to one more than LIVE_MOST, and the stamp. Built once: every look asks it."""
    some = select(Annotation.id).where(Annotation.project_id == bindparam("project")).limit(LIVE_MOST + 1).subquery()
    tables: tuple[Any, ...] = (Annotation, Adjudication, Item, Slot, Response, RubricVersion, Task, Finding)
    asked: list[Any] = [select(func.count()).select_from(some)]
    asked += [select(func.max(table.id)) for table in tables]
    asked += [select(func.count(col(Evaluation.finished_at))), select(func.count(col(Adjudication.withdrawn_at)))]
    return select(*(one.scalar_subquery() for one in asked))


def refresh_row(session: Session, project_id: int) -> Figure | None:
    """Who works on the project's figures."""
    return session.exec(select(Figure).where(Figure.project_id == project_id, Figure.name == REFRESH)).first()


def kept(
    session: Session,
    *,
    actor: Actor,
    project_id: int,
    name: str,
    subject: str = "",
    action: Action = Action.VIEW_RESULTS,
) -> Kept | None:
    """The kept figure; None where there is none yet."""
    check(actor, action, project_id)
    query = select(Figure).where(Figure.project_id == project_id, Figure.name == name, Figure.subject == subject)
    row = session.exec(query).first()
    if row is None:
        return None
    later = select(Annotation.id).where(Annotation.project_id == project_id, col(Annotation.id) > row.last_annotation_id)
    behind = session.exec(select(func.count()).select_from(later.limit(COUNTED_MOST).subquery())).one()
    return Kept(row.value, row.computed_at, behind, row.seconds)


def counted(session: Session, *, project_id: int, name: str) -> dict[str, Any]:
    """A figure that the database counts; the caller has asked the policy."""
    counting = {figures.PROGRESS: progress_queries.progress, figures.WORK: progress_queries.work}
    return counting[name](session, project_id=project_id)


def material(session: Session, *, project_id: int, measures: bool = True) -> Material:
    """Everything that figures are made from, all judgements; the caller has asked the policy."""
    judged = read(session, project_id=project_id)
    by_task = questions_by_task(session, project_id=project_id)
    return Material(
        judged=judged,
        questions=merged(list(by_task.values())),
        by_task=dict(list(by_task.items())[:MOST_TASKS]),
        measured=measured(session, project_id=project_id, responses=judged.responses, versions=judged.versions)
        if measures
        else (),
    )


def task_names(session: Session, *, actor: Actor, project_id: int) -> dict[int, str]:
    """The tasks that judge responses, the newest first."""
    check(actor, Action.VIEW_RESULTS, project_id)
    query = select(Task.id, Task.name).where(Task.project_id == project_id, Task.kind != TaskKind.LABEL)
    return {key or 0: name for key, name in session.exec(query.order_by(col(Task.id).desc()).limit(MOST_TASKS))}


def questions_by_task(session: Session, *, project_id: int) -> dict[int, list[Question]]:
    """The questions of each judging task under any version of its rubric, the newest task first."""
    tasks = session.exec(
        select(Task.id, Task.rubric)
        .where(Task.project_id == project_id, Task.kind != TaskKind.LABEL)
        .order_by(col(Task.id).desc())
    ).all()
    older = session.exec(
        select(RubricVersion.task_id, RubricVersion.rubric)
        .join(Task, col(Task.id) == RubricVersion.task_id)
        .where(Task.project_id == project_id, Task.kind != TaskKind.LABEL)
        .order_by(col(RubricVersion.number).desc())
    ).all()
    versions: dict[int, list[Any]] = {key or 0: [rubric] for key, rubric in tasks}
    for key, rubric in older:
        versions[key].append(rubric)
    return {key: merged([_questions(rubric) for rubric in found]) for key, found in versions.items()}


def _questions(stored: dict[str, Any]) -> list[Question]:
    return list(Rubric.from_json(stored).questions) if stored.get("questions") else []


def merged(lists: list[list[Question]]) -> list[Question]:
    """Each key once: as the newest task or version words it."""
    found: dict[str, Question] = {}
    for questions in lists:
        for question in questions:
            found.setdefault(question.key, question)
    return list(found.values())


def identical(session: Session, *, actor: Actor, project_id: int, task_id: int | None) -> int:
    """Pairs of equal answers that nobody was shown: of one task, or of the only comparison that the project has."""
    check(actor, Action.VIEW_RESULTS, project_id)
    query = select(Task.id, Task.options).where(Task.project_id == project_id, Task.kind == TaskKind.COMPARE).limit(2)
    if task_id is not None:
        query = query.where(Task.id == task_id)
    found = session.exec(query).all()
    return int(found[0][1].get("identical", 0)) if len(found) == 1 else 0


def people(session: Session, *, actor: Actor, project_id: int, accounts: Collection[int]) -> dict[int, str]:
    """The e-mails of accounts that answered in this project."""
    check(actor, Action.VIEW_RESULTS, project_id)
    found = session.exec(select(Account.id, Account.email).where(col(Account.id).in_(accounts)))
    return {key or 0: email for key, email in found}
