"""The store: migrations, write locks, aware datetimes, words."""

from __future__ import annotations

import threading
from datetime import datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, StatementError
from sqlmodel import select

from backend.access.actors import SYSTEM
from backend.access.audit import record, verify
from backend.errors import ServiceUnavailable
from backend.store import database as database_module
from backend.store.accounts import Account, AuditEntry, AuditHead
from backend.store.database import Database
from backend.store.full_text import is_of_the_models
from backend.store.records import Project
from backend.store.tables import metadata
from tests.factories import a_project


def test_the_migrations_make_exactly_the_tables_of_the_models(database: Database) -> None:
    with database.engine.connect() as connection:
        options = {"compare_type": True, "include_name": is_of_the_models}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []
    assert len(set(database.revision())) == 1


def test_migrating_twice_changes_nothing(database: Database) -> None:
    before = database.revision()
    database.migrate()
    assert database.revision() == before


def test_sixteen_writers_that_read_then_write_lose_nothing(database: Database) -> None:
    def write() -> None:
        for _ in range(5):
            with database.writing() as session:
                record(session, SYSTEM, "test")
                session.commit()

    writers = [threading.Thread(target=write) for _ in range(16)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    with database.reading() as session:
        found = verify(session)
    assert (found.entries, found.broken_at) == (80, None)


def test_a_changed_audit_entry_breaks_the_chain_at_its_number(database: Database) -> None:
    with database.writing() as session:
        for number in range(5):
            record(session, SYSTEM, "test", subject=str(number), round=number)
        session.commit()
    with database.writing() as session:
        entry = session.exec(select(AuditEntry).where(AuditEntry.number == 3)).one()
        entry.subject = "changed"
        session.add(entry)
        session.commit()
    with database.reading() as session:
        assert verify(session).broken_at == 3


def test_entries_cut_off_at_the_end_are_noticed(database: Database) -> None:
    with database.writing() as session:
        for _ in range(3):
            record(session, SYSTEM, "test")
        session.commit()
        session.delete(session.exec(select(AuditEntry).where(AuditEntry.number == 3)).one())
        session.commit()
        assert verify(session).broken_at == 3
        assert session.get_one(AuditHead, 1).number == 3


def test_times_come_back_aware_and_naive_ones_are_refused(database: Database) -> None:
    with database.writing() as session:
        project = a_project(session)
        session.commit()
        session.refresh(project)
        assert project.created_at.tzinfo is not None
        project.created_at = datetime(2026, 1, 1)
        session.add(project)
        with pytest.raises(StatementError):
            session.commit()


def test_a_block_that_raises_saves_nothing(database: Database) -> None:
    def fail() -> None:
        with database.writing() as session:
            a_project(session)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with database.reading() as session:
        assert session.exec(select(Project)).all() == []


def test_a_locked_sqlite_file_is_told_as_unavailable(sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "BUSY_SECONDS", 0)
    impatient = Database(str(sqlite.url))
    with sqlite.writing() as holder:
        a_project(holder)
        with pytest.raises(ServiceUnavailable), impatient.writing() as session:
            a_project(session, "other")
        holder.commit()
    impatient.dispose()


def test_a_database_that_is_away_is_told_as_unavailable() -> None:
    away = Database("postgresql+psycopg://nobody@127.0.0.1:1/none?connect_timeout=1")
    with pytest.raises(ServiceUnavailable), away.reading() as session:
        session.exec(select(Project)).all()


def test_errors_name_no_values_because_they_go_to_the_log(database: Database) -> None:
    def twice() -> None:
        with database.writing() as session:
            session.add_all(Account(email="ada@example.com", password_hash="the secret hash") for _ in range(2))
            session.commit()

    with pytest.raises(IntegrityError) as caught:
        twice()
    assert "the secret hash" not in str(caught.value)


def test_a_full_disk_is_told_as_such(sqlite: Database) -> None:
    def fill() -> None:
        with sqlite.writing() as session:
            session.execute(text("PRAGMA max_page_count = 1"))  # no page more than there are now
            session.add_all(Account(email=f"{number}@example.com", name="x" * 190) for number in range(5000))
            session.commit()

    with pytest.raises(ServiceUnavailable, match="disk of the database is full"):
        fill()
