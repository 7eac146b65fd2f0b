"""Rejecting what repeats an earlier record: counted first, by rule, undone, and never where it would lose something."""

from __future__ import annotations

import pytest
from sqlmodel import col, select

from backend.access.actors import Actor
from backend.conversations import Message
from backend.curation.deduplicating import compare_project
from backend.curation.resolving import Resolved, preview, reject_duplicates, undo_resolution
from backend.errors import Conflict, Forbidden, InvalidInput, NotFound
from backend.store.database import Database
from backend.store.records import Approval, Finding, Project, Record, RecordRevision
from backend.store.revisions import add_revision
from backend.vocabulary import Decision, FindingStatus, RecordStatus, Role
from tests.factories import a_person, a_project, a_record

ASKED = "When can I return the wool rug that I bought last week?"


class Shop:
    """A compared project with an exact repeat (2), a near one (3), and a near one with another answer (4)."""

    def __init__(self, database: Database) -> None:
        self.database = database
        with database.writing() as session:
            project = a_project(session)
            self.project_id = project.id or 0
            self.lead = a_person(session, "l@example.org", project=project, role=Role.LEAD)
            self.expert = a_person(session, "e@example.org", project=project, role=Role.EXPERT)
            session.commit()
        for prompt, answer in ((ASKED, "Within 30 days."), (ASKED.lower(), "Within 30 days."),
                               (f"{ASKED}!", "Within 30 days"), (f"{ASKED}?", "Never, we are sorry to say.")):  # fmt: skip
            self.add(prompt, answer)
        with database.writing() as session:
            compare_project(session=session, project_id=self.project_id, tell=lambda share, words: None)

    def add(self, prompt: str, answer: str) -> None:
        with self.database.writing() as session:
            a_record(session, session.get_one(Project, self.project_id), prompt=prompt, answer=answer)
            session.commit()

    def stand(self, record_id: int, status: RecordStatus) -> None:
        with self.database.writing() as session:
            record = session.get_one(Record, record_id)
            record.status = status
            if status is RecordStatus.APPROVED:
                revision = session.exec(select(RecordRevision.id).where(RecordRevision.record_id == record_id)).one()
                record.approved_revision_id = revision
                session.add(Approval(record_id=record_id, revision_id=revision or 0, decision=Decision.APPROVED))
            session.add(record)
            session.commit()

    def preview(self, least: float = 1.0) -> Resolved:
        with self.database.reading() as session:
            return preview(session=session, actor=self.lead, project_id=self.project_id, least=least)

    def reject(
        self, least: float = 1.0, reason: str = "Repeats", actor: Actor | None = None, expected: int | None = None
    ) -> Resolved:
        with self.database.writing() as session:
            return reject_duplicates(
                session=session, actor=actor or self.lead, project_id=self.project_id, least=least, reason=reason,
                expected=expected,
            )  # fmt: skip

    def undo(self, number: int) -> int:
        with self.database.writing() as session:
            return undo_resolution(session=session, actor=self.lead, project_id=self.project_id, number=number)

    def statuses(self) -> list[str]:
        with self.database.reading() as session:
            return [row.status.value for row in session.exec(select(Record).order_by(col(Record.id)))]


@pytest.fixture
def shop(database: Database) -> Shop:
    return Shop(database)


@pytest.fixture
def shop_on_sqlite(sqlite: Database) -> Shop:
    return Shop(sqlite)


def test_exact_repeats_are_rejected_by_name_and_come_back(shop: Shop) -> None:
    assert shop.preview() == Resolved(0, 1, 0, 0, 0, more=False)
    done = shop.reject(expected=1)
    assert shop.statuses() == ["pending", "rejected", "pending", "pending"]
    with shop.database.reading() as session:
        ruling = session.exec(select(Approval)).one()
        assert (ruling.record_id, ruling.decision, ruling.reason) == (2, Decision.REJECTED, "Duplicate of record 1: Repeats")
        assert session.exec(select(Finding).where(Finding.record_id == 2)).one().status is FindingStatus.FIXED
    assert shop.undo(done.number) == 1
    assert shop.statuses() == ["pending"] * 4
    with shop.database.reading() as session:
        finding = session.exec(select(Finding).where(Finding.record_id == 2)).one()
        assert (finding.status, finding.detail) == (FindingStatus.OPEN, {"of": 1})
    with pytest.raises(NotFound):
        shop.undo(done.number)


def test_near_duplicates_are_rejected_from_a_threshold_on_but_not_where_the_answers_differ(shop: Shop) -> None:
    assert shop.preview(0.8) == Resolved(0, 2, 0, 1, 0, more=False)
    shop.reject(0.8)
    assert shop.statuses() == ["pending", "rejected", "rejected", "pending"]


