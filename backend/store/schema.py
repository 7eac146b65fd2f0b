"""Writes a new migration from the difference between the models and the newest migration (`python -m backend.store.schema`).

A developer's tool: run it after a change in the table modules, read what it wrote, commit it.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.config import Config

from backend.store.database import MIGRATIONS, Database


def write_migration(message: str) -> None:
    """Write a migration with `message` as its docstring into the versions folder."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'schema.db'}")
        database.migrate()
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        with database.writing() as session:
            config.attributes["connection"] = session.connection()
            number = len(list((MIGRATIONS / "versions").glob("*.py"))) + 1
            command.revision(config, message=message, autogenerate=True, rev_id=f"{number:04d}")
        database.dispose()


if __name__ == "__main__":
    write_migration(" ".join(sys.argv[1:]) or "schema")
