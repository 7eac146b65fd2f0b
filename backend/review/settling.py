"""What becomes of an item when its raters have answered: done, one more rater, or a dispute. Nothing here commits.

With a fixed overlap, an item that everybody answered is done, or disputed where the answers are too far apart. With an
adaptive one (`overlap_max`), a disagreement first asks one more rater, as long as the task allows it and somebody is left
whom it may ask. A correction is settled anew: an item can be reopened by it, or lose the rater who was not needed after
all. A ruling stays. Only what is asked as work can be disputed; gold, repeats and calibration are done when answered.

Promised: the item's row is locked meanwhile, so that two raters who finish at once make one slot more, not two.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import bindparam, or_
from sqlalchemy import select as sql_select
from sqlmodel import Session, col, select

from backend.review.answers import rubric_of
from backend.review.disputes import Judgement, disagree, distance
from backend.store.base import now
from backend.store.work import Annotation, Item, Slot, Task
from backend.task_options import TaskOptions
from backend.vocabulary import ItemPurpose, ItemStatus, TaskKind


def settle(session: Session, *, item_id: int, locked: Item | None = None) -> None:
    """Bring the item's status, its dispute and its slots in line with what was answered so far.

    `locked` is its row, where the caller has read and locked it in this transaction.
    """
    query = select(Item).where(Item.id == item_id).with_for_update(key_share=True)
    item = locked or session.exec(query.execution_options(populate_existing=True)).one()
    task = session.get_one(Task, item.task_id)
    slots = session.scalars(_slots_query(), {"item": item_id}).all()
    waiting = [slot for slot in slots if slot.done_at is None]
    if item.purpose is not ItemPurpose.WORK or task.kind is TaskKind.LABEL:
        if not waiting:
            _put(session, item, ItemStatus.DONE)
        return
    if not waiting or all(slot.number > task.overlap for slot in waiting):
        _settle_work(session, task, item, slots, waiting)


def judgements_of(session: Session, *, item_id: int) -> list[Judgement]:
    """What each rater of the item says now, after their corrections."""
    newest = {one.account_id: one for one in session.scalars(_answers_query(), {"item": item_id})}
    return [Judgement(one.answers, one.winner_response_id, one.ranking) for one in newest.values()]


@cache
def _slots_query() -> Any:
    """Built once, as the next: building them would cost more than asking them."""
    return sql_select(Slot).where(col(Slot.item_id) == bindparam("item")).order_by(col(Slot.number))


@cache
def _answers_query() -> Any:
    return sql_select(Annotation).where(col(Annotation.item_id) == bindparam("item")).order_by(col(Annotation.number))


def _settle_work(session: Session, task: Task, item: Item, slots: Sequence[Slot], waiting: Sequence[Slot]) -> None:
    options = TaskOptions.from_json(task.options)
    judgements = judgements_of(session, item_id=item.id or 0)
    item.dispute = distance(task.kind, rubric_of(task.rubric), judgements) if len(judgements) > 1 else None
    apart = item.dispute is not None and disagree(item.dispute, options.dispute_at)
    if item.status is ItemStatus.RULED:
        _put(session, item, ItemStatus.RULED)
    elif waiting:
        still_open = apart or not _drop(session, waiting)
        _put(session, item, ItemStatus.OPEN if still_open else ItemStatus.DONE)
    elif not apart:
        _put(session, item, ItemStatus.DONE)
    elif len(slots) < _most_raters(task, options):
        session.add(Slot(task_id=item.task_id, item_id=item.id or 0, number=slots[-1].number + 1))
        _put(session, item, ItemStatus.OPEN)
    else:
        _put(session, item, ItemStatus.DISPUTED)


def _most_raters(task: Task, options: TaskOptions) -> int:
    """How many raters an item can get at most: where raters are named, nobody is asked twice."""
    most = max(task.overlap_max or 0, task.overlap)
    return min(most, len(set(options.raters) - set(options.excluded))) if options.raters else most


def _drop(session: Session, waiting: Sequence[Slot]) -> bool:
    """Take back slots that nobody holds; whether none is left that somebody does hold."""
    free = (
        select(Slot)
        .where(
            col(Slot.id).in_([slot.id for slot in waiting]),
            col(Slot.done_at).is_(None),
            or_(col(Slot.account_id).is_(None), col(Slot.expires_at) <= now()),
        )
        .with_for_update(skip_locked=True)
    )
    dropped = session.exec(free).all()
    for slot in dropped:
        session.delete(slot)
    return len(dropped) == len(waiting)


def _put(session: Session, item: Item, status: ItemStatus) -> None:
    item.status = status
    session.add(item)
    session.flush()
