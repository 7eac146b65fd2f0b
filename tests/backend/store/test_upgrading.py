"""A database of the first version that people have, with a row in every table, is brought to the newest and loses nothing.

On SQLite, where a table may be made anew for it; PostgreSQL changes tables in place.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Connection, MetaData, Table, insert, inspect, select, text
from sqlalchemy.exc import IntegrityError

from backend.store.database import Database
from backend.store.tables import metadata

FIRST = "0002"
SAID = [{"role": "user", "content": "x"}]
VALUES: dict[type, Any] = {
    int: 1,
    float: 1.0,
    bool: True,
    datetime: datetime(2026, 1, 2, tzinfo=UTC),
    object: SAID,
    bytes: b"x",
}


def tables_of(connection: Connection) -> list[Table]:
    """Those of the models that are there, as they are there."""
    found = MetaData()
    found.reflect(connection, only=[name for name in inspect(connection).get_table_names() if name in metadata.tables])
    return list(found.tables.values())


def value_of(column: Column[Any]) -> Any:
    """The same for every column of a type, so that whatever refers to a row refers to number 1."""
    return VALUES.get(column.type.python_type, "x")


def rows_of(database: Database) -> dict[str, list[dict[str, Any]]]:
    with database.reading() as session:
        tables = tables_of(session.connection())
        return {table.name: [dict(row) for row in session.execute(select(table)).mappings()] for table in tables}


def test_a_row_in_every_table_outlives_the_upgrade(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'old.db'}")
    database.migrate(FIRST)
    with database.writing() as session:
        connection = session.connection()
        connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
        for table in tables_of(connection):
            connection.execute(insert(table).values({column.name: value_of(column) for column in table.columns}))
        session.commit()
    before = rows_of(database)
    assert len(before) > 40
    assert all(len(rows) == 1 for rows in before.values())

    for _ in range(2):  # as at every start
        database.migrate()
        after = rows_of(database)
        assert {name: [{key: row[key] for key in rows[0]} for row in after[name]] for name, rows in before.items()} == before
    assert len(set(database.revision())) == 1
    with database.writing() as session, pytest.raises(IntegrityError):
        session.execute(text("UPDATE run SET job_id = 999"))
    database.dispose()
