"""Filling a task with items, and what its overlap saved. Here, because several stages need it. Nothing here commits.

Rows travel as one JSON document per statement and are unfolded by the database, which is several times as fast as a
statement's parameters for each: 100,000 items take about a second.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import JSON, ColumnElement, Integer, cast, func, insert, inspect, literal, type_coerce
from sqlmodel import Session, col, select

from backend.store.base import Json, now
from backend.store.work import Item, Slot, Task
from backend.vocabulary import ItemPurpose, ItemStatus

_CHUNK = 50_000
_COLUMNS: Any = inspect(Item).columns


def add_items(session: Session, *, task: Task, subjects: Iterable[Mapping[str, Any]], slots: int | None = None) -> int:
    """Append items with their slots to a task, in the given order; returns how many.

    A subject names its columns: {"record_id": 1}, {"response_id": 1}, {"first_response_id": 1, "second_response_id": 2} or
    {"response_ids": [1, 2, 3]}; also those of a copy ("purpose", "copy_of", "only_account_id"), and "why". All of one call
    name the same ones. `slots` is how many raters each gets; None: the task's overlap.
    """
    session.flush()
    session.exec(select(Task.id).where(Task.id == task.id).with_for_update(key_share=True)).one()
    last = session.exec(select(func.max(Item.position)).where(Item.task_id == task.id)).one()
    start = end = 0 if last is None else last + 1
    left = iter(subjects)
    while chunk := list(islice(left, _CHUNK)):
        _insert(session, task, end, chunk)
        end += len(chunk)
    for number in range(1, (slots or task.overlap) + 1):
        added = select(col(Item.task_id), col(Item.id), literal(number), literal(0)).where(
            Item.task_id == task.id, Item.position >= start
        )
        session.execute(insert(Slot).from_select(["task_id", "item_id", "number", "fence"], added.order_by(col(Item.id))))
    return end - start


def _insert(session: Session, task: Task, start: int, chunk: Sequence[Mapping[str, Any]]) -> None:
    """Items of these subjects, the first at position `start`."""
    names = list(chunk[0])
    document = [[subject[name] for name in names] for subject in chunk]
    if session.get_bind().dialect.name == "sqlite":
        row: Any = func.json_each(literal(document, JSON)).table_valued("key", "value").alias("given")
        place = row.c.key
    else:
        row = func.jsonb_array_elements(literal(document, Json)).table_valued("value", with_ordinality="key")
        row = row.render_derived(name="given")
        place = cast(row.c.key, Integer) - 1
    values: dict[str, Any] = {
        "task_id": literal(task.id),
        "position": literal(start) + place,
        "status": literal(ItemStatus.OPEN, _COLUMNS.status.type),
        "created_at": literal(now(), _COLUMNS.created_at.type),
        "purpose": literal(ItemPurpose.WORK, _COLUMNS.purpose.type),
        "why": literal(""),
    }
    values |= {name: _value(session, row.c.value, place, name) for place, name in enumerate(names)}
    session.execute(insert(Item).from_select(list(values), select(*values.values()).order_by(place)))


def _value(session: Session, row: ColumnElement[Any], place: int, name: str) -> ColumnElement[Any]:
    """One column out of a row's list, in the column's own type."""
    kind = _COLUMNS[name].type
    if session.get_bind().dialect.name == "sqlite":
        return type_coerce(func.json_extract(row, f"$[{place}]"), kind)
    part = type_coerce(row, Json).op("->" if name == "response_ids" else "->>")(place)
    return part if name == "response_ids" else cast(part, kind)
