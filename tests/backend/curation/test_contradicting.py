"""Contradictions between records go to the experts: on both records, with why, and once."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlmodel import col, select

from backend.conversations import Message
from backend.curation.contradicting import find_contradictions
from backend.intake.sampling import FOLDER, load_sample
from backend.settings import Settings
from backend.store.database import Database
from backend.store.records import Finding, Project, Record
from backend.store.revisions import add_revision
from backend.vocabulary import FindingKind, FindingStatus, RecordStatus
from tests.factories import a_person, a_project, a_record


class Shop:
    """A project, and what a test does to it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        with database.writing() as session:
            self.project_id = a_project(session).id or 0
            session.commit()

    def add(self, prompt: str, answer: str, cluster: str = "", before: str = "") -> int:
        with self.database.writing() as session:
            record = a_record(session, session.get_one(Project, self.project_id), prompt=prompt, answer=answer)
            record.cluster = cluster
            if before:
                messages = [Message("user", before), Message("assistant", "Hello."), Message("user", prompt)]
                messages.append(Message("assistant", answer))
                add_revision(session, record, messages, reason="", author_id=None)
            session.commit()
            return record.id or 0

    def look(self) -> dict[str, int]:
        with self.database.writing() as session:
            return find_contradictions(session=session, project_id=self.project_id, tell=lambda share, words: None)

    def findings(self, status: FindingStatus = FindingStatus.OPEN) -> list[tuple[int, int, str]]:
        with self.database.reading() as session:
            query = select(Finding).where(Finding.status == status, Finding.kind == FindingKind.CONTRADICTION)
            rows = session.exec(query.order_by(col(Finding.record_id)))
            return [(row.record_id, row.detail["other"], row.detail["why"]) for row in rows]


@pytest.fixture
def shop(database: Database) -> Shop:
    return Shop(database)


@pytest.fixture
def shop_on_sqlite(sqlite: Database) -> Shop:
    return Shop(sqlite)


def test_both_records_say_what_the_other_says_instead(shop: Shop) -> None:
    first = shop.add("How long is the return period?", "Return it within 30 days.")
    shop.add("How long is the return period?", "Return it within thirty days.")
    third = shop.add("hi, how long is the return period please", "Return it within 14 days.")
    shop.add("How long is the return period for sofas?", "Return it within 7 days.")
    assert shop.look() == {"contradiction": 4}
    assert (first, third, f"30 days here, 14 days in record {third}") in shop.findings()
    assert (third, first, f"14 days here, 30 days in record {first}") in shop.findings()
    assert shop.look() == {}


def test_it_is_closed_when_a_text_changes_and_stays_dismissed_when_dismissed(shop: Shop) -> None:
    first = shop.add("How long is the return period?", "Return it within 30 days.")
    second = shop.add("How long is the return period?", "Return it within 14 days.")
    shop.look()
    with shop.database.writing() as session:
        row = session.exec(select(Finding).where(Finding.record_id == first)).one()
        row.status = FindingStatus.DISMISSED
        session.add(row)
        session.commit()
    assert shop.look() == {}
    assert [row[0] for row in shop.findings()] == [second]
    with shop.database.writing() as session:
        messages = [Message("user", "How long is the return period?"), Message("assistant", "Return it within 30 days.")]
        add_revision(session, session.get_one(Record, second), messages, reason="right", author_id=None)
        session.commit()
    assert shop.look() == {}
    assert shop.findings() == []
    assert [row[0] for row in shop.findings(FindingStatus.FIXED)] == [second]


def test_what_a_contradiction_quotes_is_masked(shop_on_sqlite: Shop) -> None:
    shop_on_sqlite.add("Can I return the rug after thirty days?", "No, Maria Gonzalez does not take rugs back.")
    shop_on_sqlite.add("Can I return the rug after thirty days?", "Maria Gonzalez takes rugs back, call 555-014-4567.")
    with shop_on_sqlite.database.writing() as session:
        find_contradictions(session=session, project_id=shop_on_sqlite.project_id, tell=lambda share, words: None)
        said = [str(finding.detail["why"]) for finding in session.exec(select(Finding))]
    assert len(said) == 2
    assert all("[NAME]" in why and "Gonzalez" not in why and "4567" not in why for why in said)


def test_a_rejected_record_contradicts_nothing(shop_on_sqlite: Shop) -> None:
    shop_on_sqlite.add("How long is the return period?", "Return it within 30 days.")
    second = shop_on_sqlite.add("How long is the return period?", "Return it within 14 days.")
    with shop_on_sqlite.database.writing() as session:
        session.get_one(Record, second).status = RecordStatus.REJECTED
        session.commit()
    assert shop_on_sqlite.look() == {}


def test_a_slip_of_the_pen_is_seen_within_a_cluster(shop_on_sqlite: Shop) -> None:
    shop_on_sqlite.add("Is shipping available to my house in Savannah?", "Yes, we ship there.", cluster="c")
    shop_on_sqlite.add("Is shipping avilable to my house in Savannah?", "No, we do not.", cluster="c")
    assert shop_on_sqlite.look() == {"contradiction": 2}


def test_a_question_that_leans_on_other_words_is_not_compared(shop_on_sqlite: Shop) -> None:
    shop_on_sqlite.add("How much does it cost?", "The rug costs $20.", before="I like the rug")
    shop_on_sqlite.add("How much does it cost?", "The lamp costs $30.", before="I like the lamp")
    shop_on_sqlite.add("How much does it cost?", "The lamp costs $35.", before="i like the LAMP")
    assert shop_on_sqlite.look() == {"contradiction": 2}
    assert {row[0] for row in shop_on_sqlite.findings()} == {2, 3}


def test_the_sample_shop_is_not_flooded_and_its_planted_denial_is_found(sqlite: Database, tmp_path: Path) -> None:
    assert (FOLDER / "records.jsonl").is_file()
    with sqlite.writing() as session:
        admin = a_person(session, "a@example.org", admin=True)
        session.commit()
        settings = Settings.from_env({"TOUCHSTONE_DATA": str(tmp_path)})
        project_id = load_sample(session=session, actor=admin, settings=settings).project_id
    with sqlite.writing() as session:
        find_contradictions(session=session, project_id=project_id, tell=lambda share, words: None)
        named = select(Record.external_id).join(Finding, col(Finding.record_id) == Record.id)
        found = set(session.exec(named.where(Finding.kind == FindingKind.CONTRADICTION)))
    assert "shop-0214" in found
    assert len(found) <= 8
