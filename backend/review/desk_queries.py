"""Reads for the rating desk: which tasks there are for a rater, how much is left, what they did today.

Nothing here tells a rater anything about versions, or about what others answered.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col, select

from backend.access.actors import Actor
from backend.access.policy import check
from backend.review.leases import may_answer
from backend.rubrics import Question, Rubric
from backend.store.base import now
from backend.store.work import Annotation, Item, Slot, Task
from backend.vocabulary import Action, ItemStatus, TaskKind, TaskStatus

MANY = 500
"""Queues are counted up to here; longer ones show as "500+"."""


@dataclass(frozen=True, slots=True)
class DeskTask:
    """An open judging task as a rater sees it."""

    id: int
    name: str
    kind: TaskKind
    guidelines: str
    questions: tuple[Question, ...]
    lease_seconds: int


@dataclass(frozen=True, slots=True)
class DeskCount:
    """How much is left in a task for one rater (at most MANY), what they did in it, and today in the whole project."""

    waiting: int
    done: int
    today: int

    @property
    def waiting_text(self) -> str:
        """The number left, for people."""
        return f"{MANY}+" if self.waiting >= MANY else str(self.waiting)


def desk_tasks(session: Session, *, actor: Actor, project_id: int) -> list[DeskTask]:
    """The project's open rating and comparison tasks, the oldest first."""
    check(actor, Action.RATE, project_id)
    query = select(Task).where(
        Task.project_id == project_id,
        Task.status == TaskStatus.OPEN,
        col(Task.kind).in_([TaskKind.RATE, TaskKind.COMPARE]),
    )
    return [
        DeskTask(task.id or 0, task.name, task.kind, task.guidelines, _questions(task), task.lease_seconds)
        for task in session.exec(query.order_by(col(Task.id)))
    ]


def _questions(task: Task) -> tuple[Question, ...]:
    return Rubric.from_json(task.rubric).questions if task.kind is TaskKind.RATE else ()


def desk_count(session: Session, *, actor: Actor, project_id: int, task_id: int, at: datetime | None = None) -> DeskCount:
    """The rater's numbers. `today` begins at midnight UTC."""
    check(actor, Action.RATE, project_id)
    account_id = actor.account_id or 0
    left = select(Item.id).where(Item.task_id == task_id, Item.status == ItemStatus.OPEN, *may_answer(account_id)).limit(MANY)
    midnight = (at or now()).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    mine: tuple[Any, ...] = (Annotation.account_id == account_id, Annotation.number == 1)
    in_hand = select(func.count()).where(
        Slot.task_id == task_id,
        Slot.account_id == account_id,
        col(Slot.done_at).is_(None),
        col(Slot.expires_at) > now(),
    )
    free = session.exec(select(func.count()).select_from(left.subquery())).one()
    waiting = min(MANY, free + session.exec(in_hand).one())
    done = session.exec(select(func.count()).select_from(Annotation).where(Annotation.task_id == task_id, *mine)).one()
    today = session.exec(
        select(func.count())
        .select_from(Annotation)
        .where(Annotation.project_id == project_id, col(Annotation.created_at) >= midnight, *mine)
    ).one()
    return DeskCount(waiting=waiting, done=done, today=today)
