"""The Detectors page: cards with their weakness, a box to try them, and the abuse flag taught by decisions."""

from __future__ import annotations

from typing import Any

import pytest
from sqlmodel import select
from streamlit.testing.v1 import AppTest

from backend.access.actors import Actor
from backend.curation.detector_queries import CHECKS
from backend.curation.queries import scorecards
from backend.runtime import Runtime
from backend.store.records import Finding, Project, RecordRevision
from backend.vocabulary import Check, FindingKind, FindingStatus, Role
from tests.factories import a_person, a_project, a_record
from tests.pages.desk import opened, words


@pytest.fixture
def lead(house: Runtime) -> Actor:
    with house.database.writing() as session:
        project = a_project(session, "home")
        actor = a_person(session, "l@example.org", project=project, role=Role.LEAD)
        flag(session, project, "You are a **stupid** idiot")
        session.commit()
        return actor


def flag(session: Any, project: Project, prompt: str) -> None:
    record = a_record(session, project, prompt=prompt, answer="We are sorry.")
    revision = session.exec(select(RecordRevision).where(RecordRevision.record_id == record.id)).one()
    session.add(
        Finding(
            project_id=project.id or 0, record_id=record.id or 0, revision_id=revision.id or 0, kind=FindingKind.ABUSE,
            start=0, end=len(prompt), score=0.9, detector="abuse-flag", version="2", detail={"why": "Flagged."},
        )
    )  # fmt: skip


def press(page: AppTest, label: str) -> AppTest:
    button: Any = next(button for button in page.button if button.label == label)
    return button.click().run()


def test_every_card_is_told_with_what_it_is_not_good_enough_for(house: Runtime, lead: Actor) -> None:
    page = opened(house, lead, "detectors")
    assert not page.exception
    titles = {str(title.value) for title in page.subheader}
    assert {CHECKS[Check(card["check"])] for card in scorecards()} <= titles
    assert len(page.warning) == len(scorecards())
    assert sum("make scorecards" in str(caption.value) for caption in page.caption) == len(scorecards())


def test_a_text_is_tried_and_not_stored(house: Runtime, lead: Actor) -> None:
    page = opened(house, lead, "detectors")
    page.text_area(key="trial_question").set_value("Call me on +49 30 901820, this is terrible")
    page.text_area(key="trial_answer").set_value("No idea.")
    press(page, "Look")
    assert not page.exception
    found = next(table.value for table in page.dataframe if "detector" in table.value)
    assert {"Personal data", "Quality of answers"} <= set(found.detector)
    assert "sentiment: negative" in words(page)
    with house.database.reading() as session:
        assert len(session.exec(select(Finding)).all()) == 1


def test_a_decision_is_made_with_one_press_and_shows_the_text_as_it_is(house: Runtime, lead: Actor) -> None:
    page = opened(house, lead, "detectors")
    assert any(code.value == "You are a **stupid** idiot" for code in page.code)
    press(page, "No abuse")
    assert not page.exception
    assert "waits for a decision" in words(page)
    with house.database.reading() as session:
        assert session.exec(select(Finding)).one().status is FindingStatus.DISMISSED


def test_learning_waits_for_enough_decisions_and_is_for_leads(house: Runtime, lead: Actor) -> None:
    page = opened(house, lead, "detectors")
    assert next(button for button in page.button if button.label == "Learn from our decisions").disabled
    with house.database.writing() as session:
        project = session.exec(select(Project)).one()
        expert = a_person(session, "e@example.org", project=project, role=Role.EXPERT)
        session.commit()
    assert "Learn from our decisions" not in [button.label for button in opened(house, expert, "detectors").button]
