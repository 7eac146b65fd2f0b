"""Synthetic records: what they carry over from their originals, and that a batch can be taken back."""

from __future__ import annotations

import pytest
from sqlmodel import Session, col, select

from backend.access.actors import Actor
from backend.conversations import Message
from backend.curation.synthesis import add_synthetic, take_back
from backend.errors import Conflict, InvalidInput, NotFound
from backend.store.curation import Likeness
from backend.store.database import Database
from backend.store.findings import refresh_findings
from backend.store.models import Response
from backend.store.records import Approval, Finding, Project, Record, RecordRevision, Source
from backend.vocabulary import DETECTED, Decision, FindingKind, FindingStatus, MadeBy, RecordStatus, Role
from tests.factories import a_person, a_project, a_record


def turns(*texts: str) -> list[Message]:
    return [Message("assistant" if place % 2 else "user", text) for place, text in enumerate(texts)]


def a_shop(session: Session) -> tuple[Project, Actor]:
    project = a_project(session)
    return project, a_person(session, "lead@shop.test", project=project, role=Role.LEAD)


def made(session: Session, actor: Actor, project: Project, *drafts: tuple[int, list[Message]], **extra: object) -> list[int]:
    given = {"made_by": MadeBy.TYPOS, "name": "Typos"} | extra
    return add_synthetic(session=session, actor=actor, project_id=project.id or 0, drafts=drafts, **given)  # type: ignore[arg-type]


def test_a_synthetic_record_waits_for_review_marked_and_tied_to_its_original(database: Database) -> None:
    with database.writing() as session:
        project, lead = a_shop(session)
        parent = a_record(session, project, prompt="Where is my order?", answer="On its way.",
                          slices={"language": "en", f"{DETECTED}topic": "orders"})  # fmt: skip
        parent.cluster = "c1"
        ids = made(session, lead, project, (parent.id or 0, turns("wher is my ordr?", "On its way.")))
        session.commit()
    with database.reading() as session:
        record, original = session.get_one(Record, ids[0]), session.get_one(Record, parent.id)
        assert (record.status, record.made_by, record.made_from) == (RecordStatus.PENDING, MadeBy.TYPOS, original.id)
        assert record.group == original.group != ""
        assert (record.cluster, record.slices, record.compared) == ("c1", {"language": "en"}, False)
        assert (record.prompt, record.answer) == ("wher is my ordr?", "On its way.")
        source = session.get_one(Source, record.source_id)
        assert (source.format, source.shape, source.imported) == ("synthetic", "typos", 1)
        revision = session.exec(select(RecordRevision).where(RecordRevision.record_id == record.id)).one()
        assert revision.reason == f"Typed as customers do, from record {original.id}"
        assert revision.author_id == lead.account_id


def test_texts_that_are_there_already_are_passed_over_and_nothing_new_makes_no_batch(sqlite: Database) -> None:
    with sqlite.writing() as session:
        project, lead = a_shop(session)
        parent = a_record(session, project, prompt="Hi?", answer="Hello.")
        key = parent.id or 0
        ids = made(
            session, lead, project, (key, turns("Hi?", "Hello.")), (key, turns("hi", "Hello.")), (key, turns("hi", "Hello."))
        )
        assert len(ids) == 1
        assert made(session, lead, project, (key, turns("hi", "Hello."))) == []
        assert len(session.exec(select(Source)).all()) == 1


def test_what_was_settled_about_the_originals_personal_data_counts_for_the_copy(database: Database) -> None:
    with database.writing() as session:
        project, lead = a_shop(session)
        parent = a_record(session, project, prompt="Ask anna.smith@example.com or bob@example.org", answer="Fine.")
        revision = session.exec(select(RecordRevision).where(RecordRevision.record_id == parent.id)).one()
        found = refresh_findings(session, parent, revision)
        assert [row.kind for row in found] == [FindingKind.EMAIL] * 2
        found[0].status = FindingStatus.DISMISSED
        found[1].status, found[1].detail = FindingStatus.FIXED, {"stand_in": "bob@example.org", "masked": True}
        text = "pls ask anna.smith@example.com or bob@example.org or eve@example.net"
        (made_id,) = made(session, lead, project, (parent.id or 0, turns(text, "Fine.")))
        rows = session.exec(select(Finding).where(Finding.record_id == made_id).order_by(col(Finding.start))).all()
        standing = {text[row.start : row.end]: row.status for row in rows if row.end}
        assert standing == {"anna.smith@example.com": FindingStatus.DISMISSED, "eve@example.net": FindingStatus.OPEN}
        copy = session.get_one(Record, made_id)
        again = refresh_findings(
            session, copy, session.exec(select(RecordRevision).where(RecordRevision.record_id == made_id)).one()
        )
        assert [row.status for row in again] == [FindingStatus.DISMISSED, FindingStatus.OPEN]
        session.commit()


