"""The database handle: engines for reading and writing, sessions, migrations.

A write on SQLite takes its lock at BEGIN (BEGIN IMMEDIATE), so that read-then-write in one transaction cannot fail half
way with "database is locked"; writers queue for up to `BUSY_SECONDS`. On PostgreSQL both kinds begin alike.
Promised: foreign keys hold on SQLite too; a session that raises is rolled back; lock and connection failures come out as
ServiceUnavailable. Not promised: that a read session sees one instant across several statements on PostgreSQL.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlmodel import Session, create_engine

from backend.errors import IntegrityViolated, ServiceUnavailable
from backend.store import tables as tables  # a foreign key may name any table: whoever has a database has them all

BUSY_SECONDS = 30
MIGRATIONS = Path(__file__).parent / "migrations"


class Database:
    """A handle that is made once per process and shared between its threads."""

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        # Errors and their traces go to the log, and parameters are people's texts and hashes. The connection used last is
        # the next: its statements are prepared and its pages are in its cache.
        always = {"hide_parameters": True, "pool_use_lifo": True}
        if self.is_sqlite:
            if self.url.database:
                Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
            waits = {"timeout": BUSY_SECONDS, "check_same_thread": False}
            self._engine = create_engine(url, pool_size=20, max_overflow=40, connect_args=waits, **always)
            event.listen(self._engine, "connect", _prepare_sqlite)
            _Turns().listen(self._engine)
        else:
            self._engine = create_engine(url, pool_size=10, max_overflow=20, pool_pre_ping=True, **always)
        self._writer = self._engine.execution_options(touchstone_write=True)

    @property
    def engine(self) -> Engine:
        """The reading engine."""
        return self._engine

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session for queries. What is added in it is not saved."""
        with self._session(self._engine) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session for one use-case, which commits it. Rolled back when the block raises."""
        with self._session(self._writer) as session:
            yield session

    @contextmanager
    def _session(self, bind: Engine | Connection) -> Iterator[Session]:
        try:
            with Session(bind, expire_on_commit=False) as session:
                yield session
        except (OperationalError, PoolTimeout) as error:
            if "full" in str(getattr(error, "orig", "")) or "No space left" in str(getattr(error, "orig", "")):
                raise ServiceUnavailable(
                    "The disk of the database is full. Nothing was saved by this step; free some space, then try again."
                ) from error
            raise ServiceUnavailable(
                "The database did not answer in time. Nothing was saved by this step; please try again."
            ) from error
        except DBAPIError as error:
            if error.connection_invalidated:
                raise ServiceUnavailable(
                    "The connection to the database was lost. Nothing was saved by this step; please try again."
                ) from error
            raise

    def migrate(self, to: str = "head") -> None:
        """Bring the schema to the newest revision, or to another. Safe to call at every start and from several processes.

        On SQLite some changes make a table anew, and dropping the old one would break what refers to it: so foreign keys are
        looked at once, before the commit, and not at every statement.
        """
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        with self._writer.connect() as connection, self._keys_looked_at_later(connection), self._session(connection) as session:
            if not self.is_sqlite:
                session.connection().exec_driver_sql("SELECT pg_advisory_xact_lock(7236401)")
            before = MigrationContext.configure(session.connection()).get_current_revision()
            config.attributes["connection"] = session.connection()
            command.upgrade(config, to)
            if self.is_sqlite and before != MigrationContext.configure(session.connection()).get_current_revision():
                broken = session.connection().exec_driver_sql("PRAGMA foreign_key_check").first()
                if broken is not None:
                    raise IntegrityViolated(
                        f"The migration would break what the table {broken[0]} refers to; nothing was changed."
                    )
            session.commit()

    @contextmanager
    def _keys_looked_at_later(self, connection: Connection) -> Iterator[None]:
        """SQLite takes the setting between transactions alone."""
        raw = connection.connection.driver_connection
        if not self.is_sqlite or raw is None:
            yield
            return
        raw.execute("PRAGMA foreign_keys=OFF")
        try:
            yield
        finally:
            raw.execute("PRAGMA foreign_keys=ON")

    def revision(self) -> tuple[str | None, str | None]:
        """(revision of this database, newest revision that the code knows)."""
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        with self._engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision(), ScriptDirectory.from_config(
                config
            ).get_current_head()

    def dispose(self) -> None:
        """Close every pooled connection."""
        self._engine.dispose()


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")
    cursor.close()


class _Turns:
    """Writers of one process take turns on SQLite.

    Its own waiting sleeps in steps of up to 100 ms and forgets who came first; of fifty raters some would wait for seconds.
    Other processes still wait that way. A turn that does not come in time is not needed: SQLite then says that it is busy.
    """

    _MINE = "touchstone_turn"

    def __init__(self) -> None:
        self._turn = threading.Lock()

    def listen(self, engine: Engine) -> None:
        """Begin every transaction of the engine, and give the turn back at its end, however it ends."""
        event.listen(engine, "begin", self._begin)
        # A session gives its connection back right after it committed or rolled back; the events of those come before.
        event.listen(engine.pool, "checkin", lambda _connection, record: self._give_back(record.info))
        event.listen(engine.pool, "invalidate", lambda _connection, record, _error: self._give_back(record.info))

    def _begin(self, connection: Any) -> None:
        if not connection.get_execution_options().get("touchstone_write", False):
            connection.exec_driver_sql("BEGIN")
            return
        connection.info[self._MINE] = self._turn.acquire(timeout=BUSY_SECONDS)
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        except BaseException:
            self._give_back(connection.info)
            raise

    def _give_back(self, info: dict[str, Any]) -> None:
        if info.pop(self._MINE, False):
            self._turn.release()
