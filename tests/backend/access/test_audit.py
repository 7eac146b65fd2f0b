from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import delete, update
from sqlmodel import col, select

from backend.access import audit
from backend.access.actors import SYSTEM
from backend.store.accounts import AuditEntry, AuditHead
from backend.store.database import Database


def write(database: Database, count: int) -> None:
    with database.writing() as session:
        for number in range(count):
            audit.record(session, SYSTEM, "tested", subject=f"thing {number}", count=number, text="ä\u2028")
        session.commit()


def test_an_untouched_trail_is_whole(database: Database) -> None:
    write(database, 3)
    write(database, 2)
    with database.reading() as session:
        found = audit.verify(session)
        head = session.get_one(AuditHead, 1)
    assert (found.entries, found.broken_at, found.head) == (5, None, head.hash)


TAMPERINGS: dict[str, Callable[[], Any]] = {
    "a changed subject": lambda: update(AuditEntry).where(col(AuditEntry.number) == 2).values(subject="other"),
    "a changed actor": lambda: update(AuditEntry).where(col(AuditEntry.number) == 2).values(actor="somebody else"),
    "a changed detail": lambda: update(AuditEntry).where(col(AuditEntry.number) == 2).values(detail={"count": 7}),
    "a removed entry": lambda: delete(AuditEntry).where(col(AuditEntry.number) == 2),
}


@pytest.mark.parametrize("how", TAMPERINGS)
def test_tampering_is_found_where_it_happened(database: Database, how: str) -> None:
    write(database, 4)
    with database.writing() as session:
        session.execute(TAMPERINGS[how]())
        session.commit()
    with database.reading() as session:
        assert audit.verify(session).broken_at == 2


def test_entries_cut_off_at_the_end_are_missed(database: Database) -> None:
    write(database, 3)
    with database.writing() as session:
        session.execute(delete(AuditEntry).where(col(AuditEntry.number) == 3))
        session.commit()
    with database.reading() as session:
        assert audit.verify(session).broken_at == 3


def test_an_act_that_is_rolled_back_leaves_no_entry(sqlite: Database) -> None:
    with sqlite.writing() as session:
        audit.record(session, SYSTEM, "tested")
        session.rollback()
    with sqlite.reading() as session:
        assert session.exec(select(AuditEntry)).all() == []
