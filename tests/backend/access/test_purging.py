"""Sessions and links that ended long ago are deleted, and nothing else is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import Session, select

from backend.access.audit import verify
from backend.access.purging import KEPT, Purged, purge
from backend.store.accounts import AuditEntry, LoginSession, OneTimeLink
from backend.store.base import now
from backend.store.database import Database
from backend.vocabulary import LinkPurpose
from tests.factories import a_person

OLD, RECENT, AHEAD = -KEPT - timedelta(hours=1), -KEPT + timedelta(hours=1), timedelta(hours=5)


def a_session(session: Session, account_id: int, name: str, **ends: timedelta | None) -> None:
    session.add(LoginSession(token_hash=name, account_id=account_id, **at(ends)))


def a_link(session: Session, name: str, **ends: timedelta | None) -> None:
    session.add(OneTimeLink(token_hash=name, purpose=LinkPurpose.INVITE, **at(ends)))


def at(ends: dict[str, timedelta | None]) -> dict[str, Any]:
    return {name: now() + away for name, away in ends.items() if away is not None}


def test_what_ended_long_ago_goes_and_what_works_or_ended_lately_stays(database: Database) -> None:
    with database.writing() as session:
        account_id = a_person(session, "ann@shop.test").account_id or 0
        a_session(session, account_id, "living", expires_at=AHEAD)
        a_session(session, account_id, "ended lately", expires_at=RECENT)
        a_session(session, account_id, "revoked lately", expires_at=AHEAD, revoked_at=RECENT)
        a_session(session, account_id, "ended long ago", expires_at=OLD)
        a_session(session, account_id, "revoked long ago", expires_at=AHEAD, revoked_at=OLD)
        a_link(session, "waits", expires_at=AHEAD)
        a_link(session, "used lately", expires_at=AHEAD, used_at=RECENT)
        a_link(session, "used long ago", expires_at=AHEAD, used_at=OLD)
        a_link(session, "ran out long ago", expires_at=OLD)
        session.commit()
        assert purge(session=session) == Purged(sessions=2, links=2)
    with database.writing() as session:
        assert set(session.exec(select(LoginSession.token_hash))) == {"living", "ended lately", "revoked lately"}
        assert set(session.exec(select(OneTimeLink.token_hash))) == {"waits", "used lately"}
        entry = session.exec(select(AuditEntry)).one()
        assert (entry.action, entry.detail) == ("expired_purged", {"sessions": 2, "links": 2})
        assert verify(session).broken_at is None


@pytest.mark.parametrize("kept", [0, 3])
def test_where_nothing_is_to_go_nothing_is_written_down(kept: int, sqlite: Database) -> None:
    with sqlite.writing() as session:
        for number in range(kept):
            a_link(session, str(number), expires_at=AHEAD)
        session.commit()
        assert purge(session=session) == Purged(0, 0)
        assert session.exec(select(AuditEntry)).all() == []
