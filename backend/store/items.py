"""Filling a task with items. Here, because every stage that makes review work needs it. Nothing here commits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import func, insert, literal
from sqlmodel import Session, col, select

from backend.store.base import now
from backend.store.work import Item, Slot, Task
from backend.vocabulary import ItemStatus

_CHUNK = 5000


def add_items(session: Session, *, task: Task, subjects: Iterable[Mapping[str, int]]) -> int:
    """Append items with their slots to a task, in the given order; returns how many.

    A subject names its columns: {"record_id": 1}, {"response_id": 1}, or {"first_response_id": 1, "second_response_id": 2}.
    """
    session.flush()
    session.exec(select(Task.id).where(Task.id == task.id).with_for_update(key_share=True)).one()
    last = session.exec(select(func.max(Item.position)).where(Item.task_id == task.id)).one()
    start = 0 if last is None else last + 1
    made = now()
    rows: list[dict[str, Any]] = [
        {"task_id": task.id, "position": start + offset, "status": ItemStatus.OPEN, "created_at": made, **subject}
        for offset, subject in enumerate(subjects)
    ]
    for begin in range(0, len(rows), _CHUNK):
        session.execute(insert(Item), rows[begin : begin + _CHUNK])
    for number in range(1, task.overlap + 1):
        added = select(col(Item.task_id), col(Item.id), literal(number), literal(0)).where(
            Item.task_id == task.id, Item.position >= start
        )
        session.execute(insert(Slot).from_select(["task_id", "item_id", "number", "fence"], added))
    return len(rows)
