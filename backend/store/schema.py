"""Writes a new migration from the difference between the models and the newest migration.

A developer's tool, `python -m backend.store.schema "why"`: run it after a change in the table modules, read what it wrote,
commit it.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from alembic import command
from alembic.config import Config

from backend.store.database import MIGRATIONS, Database


def write_migration(message: str, versions: Path = MIGRATIONS / "versions") -> Path:
    """Write a migration with `message` as its docstring into the versions folder; returns its file."""
    known = set(versions.glob("*.py"))
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'schema.db'}")
        database.migrate()
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.set_main_option("path_separator", "os")
        config.set_main_option("version_locations", str(versions))
        with database.writing() as session:
            config.attributes["connection"] = session.connection()
            number = len(known) + 1
            command.revision(config, message=message, autogenerate=True, rev_id=f"{number:04d}")
        database.dispose()
    (made,) = set(versions.glob("*.py")) - known
    return made


def main(arguments: Sequence[str] | None = None) -> None:
    """The program."""
    parser = argparse.ArgumentParser(
        prog="python -m backend.store.schema",
        description="Write the next migration: what the table modules have and the newest migration does not make. Read what "
        "it wrote: it must keep what is in the tables, on SQLite and on PostgreSQL.",
    )
    parser.add_argument("why", help='why the tables change, in a few words: "GPUs are leased"; becomes the file\'s name')
    why = parser.parse_args(arguments).why.strip()
    if not why:
        parser.error("say why the tables change")
    print(write_migration(why))


if __name__ == "__main__":
    main()
