"""Which records the checks have not seen yet, as a condition for the database."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import ColumnElement, String, and_, cast, false, not_
from sqlmodel import col

from backend.store.records import Record
from backend.vocabulary import Check


def is_unseen(versions: Mapping[Check, str]) -> ColumnElement[bool]:
    """Whether the newest text was not seen by each of the families in this version, as `backend.store.checked` writes it."""
    if not versions:
        return false()
    checked = col(Record.checked)
    marks = [(checked + " ").contains(f" {check.value}:{version} ", autoescape=True) for check, version in versions.items()]
    return not_(and_(checked.like(cast(Record.head, String) + " %"), *marks))
