"""The page about duplicates: it teaches, explores, lets leads reject and undo, and experts decide on contradictions."""

from __future__ import annotations

from typing import Any

import pytest
from sqlmodel import col, select
from streamlit.testing.v1 import AppTest

from backend.access.actors import Actor
from backend.curation.contradicting import find_contradictions
from backend.curation.deduplicating import compare_project
from backend.runtime import Runtime
from backend.store.records import Finding, Project, Record
from backend.vocabulary import FindingKind, FindingStatus, Role
from tests.factories import a_person, a_project, a_record
from tests.pages.desk import opened, words

HOSTILE = "<script>alert(1)</script> ![x](http://example.org/x.png) :red[hot]"
ASKED = "How long is the return period for wool rugs?"
RECORDS = (
    (ASKED, "Return it within 30 days."),
    (ASKED, "Return it within 30 days."),
    (f"{ASKED}!", f"Return it within 14 days. {HOSTILE}"),
)


@pytest.fixture
def people(house: Runtime) -> dict[Role, Actor]:
    with house.database.writing() as session:
        project = a_project(session, "home")
        found = {role: a_person(session, f"{role}@example.org", project=project, role=role) for role in Role}
        session.commit()
        return found


def fill(house: Runtime, *, compared: bool = True) -> None:
    with house.database.writing() as session:
        project = session.exec(select(Project)).one()
        for prompt, answer in RECORDS:
            a_record(session, project, prompt=prompt, answer=answer)
        session.commit()
    for look in (compare_project, find_contradictions) if compared else ():
        with house.database.writing() as session:
            look(session=session, project_id=1, tell=lambda share, said: None)


def press(page: AppTest, label: str) -> AppTest:
    button: Any = next(button for button in page.button if button.label == label)
    button.click().run()
    assert not page.exception
    return page


def statuses(house: Runtime) -> list[str]:
    with house.database.reading() as session:
        return [row.status.value for row in session.exec(select(Record).order_by(col(Record.id)))]


def at_contradictions(house: Runtime, actor: Actor) -> AppTest:
    page = opened(house, actor, "duplicates")
    page.session_state["duplicates-tab"] = "Contradictions"
    return page.run()


def test_an_empty_project_and_one_that_was_not_compared_say_what_to_do(house: Runtime, people: dict[Role, Actor]) -> None:
    assert "no record yet" in words(opened(house, people[Role.LEAD], "duplicates"))
    fill(house, compared=False)
    assert "3 records wait to be compared" in words(opened(house, people[Role.EXPERT], "duplicates"))


def test_the_slider_shows_what_another_threshold_would_mean(house: Runtime, people: dict[Role, Actor]) -> None:
    fill(house)
    page = opened(house, people[Role.EXPERT], "duplicates")
    assert not page.exception
    assert "from 0.80 on: 2." in words(page)
    page.slider(key="duplicates-threshold").set_value(1.0).run()
    assert "from 1.00 on: 1." in words(page)
    assert not [button for button in page.button if button.key == "resolve"]


def test_a_lead_rejects_exact_repeats_and_takes_it_back(house: Runtime, people: dict[Role, Actor]) -> None:
    fill(house)
    page = opened(house, people[Role.LEAD], "duplicates")
    assert "1 record would be rejected" in words(page)
    press(page, "Reject 1 record")
    assert statuses(house) == ["pending", "rejected", "pending"]
    press(page, "Undo 1")
    assert statuses(house) == ["pending"] * 3


def test_near_duplicates_with_other_answers_are_left_and_said(house: Runtime, people: dict[Role, Actor]) -> None:
    fill(house)
    page = opened(house, people[Role.LEAD], "duplicates")
    page.segmented_control(key="resolve-rule").set_value("Near duplicates too").run()
    page.slider(key="resolve-least").set_value(0.85).run()
    assert not page.exception
    assert "because their answers differ or were edited: 1." in words(page)


def test_a_contradiction_is_shown_side_by_side_and_dismissed_with_a_reason(house: Runtime, people: dict[Role, Actor]) -> None:
    fill(house)
    page = at_contradictions(house, people[Role.EXPERT])
    assert not page.exception
    assert "differently: 1." in words(page)
    assert {"Review record 1", "Review record 3"} <= {button.label for button in page.button}
    assert HOSTILE not in "".join(element.value for element in (*page.markdown, *page.caption))
    press(page, "No contradiction")
    assert "few words" in words(page)
    page.text_input(key="contradiction-1-3-why").set_value("Two products").run()
    press(page, "No contradiction")
    with house.database.reading() as session:
        rows = session.exec(select(Finding).where(Finding.kind == FindingKind.CONTRADICTION)).all()
        assert [row.status for row in rows] == [FindingStatus.DISMISSED] * 2
    assert "No two answers" in words(page)


def test_one_press_opens_a_record_of_the_pair_in_review(house: Runtime, people: dict[Role, Actor]) -> None:
    fill(house)
    page = press(at_contradictions(house, people[Role.EXPERT]), "Review record 3")
    assert page.title[0].value == "Review records"
    assert "Record 3" in words(page)
    assert "Record 1, which is like it" in words(page)


def test_raters_do_not_see_the_page(house: Runtime, people: dict[Role, Actor]) -> None:
    fill(house)
    with pytest.raises(ValueError, match="navigation page"):
        opened(house, people[Role.RATER], "duplicates")
