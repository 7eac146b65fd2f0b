"""The slice of records set in the database itself, for many records at once, on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, update
from sqlmodel import Session, col

from backend.store.records import Record

_AT_ONCE = 5000


def set_slice(session: Session, name: str, value: str, record_ids: Sequence[int]) -> None:
    """Give these records the value; their other slices stay."""
    changed = update(Record).values(slices=_with(session, name, value)).execution_options(synchronize_session=False)
    for start in range(0, len(record_ids), _AT_ONCE):
        session.execute(changed.where(col(Record.id).in_(record_ids[start : start + _AT_ONCE])))


def rename_slice(session: Session, project_id: int, name: str, old: str, new: str) -> int:
    """Give every record of the project that has the old value the new one, in one statement; returns how many."""
    here = (col(Record.project_id) == project_id, col(Record.slices)[name].as_string() == old)
    changed = update(Record).values(slices=_with(session, name, new)).where(*here)
    result: Any = session.execute(changed.execution_options(synchronize_session=False))
    return int(result.rowcount)


def _with(session: Session, name: str, value: str) -> Any:
    slices = col(Record.slices)
    if session.get_bind().dialect.name == "sqlite":
        return func.json_set(slices, '$."' + name + '"', value)
    return slices.op("||")(func.jsonb_build_object(name, value))
