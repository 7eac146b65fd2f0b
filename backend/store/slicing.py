"""One slice of records, read and set in the database itself, for many records at once, on SQLite and PostgreSQL.

Older SQLite finds a key of JSON only as it is written there, and the ORM writes it in ASCII ("\\u00b7" for "·"): what is looked
for has to be written in the same way, or the slice is not found and set a second time. Not promised: names with quotes in them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import String, func, update
from sqlmodel import Session, col

from backend.store.records import Record

_AT_ONCE = 5000


def slice_of(session: Session, name: str) -> Any:
    """The value of a slice as an expression on Record; NULL where a record has none."""
    if _is_sqlite(session):
        return func.json_extract(col(Record.slices), "$." + json.dumps(name), type_=String)
    return col(Record.slices)[name].as_string()


def set_slice(session: Session, name: str, value: str, record_ids: Sequence[int]) -> None:
    """Give these records the value; their other slices stay."""
    changed = update(Record).values(slices=_with(session, name, value)).execution_options(synchronize_session=False)
    for start in range(0, len(record_ids), _AT_ONCE):
        session.execute(changed.where(col(Record.id).in_(record_ids[start : start + _AT_ONCE])))


def rename_slice(session: Session, project_id: int, name: str, old: str, new: str) -> int:
    """Give every record of the project that has the old value the new one, in one statement; returns how many."""
    here = (col(Record.project_id) == project_id, slice_of(session, name) == old)
    changed = update(Record).values(slices=_with(session, name, new)).where(*here)
    result: Any = session.execute(changed.execution_options(synchronize_session=False))
    return int(result.rowcount)


def _with(session: Session, name: str, value: str) -> Any:
    slices = col(Record.slices)
    if _is_sqlite(session):
        return func.json_patch(slices, json.dumps({name: value}))  # json_set would escape the name a second time
    return slices.op("||")(func.jsonb_build_object(name, value))


def _is_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"
