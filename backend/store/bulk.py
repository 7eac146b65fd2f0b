"""Many rows at once, past the object mapper: ids are drawn beforehand, so that rows can refer to each other before any is
written. Called inside a use-case's transaction; nothing here commits.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any

from sqlalchemy import Column, Dialect, func, insert, select, text
from sqlalchemy import Table as Held
from sqlmodel import Session

from backend.store.base import Table, UtcDateTime, Word

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


@dataclass(frozen=True, slots=True)
class Prepared:
    """Rows as the database takes them: statements, each with what is bound in it."""

    statements: Sequence[tuple[Any, Any]]


def preparer(session: Session) -> Callable[[type[Table], Sequence[Mapping[str, Any]]], Prepared]:
    """What prepares rows, given by the names of their columns, for `write`. All rows of a call must have the same ones. It asks
    nothing of the database, so that another thread can prepare rows while earlier ones are written.
    """
    connection = session.connection()
    if connection.dialect.name != "sqlite":
        return lambda table, rows: Prepared(
            [(insert(_held(table)), rows[at : at + BATCH]) for at in range(0, len(rows), BATCH)]
        )
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    bound, dialect = driver.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER), connection.dialect
    return lambda table, rows: Prepared(list(_for_sqlite(dialect, bound, _held(table), rows)))


def write(session: Session, prepared: Prepared) -> None:
    """Insert what was prepared."""
    connection = session.connection()
    for statement, bound in prepared.statements:
        if isinstance(statement, str):
            connection.exec_driver_sql(statement, bound)
        else:
            connection.execute(statement, bound)


def add_rows(session: Session, table: type[Table], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, by the names of their columns. All rows must have the same ones."""
    if rows:
        write(session, preparer(session)(table, rows))


def _held(table: type[Table]) -> Held:
    held: Held = table.__table__  # type: ignore[attr-defined]
    return held


def _for_sqlite(
    dialect: Dialect, bound: int, held: Held, rows: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """As many rows as it can take in one statement: it writes out its index of words after every single one, which took four
    fifths of the time.
    """
    if not rows:
        return
    left_out = {column.name: column for column in held.c if column.default is not None and column.name not in rows[0]}
    names = (*rows[0], *left_out)
    writers = [_writer(held.c[name], dialect) for name in names]
    most = min(BATCH, max(1, bound // len(names)))
    for start in range(0, len(rows), most):
        part = rows[start : start + most]
        columns = [
            list(map(write, _defaults(left_out[name], len(part)) if name in left_out else [row[name] for row in part]))
            for name, write in zip(names, writers, strict=True)
        ]
        statement = _insert_many(held.name, names, len(part))
        yield statement, tuple(chain.from_iterable(zip(*columns, strict=True)))


@cache
def _insert_many(table: str, names: tuple[str, ...], count: int) -> str:
    """Names are those of the tables here, never what somebody typed."""
    row = f"({', '.join('?' * len(names))})"
    columns = ", ".join(f'"{name}"' for name in names)
    return f'INSERT INTO "{table}" ({columns}) VALUES {", ".join([row] * count)}'  # noqa: S608 - see above


def _writer(column: Column[Any], dialect: Dialect) -> Callable[[Any], Any]:
    """What the column's type makes of a value on its way to the database. Moments and words are mostly the same in all rows."""
    write = column.type.dialect_impl(dialect).bind_processor(dialect) or _as_it_is
    return cache(write) if isinstance(column.type, UtcDateTime | Word) else write


def _defaults(column: Column[Any], count: int) -> list[Any]:
    """What stands in a column that the rows leave out."""
    default: Any = column.default
    return [default.arg(None) if default.is_callable else default.arg for _ in range(count)]


def _as_it_is(value: Any) -> Any:
    return value


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
