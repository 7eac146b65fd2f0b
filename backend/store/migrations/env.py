"""Alembic's entry: runs on the connection that `Database.migrate` gives it, in its transaction."""

from typing import Any, Literal

from alembic import context
from sqlalchemy import JSON
from sqlmodel.sql.sqltypes import AutoString

from backend.store.base import UtcDateTime, Word
from backend.store.full_text import is_of_the_models
from backend.store.tables import metadata


def render(kind: str, item: Any, autogen: Any) -> str | Literal[False]:
    """Migrations name plain SQLAlchemy types, so that they stay true when the project's own types change."""
    if kind != "type":
        return False
    if isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    if isinstance(item, Word):
        return "sa.String(length=32)"
    if isinstance(item, AutoString):
        return f"sa.String(length={item.length})" if item.length else "sa.String()"
    if isinstance(item, JSON):
        autogen.imports.add("from sqlalchemy.dialects import postgresql")
        return "sa.JSON().with_variant(postgresql.JSONB(), 'postgresql')"
    return False


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    render_item=render,
    include_name=is_of_the_models,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
