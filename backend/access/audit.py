"""The audit trail: append-only, each entry's hash covering the one before.

`record` is called inside a use-case's transaction, so that an act and its entry are saved together or not at all.
Promised: a changed, removed or inserted entry is found by `verify`. Not promised: that somebody who can write the
database cannot recompute the whole chain; keep the printed head hash elsewhere to notice that.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlmodel import Session, col, select

from backend.access.actors import Actor
from backend.store.accounts import AuditEntry, AuditHead
from backend.store.base import now

LONGEST_SUBJECT = 200
"""What its column holds. An e-mail address that somebody tries to sign in with may be longer."""


def record(
    session: Session, actor: Actor, action: str, *, project_id: int | None = None, subject: str = "", **detail: Any
) -> AuditEntry:
    """Append an entry; the caller commits. `detail` must be JSON-ready and hold no secrets."""
    head = _locked_head(session)
    entry = AuditEntry(
        number=head.number + 1,
        at=now(),
        actor_id=actor.account_id,
        actor=actor.label,
        action=action,
        project_id=project_id,
        subject=subject[:LONGEST_SUBJECT],
        detail=detail,
        previous_hash=head.hash,
        hash="",
    )
    entry.hash = digest(entry)
    head.number, head.hash = entry.number, entry.hash
    session.add(entry)
    session.add(head)
    return entry


def _locked_head(session: Session) -> AuditHead:
    """The head row, locked until the transaction ends; made on first use, by whichever writer comes first."""
    query = select(AuditHead).where(AuditHead.id == 1).with_for_update()
    head = session.exec(query).one_or_none()
    if head is None:
        session.execute(
            text(
                "INSERT INTO audithead (id, number, hash) VALUES (1, 0, '') ON CONFLICT (id) DO NOTHING"
            )  # both databases know it
        )
        head = session.exec(query).one()
    return head


def digest(entry: AuditEntry) -> str:
    """SHA-256 over every field of the entry but its own hash."""
    content = [
        entry.number,
        _instant(entry.at),
        entry.actor_id,
        entry.actor,
        entry.action,
        entry.project_id,
        entry.subject,
        entry.detail,
        entry.previous_hash,
    ]
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Verification:
    """What `verify` found. `broken_at` is the number of the first entry that does not fit, or None."""

    entries: int
    head: str
    broken_at: int | None
    reason: str


def verify(session: Session) -> Verification:
    """Walk the whole chain in batches of bounded memory."""
    previous, expected, count = "", 1, 0
    for entry in session.exec(select(AuditEntry).order_by(col(AuditEntry.number)).execution_options(yield_per=1000)):
        count += 1
        if entry.number != expected:
            return Verification(count, previous, expected, f"Entry {expected} is missing.")
        if entry.previous_hash != previous or entry.hash != digest(entry):
            return Verification(count, previous, entry.number, f"Entry {entry.number} was changed after it was written.")
        previous, expected = entry.hash, expected + 1
    head = session.get(AuditHead, 1)
    if head is not None and (head.number, head.hash) != (expected - 1, previous):
        return Verification(count, previous, expected, "Entries at the end are missing.")
    return Verification(count, previous, None, "")


def _instant(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
