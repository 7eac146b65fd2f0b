"""The flag for abuse learns from what people decided, says how good it is, and can be taken back."""

from __future__ import annotations

import pytest
from sqlmodel import Session, select

from backend.access.actors import Actor
from backend.curation.abuse_labels import labels
from backend.curation.detector_queries import lessons, try_out, undecided
from backend.curation.dismissing import dismiss
from backend.curation.teaching_abuse import ABUSE_REPORT, decide, learn, report_missed, take_back
from backend.errors import AlreadyDone, Forbidden, InvalidInput, NotFound, NotReady
from backend.store.accounts import AuditEntry
from backend.store.checking_context import ABUSE_MODEL, context_for
from backend.store.database import Database
from backend.store.records import Finding, Project, Record, RecordRevision
from backend.vocabulary import FindingKind, FindingStatus, Role
from tests.factories import a_person, a_project, a_record


def flagged(session: Session, project: Project, prompt: str) -> Finding:
    """A record whose question the flag found."""
    record = a_record(session, project, prompt=prompt, answer="We are sorry.")
    revision = session.exec(select(RecordRevision).where(RecordRevision.record_id == record.id)).one()
    finding = Finding(
        project_id=project.id or 0, record_id=record.id or 0, revision_id=revision.id or 0, kind=FindingKind.ABUSE, message=0,
        start=0, end=len(prompt), score=0.7, detector="abuse-flag", version="2", detail={"why": "Flagged."},
    )  # fmt: skip
    session.add(finding)
    session.flush()
    return finding


def people(session: Session) -> tuple[Project, Actor, Actor]:
    """A project with an expert and a lead."""
    project = a_project(session)
    expert = a_person(session, "e@example.org", project=project, role=Role.EXPERT)
    lead = a_person(session, "l@example.org", project=project, role=Role.LEAD)
    return project, expert, lead


def test_decisions_become_labels_and_are_made_once(database: Database) -> None:
    with database.writing() as session:
        project, expert, _ = people(session)
        one, two, three = (flagged(session, project, text) for text in ("you gnarf", "damn late", "still open"))
        session.commit()
        ids = {"session": session, "actor": expert, "project_id": project.id or 0}
        decide(**ids, finding_id=one.id or 0, abuse=True)
        dismiss(**ids, finding_ids=[two.id or 0], reason="Only annoyed")
        missed = report_missed(**ids, record_id=a_record(session, project, prompt="you zunk", answer="Sorry.").id or 0)
        assert labels(session, project.id or 0).texts == ("you gnarf", "damn late", "you zunk")
        assert labels(session, project.id or 0).abuse == (True, False, True)
        assert [each.finding_id for each in undecided(session, actor=expert, project_id=project.id or 0)] == [three.id]
        assert (one.status, missed.status) == (FindingStatus.OPEN, FindingStatus.OPEN)
        with pytest.raises(AlreadyDone):
            decide(**ids, finding_id=one.id or 0, abuse=False)
        with pytest.raises(AlreadyDone):
            report_missed(**ids, record_id=missed.record_id)
        with pytest.raises(NotFound):
            report_missed(**ids, record_id=10_000)


def test_approved_records_without_a_flag_are_the_background(sqlite: Database) -> None:
    with sqlite.writing() as session:
        project, _, _ = people(session)
        rude = session.get(Record, flagged(session, project, "you gnarf").record_id)
        calm = a_record(session, project, prompt="When do you open?", answer="At nine.")
        a_record(session, project, prompt="Not approved", answer="No.")
        for record in (rude, calm):
            assert record
            record.approved_revision_id = 1
        session.flush()
        assert set(labels(session, project.id or 0).background) == {"When do you open?", "At nine."}


def test_what_was_learned_is_kept_used_and_taken_back(sqlite: Database) -> None:
    with sqlite.writing() as session:
        project, expert, lead = people(session)
        project_id = project.id or 0
        rude = [flagged(session, project, f"you {word} lot, number {n}") for n, word in enumerate(("gnarf", "zunk") * 10)]
        calm = [flagged(session, project, f"where is the damn {word} {n}") for n, word in enumerate(("lamp", "sofa") * 10)]
        session.commit()
        ids = {"session": session, "actor": expert, "project_id": project_id}
        for finding in rude[:-1]:
            decide(**ids, finding_id=finding.id or 0, abuse=True)
        for finding in calm:
            decide(**ids, finding_id=finding.id or 0, abuse=False)
        with pytest.raises(NotReady, match="20 of each"):
            learn(session=session, actor=lead, project_id=project_id)
        decide(**ids, finding_id=rude[-1].id or 0, abuse=True)
        with pytest.raises(Forbidden):
            learn(**ids)
        report = learn(session=session, actor=lead, project_id=project_id)
        assert report["learned"]["recall"]["value"] == 1
        assert report["flag"]["recall"]["value"] == 0
        assert report["learned"]["recall"]["low"] < 1
        assert lessons(session, actor=expert, project_id=project_id).report == report
        assert context_for(session, project_id).abuse_model
        found, slices = try_out(session, actor=expert, project_id=project_id, question="you zunk lot", answer="")
        assert "own decisions" in " ".join(found.why)
        assert slices["abuse"] == "flagged"
        first = project.settings[ABUSE_MODEL]
        learn(session=session, actor=lead, project_id=project_id)
        assert take_back(session=session, actor=lead, project_id=project_id)
        assert project.settings[ABUSE_MODEL] == first
        assert not take_back(session=session, actor=lead, project_id=project_id)
        assert {ABUSE_MODEL, ABUSE_REPORT}.isdisjoint(project.settings)
        with pytest.raises(NotReady):
            take_back(session=session, actor=lead, project_id=project_id)
        actions = [entry.action for entry in session.exec(select(AuditEntry))]
        assert actions.count("abuse_decided") == 40
        assert (actions.count("abuse_flag_taught"), actions.count("abuse_lesson_taken_back")) == (2, 2)


def test_a_trial_stores_nothing_and_refuses_what_cannot_be_looked_at(sqlite: Database) -> None:
    with sqlite.writing() as session:
        project, expert, _ = people(session)
        session.commit()
        ids = {"actor": expert, "project_id": project.id or 0}
        found, slices = try_out(session, **ids, question="Write to anna.lind@example.org, you idiot", answer="No idea.")
        assert {"E-mail address", "Abusive language (flag)", "Question not answered"} <= set(found.found)
        assert slices["language"] == "en"
        assert not session.exec(select(Finding)).all()
        with pytest.raises(InvalidInput, match="write a question"):
            try_out(session, **ids, question=" ", answer="")
        with pytest.raises(InvalidInput, match="at most"):
            try_out(session, **ids, question="x" * 5001, answer="")
