"""Which records the checks have not seen yet, as a condition for the database."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import ColumnElement, String, and_, cast, false, not_, or_
from sqlmodel import col

from backend.store.checked import mark
from backend.store.records import Record
from backend.vocabulary import Check


def is_unseen(versions: Mapping[Check, str]) -> ColumnElement[bool]:
    """Whether the newest text was not seen by each of the families in this version, as `backend.store.checked` writes it."""
    if not versions:
        return false()
    checked, number = col(Record.checked), cast(Record.head, String)
    alone = number + mark("", 0, versions).removeprefix("0")  # seen by just these: told by one comparison, as most are
    marks = [(checked + " ").contains(f" {check.value}:{version} ", autoescape=True) for check, version in versions.items()]
    return not_(or_(checked == alone, and_(checked.like(number + " %"), *marks)))
