"""What nobody can sign in with any more is deleted after a while: sessions that ended, links that were used or ran out.

It is kept for a time, so that who comes with an old link reads why it no longer works. What was done with it stays in the
audit trail. A worker calls this now and then; no person's leave is needed, and it never ends what still works.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, or_
from sqlmodel import Session, col

from backend.access import audit
from backend.access.actors import SYSTEM
from backend.store.accounts import LoginSession, OneTimeLink
from backend.store.base import Table, now

KEPT = timedelta(days=30)
"""For so long after its end."""


@dataclass(frozen=True, slots=True)
class Purged:
    """How many rows went."""

    sessions: int
    links: int


def purge(*, session: Session) -> Purged:
    """Delete what ended more than `KEPT` ago."""
    before = now() - KEPT
    purged = Purged(
        sessions=_delete(session, LoginSession, col(LoginSession.revoked_at), col(LoginSession.expires_at), before=before),
        links=_delete(session, OneTimeLink, col(OneTimeLink.used_at), col(OneTimeLink.expires_at), before=before),
    )
    if purged.sessions or purged.links:
        audit.record(session, SYSTEM, "expired_purged", sessions=purged.sessions, links=purged.links)
    session.commit()
    return purged


def _delete(session: Session, table: type[Table], *ends: Any, before: Any) -> int:
    return session.connection().execute(delete(table).where(or_(*(end < before for end in ends)))).rowcount
