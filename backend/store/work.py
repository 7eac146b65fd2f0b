"""Tables of review work: tasks, items, slots (with their leases), annotations, blind comparisons."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field

from backend.store.base import Table, created, document, moment, optional_word, word
from backend.vocabulary import ItemStatus, TaskKind, TaskStatus, Verdict


class Task(Table, table=True):
    """A piece of review work. `rubric` is the questions asked; its version changes with it."""

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id", index=True)
    kind: TaskKind = word(TaskKind)
    name: str = Field(max_length=200)
    guidelines: str = ""
    rubric: dict[str, Any] = document()
    rubric_version: int = 1
    overlap: int = 1
    lease_seconds: int = 900
    status: TaskStatus = word(TaskStatus, TaskStatus.OPEN)
    seed: int = 0
    evaluation_id: int | None = Field(default=None, foreign_key="evaluation.id", index=True)
    created_by: int | None = Field(default=None, foreign_key="account.id")
    created_at: datetime = created()


class Item(Table, table=True):
    """One record, response or comparison in a task. Exactly one of the three subjects is set."""

    __table_args__ = (Index("ix_item_task_status", "task_id", "status", "position"),)

    id: int | None = Field(default=None, primary_key=True)
    task_id: int = Field(foreign_key="task.id", index=True)
    position: int = 0
    record_id: int | None = Field(default=None, foreign_key="record.id", index=True)
    response_id: int | None = Field(default=None, foreign_key="response.id", index=True)
    first_response_id: int | None = Field(default=None, foreign_key="response.id", index=True)
    second_response_id: int | None = Field(default=None, foreign_key="response.id", index=True)
    status: ItemStatus = word(ItemStatus, ItemStatus.OPEN)
    created_at: datetime = created()


class Slot(Table, table=True):
    """One rater's place on an item, and the lease that holds it.

    Free: no account, or `expires_at` is past, and not done. `fence` grows by one with every claim; a submit with an
    older fence is refused. `swapped` is the side drawn for this rater: the second response is shown on the left.
    """

    __table_args__ = (UniqueConstraint("item_id", "number"), Index("ix_slot_task_done", "task_id", "done_at", "expires_at"))

    id: int | None = Field(default=None, primary_key=True)
    task_id: int = Field(foreign_key="task.id")
    item_id: int = Field(foreign_key="item.id", index=True)
    number: int
    account_id: int | None = Field(default=None, foreign_key="account.id", index=True)
    fence: int = 0
    swapped: bool | None = None
    claimed_at: datetime | None = moment()
    expires_at: datetime | None = moment()
    done_at: datetime | None = moment()


class Skip(Table, table=True):
    """A rater passed an item on, with a reason; it is not offered to them again."""

    __table_args__ = (UniqueConstraint("item_id", "account_id"),)

    id: int | None = Field(default=None, primary_key=True)
    item_id: int = Field(foreign_key="item.id", index=True)
    account_id: int = Field(foreign_key="account.id", index=True)
    reason: str = ""
    created_at: datetime = created()


class Annotation(Table, table=True):
    """One rater's answers for one item. A correction is a new row with the next number; the highest number counts.

    `answers` maps a rubric question to its answer. For comparisons `verdict` is by side as the rater saw it,
    `left_response_id` and `right_response_id` are what stood there, and `winner_response_id` follows from them.
    """

    __table_args__ = (
        UniqueConstraint("item_id", "account_id", "number"),
        Index("ix_annotation_task_at", "task_id", "created_at"),
        Index("ix_annotation_project_at", "project_id", "created_at"),
    )

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id", index=True)
    task_id: int = Field(foreign_key="task.id")
    item_id: int = Field(foreign_key="item.id", index=True)
    slot_id: int | None = Field(default=None, foreign_key="slot.id")
    fence: int = 0
    account_id: int | None = Field(default=None, foreign_key="account.id", index=True)
    number: int = 1
    rubric_version: int = 1
    answers: dict[str, Any] = document()
    comment: str = ""
    verdict: Verdict | None = optional_word(Verdict)
    left_response_id: int | None = Field(default=None, foreign_key="response.id")
    right_response_id: int | None = Field(default=None, foreign_key="response.id")
    winner_response_id: int | None = Field(default=None, foreign_key="response.id")
    seconds: float | None = None
    created_at: datetime = created()
