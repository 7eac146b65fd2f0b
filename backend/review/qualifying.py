"""The calibration round that a rater passes before the real items: gold with explanations, given openly.

A round asks up to ROUND gold items that are marked for it. It is passed where the share that was right reaches the task's
`calibration_pass`; else another one begins, with gold that the rater was not asked yet as far as there is. Only the first
answer to an item counts: what is changed after reading the explanation does not. Where a task has no gold for the round,
nobody is held back. Promised: what was right is shown for items of the round alone, and only to whoever answered them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from sqlalchemy import func
from sqlmodel import Session, col, select

from backend.access import audit
from backend.access.actors import Actor
from backend.access.policy import check
from backend.errors import NotFound
from backend.review import leases, mixture
from backend.review.answers import rubric_of
from backend.review.copying import close_copies, copy_items
from backend.review.grading import Feedback, feedback_for
from backend.review.work_items import shown_ids
from backend.store.base import now
from backend.store.work import Annotation, Gold, Item, Qualification, Skip, Slot, Task
from backend.task_options import TaskOptions
from backend.vocabulary import Action, ItemPurpose, ItemStatus, TaskKind

ROUND = 10
"""The most items in a round."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a rater stands in a task's calibration: `answered` of `asked` in this round, `needed` is a share."""

    passed: bool
    attempt: int
    asked: int
    answered: int
    correct: int
    needed: float


def standing(session: Session, *, actor: Actor, task_id: int) -> Standing | None:
    """The actor's own; None where the task has no round, or before it was first opened."""
    task = session.get(Task, task_id)
    if task is None:
        raise NotFound("There is no such task.")
    check(actor, Action.RATE, task.project_id)
    needed = TaskOptions.from_json(task.options).calibration_pass
    found = _of(session, task_id, actor.account_id or 0) if needed is not None else None
    if found is None or needed is None:
        return None
    return Standing(found.passed_at is not None, found.attempt, found.asked, found.answered, found.correct, needed)


def feedback_after(session: Session, *, actor: Actor, slot_id: int) -> Feedback | None:
    """What was right about the actor's own answer to an item of the round; None for every other item."""
    slot = session.get(Slot, slot_id)
    item = session.get(Item, slot.item_id) if slot is not None else None
    if slot is None or item is None or item.purpose is not ItemPurpose.CALIBRATION or slot.account_id != actor.account_id:
        return None
    mine = select(Annotation).where(Annotation.item_id == item.id, Annotation.account_id == actor.account_id)
    annotation = session.exec(mine.order_by(col(Annotation.number).desc()).limit(1)).first()
    known = session.exec(select(Gold).where(Gold.item_id == item.copy_of)).first()
    task = session.get_one(Task, item.task_id)
    check(actor, Action.RATE, task.project_id)
    if annotation is None or known is None:
        return None
    told = feedback_for(
        task.kind,
        rubric_of(task.rubric),
        annotation,
        known,
        names=names_of(task.kind, shown_ids(item, slot)),
        explanation=known.explanation,
    )
    return _with_standing(session, told, task, annotation)


def names_of(kind: TaskKind, shown: Collection[int]) -> dict[int, str]:
    """What the responses of an item are called, by the places at which they were shown."""
    if kind is TaskKind.COMPARE:
        return dict(zip(shown, ("Left", "Right"), strict=False))
    return {response_id: f"Response {place}" for place, response_id in enumerate(shown, start=1)}


def reset(*, session: Session, actor: Actor, project_id: int, task_id: int, account_id: int) -> None:
    """Let a rater begin the calibration anew, also one who has passed it."""
    check(actor, Action.CREATE_TASK, project_id)
    task = session.get(Task, task_id)
    found = _of(session, task_id, account_id, lock=True)
    if task is None or task.project_id != project_id or found is None:
        raise NotFound("This rater has not begun the calibration of this task.")
    close_copies(session, purposes=(ItemPurpose.CALIBRATION,), asked_of=(task_id, account_id))
    found.asked = found.answered = found.correct = 0
    found.passed_at = None
    session.add(found)
    audit.record(session, actor, "calibration_reset", project_id=project_id, subject=f"task {task_id}", account_id=account_id)
    session.commit()


# --- parts of use-cases: nothing below commits -----------------------------------------------------------------------


def hold_back(session: Session, task: Task, account_id: int) -> bool:
    """Whether this rater gets nothing but the round now. Begins the next one where it is time for it."""
    found = _of(session, task.id or 0, account_id)
    if found is not None and found.passed_at is not None:
        return False
    if _waiting(session, task, account_id):
        return True
    leases.one_at_a_time(session, task.id or 0, account_id)
    if _waiting(session, task, account_id):
        return True
    found = _of(session, task.id or 0, account_id, lock=True)
    if found is not None and found.asked and found.passed_at is None:  # its last items were taken away or passed on
        _end_round(session, task, found)
        if found.passed_at is not None:
            return False
    return _begin_round(session, task, account_id, found)


def count_in(session: Session, task: Task, annotation: Annotation, right: bool) -> None:
    """Count a first answer to an item of the round, and end the round with its last item."""
    found = _of(session, task.id or 0, annotation.account_id or 0, lock=True)
    if found is None or annotation.number > 1 or found.passed_at is not None:
        return
    found.answered += 1
    found.correct += int(right)
    session.add(found)
    session.flush()
    if not _waiting(session, task, annotation.account_id or 0):
        _end_round(session, task, found)


