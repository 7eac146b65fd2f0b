"""A lead builds a rating task through the page, with three types of question, and starts it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect
from sqlmodel import select

from backend.access.sessions import open_session
from backend.settings import Settings
from backend.store.database import Database
from backend.store.work import Item, RubricVersion, Task
from backend.vocabulary import TaskKind
from tests.backend.evaluation.scene import a_scene, evaluated
from tests.browser.people import Crowd, Person
from tests.stack import stack

pytestmark = pytest.mark.browser


def test_a_lead_builds_a_rating_task_with_three_types_of_question(
    chromium: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with stack(tmp_path_factory.mktemp("tasks")) as running:
        database = Database(Settings.from_env(running.environ).database)
        database.migrate()
        with database.writing() as session:
            scene = a_scene(session, tested=12)
            evaluated(session, scene, exact=12)
            token = open_session(session, account_id=scene.lead.account_id or 0, hours=1)
            session.commit()
        running.start("web")
        running.wait_for("web")
        crowd = Crowd(chromium, running.url)
        lead = crowd.known("Lena", token)
        lead.open("tasks")
        build(lead)
        with database.reading() as session:
            (task,) = session.exec(select(Task)).all()
            asked = [(one["key"], one["type"], one["required"]) for one in task.rubric["questions"]]
            items = session.exec(select(Item).where(Item.task_id == task.id)).all()
            versions = session.exec(select(RubricVersion)).all()
        assert (task.kind, task.name, task.overlap, len(items)) == (TaskKind.RATE, "First look", 3, 10)
        assert asked == [("helpful", "scale", True), ("safe", "yes_no", True), ("errors", "spans", False)]
        assert [version.guidelines for version in versions] == ["**Facts** first. ![no](http://127.0.0.1:9/pixel.png)"]
        assert not lead.complaints, "Nothing was fetched for the guidelines, and no script failed."
        crowd.leave()
        database.dispose()


def build(lead: Person) -> None:
    """The five steps, one by one."""
    lead.press("New task")
    lead.fill("Name (raters see it, so name no version)", "First look")
    lead.press("Next: which items")
    lead.sees("12 questions have these answers")
    lead.page.get_by_text("A random sample").click()
    lead.settled()
    size = lead.page.get_by_role("spinbutton", name="Size")
    size.fill("5")
    size.press("Enter")
    lead.sees("5 are drawn and make 10 items")
    lead.press("Next: questions")
    lead.choose("Start from", "No questions")
    lead.press("Use these instead")
    lead.sees("No question yet")
    for ready in ("Agreement from 1 to 5", "Safe, yes or no", "Wrong passages with reasons"):
        lead.press("Add a question", exact=False)
        lead.press(ready, within=lead.page.locator("body"), exact=False)
        lead.page.keyboard.press("Escape")
        expect(lead.page.get_by_role("button", name=ready)).to_have_count(0)
    lead.sees("Question 3")
    lead.fill("Guidelines (Markdown)", "**Facts** first. ![no](http://127.0.0.1:9/pixel.png)")
    lead.page.keyboard.press("Tab")
    expect(lead.page.locator("strong", has_text="Facts")).to_be_visible()
    lead.press("Next: who")
    raters = lead.page.get_by_role("spinbutton", name="Raters for each item")
    raters.fill("3")
    raters.press("Enter")
    lead.settled()
    lead.press("Next: preview")
    lead.sees("The first 10 items")
    lead.press("Start the task")
    lead.sees("is open. People find it under Rate and compare")
    lead.sees("0 of 30 answers, 0 of 10 items finished")
