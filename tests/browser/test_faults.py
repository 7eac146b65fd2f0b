"""What people see when a process is killed, a session has ended, the engine is away, or a text is hostile."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from sqlmodel import select
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from backend.access.sessions import cookie_name, open_session
from backend.review.bulk_deciding import bulk_decide
from backend.review.filters import RecordFilter
from backend.settings import Settings
from backend.store.database import Database
from backend.store.models import Job
from backend.store.records import Faq, FaqRevision
from backend.vocabulary import FaqState, JobStatus, Role
from tests.backend.serving.test_chatting import a_speaking_project, an_exchange
from tests.browser.conftest import World
from tests.browser.people import PATIENCE, Crowd
from tests.factories import a_person, a_project, a_record
from tests.stack import stack

pytestmark = pytest.mark.browser

HOSTILE = (
    '<img src="https://evil.example/a.png" onerror="alert(1)"><script>alert(2)</script> ![x](https://evil.example/b.png) '
    "[go](javascript:alert(3)) :red[red] $x^2$ <iframe src='https://evil.example'></iframe>"
)
PAGES = ("", "review", "records", "faqs", "chat", "feedback", "lineage", "dashboard", "audit")


@pytest.fixture(scope="module")
def shop(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Web and worker without an engine; a project that learns for a while, and one whose every text is hostile."""
    folder = tmp_path_factory.mktemp("faults")
    with stack(folder) as running:
        database = Database(Settings.from_env(running.environ).database)
        database.migrate()
        tokens = _furnish(database)
        database.dispose()
        for name in ("web", "worker"):
            running.start(name)
        running.wait_for("web")
        crowd = Crowd(chromium, running.url)
        world = World(running, crowd)
        world.people = {name: crowd.known(name, token) for name, token in tokens.items()}
        yield world
        for job in _jobs(world):
            if job.pid and job.status in (JobStatus.RUNNING, JobStatus.STOPPING):
                pytest.fail(f"Job {job.id} was left running.")
        crowd.leave()


def _furnish(database: Database) -> dict[str, str]:
    """Both projects and a session for each person; returns the sessions' tokens."""
    with database.writing() as session:
        shop = a_project(session, "shop")
        lead = a_person(session, "lead@example.org", project=shop, role=Role.LEAD)
        for number in range(40):
            a_record(session, shop, prompt=f"Where is order {number * 37}?", answer=f"Order {number * 37} is on its way.")
        odd = a_speaking_project(session, "odd")
        victim = a_person(session, "victim@example.org", project=odd, role=Role.LEAD)
        odd.name, odd.description = HOSTILE[:200], HOSTILE
        session.add(odd)
        a_record(session, odd, prompt=HOSTILE, answer=HOSTILE, slices={HOSTILE[:60]: HOSTILE[:80]})
        faq = Faq(project_id=odd.id or 0, key="hostile", topic=HOSTILE[:100], approved=1)
        session.add(faq)
        session.flush()
        told = {"question": HOSTILE, "answer": HOSTILE, "reason": HOSTILE}
        session.add(FaqRevision(faq_id=faq.id or 0, number=1, state=FaqState.APPROVED, **told))
        an_exchange(session, victim, odd, HOSTILE, HOSTILE)
        leaver = a_person(session, "leaver@example.org", project=shop, role=Role.EXPERT)
        people = {"lead": lead, "victim": victim, "leaver": leaver}
        tokens = {name: open_session(session, account_id=who.account_id or 0, hours=1) for name, who in people.items()}
        session.commit()
    with database.writing() as session:
        bulk_decide(
            session=session, actor=lead, project_id=shop.id or 0, record_filter=RecordFilter(), decision="approve", reason="ok"
        )
    return tokens


def _jobs(world: World) -> list[Job]:
    database = Database(Settings.from_env(world.stack.environ).database)
    with database.reading() as session:
        found = list(session.exec(select(Job).order_by(Job.id)))
    database.dispose()
    return found


