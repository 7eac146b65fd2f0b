"""The Clean page: what was not looked at, a run by the worker, findings by kind, fixes and their undoing."""

from __future__ import annotations

from typing import Any

import pytest
from sqlmodel import select
from streamlit.testing.v1 import AppTest

from backend.access.actors import Actor
from backend.curation import checking, cleaning
from backend.runtime import Runtime
from backend.store.curation import CheckRun
from backend.store.records import Finding, Project, Record
from backend.vocabulary import Check, FindingKind, FindingStatus, JobStatus, Role
from tests.backend.curation.families import Words
from tests.factories import a_person, a_project, a_record
from tests.pages.desk import opened, words

EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
def people(house: Runtime) -> dict[str, Actor]:
    with house.database.writing() as session:
        project = a_project(session, "home")
        people = {role.value: a_person(session, f"{role}@example.org", project=project, role=role) for role in Role}
        for number in range(3):
            a_record(session, project, prompt=f"Where is order {number}?", answer=f"On<br>its way. {EVIL}")
        session.commit()
        return people


def clean(house: Runtime, lead: Actor, family: Words | None = None) -> None:
    with house.database.writing() as session:
        project = session.exec(select(Project)).one()
        run = cleaning.ask(session=session, actor=lead, project_id=project.id or 0, checks=[Check.TEXT])
    checking.run_checks(house.database, run_id=run.id or 0, workers=1, families={Check.TEXT: family or Words()})


def button(app: AppTest, label: str) -> Any:
    return next(one for one in app.button if one.label.startswith(label))


def everything(house: Runtime, table: Any) -> list[Any]:
    with house.database.reading() as session:
        return list(session.exec(select(table).order_by(table.id)))


def test_a_lead_starts_a_run_sees_it_wait_and_stops_it(house: Runtime, people: dict[str, Actor]) -> None:
    app = opened(house, people["lead"], "cleaning")
    assert "3 of 3 records were not seen by all checks yet" in words(app)
    next(one for one in app.button_group if one.label == "Checks").set_value([Check.TEXT, Check.SPELLING]).run()
    button(app, "Run the checks").click().run()
    (run,) = everything(house, CheckRun)
    assert (run.checks, run.status, run.created_by) == (["text", "spelling"], JobStatus.QUEUED, people["lead"].account_id)
    assert "Waiting for the worker" in words(app)
    button(app, "Stop").click().run()
    assert everything(house, CheckRun)[0].status is JobStatus.CANCELLED
    assert "was stopped after 0 records" in words(app)


def test_what_was_found_is_fixed_by_kind_and_taken_back_as_a_whole(house: Runtime, people: dict[str, Actor]) -> None:
    clean(house, people["lead"])
    app = opened(house, people["lead"], "cleaning")
    said = words(app).replace("\\", "")
    assert "The last run looked at 3 records. New: HTML left over 3." in said
    assert "Tags and codes of a web page" in said
    button(app, "Fix all 3 in 3 records").click().run()
    assert {record.answer for record in everything(house, Record)} == {f"On its way. {EVIL}"}
    assert {finding.status for finding in everything(house, Finding)} == {FindingStatus.FIXED}
    assert "3 places in 3 records" in words(app)
    button(app, "Undo").click().run()
    assert {record.answer for record in everything(house, Record)} == {f"On<br>its way. {EVIL}"}
    assert {finding.status for finding in everything(house, Finding)} == {FindingStatus.OPEN}
    assert "back in 3 records" in words(app)


def test_all_of_a_kind_is_dismissed_with_a_reason_only(house: Runtime, people: dict[str, Actor]) -> None:
    clean(house, people["lead"], Words(proposal=None))
    app = opened(house, people["lead"], "cleaning")
    assert "These are for people" in words(app)
    assert not [one for one in app.button if one.label.startswith("Fix all")]
    button(app, "Dismiss all").click().run()
    assert "Please say in a few words why" in words(app)
    next(field for field in app.text_input if field.label == "Why are they no problem?").set_value("We write so").run()
    button(app, "Dismiss all").click().run()
    assert {finding.status for finding in everything(house, Finding)} == {FindingStatus.DISMISSED}
    assert "Nothing is open" in words(app)


def test_what_is_only_a_proposal_is_not_offered_to_be_fixed_at_once(house: Runtime, people: dict[str, Actor]) -> None:
    clean(house, people["lead"], Words(kind=FindingKind.UNSUPPORTED))
    app = opened(house, people["lead"], "cleaning")
    assert "The proposals are only proposals" in words(app)
    labels = [one.label for one in app.button]
    assert not [label for label in labels if label.startswith("Fix all")]
    assert "Dismiss all" in labels


def test_a_rule_by_how_sure_leaves_the_others_open(house: Runtime, people: dict[str, Actor]) -> None:
    clean(house, people["lead"])
    app = opened(house, people["lead"], "cleaning")
    next(one for one in app.slider if one.label == "At least this sure").set_value(95).run()
    assert "Nothing of this kind is open by this rule" in words(app)
    assert not [one for one in app.button if one.label.startswith("Fix all")]


def test_an_expert_sees_what_is_open_and_starts_no_run(house: Runtime, people: dict[str, Actor]) -> None:
    clean(house, people["lead"])
    app = opened(house, people["expert"], "cleaning")
    assert not app.exception
    labels = [one.label for one in app.button]
    assert not [label for label in labels if label.startswith(("Run", "Fix all", "Dismiss all"))]
    assert "A lead starts the checks." in words(app)


def test_what_was_imported_is_drawn_as_text(house: Runtime, people: dict[str, Actor]) -> None:
    clean(house, people["lead"], Words(EVIL, FindingKind.MARKUP))
    app = opened(house, people["lead"], "cleaning")
    assert not app.exception
    drawn = [element.value for kind in (app.markdown, app.caption, app.success, app.info) for element in kind]
    assert not any("<img" in str(value) for value in drawn)
    assert any("<img" in str(frame.value.to_numpy()) for frame in app.dataframe)
