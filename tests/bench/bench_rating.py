"""How fast the rating desk is, and what it loses (`make bench-rating`). Prints one JSON object.

A real Chromium on a task of comparisons: from a key press to the next item in the page (`drawn`) and to the frame that
shows it (`painted`); forty presses at 40 ms; answers given while the web process is dead. Then raw websocket clients play
fifty raters at work, as the browser's component does: how long a save takes until it is acknowledged, on SQLite and on
PostgreSQL, and what a session weighs.

The load is closed: each rater sends an answer, waits for its acknowledgement, and sends the next 1.6 to 2.4 seconds after the
one before, beginning at a random moment; so 25 saves a second, not 50 at once. A save's time ends with the rerun that
acknowledges it, with the next items where some are fetched. The clients share the machine's cores with the web process and
the database, and so does whatever else runs: `web_cpu_ms_each` and `cores_busy` tell how much of a figure is that.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import Page, sync_playwright
from sqlmodel import func, select

from backend.access.sessions import COOKIE, open_session
from backend.settings import Settings
from backend.store.database import Database
from backend.store.work import Annotation
from backend.vocabulary import TaskKind
from tests import postgres
from tests.bench.burden import Burden
from tests.bench.sockets import Rater
from tests.browser.chromium import FLAGS, find
from tests.judging import add_task, judging
from tests.stack import Stack, stack

ITEMS, RATERS, ROUNDS, PAUSE = 2000, 50, 10, 2.0
BURST, AWAY = 40, 12
CLOCK = """() => {
  const body = document.querySelector('.desk .body') ||
    [...document.querySelectorAll('*')].map((node) => node.shadowRoot).filter(Boolean)
      .map((root) => root.querySelector('.desk .body')).find(Boolean);
  window.drawn = []; window.painted = [];
  new MutationObserver(() => {
    if (!window.pressed) return;
    const from = window.pressed;
    window.pressed = 0;
    window.drawn.push(performance.now() - from);
    requestAnimationFrame(() => {
      const after = new MessageChannel();
      after.port1.onmessage = () => window.painted.push(performance.now() - from);
      after.port2.postMessage(0);
    });
  }).observe(body, { childList: true });
}"""
"""The observer runs when the desk has put the next item into the page."""
PRESSED = "window.addEventListener('keydown', () => { window.pressed = performance.now(); }, true);"
"""Set before the page's own code, so that it hears a key first."""


@contextmanager
def desk(url: str | None, raters: int, items: int) -> Iterator[tuple[Stack, Database, list[str], int]]:
    """A web process over one comparison task, with signed-in raters."""
    environ = {"DATABASE_URL": url} if url else {}
    with tempfile.TemporaryDirectory() as folder, stack(Path(folder), **environ) as running:
        database = Database(Settings.from_env(running.environ).database)
        database.migrate()
        with database.writing() as session:
            made = judging(session, raters=raters)
            task = add_task(session, made, TaskKind.COMPARE, "bench", items=items, overlap=3)
            tokens = [open_session(session, account_id=one.account_id or 0, hours=1) for one in made.raters]
            session.commit()
            number = task.id or 0
        running.start("web")
        running.wait_for("web")
        yield running, database, tokens, number
        database.dispose()


def stored(database: Database) -> int:
    with database.reading() as session:
        return session.exec(select(func.count()).select_from(Annotation)).one()


def reaches(page: Page, database: Database, number: int) -> int:
    """Wait until so many are stored; how many are."""
    until = time.monotonic() + 120
    while stored(database) < number and time.monotonic() < until:
        page.wait_for_timeout(100)
    return stored(database)


