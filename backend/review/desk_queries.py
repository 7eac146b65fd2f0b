"""Reads for the rating desk: which tasks there are for a rater, how much is left, what they did today.

Nothing here tells a rater anything about versions, or about what others answered.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from statistics import median
from typing import Any

from sqlalchemy import Integer, bindparam, func
from sqlalchemy import select as sql_select
from sqlmodel import Session, col, select

from backend.access.actors import Actor
from backend.access.policy import check, may
from backend.review.answers import rubric_of
from backend.review.grading import is_right
from backend.review.leases import may_take_part
from backend.review.offers import may_answer
from backend.rubrics import Question
from backend.store.base import UtcDateTime, now
from backend.store.work import Annotation, Item, Slot, Task
from backend.vocabulary import Action, ItemPurpose, ItemStatus, TaskKind, TaskStatus

DESK_KINDS = (TaskKind.RATE, TaskKind.COMPARE, TaskKind.RANK)
SPEED_OF = 100
"""From how many of a rater's newest answers their speed is told."""
HOURLY_FROM = 5
GOLD_STEP = 5
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
    rubric_version: int = 1


@dataclass(frozen=True, slots=True)
class DeskCount:
    """How much is left in a task for one rater (at most MANY), what they did in it, and today in the whole project.

    `seconds` is the median of their newest answers in the task, `hourly` how many of today's fit into an hour of work;
    None before the first, and before the fifth of today.
    """

    waiting: int
    done: int
    today: int
    seconds: float | None = None
    hourly: int | None = None

    def after(self, *, answered: int) -> DeskCount:
        """The numbers when one item more was answered (1) or passed on (0)."""
        waiting = self.waiting if self.waiting >= MANY else max(0, self.waiting - 1)
        return replace(self, waiting=waiting, done=self.done + answered, today=self.today + answered)

    @property
    def waiting_text(self) -> str:
        """The number left, for people."""
        return f"{MANY}+" if self.waiting >= MANY else str(self.waiting)


def desk_tasks(session: Session, *, actor: Actor, project_id: int) -> list[DeskTask]:
    """The project's open judging tasks in which the actor may take part, the oldest first."""
    check(actor, Action.RATE, project_id)
    return [
        DeskTask(
            id=task.id or 0,
            name=task.name,
            kind=task.kind,
            guidelines=task.guidelines,
            questions=rubric_of(task.rubric).questions,
            lease_seconds=task.lease_seconds,
            rubric_version=task.rubric_version,
        )
        for task in _open(session, project_id, DESK_KINDS)
        if may_take_part(task, actor.account_id or 0)
    ]


def open_label_tasks(session: Session, *, actor: Actor, project_id: int) -> list[str]:
    """The names of open tasks whose work is on the review page, for those who may review."""
    if not may(actor, Action.REVIEW, project_id):
        return []
    tasks = _open(session, project_id, (TaskKind.LABEL,))
    return [task.name for task in tasks if may_take_part(task, actor.account_id or 0)]


def own_gold(session: Session, *, actor: Actor, project_id: int, task_id: int) -> tuple[int, int] | None:
    """(right, of how many) of the actor's first answers to known items; None before there are GOLD_STEP of them.

    Told for whole steps only, so that nobody can see by it which item was one.
    """
    check(actor, Action.RATE, project_id)
    query = (
        select(Annotation.score)
        .join(Item, col(Item.id) == Annotation.item_id)
        .where(Annotation.project_id == project_id, Annotation.task_id == task_id, Annotation.account_id == actor.account_id)
        .where(Item.purpose == ItemPurpose.GOLD, Annotation.number == 1, col(Annotation.score).is_not(None))
        .order_by(col(Annotation.id))
    )
    scores = [score or 0.0 for score in session.exec(query).all()]
    told = scores[: len(scores) // GOLD_STEP * GOLD_STEP]
    return (sum(is_right(score) for score in told), len(told)) if told else None


def _open(session: Session, project_id: int, kinds: tuple[TaskKind, ...]) -> list[Task]:
    query = select(Task).where(Task.project_id == project_id, Task.status == TaskStatus.OPEN, col(Task.kind).in_(kinds))
    return list(session.exec(query.order_by(col(Task.id))))


def desk_count(session: Session, *, actor: Actor, project_id: int, task_id: int, at: datetime | None = None) -> DeskCount:
    """The rater's numbers. `today` begins at midnight UTC."""
    check(actor, Action.RATE, project_id)
    midnight = (at or now()).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    mine = {"project": project_id, "task": task_id, "account": actor.account_id or 0}
    done, in_hand, free, today, worked = session.execute(_numbers(), mine | {"midnight": midnight, "now": now()}).one()
    times = [seconds or 0.0 for seconds in session.scalars(_newest_times(), mine)]
    return DeskCount(
        waiting=min(MANY, free + in_hand),
        done=done,
        today=today,
        seconds=round(median(times), 1) if times else None,
        hourly=round(today / worked * 3600) if today >= HOURLY_FROM and worked >= 1 else None,
    )


# --- the statements, which are built once: building them costs more than asking them ----------------------------------

_PROJECT, _TASK, _ACCOUNT = (bindparam(name, type_=Integer) for name in ("project", "task", "account"))
_MIDNIGHT: Any = bindparam("midnight", type_=UtcDateTime)
_NOW: Any = bindparam("now", type_=UtcDateTime)


@cache
def _numbers() -> Any:
    """Done in the task; in hand; free for this rater, counted up to MANY; today's answers in the project, and their seconds."""
    mine: tuple[Any, ...] = (col(Annotation.account_id) == _ACCOUNT, Annotation.number == 1)
    done = sql_select(func.count()).select_from(Annotation).where(col(Annotation.task_id) == _TASK, *mine)
    holds = (col(Slot.account_id) == _ACCOUNT, col(Slot.done_at).is_(None), col(Slot.expires_at) > _NOW)
    in_hand = sql_select(func.count()).select_from(Slot).where(col(Slot.task_id) == _TASK, *holds)
    open_items = (col(Item.task_id) == _TASK, col(Item.status) == ItemStatus.OPEN)
    left = sql_select(col(Item.id)).where(*open_items, *may_answer(_ACCOUNT, _NOW)).limit(MANY).subquery()
    free = sql_select(func.count()).select_from(left)
    worked = func.coalesce(func.sum(func.coalesce(Annotation.seconds, 0.0)), 0.0)
    of_today = (col(Annotation.project_id) == _PROJECT, col(Annotation.created_at) >= _MIDNIGHT)
    before = (one.scalar_subquery() for one in (done, in_hand, free))
    return sql_select(*before, func.count(), worked).select_from(Annotation).where(*of_today, *mine)


@cache
def _newest_times() -> Any:
    """The seconds of the rater's newest answers in the task."""
    mine: tuple[Any, ...] = (col(Annotation.account_id) == _ACCOUNT, Annotation.number == 1)
    times = sql_select(col(Annotation.seconds)).where(col(Annotation.task_id) == _TASK, *mine)
    return times.where(col(Annotation.seconds).is_not(None)).order_by(col(Annotation.id).desc()).limit(SPEED_OF)