def test_an_untouched_batch_can_be_taken_back_and_made_again(database: Database) -> None:
    with database.writing() as session:
        project, lead = a_shop(session)
        parent = a_record(session, project, prompt="Mail me at a@b.example", answer="Done.")
        draft = (parent.id or 0, turns("mail me at a@b.example", "Done."))
        (first,) = made(session, lead, project, draft)
        source_id = session.get_one(Record, first).source_id or 0
        for record_id, nearest in ((first, parent.id), (parent.id or 0, first)):
            revision = session.exec(select(RecordRevision.id).where(RecordRevision.record_id == record_id)).one()
            session.add(Likeness(record_id=record_id, project_id=project.id or 0, revision_id=revision or 0, version="1",
                                 sketch=b"", settled=True, nearest_id=nearest))  # fmt: skip
        session.commit()
        assert take_back(session=session, project_id=project.id or 0, source_id=source_id) == [first]
        session.commit()
        assert session.get(Record, first) is None
        assert session.get(Source, source_id) is None
        assert [(row.nearest_id, row.settled) for row in session.exec(select(Likeness))] == [(None, False)]
        assert len(made(session, lead, project, draft)) == 1


def test_a_batch_that_somebody_worked_on_stays(sqlite: Database) -> None:
    with sqlite.writing() as session:
        project, lead = a_shop(session)
        parent = a_record(session, project, prompt="Hi?", answer="Hello.")
        first, second = made(session, lead, project, *[(parent.id or 0, turns(text, "Hello.")) for text in ("hi", "hey")])
        revision = session.exec(select(RecordRevision.id).where(RecordRevision.record_id == second)).one()
        session.add(Approval(record_id=second, revision_id=revision or 0, decision=Decision.APPROVED))
        source_id = session.get_one(Record, first).source_id or 0
        with pytest.raises(Conflict, match=f"\\({second}\\)"):
            take_back(session=session, project_id=project.id or 0, source_id=source_id)
        with pytest.raises(NotFound):
            take_back(session=session, project_id=99, source_id=source_id)


def test_originals_of_another_project_and_broken_conversations_are_refused(sqlite: Database) -> None:
    with sqlite.writing() as session:
        project, lead = a_shop(session)
        other = a_record(session, a_project(session, "other"), prompt="Hi?", answer="Hello.")
        own = a_record(session, project, prompt="Hi?", answer="Hello.")
        with pytest.raises(NotFound):
            made(session, lead, project, (other.id or 0, turns("hi", "Hello.")))
        with pytest.raises(InvalidInput, match="is empty"):
            made(session, lead, project, (own.id or 0, turns(" ", "Hello.")))
        with pytest.raises(InvalidInput):
            made(session, lead, project, (own.id or 0, turns("hi", "Hello.")), made_by=MadeBy.PEOPLE)


def test_a_batch_stays_while_an_answer_to_be_judged_stands_on_one_of_its_records(sqlite: Database) -> None:
    with sqlite.writing() as session:
        project, lead = a_shop(session)
        parent = a_record(session, project, prompt="Where is it?", answer="On its way.")
        (record_id,) = made(session, lead, project, (parent.id or 0, turns("wher is it?", "On its way.")))
        record = session.get_one(Record, record_id)
        session.add(Response(project_id=project.id or 0, record_id=record_id, prompt=[], text="On its way."))
        session.flush()
        with pytest.raises(Conflict, match="worked on"):
            take_back(session=session, project_id=project.id or 0, source_id=record.source_id or 0)