def in_a_browser() -> dict[str, Any]:
    """One rater with real keys."""
    with desk(None, 1, ITEMS) as (running, database, tokens, _), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find() or None, args=FLAGS)
        context = browser.new_context(viewport={"width": 1360, "height": 900})
        context.add_cookies([{"name": COOKIE, "value": tokens[0], "url": running.url}])
        context.add_init_script(PRESSED)
        page = context.new_page()
        page.goto(f"{running.url}/rate")
        button = page.get_by_role("button", name="Left is better")
        button.wait_for(timeout=90_000)
        page.wait_for_timeout(2000)
        page.evaluate(CLOCK)
        for n in range(100):
            button.wait_for(timeout=90_000)
            page.keyboard.press("t" if n % 2 else "ArrowLeft")
            page.wait_for_timeout(300)
        drawn, painted = (sorted(page.evaluate(f"window.{name}"))[:100] for name in ("drawn", "painted"))
        before = reaches(page, database, 100)
        for n in range(BURST):
            button.wait_for(timeout=90_000)
            page.keyboard.press("b" if n % 2 else "ArrowRight")
            page.wait_for_timeout(40)
        burst = reaches(page, database, before + BURST) - before
        page.wait_for_timeout(3000)
        running.stop("web", signal.SIGKILL)
        pressed = 0
        while pressed < AWAY and button.is_visible():
            page.keyboard.press("t")
            pressed += 1
            page.wait_for_timeout(60)
        kept = stored(database)
        running.start("web")
        running.wait_for("web")
        offline = reaches(page, database, kept + pressed) - kept
        browser.close()
    return {
        "key_to_next_item_ms": {"goal_median": 5, "drawn": _of(drawn), "painted": _of(painted)},
        "burst": {"pressed": BURST, "every_ms": 40, "stored": burst},
        "while_the_server_was_dead": {"pressed": pressed, "stored_before": kept - before - burst, "stored_after": offline},
    }


async def person(rater: Rater, seed: int) -> list[float]:
    """One rater's saves: seconds from sending an answer until it is acknowledged."""
    chance = random.Random(seed)
    await asyncio.sleep(chance.random() * PAUSE)
    seconds = []
    for _ in range(ROUNDS):
        seconds.append(await rater.answer(chance.choice(("left", "right", "tie"))))
        await asyncio.sleep(max(0.0, chance.uniform(0.8, 1.2) * PAUSE - seconds[-1]))
    return seconds


async def crowd(port: int, tokens: list[str], task: int, web: psutil.Process) -> tuple[list[float], dict[str, Any]]:
    """Everybody's saves; and what they cost, the megabytes that a session adds, the kilobytes that an answer brings back."""

    def weight() -> float:
        return float(web.memory_info().rss / 1e6)

    raters = [Rater(port, token, task) for token in tokens]
    await raters[0].begin()
    alone = weight()
    for rater in raters[1:]:
        await rater.begin()
    each = (weight() - alone) / (len(raters) - 1)
    before, burden = sum(rater.received for rater in raters), Burden(web)
    found = await asyncio.gather(*(person(rater, n) for n, rater in enumerate(raters)))
    cost = burden.told(ROUNDS * len(raters))
    sent = (sum(rater.received for rater in raters) - before) / 1000 / (ROUNDS * len(raters))
    for rater in raters:
        await rater.close()
    cost |= {"mb_per_session": round(each, 2), "kb_per_answer": round(sent, 1)}
    return [value for values in found for value in values], cost


def with_a_crowd(url: str | None) -> dict[str, Any]:
    """Fifty raters on one web process."""
    with desk(url, RATERS, ITEMS) as (running, database, tokens, task):
        web = psutil.Process(running.processes["web"].pid)
        seconds, cost = asyncio.run(crowd(running.port, tokens, task, web))
        return {
            "raters": RATERS,
            "pause_s": PAUSE,
            "goal_p95_ms": 60,
            "save": _of([value * 1000 for value in seconds]),
            "answers": len(seconds),
            "stored": stored(database),
            **cost,
        }


def _of(values: list[float]) -> dict[str, float]:
    return {
        "n": len(values),
        "median_ms": round(statistics.median(values), 2),
        "p95_ms": round(statistics.quantiles(values, n=20)[-1], 2),
    }


def main(parts: tuple[str, ...]) -> dict[str, Any]:
    """All parts, or those that are named: browser, sqlite, postgres."""
    found: dict[str, Any] = {}
    if "browser" in parts:
        found |= in_a_browser()
    if "sqlite" in parts:
        found["sqlite"] = with_a_crowd(None)
    if "postgres" in parts:
        with postgres.server() as url:
            found["postgres"] = with_a_crowd(url)
    return found


if __name__ == "__main__":
    print(json.dumps(main(tuple(sys.argv[1:]) or ("browser", "sqlite", "postgres")), indent=2))
