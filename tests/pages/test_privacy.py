"""The privacy page: rules are changed and kept to, the scorecard is told, and the vault is for admins alone."""

from __future__ import annotations

from typing import Any

import pytest
from sqlmodel import select
from streamlit.testing.v1 import AppTest

from backend.access.actors import Actor
from backend.curation.checking import run_checks
from backend.detectors.privacy import rules_of
from backend.runtime import Runtime
from backend.store.accounts import AuditEntry
from backend.store.curation import CheckRun
from backend.store.findings import refresh_findings
from backend.store.records import Finding, Project, RecordRevision
from backend.vocabulary import FindingKind, FindingStatus, JobStatus, Replacement, Role
from tests.factories import a_person, a_project, a_record
from tests.pages.desk import opened


@pytest.fixture
def lead(house: Runtime) -> Actor:
    with house.database.writing() as session:
        project = a_project(session, "home")
        actor = a_person(session, "l@example.org", project=project, role=Role.LEAD)
        record = a_record(session, project, prompt="I live in Lisbon, order ORD-123456", answer="Thanks.")
        refresh_findings(session, record, session.exec(select(RecordRevision)).one())
        session.commit()
        assert record.id
        return actor


def press(page: AppTest, label: str) -> AppTest:
    button: Any = next(button for button in page.button if button.label == label)
    return button.click().run()


def test_a_lead_changes_the_rules_and_looks_again(house: Runtime, lead: Actor) -> None:
    page = opened(house, lead, "privacy")
    assert not page.exception
    page.multiselect(key="privacy_kinds").set_value([FindingKind.PLACE, FindingKind.REFERENCE])
    page.text_area(key="privacy_patterns").set_value("ORD-######")
    page.radio(key="privacy_replacement").set_value(Replacement.SURROGATE)
    press(page, "Save")
    assert not page.exception
    press(page, "Look at all records again")
    with house.database.reading() as session:
        rules = rules_of(session.exec(select(Project)).one().settings)
        assert rules.patterns == ("ORD-######",)
        assert rules.replacement is Replacement.SURROGATE
        run = session.exec(select(CheckRun)).one()
        assert (run.checks, run.status) == (["personal"], JobStatus.QUEUED)
    run_checks(house.database, run_id=run.id or 0, workers=1)
    with house.database.reading() as session:
        opened_now = session.exec(select(Finding).where(Finding.status == FindingStatus.OPEN)).all()
        assert {row.kind for row in opened_now} == {FindingKind.PLACE, FindingKind.REFERENCE}


def test_a_pattern_that_cannot_be_kept_to_is_refused_in_words(house: Runtime, lead: Actor) -> None:
    page = opened(house, lead, "privacy")
    page.text_area(key="privacy_patterns").set_value("(a+)+$")
    press(page, "Save")
    assert not page.exception
    assert any("place for a digit" in str(notice.value) for notice in (*page.error, *page.warning, *page.info))
    with house.database.reading() as session:
        assert "personal_data" not in session.exec(select(Project)).one().settings


def test_the_scorecard_is_told_with_its_date_command_and_weakness(house: Runtime, lead: Actor) -> None:
    page = opened(house, lead, "privacy")
    assert any("make scorecards" in caption.value for caption in page.caption)
    assert any("Not good enough" in note.value for note in page.warning)
    assert "Names" in str(page.dataframe[1].value)
    assert "PERSON" not in str(page.dataframe[1].value)


def test_only_an_admin_sees_the_vault_and_a_look_is_written_down(house: Runtime, lead: Actor) -> None:
    assert not [field for field in opened(house, lead, "privacy").text_input if field.key == "vault_reason"]
    with house.database.writing() as session:
        admin = a_person(session, "a@example.org", admin=True)
        session.commit()
    page = opened(house, admin, "privacy")
    page.text_input(key="vault_stand_in").set_value("Berger")
    page.text_input(key="vault_reason").set_value("Their request")
    press(page, "Open the vault")
    assert not page.exception
    with house.database.reading() as session:
        assert session.exec(select(AuditEntry).where(AuditEntry.action == "vault_opened")).one().detail["found"] == 0
