"""axe-core over the pages that people spend their days on, in light and dark: WCAG 2.0, 2.1 and 2.2, levels A and AA.

What Touchstone draws itself (the components, which live in shadow roots, and the login page) has no violation. What
Streamlit draws around it is Streamlit's; its known violations are listed by rule in STREAMLITS_OWN, each with its reason.
Any other one fails.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from sqlmodel import select

from backend.access.sessions import open_session
from backend.settings import Settings
from backend.store.accounts import Account
from backend.store.database import Database
from backend.store.work import Task
from tests.browser.people import PATIENCE, Crowd, Person, Scheme
from tests.judging import every_kind, judging
from tests.stack import stack

pytestmark = pytest.mark.browser

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], "resultTypes": ["violations"]}
STREAMLITS_OWN = {
    "list": "the sidebar's navigation puts the groups' <div> between its <ul> and their <li> (Streamlit 1.67)",
    "listitem": "the same: the links of a group are <li> inside a <div>",
}
"""Rule → why it is let through where Streamlit's own frame or widgets break it."""

PREPARING = ("imports", "cleaning", "duplicates", "topics", "fairness", "growing", "rules", "privacy", "detectors", "exports")


@dataclass
class House:
    """A running product over tasks of every kind, and who is signed in how."""

    crowd: Crowd
    tokens: dict[str, str]
    tasks: list[tuple[str, int]]


@pytest.fixture(scope="module")
def house(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with stack(tmp_path_factory.mktemp("accessible")) as running:
        database = Database(Settings.from_env(running.environ).database)
        database.migrate()
        with database.writing() as session:
            made = judging(session)
            every_kind(session, made, items=4)
            people = {"lead": made.lead, "rater": made.raters[0], "plain": made.raters[1]}
            session.get_one(Account, made.raters[1].account_id).preferences = {"fast_desk": False}
            tokens = {name: open_session(session, account_id=who.account_id or 0, hours=1) for name, who in people.items()}
            session.commit()
            tasks = [(task.name, task.id or 0) for task in session.exec(select(Task).order_by(Task.id))]
        database.dispose()
        running.start("web")
        running.wait_for("web")
        crowd = Crowd(chromium, running.url)
        yield House(crowd, tokens, tasks)
        crowd.leave()


def broken(page: Page, where: str) -> list[str]:
    """Every violation that is not let through, with the place and what axe says of it."""
    found = []
    for violation in Axe().run(page, options=RULES).response["violations"]:
        for node in violation["nodes"]:
            if violation["id"] in STREAMLITS_OWN and not is_ours(node):
                continue
            why = "; ".join(check["message"] for check in node["any"] + node["all"] + node["none"])
            whose = "ours" if is_ours(node) else "Streamlit's"
            found.append(f"{where}: {violation['id']} ({whose}) {node['html'][:160]} | {why[:200]}")
    return found


def is_ours(node: dict[str, Any]) -> bool:
    """Whether it is inside one of our components: axe names such places by a path through the shadow root."""
    return any(isinstance(step, list) for step in node["target"])


def take_up(person: Person, name: str, *, fast: int | None) -> None:
    choice = person.page.get_by_role("radio", name=name)
    if not choice.is_checked():
        choice.click()
    expect(choice).to_be_checked(timeout=PATIENCE)
    if fast is not None:
        person.page.locator(f'.desk[data-task="{fast}"] .card').first.wait_for(timeout=PATIENCE)
    person.settled()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_fast_desk_has_no_violation(house: House, scheme: Scheme) -> None:
    person = house.crowd.known("Rosa", house.tokens["rater"], scheme=scheme)
    person.open("rate")
    wrong = []
    for name, number in house.tasks:
        take_up(person, name, fast=number)
        if name == "Every question":
            for key in ("4", "y", "?", "s"):
                person.page.keyboard.press(key)
        wrong += broken(person.page, f"fast desk, {name}, {scheme}")
    person.close()
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_plain_desk_has_no_violation(house: House, scheme: Scheme) -> None:
    person = house.crowd.known("Sven", house.tokens["plain"], scheme=scheme)
    person.open("rate")
    wrong = []
    for name, _ in house.tasks:
        take_up(person, name, fast=None)
        wrong += broken(person.page, f"plain desk, {name}, {scheme}")
    person.close()
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_around_it_have_no_violation(house: House, scheme: Scheme) -> None:
    person = house.crowd.known("Lena", house.tokens["lead"], scheme=scheme)
    wrong = []
    for page in ("", "review", "tasks"):
        person.open(page)
        wrong += broken(person.page, f"{page or 'home'}, {scheme}")
    person.close()
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_that_prepare_data_have_no_violation(house: House, scheme: Scheme) -> None:
    person = house.crowd.known("Lena", house.tokens["lead"], scheme=scheme)
    wrong = []
    for page in PREPARING:
        person.open(page)
        wrong += broken(person.page, f"{page}, {scheme}")
    person.close()
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_login_page_has_no_violation(house: House, scheme: Scheme) -> None:
    stranger = house.crowd.person(f"stranger-{scheme}", scheme=scheme)
    stranger.page.goto(f"{house.crowd.url}/login")
    found = Axe().run(stranger.page, options=RULES).response["violations"]
    stranger.close()
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
