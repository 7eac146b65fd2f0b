"""The Tasks page: the builder's five steps, its questions, the list with all that can be done to a task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select
from streamlit.testing.v1 import AppTest

from backend.access.sessions import COOKIE, open_session
from backend.review import tasking
from backend.review.selections import Selection
from backend.runtime import Runtime
from backend.store.records import Project
from backend.store.work import Item, RubricVersion, Task
from backend.task_options import TaskOptions
from backend.vocabulary import TaskKind, TaskStatus
from pages.components.guidelines import BREAK
from tests.backend.evaluation.scene import a_scene, evaluated
from tests.pages.desk import words

PAGES = Path(__file__).parents[2] / "pages"
HOSTILE = "<img src=x onerror=alert(1)> :red[hi] ![a](http://evil/x.png)"


def a_page(house: Runtime, *, who: str = "lead", answered: bool = True, task: TaskKind | None = None, **state: Any) -> AppTest:
    with house.database.writing() as session:
        scene = a_scene(session, tested=6)
        evaluation = evaluated(session, scene, exact=6) if answered else None
        session.commit()
        if task is not None:
            selection = Selection(evaluation_id=evaluation.id if evaluation and task is not TaskKind.LABEL else None, size=3)
            made = {"session": session, "actor": scene.lead, "project_id": scene.project_id, "name": HOSTILE}
            tasking.create_task(**made, kind=task, selection=selection)
        actor = {"lead": scene.lead, "rater": scene.raters[0], "expert": scene.expert}[who]
        token = open_session(session, account_id=actor.account_id or 0, hours=1)
        session.commit()
    page = AppTest.from_file(str(PAGES / "tasks.py"), default_timeout=90)
    page.session_state[COOKIE] = token
    for name, value in state.items():
        page.session_state[name] = value
    page.run()
    assert not page.exception
    return page


def press(page: AppTest, key: str) -> AppTest:
    page.button(key=key).click().run()
    assert not page.exception
    return page


def tasks(house: Runtime) -> list[Task]:
    with house.database.reading() as session:
        return list(session.exec(select(Task).order_by(Task.id)))  # type: ignore[arg-type]


def begun(page: AppTest, kind: TaskKind) -> AppTest:
    press(page, "go-new")
    page.radio(key="new-1-kind").set_value(kind).run()
    return press(page, "go-next")


def test_a_lead_builds_a_comparison_looks_at_it_and_starts_it(house: Runtime) -> None:
    page = begun(a_page(house), TaskKind.COMPARE)
    assert "6 questions have these answers. 6 are drawn and make 6 items" in words(page).replace("\\", "")
    for _ in range(3):
        press(page, "go-next")
    assert [metric.value for metric in page.metric] == ["6", "12", "Everybody"]
    assert len(page.expander) >= 6
    assert tasks(house) == [], "A preview saves nothing."
    press(page, "go-make")
    (task,) = tasks(house)
    assert (task.kind, task.overlap, task.name, task.rubric_version) == (TaskKind.COMPARE, 2, "Compare answers blind", 1)
    assert "is open. People find it under" in page.session_state["notices"][-1][1]
    assert page.title[0].value == "Tasks"


def test_what_was_typed_stays_when_one_goes_back(house: Runtime) -> None:
    page = press(a_page(house), "go-new")
    page.text_input(key="new-1-name").set_value("Spring")
    press(page, "go-next")
    page.button_group(key="new-1-sample").set_value("random").run()
    page.number_input(key="new-1-size").set_value(4).run()
    press(page, "go-next")
    page.text_area(key="new-1-guidelines").set_value(f"Be fair. {HOSTILE}").run()
    assert any(f"!{BREAK}[a]" in markdown.value for markdown in page.markdown)
    assert not any("![a]" in markdown.value for markdown in page.markdown)
    press(page, "go-back")
    assert page.number_input(key="new-1-size").value == 4
    press(page, "go-back")
    assert page.text_input(key="new-1-name").value == "Spring"
    press(page, "go-list")
    press(page, "go-new")
    for _ in range(4):
        press(page, "go-next")
    press(page, "go-make")
    (task,) = tasks(house)
    assert (task.name, task.options["drawn"], task.guidelines) == ("Spring", 4, f"Be fair. {HOSTILE}")
    assert len(task.rubric["questions"]) == 4


def test_questions_are_added_worded_ordered_and_removed_and_a_wrong_one_says_why(house: Runtime) -> None:
    page = press(press(a_page(house), "go-new"), "go-next")
    press(page, "go-next")
    for row in (2, 3, 4):
        press(page, f"go-remove-new-1-q-{row}-")
    press(page, "go-add-new-1-q-errors")
    press(page, "go-add-new-1-q-single")
    page.text_input(key="new-1-q-6-text").set_value("Which department?").run()
    page.text_area(key="new-1-q-6-points").set_value("Sales\nSupport").run()
    page.text_input(key="new-1-q-6-keys").set_value("s d").run()
    assert any("already means: skip" in error.value.replace("\\", "") for error in page.error)
    page.text_input(key="new-1-q-6-keys").set_value("a d").run()
    page.text_input(key="new-1-q-6-name").set_value("department").run()
    assert not page.error
    press(page, "go-up-new-1-q-6")
    press(page, "go-usual")
    press(press(page, "go-next"), "go-next")
    press(page, "go-make")
    (task,) = tasks(house)
    asked = [(one["key"], one["type"]) for one in task.rubric["questions"]]
    assert asked == [("relevance", "scale"), ("department", "single"), ("errors", "spans")]
    with house.database.reading() as session:
        assert session.exec(select(Project)).one().settings["rubric"] == task.rubric


def test_a_comparison_starts_without_questions_and_a_rating_with_the_usual_ones(house: Runtime) -> None:
    page = press(a_page(house), "go-new")
    assert len(page.session_state["new-1-q-rows"]) == 4
    page.radio(key="new-1-kind").set_value(TaskKind.COMPARE).run()
    assert page.session_state["new-1-q-rows"] == []


def test_records_are_chosen_for_review_from_another_page(house: Runtime) -> None:
    page = a_page(house, task_prefill={"kind": "label", "where-slice": "language", "where-value-language": "es"})
    press(page, "go-next")
    assert "3 records fit, 3 of them are taken" in words(page).replace("\\", "")
    for _ in range(3):
        press(page, "go-next")
    press(page, "go-make")
    (task,) = tasks(house)
    assert (task.kind, task.overlap) == (TaskKind.LABEL, 1)
    with house.database.reading() as session:
        assert len(session.exec(select(Item)).all()) == 3


def test_who_takes_part_how_often_and_what_is_mixed_in(house: Runtime) -> None:
    page = press(press(press(a_page(house), "go-new"), "go-next"), "go-next")
    press(page, "go-next")
    page.number_input(key="new-1-overlap").set_value(2).run()
    page.toggle(key="new-1-grow").set_value(True).run()
    page.number_input(key="new-1-up_to").set_value(3).run()
    page.number_input(key="new-1-gold").set_value(10).run()
    page.number_input(key="new-1-minutes").set_value(5).run()
    press(page, "go-next")
    assert page.metric[1].value == "24 to 36"
    press(page, "go-make")
    (task,) = tasks(house)
    options = TaskOptions.from_json(task.options)
    assert (task.overlap, task.overlap_max, task.lease_seconds, options.gold_share) == (2, 3, 300, 0.1)


def test_a_task_is_paused_closed_and_filled_from_the_list(house: Runtime) -> None:
    page = a_page(house, task=TaskKind.COMPARE)
    (task,) = tasks(house)
    assert "![a]" not in words(page), "A name is no Markdown."
    press(page, f"paused-{task.id}")
    assert tasks(house)[0].status is TaskStatus.PAUSED
    page.button_group(key=f"more-{task.id}").set_value("Add items").run()
    press(page, f"add-{task.id}")
    assert page.session_state["notices"][-1] == ("success", "3 items were added.")
    page.session_state["notices"] = []
    press(page, f"add-{task.id}")
    assert "in it already" in page.session_state["notices"][-1][1]
    press(page, f"closed-{task.id}")
    assert tasks(house)[0].status is TaskStatus.CLOSED
    assert not [button for button in page.button if button.key == f"closed-{task.id}"]


def test_guidelines_and_people_of_a_running_task_are_changed(house: Runtime) -> None:
    page = a_page(house, task=TaskKind.RATE)
    (task,) = tasks(house)
    page.button_group(key=f"more-{task.id}").set_value("Questions").run()
    page.text_area(key=f"revise-{task.id}-1-guidelines").set_value("New words.").run()
    press(page, f"save-revise-{task.id}-1-")
    assert "say why" in page.session_state["notices"][-1][1]
    page.text_input(key=f"revise-{task.id}-1-reason").set_value("They were unclear").run()
    press(page, f"save-revise-{task.id}-1-")
    with house.database.reading() as session:
        newest = session.exec(select(RubricVersion).where(RubricVersion.number == 2)).one()
        assert (newest.guidelines, newest.reason) == ("New words.", "They were unclear")
    page.button_group(key=f"more-{task.id}").set_value("Who").run()
    rater = page.multiselect(key=f"who-{task.id}-raters").options[-1]
    page.multiselect(key=f"who-{task.id}-raters").select(rater).run()
    press(page, f"save-who-{task.id}-")
    assert len(tasks(house)[0].options["raters"]) == 1
    assert tasks(house)[0].options["drawn"] == 3


def test_without_answers_the_builder_points_to_an_evaluation(house: Runtime) -> None:
    page = press(press(a_page(house, answered=False), "go-new"), "go-next")
    assert any("Run an evaluation first" in info.value for info in page.info)


@pytest.mark.parametrize("who", ["rater", "expert"])
def test_only_leads_build_tasks(house: Runtime, who: str) -> None:
    page = a_page(house, who=who, task=TaskKind.RATE)
    assert (len(page.button), len(page.progress if hasattr(page, "progress") else [])) == (0, 0)
    assert "Your role does not open this page" in page.warning[0].value


def test_open_items_are_put_in_order_anew_and_the_page_says_why_not(house: Runtime) -> None:
    page = a_page(house, task=TaskKind.COMPARE)
    assert not [one for one in page.button if one.label == "Order anew"]
    (task,) = tasks(house)
    with house.database.writing() as session:
        stored = session.get_one(Task, task.id)
        stored.options = {**stored.options, "order": "uncertainty"}
        session.add(stored)
        session.commit()
    press(page.run(), f"order-{task.id}")
    assert "not enough labels yet" in page.session_state["notices"][-1][1]
    with house.database.writing() as session:
        stored = session.get_one(Task, task.id)
        stored.options = {**stored.options, "order": "disagreement"}
        session.add(stored)
        session.commit()
    press(page.run(), f"order-{task.id}")
    assert page.session_state["notices"][-1][1] == "The open items are in their new order."
    with house.database.reading() as session:
        assert all(item.why for item in session.exec(select(Item)))
