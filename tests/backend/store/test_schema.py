"""The tool that writes migrations: its help writes nothing, and a migration keeps what is in the tables."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text
from sqlmodel import select

from backend.store import schema
from backend.store.database import MIGRATIONS, Database
from backend.store.models import Job
from backend.vocabulary import JobKind
from tests.factories import a_project

VERSIONS = MIGRATIONS / "versions"


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], [], [" "], ["--why"], ["two", "words"]])
def test_help_and_mistakes_write_no_migration(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(path.name for path in VERSIONS.iterdir())
    with pytest.raises(SystemExit) as ended:
        schema.main(arguments)
    told = capsys.readouterr()
    assert "python -m backend.store.schema" in told.out + told.err
    assert ended.value.code == (0 if arguments in (["--help"], ["-h"]) else 2)
    assert sorted(path.name for path in VERSIONS.iterdir()) == before


def test_the_next_migration_follows_the_newest_and_finds_nothing_to_change(tmp_path: Path) -> None:
    """Into another folder: the tables are what the migrations make, so that it is empty."""
    versions = shutil.copytree(VERSIONS, tmp_path / "versions", ignore=shutil.ignore_patterns("__pycache__"))
    count = len(list(versions.glob("*.py")))
    made = schema.write_migration("Nothing yet", versions)
    assert made.name == f"{count + 1:04d}_nothing_yet.py"
    written = made.read_text()
    assert f"down_revision = '{count:04d}'" in written
    assert written.count("    pass") == 2
    assert "Nothing yet" in written


def test_jobs_from_before_gpus_were_leased_are_kept_and_need_one(database: Database) -> None:
    def move(direction: str, revision: str) -> None:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        with database.writing() as session:
            config.attributes["connection"] = session.connection()
            getattr(command, direction)(config, revision)
            session.commit()

    with database.writing() as session:
        project = a_project(session)
        session.add(
            Job(project_id=project.id or 0, kind=JobKind.TRAIN, gpus=4, gpus_only=True, folder="runs/x", payload={"a": 1})
        )
        session.commit()
    move("downgrade", "0002")
    with database.reading() as session:
        assert "gpus" not in session.execute(text("SELECT * FROM job")).mappings().one()
    move("upgrade", "head")
    with database.reading() as session:
        job = session.exec(select(Job)).one()
        assert (job.folder, job.payload, job.gpus, job.gpus_only) == ("runs/x", {"a": 1}, 1, False)
    assert len(set(database.revision())) == 1