def test_what_is_approved_while_the_earlier_record_is_not_stays(shop_on_sqlite: Shop) -> None:
    shop_on_sqlite.stand(2, RecordStatus.APPROVED)
    assert shop_on_sqlite.preview() == Resolved(0, 0, 0, 0, 1, more=False)
    with pytest.raises(NotFound):
        shop_on_sqlite.reject()
    shop_on_sqlite.stand(1, RecordStatus.APPROVED)
    assert shop_on_sqlite.preview() == Resolved(0, 1, 1, 0, 0, more=False)
    done = shop_on_sqlite.reject()
    assert shop_on_sqlite.statuses()[:2] == ["approved", "rejected"]
    shop_on_sqlite.undo(done.number)
    with shop_on_sqlite.database.reading() as session:
        record = session.get_one(Record, 2)
        assert (record.status, record.approved_revision_id) == (RecordStatus.APPROVED, 2)
        living = session.exec(select(Approval).where(Approval.record_id == 2, col(Approval.withdrawn_at).is_(None))).one()
        assert living.decision is Decision.APPROVED


def test_a_repeat_of_a_record_that_people_rejected_stays(shop_on_sqlite: Shop) -> None:
    shop_on_sqlite.stand(1, RecordStatus.REJECTED)
    assert shop_on_sqlite.preview().needed == 1
    assert shop_on_sqlite.preview().rejected == 0


def test_an_undo_leaves_what_was_ruled_on_since(shop_on_sqlite: Shop) -> None:
    done = shop_on_sqlite.reject()
    shop_on_sqlite.stand(2, RecordStatus.APPROVED)
    assert shop_on_sqlite.undo(done.number) == 0
    assert shop_on_sqlite.statuses()[1] == "approved"


def test_only_leads_reject_in_bulk_with_a_reason_and_a_number_that_still_holds(shop_on_sqlite: Shop) -> None:
    with pytest.raises(Forbidden):
        shop_on_sqlite.reject(actor=shop_on_sqlite.expert)
    with pytest.raises(InvalidInput):
        shop_on_sqlite.reject(reason=" ")
    with pytest.raises(InvalidInput):
        shop_on_sqlite.preview(0.5)
    with pytest.raises(Conflict):
        shop_on_sqlite.reject(expected=7)
    assert shop_on_sqlite.statuses() == ["pending"] * 4


def test_a_new_comparison_leaves_what_was_rejected_as_it_is(shop_on_sqlite: Shop) -> None:
    shop_on_sqlite.reject()
    shop_on_sqlite.add(ASKED, "Within 30 days.")
    with shop_on_sqlite.database.writing() as session:
        compare_project(session=session, project_id=shop_on_sqlite.project_id, tell=lambda share, words: None)
    assert shop_on_sqlite.statuses()[1] == "rejected"
    assert shop_on_sqlite.preview().rejected == 1


def test_a_repeat_that_was_edited_since_it_was_compared_stays(shop_on_sqlite: Shop) -> None:
    with shop_on_sqlite.database.writing() as session:
        better = [Message("user", ASKED), Message("assistant", "Within 30 days, with the receipt, in any shop of ours.")]
        add_revision(session, session.get_one(Record, 2), better, reason="Better", author_id=None)
        session.commit()
    told = shop_on_sqlite.preview()
    assert (told.rejected, told.answers_differ) == (0, 1)


def test_a_repeat_with_an_approved_text_stays_whatever_state_it_is_in(shop_on_sqlite: Shop) -> None:
    shop_on_sqlite.stand(2, RecordStatus.APPROVED)
    shop_on_sqlite.stand(2, RecordStatus.PENDING)  # it was edited since, and the approved text is still in force
    told = shop_on_sqlite.preview()
    assert (told.rejected, told.needed) == (0, 1)


def test_an_approved_repeat_of_a_rejected_repeat_stays(shop_on_sqlite: Shop) -> None:
    shop_on_sqlite.reject()
    shop_on_sqlite.add(ASKED, "Within 30 days.")
    shop_on_sqlite.stand(5, RecordStatus.APPROVED)
    with shop_on_sqlite.database.writing() as session:
        compare_project(session=session, project_id=shop_on_sqlite.project_id, tell=lambda share, words: None)
        row = session.exec(select(Finding).where(Finding.record_id == 5, Finding.status == FindingStatus.OPEN)).one()
        row.detail = {"of": 2}  # the earliest was found equal only later
        session.add(row)
        session.commit()
    told = shop_on_sqlite.preview()
    assert (told.rejected, told.needed) == (0, 1)
