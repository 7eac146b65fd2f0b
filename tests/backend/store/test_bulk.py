"""Many rows at once: they land on either database, and a connection is afterwards as it was."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import text
from sqlmodel import col, func, select

from backend.store.bulk import BATCH, add_rows, draw_ids, room_for_many
from backend.store.database import Database
from backend.store.full_text import having_words
from backend.store.records import Record, RecordRevision, RejectedRow, Source
from backend.vocabulary import RecordStatus
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


def test_rows_are_as_the_object_mapper_would_write_them(database: Database) -> None:
    at = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
    with database.writing() as session:
        project = a_project(session)
        ids = draw_ids(session, Record, 3)
        add_rows(
            session,
            Record,
            [
                {"id": one, "project_id": project.id, "content_hash": "1", "slices": {"Größe · x": str(one)}, "created_at": at}
                for one in ids
            ],
        )
        revisions = [
            {"record_id": one, "number": 1, "content_hash": "1", "messages": [{"role": "user", "content": f"Größe {one}?"}]}
            for one in ids
        ]
        add_rows(session, RecordRevision, revisions)
        session.commit()
        wanted = having_words(session, f"größe {ids[1]}")
        assert wanted is not None
        assert list(session.execute(wanted).scalars()) == [ids[1]]  # the index of words follows
        record = session.get_one(Record, ids[2])
    assert (record.slices, record.created_at, record.status) == ({"Größe · x": str(ids[2])}, at, RecordStatus.PENDING)
    assert (record.made_with, record.compared, record.weight, record.source_id) == ([], True, 1.0, None)
    with database.reading() as session:
        kept = session.exec(select(RecordRevision).where(col(RecordRevision.record_id) == ids[0])).one()
    assert kept.messages == [{"role": "user", "content": f"Größe {ids[0]}?"}]
    assert kept.created_at.tzinfo is not None
