"""Many rows at once, past the object mapper: ids are drawn beforehand, so that rows can refer to each other before any is
written. Called inside a use-case's transaction; nothing here commits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import func, insert, select, text
from sqlmodel import Session

from backend.store.base import Table

BATCH = 1000
_USUAL_KIB, _MUCH_KIB = 2000, 256 * 1024
"""Of SQLite's pages that a connection keeps in memory. With few of them each row of many writes pages of the indexes anew."""


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


@contextmanager
def room_for_many(session: Session) -> Iterator[None]:
    """While a great many rows are written: more of SQLite's pages stay in memory, which makes the writing thrice as fast and
    keeps its time in line with the rows. The transaction must have begun.
    """
    if session.get_bind().dialect.name != "sqlite":
        yield
        return
    held = session.connection().connection.driver_connection
    assert held is not None
    held.execute(f"PRAGMA cache_size=-{_MUCH_KIB}")
    try:
        yield
    finally:
        held.execute(f"PRAGMA cache_size=-{_USUAL_KIB}")
