"""The fast desk worked by keys in a real browser: nothing is lost, nothing rated by accident, nothing told about versions."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, WebSocket, expect
from sqlmodel import col, func, select

from backend.access.sessions import cookie_name, open_session
from backend.settings import Settings
from backend.store.base import now
from backend.store.database import Database
from backend.store.work import Annotation, Draft, Gold, Item, Skip, Slot
from backend.vocabulary import TaskKind, Verdict
from tests.judging import EVERY_TYPE, add_task, judging
from tests.stack import Stack, stack

pytestmark = pytest.mark.browser
SECRETS = (b"secretname", b"secretbase", b"/secret/adapter", b"served-secret", b"version_id", b"response_id", b'"response_ids"')
PATIENCE = 90_000


@dataclass
class Desk:
    """A rater's page over tasks of every kind, the database behind it, and all that the server sent."""

    context: BrowserContext
    page: Page
    database: Database
    running: Stack
    frames: list[bytes]
    numbers: dict[str, int]

    def take_up(self, name: str, page: Page | None = None) -> None:
        """Choose a task; its first item is on the screen."""
        shown = page or self.page
        choice = shown.get_by_role("radio", name=name)
        if not choice.is_checked():
            choice.click()
        expect(choice).to_be_checked(timeout=PATIENCE)
        shown.locator(f'.desk[data-task="{self.numbers[name]}"] .card').first.wait_for(timeout=PATIENCE)
        self.saved(shown)

    def saved(self, page: Page | None = None) -> None:
        expect((page or self.page).locator(".saving").last).to_have_text("All saved", timeout=PATIENCE)

    def rows(self, name: str) -> list[Annotation]:
        with self.database.reading() as session:
            query = select(Annotation).where(Annotation.task_id == self.numbers[name])
            return list(session.exec(query.order_by(col(Annotation.id))))

    def waits_for(self, name: str, number: int) -> None:
        self.until(lambda: len(self.rows(name)) >= number)
        assert len(self.rows(name)) == number

    def until(self, what: Callable[[], bool]) -> None:
        end = time.monotonic() + 60
        while not what():
            assert time.monotonic() < end, "It did not happen in time."
            self.page.wait_for_timeout(100)


