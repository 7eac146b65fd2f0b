"""Many rows at once: they land on either database, and a connection is afterwards as it was."""

from __future__ import annotations

from sqlalchemy import text
from sqlmodel import func, select

from backend.store.bulk import BATCH, add_rows, draw_ids, room_for_many
from backend.store.database import Database
from backend.store.records import RejectedRow, Source
from tests.factories import a_project


def test_many_rows_land_and_the_connection_is_as_it_was(database: Database) -> None:
    def kept_pages() -> int:
        return int(session.execute(text("PRAGMA cache_size")).scalar_one()) if database.is_sqlite else 0

    with database.writing() as session:
        source = Source(project_id=a_project(session).id or 0, name="a file", content_hash="1")
        session.add(source)
        session.flush()
        before = kept_pages()
        with room_for_many(session):
            assert (kept_pages() < before) is database.is_sqlite  # negative: KiB, not pages
            ids = draw_ids(session, RejectedRow, BATCH + 1)
            rows = [{"id": one, "source_id": source.id, "line": 1, "reason": "", "content": ""} for one in ids]
            add_rows(session, RejectedRow, rows)
            session.commit()
        assert kept_pages() == before
        assert session.exec(select(func.count()).select_from(RejectedRow)).one() == BATCH + 1
