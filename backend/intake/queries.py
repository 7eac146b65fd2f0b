"""Reads about imports, for the pages."""

from __future__ import annotations

import csv
import io

import pandas as pd
from sqlmodel import Session, col, func, select

from backend.access.actors import Actor
from backend.access.policy import check
from backend.conversations import escape_cell
from backend.errors import NotFound
from backend.store.accounts import Account
from backend.store.records import Record, RejectedRow, Source
from backend.vocabulary import Action

_COLUMNS = ["id", "name", "shape", "imported", "rejected", "duplicates", "by", "at"]


def imports(session: Session, *, actor: Actor, project_id: int, limit: int = 200) -> pd.DataFrame:
    """The project's imports, the newest first."""
    check(actor, Action.IMPORT, project_id)
    query = (
        select(Source, Account.email)
        .outerjoin(Account, col(Account.id) == col(Source.created_by))
        .where(Source.project_id == project_id)
        .order_by(col(Source.id).desc())
        .limit(limit)
    )
    rows = [
        [one.id, one.name, one.shape, one.imported, one.rejected, one.duplicates, email or "system", one.created_at]
        for one, email in session.exec(query)
    ]
    return pd.DataFrame(rows, columns=_COLUMNS)


def has_records(session: Session, *, project_id: int) -> bool:
    """Whether anything was ever put into the project."""
    return session.exec(select(func.count()).select_from(Record).where(Record.project_id == project_id)).one() > 0


def rejected_rows(session: Session, *, actor: Actor, project_id: int, source_id: int, limit: int = 200) -> pd.DataFrame:
    """What an import could not take: line, reason, and how the row begins."""
    found = _rejected(session, actor, project_id, source_id, limit)
    return pd.DataFrame([[row.line, row.reason, row.content] for row in found], columns=["line", "reason", "begins with"])


def rejected_csv(session: Session, *, actor: Actor, project_id: int, source_id: int) -> bytes:
    """All rejected rows as CSV, with cells that no spreadsheet runs."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(["line", "reason", "begins with"])
    for row in _rejected(session, actor, project_id, source_id, None):
        writer.writerow([row.line, escape_cell(row.reason), escape_cell(row.content)])
    return buffer.getvalue().encode("utf-8-sig")


def _rejected(session: Session, actor: Actor, project_id: int, source_id: int, limit: int | None) -> list[RejectedRow]:
    check(actor, Action.IMPORT, project_id)
    if session.exec(select(Source.id).where(Source.id == source_id, Source.project_id == project_id)).first() is None:
        raise NotFound("There is no such import in this project.")
    query = select(RejectedRow).where(RejectedRow.source_id == source_id).order_by(col(RejectedRow.line), col(RejectedRow.id))
    return list(session.exec(query.limit(limit) if limit else query))