def forget_gold(session: Session, item_id: int) -> None:
    """The item is no gold for the round any more: who was to answer it has one less to answer."""
    waiting = select(Item).where(
        Item.copy_of == item_id, Item.purpose == ItemPurpose.CALIBRATION, Item.status == ItemStatus.OPEN
    )
    for copied in session.exec(waiting).all():
        found = _of(session, copied.task_id, copied.only_account_id or 0, lock=True)
        if found is not None and found.asked:
            found.asked -= 1
            session.add(found)
    close_copies(session, purposes=(ItemPurpose.CALIBRATION,), copy_of=item_id)


def passed_over(session: Session, item: Item) -> None:
    """A rater passed a copy on: nobody else is asked it. In the round it counts as not right."""
    if item.purpose is ItemPurpose.WORK:
        return
    item.status = ItemStatus.DONE
    session.add(item)
    session.flush()


def _of(session: Session, task_id: int, account_id: int, *, lock: bool = False) -> Qualification | None:
    query = select(Qualification).where(Qualification.task_id == task_id, Qualification.account_id == account_id)
    if lock:
        query = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    return session.exec(query).one_or_none()


def _waiting(session: Session, task: Task, account_id: int) -> int:
    """How many items of the round are not answered yet."""
    skipped = select(Skip.id).where(Skip.item_id == Item.id, Skip.account_id == account_id)
    query = (
        select(func.count())
        .select_from(Item)
        .where(Item.task_id == task.id, Item.only_account_id == account_id, Item.purpose == ItemPurpose.CALIBRATION)
        .where(Item.status == ItemStatus.OPEN, ~skipped.exists())
    )
    return session.exec(query).one()


def _begin_round(session: Session, task: Task, account_id: int, found: Qualification | None) -> bool:
    """Make the copies of a new round; whether there is any gold for it."""
    attempt = 1 if found is None else found.attempt + (1 if found.history else 0)
    chosen = _gold_for_round(session, task, account_id, attempt)
    if not chosen:
        return False
    placed = [(item_id, position) for position, item_id in enumerate(chosen)]
    copy_items(session, placed, account_id, ItemPurpose.CALIBRATION)
    found = found or Qualification(task_id=task.id or 0, account_id=account_id)
    found.attempt, found.asked, found.answered, found.correct = attempt, len(chosen), 0, 0
    session.add(found)
    session.flush()
    return True


def _gold_for_round(session: Session, task: Task, account_id: int, attempt: int) -> list[int]:
    """Items with gold for the round, those that this rater was asked least often first, else in drawn order."""
    counted = (
        select(Item.copy_of, func.count())
        .where(Item.task_id == task.id, Item.only_account_id == account_id, Item.purpose == ItemPurpose.CALIBRATION)
        .group_by(col(Item.copy_of))
    )
    asked = dict(session.exec(counted).all())
    query = (
        select(col(Gold.item_id))
        .join(Item, col(Item.id) == Gold.item_id)
        .where(Item.task_id == task.id, col(Gold.calibration).is_(True), func.coalesce(Gold.author_id, 0) != account_id)
    )

    def order(item_id: int) -> tuple[int, float]:
        return asked.get(item_id, 0), mixture.chance(task.seed, account_id, f"round {attempt}", item_id)

    return sorted(session.exec(query), key=order)[:ROUND]


def _end_round(session: Session, task: Task, found: Qualification) -> None:
    """Passed or not; items that were passed on count as not right."""
    needed = TaskOptions.from_json(task.options).calibration_pass or 0.0
    passed = found.answered > 0 and found.correct >= needed * found.asked - 1e-9
    outcome = {"attempt": found.attempt, "answered": found.answered, "asked": found.asked, "correct": found.correct}
    found.history = [*found.history, {**outcome, "passed": passed, "at": now().isoformat(timespec="seconds")}]
    found.asked = found.answered = found.correct = 0
    found.passed_at = now() if passed else None
    session.add(found)
    session.flush()


def _with_standing(session: Session, told: Feedback, task: Task, annotation: Annotation) -> Feedback:
    """The feedback with how the round stands after this answer, or how it ended with it."""
    found = _of(session, task.id or 0, annotation.account_id or 0)
    if found is None:
        return told
    ended = found.history[-1] if found.history and not found.answered else None
    if ended is None:
        return replace(told, answered=found.answered, correct=found.correct, asked=found.asked)
    newest = (
        select(Annotation.item_id)
        .join(Item, col(Item.id) == Annotation.item_id)
        .where(Item.task_id == task.id, Item.only_account_id == annotation.account_id, Annotation.number == 1)
        .where(Item.purpose == ItemPurpose.CALIBRATION)
        .order_by(col(Annotation.id).desc())
    )
    told = replace(told, answered=ended["answered"], correct=ended["correct"], asked=ended["asked"])
    is_last = session.exec(newest.limit(1)).first() == annotation.item_id
    return replace(told, passed=is_last and ended["passed"], failed=is_last and not ended["passed"])
