"""The declarative base and the column types that all table modules share."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, DateTime, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import registry
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel


class Table(SQLModel, registry=registry()):
    """Base of every table. Its own registry survives Streamlit's eviction of edited modules."""


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC on every database; a naive value is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the database: UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("Datetimes must be timezone-aware.")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From the database: aware, also where the database keeps no zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Word(TypeDecorator[Any]):
    """A StrEnum kept as its value in a VARCHAR, so that a new word needs no migration."""

    impl = String(32)
    cache_ok = True

    def __init__(self, words: type[StrEnum]) -> None:
        super().__init__()
        self.words = words

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """To the database: the value; a word outside the enum is refused."""
        return None if value is None else str(self.words(value))

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """From the database: the enum's member."""
        return None if value is None else self.words(value)


Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
"""JSON objects and lists; JSONB on PostgreSQL so that metadata can be filtered. None is SQL's NULL."""


def now() -> datetime:
    """The current time, aware, in UTC."""
    return datetime.now(UTC)


def created() -> Any:
    """A column that holds when the row was made."""
    return Field(default_factory=now, sa_type=UtcDateTime, nullable=False)


def moment(*, index: bool = False) -> Any:
    """A nullable datetime column."""
    return Field(default=None, sa_type=UtcDateTime, nullable=True, index=index)


def document(factory: Any = dict) -> Any:
    """A JSON column, never NULL."""
    return Field(default_factory=factory, sa_type=Json, nullable=False)


def word(words: type[StrEnum], default: Any = ..., *, index: bool = False) -> Any:
    """A StrEnum column."""
    return Field(default=default, sa_type=Word(words), nullable=False, index=index)


def optional_word(words: type[StrEnum]) -> Any:
    """A nullable StrEnum column."""
    return Field(default=None, sa_type=Word(words), nullable=True)
