"""Many rows at once, past the object mapper: ids are drawn beforehand, so that rows can refer to each other before any is
written. Called inside a use-case's transaction; nothing here commits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, insert, select, text
from sqlmodel import Session

from backend.store.base import Table

BATCH = 1000


def draw_ids(session: Session, table: type[Table], count: int) -> list[int]:
    """That many ids which no row has or will have. On SQLite the transaction must be a writing one, which nobody else has
    then.
    """
    if count <= 0:
        return []
    held = table.__table__  # type: ignore[attr-defined]
    if session.get_bind().dialect.name == "sqlite":
        last = session.execute(select(func.coalesce(func.max(held.c.id), 0))).scalar_one()
        return list(range(last + 1, last + 1 + count))
    sequence = text("SELECT nextval(pg_get_serial_sequence(:name, 'id')) FROM generate_series(1, :count)")
    return list(session.execute(sequence, {"name": held.name, "count": count}).scalars())


def add_rows(session: Session, table: type[Table], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, by the names of their columns. All rows must have the same ones."""
    held = table.__table__  # type: ignore[attr-defined]
    connection = session.connection()
    for start in range(0, len(rows), BATCH):
        connection.execute(insert(held), rows[start : start + BATCH])
