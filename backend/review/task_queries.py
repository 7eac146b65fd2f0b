"""Reads for leads about tasks: how far each is, what it asked in which version, and what a new one would hold.

Gold, hidden repeats and calibration rounds are left out of every count: they are no work that has to be done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
from sqlalchemy import Integer, and_, case, func
from sqlmodel import Session, col, select

from backend.access.actors import Actor
from backend.access.policy import check
from backend.conversations import Message, messages_from_json
from backend.review import planning, pool_queries
from backend.review.drawing import Answer
from backend.review.leases import may_take_part
from backend.review.offers import may_answer
from backend.review.queueing import QUEUE
from backend.review.selections import Selection
from backend.review.tasking import rubric_of
from backend.rubrics import Rubric
from backend.store.accounts import Account
from backend.store.models import Response
from backend.store.records import Project, Record, RecordRevision
from backend.store.work import Annotation, Item, RubricVersion, Slot, Task
from backend.task_options import TaskOptions
from backend.vocabulary import FINISHED_ITEMS, Action, ItemPurpose, ItemStatus, TaskKind, TaskStatus

EXAMPLES = 10
MANY = 500
"""Queues are counted up to here."""


@dataclass(frozen=True, slots=True)
class TaskCard:
    """A task and how far it is. `rubric` and `guidelines` are those of `rubric_version`."""

    id: int
    name: str
    kind: TaskKind
    status: TaskStatus
    rubric: Rubric
    guidelines: str
    rubric_version: int
    overlap: int
    overlap_max: int | None
    options: TaskOptions
    lease_seconds: int
    items: int
    items_done: int
    items_disputed: int
    answers: int
    answers_wanted: int
    answers_saved: int
    """With adaptive overlap: how many judgements finished items did not need, compared to asking all raters about each."""
    created_at: datetime

    @property
    def can_grow(self) -> bool:
        """Whether more items can be added in the same way."""
        return self.status is not TaskStatus.CLOSED and bool(self.options.source)


@dataclass(frozen=True, slots=True)
class VersionCard:
    """One version of a task's questions and guidelines."""

    number: int
    questions: tuple[str, ...]
    guidelines: str
    reason: str
    author: str
    created_at: datetime
    answers: int


@dataclass(frozen=True, slots=True)
class Example:
    """One item as it would be; `texts` are contestants' names with their answers, which leads may know."""

    messages: tuple[Message, ...]
    texts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """What a task would hold, before it is made. Nothing of it is saved."""

    found: int
    questions: int
    items: int
    identical: int
    strata: pd.DataFrame
    """value, found, drawn"""
    meetings: pd.DataFrame
    """one, other, items"""
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class QueueChoice:
    """A task to review records that is open to somebody, and how many of its records wait for them (at most MANY)."""

    task_id: int
    name: str
    guidelines: str
    lease_seconds: int
    waiting: int

    @property
    def waiting_text(self) -> str:
        """The number left, for people."""
        return f"{MANY}+" if self.waiting >= MANY else str(self.waiting)


def task_cards(session: Session, *, actor: Actor, project_id: int) -> list[TaskCard]:
    """The project's tasks, the newest first, without the standing review queue."""
    check(actor, Action.CREATE_TASK, project_id)
    mine = (Task.project_id == project_id, ~and_(col(Task.kind) == TaskKind.LABEL, col(Task.name) == QUEUE))
    found = session.exec(select(Task).where(*mine).order_by(col(Task.id).desc())).all()
    items = _item_counts(session, [task.id or 0 for task in found])
    slots = _slot_counts(session, [task.id or 0 for task in found])
    return [_card(task, items.get(task.id or 0, {}), slots.get(task.id or 0, (0, 0, 0))) for task in found]


def _card(task: Task, items: Mapping[ItemStatus, int], slots: tuple[int, int, int]) -> TaskCard:
    finished = sum(count for status, count in items.items() if status in FINISHED_ITEMS)
    wanted, done, of_finished = slots
    return TaskCard(
        id=task.id or 0,
        name=task.name,
        kind=task.kind,
        status=task.status,
        rubric=Rubric.from_json(task.rubric) if task.rubric else Rubric(()),
        guidelines=task.guidelines,
        rubric_version=task.rubric_version,
        overlap=task.overlap,
        overlap_max=task.overlap_max,
        options=TaskOptions.from_json(task.options),
        lease_seconds=task.lease_seconds,
        items=sum(items.values()),
        items_done=finished,
        items_disputed=items.get(ItemStatus.DISPUTED, 0),
        answers=done,
        answers_wanted=wanted,
        answers_saved=task.overlap_max * finished - of_finished if task.overlap_max else 0,
        created_at=task.created_at,
    )


def _item_counts(session: Session, ids: Sequence[int]) -> dict[int, dict[ItemStatus, int]]:
    columns: list[Any] = [Item.task_id, Item.status, func.count()]
    query = select(*columns).where(col(Item.task_id).in_(ids), Item.purpose == ItemPurpose.WORK)
    found: dict[int, dict[ItemStatus, int]] = {}
    for task_id, status, count in session.exec(query.group_by(col(Item.task_id), col(Item.status))):
        found.setdefault(task_id, {})[status] = count
    return found


def _slot_counts(session: Session, ids: Sequence[int]) -> dict[int, tuple[int, int, int]]:
    """task → (answers wanted, answers given, answers wanted of finished items)"""
    given = func.sum(case((col(Slot.done_at).is_not(None), 1), else_=0), type_=Integer)
    finished = func.sum(case((col(Item.status).in_(FINISHED_ITEMS), 1), else_=0), type_=Integer)
    columns: list[Any] = [Slot.task_id, func.count(), given, finished]
    query = select(*columns).join(Item, col(Item.id) == Slot.item_id)
    query = query.where(col(Slot.task_id).in_(ids), Item.purpose == ItemPurpose.WORK).group_by(col(Slot.task_id))
    return {task_id: (wanted, done or 0, closed or 0) for task_id, wanted, done, closed in session.exec(query)}


