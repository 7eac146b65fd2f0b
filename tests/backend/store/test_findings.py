"""Personal-data findings follow the text from revision to revision."""

from __future__ import annotations

from sqlmodel import Session, select

from backend.conversations import Message, content_hash
from backend.store.database import Database
from backend.store.findings import refresh_findings, with_open_personal_data
from backend.store.records import Finding, Record, RecordRevision
from backend.vocabulary import FindingKind, FindingStatus
from tests.factories import a_project, a_record

MAIL, OTHER = "ann@example.org", "bob@example.org"


def first(session: Session, prompt: str) -> tuple[Record, RecordRevision]:
    record = a_record(session, a_project(session), prompt=prompt, answer="We will write.")
    return record, session.exec(select(RecordRevision)).one()


def revise(session: Session, record: Record, prompt: str) -> RecordRevision:
    messages = [Message("user", prompt), Message("assistant", "We will write.")]
    record.head += 1
    revision = RecordRevision(
        record_id=record.id or 0,
        number=record.head,
        messages=[message.to_json() for message in messages],
        content_hash=content_hash(messages),
    )
    session.add(revision)
    return revision


def span(revision: RecordRevision, row: Finding) -> str:
    return revision.messages[row.message]["content"][row.start : row.end]


def test_what_is_found_is_stored_with_its_span_and_proposal(database: Database) -> None:
    with database.writing() as session:
        record, revision = first(session, f"Write to {MAIL}, or call +1 404 555 0123")
        rows = refresh_findings(session, record, revision)
        assert [(row.kind, span(revision, row), row.proposal) for row in rows] == [
            (FindingKind.EMAIL, MAIL, "[EMAIL]"),
            (FindingKind.PHONE, "+1 404 555 0123", "[PHONE]"),
        ]
        assert {row.status for row in rows} == {FindingStatus.OPEN}


def test_refreshing_twice_doubles_nothing(sqlite: Database) -> None:
    with sqlite.writing() as session:
        record, revision = first(session, f"{MAIL} and {MAIL}")
        before = {row.id for row in refresh_findings(session, record, revision)}
        after = {row.id for row in refresh_findings(session, record, revision)}
        assert before == after == {row.id for row in session.exec(select(Finding))}
        assert len(after) == 2


def test_a_finding_moves_with_its_span_and_stays_dismissed(sqlite: Database) -> None:
    with sqlite.writing() as session:
        record, revision = first(session, f"{MAIL} or {OTHER}")
        dismissed, _ = refresh_findings(session, record, revision)
        dismissed.status = FindingStatus.DISMISSED
        newest = revise(session, record, f"Hello! Please use {OTHER} or {MAIL}.")
        rows = {span(newest, row): row for row in refresh_findings(session, record, newest)}
        assert rows[MAIL].id == dismissed.id
        assert rows[MAIL].status is FindingStatus.DISMISSED
        assert rows[OTHER].status is FindingStatus.OPEN


def test_a_span_that_is_gone_closes_its_finding_and_coming_back_opens_it(sqlite: Database) -> None:
    with sqlite.writing() as session:
        record, revision = first(session, f"Write to {MAIL}")
        (row,) = refresh_findings(session, record, revision)
        assert refresh_findings(session, record, revise(session, record, "Write to [EMAIL]")) == []
        assert (row.status, row.detail) == (FindingStatus.FIXED, {"gone_in": 2})
        back = revise(session, record, f"Please write to {MAIL}")
        assert refresh_findings(session, record, back) == [row]
        assert (row.status, row.detail, span(back, row)) == (FindingStatus.OPEN, {}, MAIL)


def test_an_older_revision_is_still_known_to_hold_personal_data(database: Database) -> None:
    with database.writing() as session:
        record, revision = first(session, f"Write to {MAIL}")
        (row,) = refresh_findings(session, record, revision)
        newest = revise(session, record, "Write to [EMAIL]")
        refresh_findings(session, record, newest)
        both = [revision.id or 0, newest.id or 0]
        assert with_open_personal_data(session, both) == {revision.id}
        row.status = FindingStatus.DISMISSED
        session.flush()
        assert with_open_personal_data(session, both) == set()