def _until(what: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for something outside the browser."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "It did not happen in time."
        time.sleep(0.2)


def _steps(folder: Path) -> int:
    """How far a run's own status file says that it is."""
    try:
        return int(json.loads((folder / "status.json").read_text(encoding="utf-8")).get("step", 0))
    except (OSError, ValueError):
        return 0


def test_a_run_outlives_a_killed_web_and_a_killed_worker(shop: World) -> None:
    running, lead = shop.stack, shop["lead"]
    running.command("snapshot", "--project", "shop")
    started = json.loads(running.command("train", "--project", "shop", "--set", "epochs=60", "--set", "seed=1"))
    folder = Path(started["folder"])
    lead.go("training")
    _until(lambda: _steps(folder) > 0)
    lead.sees("Run 1 is running")
    child = _jobs(shop)[-1].pid

    running.stop("web", signal.SIGKILL)
    at = _steps(folder)
    _until(lambda: _steps(folder) > at)
    running.start("web")
    running.wait_for("web")
    lead.open("training")
    lead.sees("Run 1 is running")

    running.stop("worker", signal.SIGKILL)
    at = _steps(folder)
    _until(lambda: _steps(folder) > at)
    running.start("worker")
    _until(lambda: "job_adopted" in running.log("worker"))
    _until(lambda: _jobs(shop)[-1].status is JobStatus.SUCCEEDED, seconds=120)
    job = _jobs(shop)[-1]
    assert (job.pid, job.attempt) == (child, 1), "It must be the same child's first attempt, not a new one."
    lead.go("training")
    lead.sees("Run 1 has finished")


def test_a_signed_out_person_gets_no_websocket_and_is_shown_the_way_in(shop: World) -> None:
    person = shop["leaver"]
    person.go()
    token = next(cookie["value"] for cookie in person.context.cookies() if cookie["name"] == cookie_name(secure=False))
    _shake_hands(shop, token)
    elsewhere = shop.crowd.person("thief", storage_state=person.context.storage_state())
    person.page.get_by_role("link", name="Sign out").click()
    person.page.get_by_role("button", name="Sign out").click()
    person.sees("You are signed out.")

    with pytest.raises(InvalidStatus) as refused:
        _shake_hands(shop, token)
    assert refused.value.response.status_code == 403
    elsewhere.page.goto(f"{shop.crowd.url}/records")
    expect(elsewhere.page.get_by_role("button", name="Sign in")).to_be_visible(timeout=PATIENCE)
    elsewhere.close()


def _shake_hands(shop: World, token: str) -> None:
    """Open a websocket as Streamlit's page does, and close it."""
    headers = {"Cookie": f"{cookie_name(secure=False)}={token}"}
    with connect(shop.stack.url.replace("http", "ws") + "/_stcore/stream", additional_headers=headers):
        pass


def test_hostile_text_stays_text_on_every_page(shop: World) -> None:
    victim = shop["victim"]
    dialogs: list[str] = []
    fetched: list[str] = []
    victim.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    victim.page.on("request", lambda request: fetched.append(request.url))
    seen = 0
    for page in PAGES:
        victim.go(page)
        found = victim.page.locator(
            "img[src*='evil'], iframe[src*='evil'], script:text('alert'), a[href^='javascript:'], span.katex, [onerror]"
        )
        assert found.count() == 0, f"{page}: {found.first.evaluate('node => node.outerHTML')}"
        seen += "evil.example" in victim.text()
    assert seen >= 4, "The text must have been shown as text on the pages that show texts."
    assert not dialogs
    assert not [url for url in fetched if "evil" in url]


def test_an_engine_that_is_away_is_a_plain_notice_and_the_question_is_kept(shop: World) -> None:
    victim = shop["victim"]
    victim.go("chat")
    box = victim.page.get_by_test_id("stChatInput").locator("textarea")
    box.fill("Is anybody there?")
    box.press("Enter")
    alert = victim.page.get_by_test_id("stAlert").first
    expect(alert).to_be_visible(timeout=PATIENCE)
    notice = alert.inner_text()
    assert "Error" not in notice
    assert "http" not in notice, "No address and no exception reaches a person."
    victim.go("chat")
    victim.sees("Is anybody there?")
    expect(victim.page.get_by_role("button", name="Ask again")).to_be_visible(timeout=PATIENCE)