@pytest.fixture(scope="module")
def desk(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with stack(tmp_path_factory.mktemp("rating")) as running:
        settings = Settings.from_env(running.environ)
        database = Database(settings.database)
        database.migrate()
        token, numbers = _furnish(database)
        running.start("web")
        running.wait_for("web")
        context = chromium.new_context(viewport={"width": 1360, "height": 900})
        context.add_cookies([{"name": cookie_name(settings.secure), "value": token, "url": running.url}])
        made = Desk(context, context.new_page(), database, running, [], numbers)

        def listen(socket: WebSocket) -> None:
            socket.on("framereceived", lambda frame: made.frames.append(frame if isinstance(frame, bytes) else frame.encode()))

        made.page.on("websocket", listen)
        made.page.goto(f"{running.url}/rate")
        made.page.locator(".desk .card").first.wait_for(timeout=PATIENCE)
        yield made
        context.close()
        end = time.monotonic() + 30
        while _held(database) and time.monotonic() < end:
            time.sleep(0.2)
        assert _held(database) == 0, "A closed tab gives back what it held."
        database.dispose()


def _furnish(database: Database) -> tuple[str, dict[str, int]]:
    with database.writing() as session:
        made = judging(session)
        add_task(session, made, TaskKind.COMPARE, "Burst", items=120)
        add_task(session, made, TaskKind.COMPARE, "Lost connection", items=40)
        add_task(session, made, TaskKind.RATE, "Every question", items=8, rubric=EVERY_TYPE)
        add_task(session, made, TaskKind.RANK, "Put in order", items=8)
        practice = add_task(session, made, TaskKind.COMPARE, "Practice", items=8, options={"calibration_pass": 0.5})
        first = session.exec(select(Item).where(Item.task_id == practice.id).order_by(col(Item.position))).first()
        assert first is not None
        session.add(Gold(item_id=first.id or 0, verdict=Verdict.TIE, explanation="They say the **same**.", calibration=True))
        numbers = {name: task.id or 0 for name, task in made.tasks.items()}
        token = open_session(session, account_id=made.raters[0].account_id or 0, hours=1)
        session.commit()
    return token, numbers


def _held(database: Database) -> int:
    with database.reading() as session:
        held = select(func.count()).select_from(Slot).where(col(Slot.expires_at) > now(), col(Slot.done_at).is_(None))
        return session.exec(held).one()


@pytest.mark.parametrize("name", ["Burst", "Put in order", "Every question"])
def test_nothing_about_the_versions_is_sent_before_the_answer(desk: Desk, name: str) -> None:
    desk.take_up(name)
    assert desk.rows(name) == []
    everything = b"".join(desk.frames)
    assert b"Please enter your zip code at checkout." in everything, "The frames hold the responses as they are."
    assert [word for word in SECRETS if word in everything] == []


def test_forty_presses_in_a_burst_are_forty_answers(desk: Desk) -> None:
    """A press counts when there is something to answer; on a slow machine the next items may take a moment."""
    desk.take_up("Burst")
    before = len(desk.rows("Burst"))
    shown = desk.page.get_by_role("button", name="Left is better")
    for _ in range(20):
        for key in ("ArrowLeft", "t"):
            shown.wait_for(timeout=PATIENCE)
            desk.page.keyboard.press(key)
            desk.page.wait_for_timeout(40)
    desk.waits_for("Burst", before + 40)
    desk.saved()


def test_a_held_key_answers_once_and_typed_words_never(desk: Desk) -> None:
    desk.take_up("Burst")
    before = len(desk.rows("Burst"))
    for _ in range(20):
        desk.page.keyboard.down("b")
        desk.page.wait_for_timeout(40)
    desk.page.keyboard.up("b")
    desk.waits_for("Burst", before + 1)
    desk.page.keyboard.press("c")
    desk.page.keyboard.type("both better, true")
    desk.page.wait_for_timeout(1000)
    assert len(desk.rows("Burst")) == before + 1
    expect(desk.page.get_by_label("Comment")).to_have_value("both better, true")
    desk.page.keyboard.press("Escape")
    desk.page.keyboard.press("t")
    desk.waits_for("Burst", before + 2)
    assert desk.rows("Burst")[-1].comment == "both better, true"


def test_answers_of_a_page_that_is_reloaded_at_once_are_kept(desk: Desk) -> None:
    desk.take_up("Burst")
    before = len(desk.rows("Burst"))
    for _ in range(5):
        desk.page.keyboard.press("ArrowRight")
    desk.page.reload()
    desk.waits_for("Burst", before + 5)
    desk.page.locator(".desk .card").first.wait_for(timeout=PATIENCE)


def test_a_skip_asks_for_its_reason_and_an_undo_brings_the_answer_back(desk: Desk) -> None:
    desk.take_up("Burst")
    before = len(desk.rows("Burst"))
    desk.page.keyboard.press("s")
    expect(desk.page.get_by_role("region", name="Why do you skip it?")).to_be_visible()
    desk.page.keyboard.press("2")
    desk.saved()
    with desk.database.reading() as session:
        assert session.exec(select(Skip.reason)).all() == ["I know this customer or case"]
    desk.page.keyboard.press("ArrowLeft")
    desk.waits_for("Burst", before + 1)
    desk.page.keyboard.press("u")
    expect(desk.page.get_by_role("button", name="Left is better")).to_have_attribute("aria-pressed", "true", timeout=PATIENCE)
    desk.page.keyboard.press("ArrowRight")
    desk.waits_for("Burst", before + 2)
    assert [(row.number, row.verdict) for row in desk.rows("Burst")[-2:]] == [(1, Verdict.LEFT), (2, Verdict.RIGHT)]


def test_answers_given_while_the_server_is_away_are_all_stored_once(desk: Desk) -> None:
    """The web process is killed, all leases run out; ten answers go into the browser's log; a new process gets them."""
    desk.take_up("Lost connection")
    desk.running.stop("web", signal.SIGKILL)
    with desk.database.writing() as session:
        for slot in session.exec(select(Slot).where(col(Slot.done_at).is_(None), col(Slot.expires_at).is_not(None))):
            slot.expires_at = now()
        session.commit()
    for key in ("ArrowLeft", "t", "b", "ArrowRight", "t") * 2:
        expect(desk.page.get_by_role("button", name="Both bad")).to_be_visible()
        desk.page.keyboard.press(key)
        desk.page.wait_for_timeout(60)
    assert len(desk.rows("Lost connection")) == 0
    expect(desk.page.locator(".saving")).to_contain_text("10")
    desk.running.start("web")
    desk.running.wait_for("web")
    desk.waits_for("Lost connection", 10)
    desk.saved()
    assert [str(row.verdict) for row in desk.rows("Lost connection")] == ["left", "tie", "both_bad", "right", "tie"] * 2
    desk.page.keyboard.press("t")
    desk.waits_for("Lost connection", 11)


def test_every_type_of_question_by_key_and_mouse_and_the_draft_on_another_device(desk: Desk) -> None:
    desk.take_up("Every question")
    page = desk.page
    for key in ("4", "y", "Numpad2", "1", "3", "Enter"):
        page.keyboard.press(key)
    text = page.locator(".card .text")
    words = text.inner_text()
    text.dblclick(position={"x": 12, "y": 12})
    expect(page.locator(".picked")).to_contain_text("what is it?")
    page.keyboard.press("3")
    page.locator(".card").focus()
    for key in ("Shift+ArrowRight", "Shift+ArrowRight", "2"):
        page.keyboard.press(key)
    expect(page.locator(".marks li")).to_have_count(2)
    desk.until(lambda: _drafts(desk) == 1)

    elsewhere = desk.context.browser.new_context(storage_state={"cookies": desk.context.cookies(), "origins": []})  # type: ignore[union-attr, list-item, typeddict-item]
    other = elsewhere.new_page()
    other.goto(f"{desk.running.url}/rate")
    desk.take_up("Every question", other)
    expect(other.get_by_role("button", name="Fully")).to_have_attribute("aria-pressed", "true")
    expect(other.locator(".marks li")).to_have_count(2)
    other.keyboard.press("Enter")
    other.keyboard.press("Enter")
    other.keyboard.type("1 y s u")
    other.keyboard.press("Control+Enter")
    desk.waits_for("Every question", 1)
    elsewhere.close()
    (row,) = desk.rows("Every question")
    faults = row.answers.pop("faults")
    assert row.answers == {
        "helpful": 4, "polite": True, "length": "Just right", "lacks": ["A next step", "An apology"], "better": "1 y s u",
    }  # fmt: skip
    assert [(words[one["start"] : one["end"]], one["reason"]) for one in faults][1] == (" ".join(words.split()[:2]), "Rude")
    assert (faults[0]["start"], faults[0]["reason"]) == (0, "Off topic")
    assert _drafts(desk) == 0
    page.reload()
    page.locator(".desk .card").first.wait_for(timeout=PATIENCE)


def _drafts(desk: Desk) -> int:
    with desk.database.reading() as session:
        return session.exec(select(func.count()).select_from(Draft)).one()


def test_a_ranking_by_digits_with_a_tie_and_a_place_taken_back(desk: Desk) -> None:
    desk.take_up("Put in order")
    shown = desk.page.locator(".card .text").all_inner_texts()
    for key in ("3", "1", "=", "4", "2"):
        desk.page.keyboard.press(key)
    expect(desk.page.get_by_text("Your order: 3 > 1 = 4 > 2")).to_be_visible()
    desk.page.keyboard.press("Backspace")
    expect(desk.page.get_by_text("So far: 3 > 1 = 4")).to_be_visible()
    desk.page.keyboard.press("Enter")
    expect(desk.page.locator(".said")).to_contain_text("Give every response a place")
    desk.page.keyboard.press("2")
    desk.page.keyboard.press("Enter")
    desk.waits_for("Put in order", 1)
    ((row,), database) = desk.rows("Put in order"), desk.database
    with database.reading() as session:
        drawn = session.exec(select(Slot.drawn).where(Slot.id == row.slot_id)).one()
    assert drawn is not None
    assert row.ranking == [[drawn[2]], sorted([drawn[0], drawn[3]]), [drawn[1]]]
    assert len(shown) == 4


def test_a_practice_item_teaches_before_the_next_one_comes(desk: Desk) -> None:
    desk.take_up("Practice")
    expect(desk.page.locator(".note.practice")).to_be_visible()
    desk.page.keyboard.press("t")
    lesson = desk.page.get_by_role("region", name="What was right")
    expect(lesson).to_contain_text("They say the same.", timeout=PATIENCE)
    expect(lesson).to_contain_text("You have passed the practice round")
    desk.page.keyboard.press("ArrowLeft")
    assert len(desk.rows("Practice")) == 1
    desk.page.keyboard.press("Enter")
    expect(desk.page.locator(".note.practice")).to_have_count(0, timeout=PATIENCE)
    expect(desk.page.get_by_role("button", name="Left is better")).to_be_visible(timeout=PATIENCE)
