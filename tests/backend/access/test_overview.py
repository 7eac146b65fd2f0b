"""The counts behind the home page."""

from __future__ import annotations

from sqlmodel import select

from backend.access.overview import overview
from backend.store.database import Database
from backend.store.models import Snapshot, SnapshotRow
from backend.store.records import Record, RecordRevision
from backend.vocabulary import RecordStatus, Role, Split
from tests.factories import a_person, a_project, a_record


def test_what_waits_to_be_frozen_are_texts_so_an_equal_one_that_never_enters_is_not_counted(database: Database) -> None:
    with database.writing() as session:
        project = a_project(session)
        lead = a_person(session, "lead@example.org", project=project, role=Role.LEAD)
        for answer in ("Yes.", "Yes.", "No."):
            record = a_record(session, project, prompt="Do you ship?", answer=answer)
            revision = session.exec(select(RecordRevision).where(RecordRevision.record_id == record.id)).one()
            record.status, record.approved_revision_id = RecordStatus.APPROVED, revision.id
            session.add(record)
        session.flush()
        assert overview(session, actor=lead, project_id=project.id or 0).unfrozen == 2

        snapshot = Snapshot(project_id=project.id or 0, number=1, name="1", folder="f", manifest={}, content_hash="h")
        session.add(snapshot)
        session.flush()
        first = session.exec(select(Record).where(Record.answer == "Yes.").order_by(Record.id)).first()
        assert first is not None
        session.add(
            SnapshotRow(
                snapshot_id=snapshot.id or 0, record_id=first.id or 0, revision_id=first.approved_revision_id or 0,
                split=Split.TRAIN, position=0, content_hash=first.content_hash,
            )
        )  # fmt: skip
        session.flush()
        assert overview(session, actor=lead, project_id=project.id or 0).unfrozen == 1
