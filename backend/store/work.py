"""Tables of review work: tasks, their rubrics' versions, items, slots (with their leases), drafts, annotations."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field

from backend.store.base import Json, Table, created, document, moment, optional_word, word
from backend.vocabulary import ItemPurpose, ItemStatus, TaskKind, TaskStatus, Verdict


class Task(Table, table=True):
    """A piece of review work.

    `rubric` and `guidelines` are those of `rubric_version`; older ones are in RubricVersion. `options` is a
    `backend.task_options.TaskOptions`. `overlap` is how many raters an item gets to begin with; with `overlap_max`, one
    more is asked as long as they disagree, up to that many.
    """

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id", index=True)
    kind: TaskKind = word(TaskKind)
    name: str = Field(max_length=200)
    guidelines: str = ""
    rubric: dict[str, Any] = document()
    rubric_version: int = 1
    options: dict[str, Any] = document()
    overlap: int = 1
    overlap_max: int | None = None
    lease_seconds: int = 900
    status: TaskStatus = word(TaskStatus, TaskStatus.OPEN)
    seed: int = 0
    evaluation_id: int | None = Field(default=None, foreign_key="evaluation.id", index=True)
    created_by: int | None = Field(default=None, foreign_key="account.id")
    created_at: datetime = created()


class RubricVersion(Table, table=True):
    """A task's questions and guidelines as they stood; annotations name the number under which they were made."""

    __table_args__ = (UniqueConstraint("task_id", "number"),)

    id: int | None = Field(default=None, primary_key=True)
    task_id: int = Field(foreign_key="task.id", index=True)
    number: int
    rubric: dict[str, Any] = document()
    guidelines: str = ""
    reason: str = ""
    author_id: int | None = Field(default=None, foreign_key="account.id")
    created_at: datetime = created()


class Item(Table, table=True):
    """One record, response, comparison or ranking in a task. Exactly one of the four subjects is set.

    The subject of a ranking is `response_ids`. `only_account_id`: asked of this one account alone (gold, repeats and
    calibration are copies of the item `copy_of`, made for a rater). `why` says what put the item at its place, where an
    order other than the given one did. `dispute` is how far its raters disagreed, 0 to 1, once all have answered.
    """

    __table_args__ = (Index("ix_item_task_status", "task_id", "status", "position"),)

    id: int | None = Field(default=None, primary_key=True)
    task_id: int = Field(foreign_key="task.id", index=True)
    position: int = 0
    record_id: int | None = Field(default=None, foreign_key="record.id", index=True)
    response_id: int | None = Field(default=None, foreign_key="response.id", index=True)
    first_response_id: int | None = Field(default=None, foreign_key="response.id", index=True)
    second_response_id: int | None = Field(default=None, foreign_key="response.id", index=True)
    response_ids: list[int] | None = Field(default=None, sa_type=Json, nullable=True)
    purpose: ItemPurpose = word(ItemPurpose, ItemPurpose.WORK)
    copy_of: int | None = Field(default=None, foreign_key="item.id", index=True)
    only_account_id: int | None = Field(default=None, foreign_key="account.id", index=True)
    why: str = Field(default="", max_length=200)
    dispute: float | None = None
    status: ItemStatus = word(ItemStatus, ItemStatus.OPEN)
    created_at: datetime = created()


