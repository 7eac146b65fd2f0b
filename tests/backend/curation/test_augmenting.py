"""Growing: what is proposed, added, counted, taken back; and what imports are for."""

from __future__ import annotations

import pytest
from sqlmodel import Session, select

from backend.access.actors import Actor
from backend.conversations import Message
from backend.curation import growing_queries
from backend.curation.augmenting import grow, set_purpose, undo
from backend.curation.growing_queries import Choice, ImportUse
from backend.curation.variations import vary
from backend.errors import Conflict, Forbidden, InvalidInput, NotFound
from backend.store.accounts import AuditEntry
from backend.store.database import Database
from backend.store.records import Project, Record, Source
from backend.store.revisions import add_revision
from backend.vocabulary import MadeBy, RecordStatus, Role, SourcePurpose
from tests.backend.datasets.conftest import approve
from tests.factories import a_person, a_project, a_record


def a_shop(session: Session, count: int = 4) -> tuple[Project, Actor]:
    project = a_project(session)
    for number in range(1, count + 1):
        record = a_record(session, project, prompt=f"Where is my order {number}?", answer="On its way.",
                          slices={"segment": "new" if number % 2 else "old"})  # fmt: skip
        if number < count:
            approve(session, record)
    return project, a_person(session, "lead@shop.test", project=project, role=Role.LEAD)


def test_approved_records_of_people_are_grown_and_what_was_made_is_not(database: Database) -> None:
    with database.writing() as session:
        project, lead = a_shop(session)
        key = project.id or 0
        session.commit()

        def fits(**choice: object) -> list[int]:
            return [one.record_id for one in growing_queries.originals(session, lead, key, Choice(**choice))]  # type: ignore[arg-type]

        assert fits() == [1, 2, 3]
        assert fits(waiting=True) == [1, 2, 3, 4]
        assert fits(slice_key="segment", slice_value="old") == [2]
        assert len(fits(most=2)) == 2
        originals = growing_queries.originals(session, lead, key, Choice())
        done = grow(session=session, actor=lead, project_id=key, method=MadeBy.TYPOS,
                    proposals=vary(originals, MadeBy.TYPOS, each=2, seed=1))  # fmt: skip
        assert (len(done.added), done.known, done.stale) == (6, 0, 0)
        assert fits(waiting=True) == [1, 2, 3, 4]
        assert growing_queries.count(session, lead, key, Choice()) == 3
        made = session.get_one(Record, done.added[0])
        assert (made.status, made.made_by) == (RecordStatus.PENDING, MadeBy.TYPOS)
        approve(session, made)
        session.commit()
        (batch,) = growing_queries.batches(session, lead, key)
        assert (batch.name, batch.records, batch.waiting, batch.approved, batch.is_untouched) == (
            "With typing slips", 6, 5, 1, False,
        )  # fmt: skip
        with pytest.raises(Conflict, match="worked on"):
            undo(session=session, actor=lead, project_id=key, source_id=batch.source_id)


def test_an_original_that_was_edited_since_the_preview_gives_nothing(sqlite: Database) -> None:
    with sqlite.writing() as session:
        project, lead = a_shop(session)
        key = project.id or 0
        proposals = vary(growing_queries.originals(session, lead, key, Choice()), MadeBy.LOWER_CASE, each=1, seed=1)
        record = session.get_one(Record, 1)
        add_revision(session, record, [Message("user", "Changed?"), Message("assistant", "Yes.")], reason="", author_id=None)
        record.approved_revision_id = None
        session.add(record)
        done = grow(session=session, actor=lead, project_id=key, proposals=proposals, method=MadeBy.LOWER_CASE)
        assert (len(done.added), done.stale) == (2, 1)
        with pytest.raises(Conflict, match="already"):
            grow(session=session, actor=lead, project_id=key, proposals=proposals, method=MadeBy.LOWER_CASE)


def test_a_batch_is_taken_back_and_both_are_in_the_trail(sqlite: Database) -> None:
    with sqlite.writing() as session:
        project, lead = a_shop(session)
        key = project.id or 0
        proposals = vary(growing_queries.originals(session, lead, key, Choice()), MadeBy.LOWER_CASE, each=1, seed=1)
        grow(session=session, actor=lead, project_id=key, proposals=proposals, method=MadeBy.LOWER_CASE, name="small letters")
        (batch,) = growing_queries.batches(session, lead, key)
        assert undo(session=session, actor=lead, project_id=key, source_id=batch.source_id) == 3
        assert growing_queries.batches(session, lead, key) == []
        entries = session.exec(select(AuditEntry).order_by(AuditEntry.number)).all()  # type: ignore[arg-type]
        assert [entry.action for entry in entries] == ["records_grown", "growth_undone"]
        assert entries[1].detail["batch"] == "small letters"


def test_imports_say_what_they_are_for(database: Database) -> None:
    with database.writing() as session:
        project, lead = a_shop(session)
        key = project.id or 0
        talk = Source(project_id=key, name="talk.jsonl", content_hash="1")
        made = Source(project_id=key, name="made", content_hash="2", format="synthetic", shape="typos")
        session.add_all([talk, made])
        session.flush()
        for record in session.exec(select(Record).where(Record.id == 1)):
            record.source_id = talk.id
        session.commit()
        ids = talk.id or 0, made.id or 0
    given = {"actor": lead, "project_id": key, "purpose": SourcePurpose.GENERAL}
    with database.writing() as session:
        assert set_purpose(session=session, source_id=ids[0], **given).purpose is SourcePurpose.GENERAL
        with pytest.raises(InvalidInput, match="originals"):
            set_purpose(session=session, source_id=ids[1], **given)
        with pytest.raises(NotFound):
            set_purpose(session=session, source_id=99, **given)
        assert growing_queries.imports(session, lead, key) == [ImportUse(ids[0], "talk.jsonl", 1, 1, SourcePurpose.GENERAL)]
        assert [one.record_id for one in growing_queries.originals(session, lead, key, Choice())] == [2, 3]


def test_growing_is_for_leads(sqlite: Database) -> None:
    with sqlite.writing() as session:
        project, _ = a_shop(session)
        expert = a_person(session, "expert@shop.test", project=project, role=Role.EXPERT)
        given = {"session": session, "actor": expert, "project_id": project.id or 0}
        with pytest.raises(Forbidden):
            grow(**given, proposals=[], method=MadeBy.TYPOS)
        with pytest.raises(Forbidden):
            undo(**given, source_id=1)
        with pytest.raises(Forbidden):
            set_purpose(**given, source_id=1, purpose=SourcePurpose.OWN)
