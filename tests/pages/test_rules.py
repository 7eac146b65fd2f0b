"""The page of a project's text rules: a lead changes them, what cannot be kept to is refused, and an answer can be tried."""

from __future__ import annotations

from typing import Any

import pytest
from sqlmodel import select
from streamlit.testing.v1 import AppTest

from backend.access.actors import Actor
from backend.detectors.rules import SETTING, rules_of
from backend.runtime import Runtime
from backend.store.records import Project
from backend.vocabulary import Role
from pages.components.rules_form import FORBIDDEN, INSTEAD, edited
from tests.factories import a_person, a_project
from tests.pages.desk import opened, words


@pytest.fixture
def lead(house: Runtime) -> Actor:
    with house.database.writing() as session:
        project = a_project(session, "home")
        project.settings = {SETTING: {"forbidden": [["cheap", "good value"], ["guys", ""]]}}
        actor = a_person(session, "l@example.org", project=project, role=Role.LEAD)
        session.commit()
        return actor


def press_save(page: AppTest) -> AppTest:
    button: Any = next(button for button in page.button if button.label == "Save")
    return button.click().run()


def field(page: AppTest, label: str) -> Any:
    return next(area for area in page.text_area if area.label.startswith(label))


def kept(house: Runtime) -> Any:
    with house.database.reading() as session:
        return rules_of(session.exec(select(Project)).one().settings)


def test_a_lead_saves_rules_and_the_table_keeps_its_rows(house: Runtime, lead: Actor) -> None:
    page = opened(house, lead, "rules")
    page.multiselect[0].set_value(["en", "de"])
    field(page, "Words that are spelled right").set_value("Linden\nOak cabinnet")
    field(page, "Every answer").set_value("Your team")
    page.number_input[0].set_value(150)
    press_save(page)
    assert not page.exception
    assert "Saved" in words(page)
    rules = kept(house)
    assert rules.languages == ("de", "en")
    assert rules.product_words == {"linden", "oak cabinnet"}
    assert rules.voice.forbidden == (("cheap", "good value"), ("guys", ""))
    assert (rules.voice.required, rules.voice.longest) == (("Your team",), 150)


def test_rules_that_cannot_be_kept_to_are_refused_with_what_to_change(house: Runtime, lead: Actor) -> None:
    page = opened(house, lead, "rules")
    field(page, "Words that are spelled right").set_value("x" * 90)
    press_save(page)
    assert "80 characters" in "".join(error.value for error in page.error)
    assert not kept(house).product_words


def test_an_answer_is_tried_by_the_saved_rules(house: Runtime, lead: Actor) -> None:
    page = opened(house, lead, "rules")
    page.text_area(key="rules_try").set_value("Cheap, guys :red[*really*]!").run()
    assert [list(row) for row in page.dataframe[-1].value[["Found", "Becomes"]].to_numpy()] == [
        ["Cheap", "Good value"],
        ["guys", "A person decides"],
    ]
    assert page.code[0].value == "Good value, guys :red[*really*]!"
    page.text_area(key="rules_try").set_value("Fine.").run()
    assert "finds nothing" in words(page)


def test_an_expert_does_not_open_it(house: Runtime, lead: Actor) -> None:
    with house.database.writing() as session:
        project = session.exec(select(Project)).one()
        expert = a_person(session, "e@example.org", project=project, role=Role.EXPERT)
        session.commit()
    with pytest.raises(ValueError, match="navigation page"):
        opened(house, expert, "rules")


def test_changes_of_the_table_become_its_rows() -> None:
    changes = {
        "edited_rows": {"1": {INSTEAD: "all"}},
        "deleted_rows": [0],
        "added_rows": [{FORBIDDEN: "asap", INSTEAD: "soon"}, {FORBIDDEN: "hey"}, {}],
    }
    assert edited([("cheap", "fair"), ("guys", "")], changes) == [("guys", "all"), ("asap", "soon"), ("hey", ""), ("", "")]
    assert edited([("cheap", "fair")], {}) == [("cheap", "fair")]
