"""Which records: a filter as a value, and the conditions that it stands for. What is typed only ever becomes a parameter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, exists, func, or_
from sqlmodel import Session, col, select

from backend.store import full_text
from backend.store.records import FaqCitation, Finding, Record
from backend.vocabulary import FindingKind, FindingStatus, RecordStatus

MOST_NAMED = 1000
"""How many records with one and the same outside id a search names."""
DUPLICATES = (FindingKind.DUPLICATE, FindingKind.NEAR_DUPLICATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFilter:
    """What a record must be; what is left out does not matter. An empty filter fits every record of the project."""

    statuses: tuple[RecordStatus, ...] = ()
    source_id: int | None = None
    slice_key: str = ""
    slice_value: str = ""
    finding: FindingKind | None = None
    """Has an open finding of this kind."""
    text: str = ""
    """In any turn of the newest revision, as `backend.store.full_text` reads it; or the record's id or outside id exactly."""
    duplicates_only: bool = False
    """Repeats another record, or is nearly the same as one."""
    faq_id: int | None = None
    """Cites this FAQ."""


def where(session: Session, project_id: int, wanted: RecordFilter) -> list[ColumnElement[bool]]:
    """The conditions on Record."""
    conditions: list[Any] = [Record.project_id == project_id]
    if wanted.statuses:
        conditions.append(col(Record.status).in_(wanted.statuses))
    if wanted.source_id is not None:
        conditions.append(Record.source_id == wanted.source_id)
    if wanted.slice_key:
        conditions.append(_slice_is(session, wanted.slice_key, wanted.slice_value))
    if wanted.finding is not None:
        conditions.append(_has_finding((wanted.finding,)))
    if wanted.duplicates_only:
        conditions.append(or_(_has_finding(DUPLICATES), col(Record.cluster) != ""))
    if wanted.faq_id is not None:
        cited = select(col(FaqCitation.record_id)).where(FaqCitation.faq_id == wanted.faq_id)
        conditions.append(col(Record.id).in_(cited))
    if text := wanted.text.replace("\x00", "").strip():
        conditions.append(_holds_text(session, project_id, text))
    return conditions


def _slice_is(session: Session, key: str, value: str) -> ColumnElement[bool]:
    """Metadata as rows of key and value: a key of any kind is a parameter, where a JSON path would have to quote it."""
    unfold = func.json_each if session.get_bind().dialect.name == "sqlite" else func.jsonb_each_text
    pair = unfold(col(Record.slices)).table_valued("key", "value").alias("pair")
    return exists(select(pair.c.key).where(pair.c.key == key.replace("\x00", ""), pair.c.value == value.replace("\x00", "")))


def _has_finding(kinds: Sequence[FindingKind]) -> ColumnElement[bool]:
    return exists().where(
        col(Finding.record_id) == col(Record.id), col(Finding.kind).in_(kinds), col(Finding.status) == FindingStatus.OPEN
    )


def _holds_text(session: Session, project_id: int, text: str) -> ColumnElement[bool]:
    """By words; where no record has them, by what was typed as it stands, which also finds parts of words and signs."""
    record_id, here = col(Record.id), Record.project_id == project_id
    exact: Any = col(Record.external_id) == text
    if text.isascii() and text.isdigit() and len(text) < 10:
        exact = or_(exact, record_id == int(text))
    named = list(session.exec(select(record_id).where(here, exact).limit(MOST_NAMED)))
    found = full_text.having_words(session, text)
    if found is not None and not named:
        any_of_them = select(record_id).where(here, record_id.in_(found)).limit(1)
        found = found if session.exec(any_of_them).first() is not None else None
    if found is None:
        found = full_text.holding(session, text)
    return or_(record_id.in_(named), record_id.in_(found)) if named else record_id.in_(found)
