"""Fixtures that all tests share: databases (SQLite and PostgreSQL, both real), a runtime in a temporary folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from backend import runtime
from backend.runtime import Runtime
from backend.store.database import Database
from tests import postgres

WALKED = ("test_walk", "test_screenshots", "test_faults")
"""Browser tests that go on with the product that the walk leaves, in this order."""
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of public data sets; a test that needs it is skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is not here")
    return SHARED


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "template.db"
    database = Database(f"sqlite:///{path}")
    database.migrate()
    database.dispose()
    return path


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    with postgres.server() as url:
        yield url


@pytest.fixture(scope="session")
def postgres_new(postgres_server: str) -> Iterator[Callable[[], str]]:
    """Makes a fresh, migrated database and returns its URL."""
    maintenance = create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    made: list[str] = []

    def url(name: str) -> str:
        return make_url(postgres_server).set(database=name).render_as_string(hide_password=False)

    def make(template: str | None = None) -> str:
        name = f"touchstone_{uuid4().hex[:12]}"
        with maintenance.connect() as connection:
            connection.execute(text(f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{template}"' if template else "")))
        made.append(name)
        return name

    template = make()
    database = Database(url(template))
    database.migrate()
    database.dispose()
    yield lambda: url(make(template))
    with maintenance.connect() as connection:
        # Ours go with their server: dropping hundreds takes half a minute.
        for name in made if os.environ.get("TEST_DATABASE_URL") else ():
            connection.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
    maintenance.dispose()


@pytest.fixture
def sqlite_url(tmp_path: Path, sqlite_template: Path) -> str:
    """A fresh, migrated SQLite database."""
    path = tmp_path / "touchstone.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh, migrated database of each kind in turn."""
    if request.param == "sqlite":
        return str(request.getfixturevalue("sqlite_url"))
    return str(request.getfixturevalue("postgres_new")())


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A handle on a fresh database of each kind in turn; the test runs once for each."""
    handle = Database(database_url)
    yield handle
    handle.dispose()


@pytest.fixture
def sqlite(sqlite_url: str) -> Iterator[Database]:
    """A handle on a fresh SQLite database, for what does not depend on the kind."""
    handle = Database(sqlite_url)
    yield handle
    handle.dispose()


@pytest.fixture
def house(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runtime]:
    """A runtime in a temporary data folder, which pages (AppTest) and commands run in this process find as theirs."""
    monkeypatch.setenv("TOUCHSTONE_DATA", str(tmp_path))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    made = runtime.current()
    yield made
    made.database.dispose()
    runtime.forget(made)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes are named by their argument: an archive's hold the time that it was made at, and each process must name the tests
    alike."""
    return argname if isinstance(val, bytes) else None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Tests that share one running product stay on one worker, in their order; the others go where there is time.

    The groups of `--dist loadgroup` are names in the node ids, which pytest 9.2 no longer lets a plugin change.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByProduct(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.split("::")[0]
            if not file.startswith("tests/browser/"):
                return nodeid
            return "the walked product" if Path(file).stem in WALKED else file

    return ByProduct(config, log)