def rubric_history(session: Session, *, actor: Actor, project_id: int, task_id: int) -> list[VersionCard]:
    """Every version of a task's questions, the newest first, with how many answers were given under it."""
    check(actor, Action.CREATE_TASK, project_id)
    answered: Any = select(Annotation.rubric_version, func.count()).where(
        Annotation.task_id == task_id, Annotation.project_id == project_id
    )
    counts = dict(session.exec(answered.group_by(col(Annotation.rubric_version))).all())
    query = (
        select(RubricVersion, Account.email)
        .join(Task, col(Task.id) == RubricVersion.task_id)
        .outerjoin(Account, col(Account.id) == RubricVersion.author_id)
        .where(RubricVersion.task_id == task_id, Task.project_id == project_id)
        .order_by(col(RubricVersion.number).desc())
    )
    return [
        VersionCard(
            number=one.number,
            questions=Rubric.from_json(one.rubric).keys,
            guidelines=one.guidelines,
            reason=one.reason,
            author=email or "system",
            created_at=one.created_at,
            answers=counts.get(one.number, 0),
        )
        for one, email in session.exec(query)
    ]


def default_rubric(session: Session, *, project_id: int) -> Rubric:
    """What rating tasks of the project ask unless their lead writes other questions."""
    return rubric_of(session.get_one(Project, project_id))


def work_by_rater(session: Session, *, actor: Actor, project_id: int, task_id: int) -> pd.DataFrame:
    """Answers, corrections and mean seconds of each rater in a task."""
    check(actor, Action.VIEW_RESULTS, project_id)
    first = case((col(Annotation.number) == 1, 1), else_=0)
    columns: list[Any] = [Account.email, func.sum(first), func.sum(1 - first), func.avg(Annotation.seconds)]
    columns.append(func.max(Annotation.created_at))
    query = (
        select(*columns)
        .join(Account, col(Account.id) == Annotation.account_id)
        .join(Item, col(Item.id) == Annotation.item_id)
        .where(Annotation.task_id == task_id, Annotation.project_id == project_id, Item.purpose == ItemPurpose.WORK)
        .group_by(col(Account.email))
        .order_by(func.sum(first).desc(), col(Account.email))
    )
    rows = session.exec(query).all()
    frame = pd.DataFrame(rows, columns=["rater", "answers", "corrections", "mean seconds", "last answer"])
    return frame.astype({"answers": "int64", "corrections": "int64"})


def preview(session: Session, *, actor: Actor, project_id: int, kind: TaskKind, selection: Selection) -> Preview:
    """What `tasking.create_task` would make now. Raises InvalidInput, NotFound."""
    check(actor, Action.CREATE_TASK, project_id)
    plan = planning.plan(session, project_id, kind, planning.with_versions(session, project_id, selection))
    names = pool_queries.names_of(session, project_id)
    draw = plan.draw
    met = [
        (pool_queries.name_of(names, one), pool_queries.name_of(names, other), count)
        for (one, other), count in sorted(draw.meetings.items())
    ]
    strata = [(value, found, drawn) for value, (found, drawn) in draw.strata.items()]
    if kind is TaskKind.LABEL:
        examples = tuple(_record_example(session, record_id) for record_id in plan.records[:EXAMPLES])
    else:
        examples = tuple(_answer_example(session, item, names) for item in draw.items[:EXAMPLES])
    return Preview(
        found=draw.found,
        questions=draw.questions,
        items=plan.items,
        identical=draw.identical,
        strata=pd.DataFrame(strata, columns=["value", "found", "drawn"]),
        meetings=pd.DataFrame(met, columns=["one", "other", "items"]),
        examples=examples,
    )


def _record_example(session: Session, record_id: int) -> Example:
    newest = (
        select(RecordRevision.messages)
        .join(Record, and_(col(Record.id) == RecordRevision.record_id, col(Record.head) == RecordRevision.number))
        .where(Record.id == record_id)
    )
    return Example(messages_from_json(session.exec(newest).one()), ())


def _answer_example(session: Session, item: Sequence[Answer], names: Mapping[str, str]) -> Example:
    stored = next((answer.response_id for answer in item if answer.response_id), None)
    if stored is not None:
        messages = messages_from_json(session.get_one(Response, stored).prompt)
    else:
        messages = (Message("user", session.get_one(Record, item[0].question).prompt),)
    return Example(messages, tuple((pool_queries.name_of(names, answer.contestant), answer.text) for answer in item))


def label_queues(session: Session, *, actor: Actor, project_id: int) -> list[QueueChoice]:
    """The open tasks to review records that this person may work on, the oldest first."""
    check(actor, Action.REVIEW, project_id)
    query = select(Task).where(
        Task.project_id == project_id,
        Task.kind == TaskKind.LABEL,
        Task.status == TaskStatus.OPEN,
        Task.name != QUEUE,
    )
    found = []
    for task in session.exec(query.order_by(col(Task.id))):
        if actor.account_id is None or not may_take_part(task, actor.account_id):
            continue
        open_items = select(Item.id).where(
            Item.task_id == task.id, Item.status == ItemStatus.OPEN, *may_answer(actor.account_id)
        )
        waiting = session.exec(select(func.count()).select_from(open_items.limit(MANY).subquery())).one()
        found.append(QueueChoice(task.id or 0, task.name, task.guidelines, task.lease_seconds, waiting))
    return found
