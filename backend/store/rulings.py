"""Rulings on many records at once. Called inside a use-case's transaction; nothing here decides or commits."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import insert, update
from sqlmodel import Session, col

from backend.store.base import now
from backend.store.records import Approval
from backend.vocabulary import Decision

Ruled = tuple[int, int, str]
"""A record, its revision, and why."""


def withdraw_all(session: Session, record_ids: Collection[int], *, by: int | None, reason: str) -> int:
    """Take every ruling in force on these records out of force; returns how many."""
    living = update(Approval).where(col(Approval.record_id).in_(record_ids), col(Approval.withdrawn_at).is_(None))
    done: Any = session.execute(
        living.values(withdrawn_at=now(), withdrawn_by=by, withdrawn_reason=reason),
        execution_options={"synchronize_session": False},
    )
    return int(done.rowcount)


def add_rulings(session: Session, ruled: Sequence[Ruled], decision: Decision, *, author_id: int | None) -> None:
    """Add a ruling on each of the revisions; the caller sets what follows for the records."""
    at = now()
    rows = [
        {
            "record_id": record_id,
            "revision_id": revision_id,
            "decision": decision,
            "reason": reason,
            "author_id": author_id,
            "created_at": at,
            "withdrawn_reason": "",
        }
        for record_id, revision_id, reason in ruled
    ]
    if rows:
        session.execute(insert(Approval), rows)
