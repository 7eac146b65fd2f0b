"""Every page as its people see it, light and dark, wide and on a phone: drawn without an error, nothing cut off at the side.

The pictures are kept in screenshots/ to be looked at. With UPDATE_PICTURES=1 those of the README are made anew.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.conftest import SCREENSHOTS, World
from tests.browser.people import PATIENCE, Person, Scheme

pytestmark = pytest.mark.browser

PICTURES = Path(__file__).parent / "pictures"
IN_THE_README = {("rater", "rate"), ("expert", "review"), ("lead", "dashboard")}
ADMIN = ("", "admin", "members")
EXPERT = ("review", "faqs", "chat")
RATER = ("", "rate")
PHONE = (
    "", "review", "rate", "chat", "dashboard", "records", "imports", "cleaning", "duplicates", "topics", "fairness", "growing",
)  # fmt: skip
OVERFLOW = """() => [document.scrollingElement, document.querySelector('[role=main], main')]
    .filter(node => node && node.scrollWidth > node.clientWidth + 1)
    .map(node => `${node.tagName}: ${node.scrollWidth} of ${node.clientWidth}`)"""


@pytest.fixture(scope="module")
def furnished(world: World) -> World:
    """The walked project with one more task, so that the rating desk has something to show."""
    lead = world["lead"]
    lead.go("tasks")
    lead.press("New task")
    lead.fill("Name (raters see it, so name no version)", "Second look")
    for step in ("which items", "questions", "who", "preview"):
        lead.press(f"Next: {step}")
    start = lead.page.get_by_role("button", name="Start the task")
    unanswered = lead.main.get_by_test_id("stAlert")
    expect(start.or_(unanswered).first).to_be_visible(timeout=PATIENCE)
    if start.count() and start.is_enabled():
        lead.press("Start the task")
        lead.sees("is open. People find it under")
    else:  # nobody has answered anything: the screenshots are taken without the walk
        lead.press("Back to all tasks")
    return world


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_drawn_without_an_error(furnished: World, scheme: Scheme) -> None:
    wrong = []
    for role, pages in (("lead", None), ("admin", ADMIN), ("expert", EXPERT), ("rater", RATER)):
        person = furnished.crowd.again(furnished[role], scheme=scheme)
        person.open()
        for page in pages or all_pages(person):
            person.go(page)
            wrong += look(person, f"{role}-{page or 'home'}-{scheme}")
            if os.environ.get("UPDATE_PICTURES") and (role, page) in IN_THE_README:
                keep_picture(SCREENSHOTS / f"{role}-{page}-{scheme}.png", PICTURES / f"{page}-{scheme}.png")
        person.close()
    assert not wrong, "\n".join(wrong)


def test_the_main_pages_fit_on_a_phone(furnished: World) -> None:
    person = furnished.crowd.again(furnished["lead"], width=390, height=844)
    wrong = []
    for page in PHONE:
        person.open(page)
        wrong += look(person, f"phone-{page or 'home'}")
    person.close()
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_login_pages_are_drawn_without_an_error(world: World, scheme: Scheme) -> None:
    stranger = world.crowd.person(f"stranger-{scheme}", scheme=scheme)
    for path in ("login", "forgot", "invite?token=nonsense"):
        stranger.page.goto(f"{world.crowd.url}/{path}")
        expect(stranger.page.get_by_role("heading").first).to_be_visible(timeout=PATIENCE)
        stranger.page.screenshot(path=SCREENSHOTS / f"{path.split('?')[0]}-{scheme}.png")
        assert stranger.page.evaluate(OVERFLOW) == []
    stranger.close()
    assert [told for told in stranger.complaints if "403" not in told and "404" not in told and "410" not in told] == []


def all_pages(person: Person) -> list[str]:
    """The pages in somebody's sidebar."""
    links = person.page.get_by_test_id("stSidebarNavLink")
    return ["", *((link.get_attribute("href") or "").rstrip("/").rsplit("/", 1)[-1] for link in links.all()[1:])]


def look(person: Person, name: str) -> list[str]:
    """Keep a picture of the page; what is wrong with it."""
    unfinished = person.page.get_by_test_id("stSkeleton").or_(person.page.get_by_text("Getting your items"))
    expect(unfinished).to_have_count(0, timeout=PATIENCE)
    person.page.screenshot(path=SCREENSHOTS / f"{name}.png")
    found = [f"{name}: too wide: {told}" for told in person.page.evaluate(OVERFLOW)]
    found += [f"{name}: the console says: {told}" for told in person.complaints]
    person.complaints.clear()
    for notice in person.page.get_by_test_id("stException").or_(person.page.get_by_test_id("stAlertContentError")).all():
        found.append(f"{name}: {notice.inner_text()}")
    return found


def keep_picture(source: Path, target: Path) -> None:
    """A picture for the README, of few colours and so of few bytes."""
    target.parent.mkdir(exist_ok=True)
    with Image.open(source) as picture:
        picture.convert("RGB").quantize(96, dither=Image.Dither.NONE).save(target, optimize=True)