class Slot(Table, table=True):
    """One rater's place on an item, and the lease that holds it.

    Free: no account, or `expires_at` is past, and not done. `fence` grows by one with every claim; a submit with an
    older fence is refused. `swapped` is the side drawn for this rater: the second response is shown on the left. `drawn`
    is the order drawn for a ranking: response ids from left to right.
    """

    __table_args__ = (UniqueConstraint("item_id", "number"), Index("ix_slot_task_done", "task_id", "done_at", "expires_at"))

    id: int | None = Field(default=None, primary_key=True)
    task_id: int = Field(foreign_key="task.id")
    item_id: int = Field(foreign_key="item.id", index=True)
    number: int
    account_id: int | None = Field(default=None, foreign_key="account.id", index=True)
    fence: int = 0
    swapped: bool | None = None
    drawn: list[int] | None = Field(default=None, sa_type=Json, nullable=True)
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
    `left_response_id` and `right_response_id` are what stood there, and `winner_response_id` follows from them. `ranking`
    lists response ids from best to worst, those on one place together. `score`, 0 to 1, is set on copies alone: how right
    the answer is by the item's gold, or how like the rater's own earlier answer to a hidden repeat.
    """

    __table_args__ = (
        UniqueConstraint("item_id", "account_id", "number"),
        Index("ix_annotation_task_at", "task_id", "created_at"),
        Index("ix_annotation_project_at", "project_id", "created_at"),
        Index(
            "ix_annotation_task_scored",
            "task_id",
            "account_id",
            sqlite_where=text("score IS NOT NULL"),
            postgresql_where=text("score IS NOT NULL"),
        ),
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
    ranking: list[list[int]] | None = Field(default=None, sa_type=Json, nullable=True)
    score: float | None = None
    seconds: float | None = None
    created_at: datetime = created()


class Draft(Table, table=True):
    """What a rater has chosen and written about an item so far, kept until the answer is saved."""

    __table_args__ = (UniqueConstraint("item_id", "account_id"),)

    id: int | None = Field(default=None, primary_key=True)
    item_id: int = Field(foreign_key="item.id", index=True)
    account_id: int = Field(foreign_key="account.id", index=True)
    content: dict[str, Any] = document()
    updated_at: datetime = created()


class Gold(Table, table=True):
    """The known answer to an item, with why it is right. Asked again of raters, as copies of the item.

    By response, not by side: `winner_response_id`, or `verdict` for a tie and for both bad. `calibration`: also in the
    round that a rater must pass before the real items.
    """

    id: int | None = Field(default=None, primary_key=True)
    item_id: int = Field(foreign_key="item.id", unique=True)
    answers: dict[str, Any] = document()
    verdict: Verdict | None = optional_word(Verdict)
    winner_response_id: int | None = Field(default=None, foreign_key="response.id")
    ranking: list[list[int]] | None = Field(default=None, sa_type=Json, nullable=True)
    explanation: str = ""
    calibration: bool = False
    author_id: int | None = Field(default=None, foreign_key="account.id")
    created_at: datetime = created()


class Qualification(Table, table=True):
    """How a rater stands in a task: the calibration round, and whether they fell since. Made with the first of either.

    `attempt` counts rounds; `passed_at` opens the real items. `asked`, `answered` and `correct` are of the round that goes
    on; `history` keeps those that ended, as objects with attempt, asked, answered, correct and passed. `drifted_at` is set
    while there is a notice, whose words are in `drift`.
    """

    __table_args__ = (UniqueConstraint("task_id", "account_id"),)

    id: int | None = Field(default=None, primary_key=True)
    task_id: int = Field(foreign_key="task.id", index=True)
    account_id: int = Field(foreign_key="account.id", index=True)
    attempt: int = 1
    asked: int = 0
    answered: int = 0
    correct: int = 0
    history: list[dict[str, Any]] = document(list)
    passed_at: datetime | None = moment()
    drifted_at: datetime | None = moment()
    drift: dict[str, Any] = document()
    created_at: datetime = created()


class Adjudication(Table, table=True):
    """The ruling on an item whose raters disagreed: it is the item's answer while `withdrawn_at` is empty.

    A later one has the next number, and withdraws the one before. By response, not by side: `winner_response_id`, or
    `verdict` for a tie and for both bad. `suggested` is the consensus that was shown beside it.
    """

    __table_args__ = (UniqueConstraint("item_id", "number"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id", index=True)
    task_id: int = Field(foreign_key="task.id", index=True)
    item_id: int = Field(foreign_key="item.id", index=True)
    number: int = 1
    answers: dict[str, Any] = document()
    verdict: Verdict | None = optional_word(Verdict)
    winner_response_id: int | None = Field(default=None, foreign_key="response.id")
    ranking: list[list[int]] | None = Field(default=None, sa_type=Json, nullable=True)
    suggested: dict[str, Any] = document()
    reason: str
    author_id: int | None = Field(default=None, foreign_key="account.id")
    created_at: datetime = created()
    withdrawn_at: datetime | None = moment()
    withdrawn_by: int | None = Field(default=None, foreign_key="account.id")
    withdrawn_reason: str = ""


class Figure(Table, table=True):
    """Figures that take long to work out from many annotations, kept with how far they had read."""

    __table_args__ = (UniqueConstraint("project_id", "name", "subject"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id", index=True)
    name: str = Field(max_length=60)
    subject: str = Field(default="", max_length=120)
    value: dict[str, Any] = document()
    last_annotation_id: int = 0
    seconds: float = 0.0
    computed_at: datetime = created()
