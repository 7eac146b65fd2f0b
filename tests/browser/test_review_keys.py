"""The review page worked by keys in a real browser: a held key decides once, typed words never do, a closed tab lets go."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlmodel import col, select

from backend.access.sessions import cookie_name, open_session
from backend.settings import Settings
from backend.store.database import Database
from backend.store.records import Record
from backend.store.work import Slot
from backend.vocabulary import Role
from tests.browser.people import PATIENCE, READY
from tests.factories import a_person, a_project, a_record
from tests.stack import stack

pytestmark = pytest.mark.browser


@pytest.fixture
def desk(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Page, Database]]:
    """The review page of an expert with six records, and the database behind it."""
    with stack(tmp_path_factory.mktemp("keys")) as running:
        settings = Settings.from_env(running.environ)
        database = Database(settings.database)
        database.migrate()
        with database.writing() as session:
            project = a_project(session)
            ann = a_person(session, "ann@example.org", project=project, role=Role.EXPERT)
            for number in range(6):
                a_record(session, project, prompt=f"Question {number}", answer=f"Answer {number}")
            token = open_session(session, account_id=ann.account_id or 0, hours=1)
            session.commit()
        running.start("web")
        running.wait_for("web")
        context = chromium.new_context()
        context.add_cookies([{"name": cookie_name(settings.secure), "value": token, "url": running.url}])
        page = context.new_page()
        page.goto(f"{running.url}/review")
        expect(page.get_by_text("Answer 0")).to_be_visible(timeout=120_000)
        yield page, database
        context.close()
        database.dispose()


def _statuses(database: Database) -> Counter[str]:
    with database.reading() as session:
        return Counter(record.status.value for record in session.exec(select(Record)))


def _press(page: Page, key: str) -> None:
    """When the page is drawn: a key pressed before belongs to what was in front then, and does nothing."""
    page.locator(READY).wait_for(timeout=PATIENCE)
    page.keyboard.press(key)


def test_keys_decide_once_and_typed_words_never(desk: tuple[Page, Database]) -> None:
    page, database = desk
    for _ in range(20):
        page.keyboard.down("a")
        page.wait_for_timeout(40)
    page.keyboard.up("a")
    expect(page.get_by_text("Answer 1")).to_be_visible(timeout=120_000)
    page.wait_for_timeout(1000)
    assert _statuses(database) == {"approved": 1, "pending": 5}
    _press(page, "x")
    expect(page.get_by_label("Why is it rejected?")).to_be_focused(timeout=120_000)
    page.keyboard.type("a sad fax")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Answer 2")).to_be_visible(timeout=120_000)
    assert _statuses(database) == {"approved": 1, "rejected": 1, "pending": 4}
    _press(page, "u")
    expect(page.get_by_text("Answer 1")).to_be_visible(timeout=120_000)
    assert _statuses(database) == {"approved": 1, "pending": 5}
    _press(page, "e")
    expect(page.locator("textarea").nth(1)).to_be_focused(timeout=120_000)
    page.keyboard.type(" and a fax")
    page.wait_for_timeout(1000)
    assert _statuses(database) == {"approved": 1, "pending": 5}
    page.close()
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with database.reading() as session:
            held = select(Slot).where(col(Slot.account_id).is_not(None), col(Slot.done_at).is_(None))
            if session.exec(held).first() is None:
                return
        time.sleep(0.2)
    pytest.fail("The closed tab still holds its record.")
