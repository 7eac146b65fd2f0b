"""The fast desk worked by keys in a real browser: nothing is lost, nothing rated by accident, nothing told about versions."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page, WebSocket, expect
from sqlmodel import col, func, select

from backend.access.sessions import cookie_name, open_session
from backend.review.selections import Selection
from backend.review.tasking import create_task
from backend.settings import Settings
from backend.store.base import now
from backend.store.database import Database
from backend.store.work import Annotation, Slot
from backend.vocabulary import TaskKind
from tests.backend.evaluation.scene import a_scene, evaluated
from tests.stack import stack

pytestmark = pytest.mark.browser
VERSION_WORDS = (b"touchstone-mini", b"Version 1", b"shop-v0", b"shop-v1", b"/adapters/", b"version_id", b"response_id")


@dataclass
class Desk:
    """A rater's page over sixty comparisons, the database behind it, and all that the server sent."""

    page: Page
    database: Database
    frames: list[bytes]

    def stored(self) -> int:
        with self.database.reading() as session:
            return session.exec(select(func.count()).select_from(Annotation)).one()

    def waits_for(self, number: int) -> None:
        until = time.monotonic() + 30
        while self.stored() < number and time.monotonic() < until:
            self.page.wait_for_timeout(100)
        assert self.stored() == number


@pytest.fixture(scope="module")
def desk(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with stack(tmp_path_factory.mktemp("rating")) as running:
        settings = Settings.from_env(running.environ)
        database = Database(settings.database)
        database.migrate()
        with database.writing() as session:
            scene = a_scene(session, tested=60)
            evaluation = evaluated(session, scene, exact=60)
            session.commit()
            create_task(
                session=session,
                actor=scene.lead,
                project_id=scene.project_id,
                kind=TaskKind.COMPARE,
                selection=Selection(evaluation_id=evaluation.id),
            )
            token = open_session(session, account_id=scene.raters[0].account_id or 0, hours=1)
            session.commit()
        running.start("web")
        running.wait_for("web")
        context = chromium.new_context()
        context.add_cookies([{"name": cookie_name(settings.secure), "value": token, "url": running.url}])
        made = Desk(context.new_page(), database, [])

        def listen(socket: WebSocket) -> None:
            socket.on("framereceived", lambda frame: made.frames.append(frame if isinstance(frame, bytes) else frame.encode()))

        made.page.on("websocket", listen)
        made.page.goto(f"{running.url}/rate")
        expect(made.page.get_by_role("button", name="Left is better")).to_be_visible(timeout=90_000)
        yield made
        context.close()
        until = time.monotonic() + 20
        while _held(database) and time.monotonic() < until:
            time.sleep(0.2)
        assert _held(database) == 0, "A closed tab gives back what it held."
        database.dispose()


def _held(database: Database) -> int:
    with database.reading() as session:
        held = select(func.count()).select_from(Slot).where(col(Slot.expires_at) > now(), col(Slot.done_at).is_(None))
        return session.exec(held).one()


def test_nothing_about_the_versions_is_sent_before_the_answer(desk: Desk) -> None:
    assert desk.stored() == 0
    everything = b"".join(desk.frames)
    assert b"I do not know." in everything, "The frames hold the responses as they are."
    assert [word for word in VERSION_WORDS if word in everything] == []


def test_forty_presses_in_a_burst_are_forty_answers(desk: Desk) -> None:
    """A press counts when there is something to answer; on a slow machine the next items may take a moment."""
    before = desk.stored()
    shown = desk.page.get_by_role("button", name="Left is better")
    for _ in range(20):
        for key in ("ArrowLeft", "t"):
            shown.wait_for(timeout=90_000)
            desk.page.keyboard.press(key)
            desk.page.wait_for_timeout(40)
    desk.waits_for(before + 40)
    expect(desk.page.get_by_text("All saved")).to_be_visible(timeout=90_000)


def test_a_held_key_answers_once_and_typed_words_never(desk: Desk) -> None:
    before = desk.stored()
    for _ in range(20):
        desk.page.keyboard.down("b")
        desk.page.wait_for_timeout(40)
    desk.page.keyboard.up("b")
    desk.waits_for(before + 1)
    desk.page.get_by_label("Comment").click()
    desk.page.keyboard.type("both better, true")
    desk.page.wait_for_timeout(1000)
    assert desk.stored() == before + 1


def test_answers_of_a_page_that_is_reloaded_at_once_are_kept(desk: Desk) -> None:
    desk.page.locator("h1").first.click()
    before = desk.stored()
    for _ in range(5):
        desk.page.keyboard.press("ArrowRight")
    desk.page.reload()
    desk.waits_for(before + 5)
    expect(desk.page.get_by_role("button", name="Left is better")).to_be_visible(timeout=90_000)
