"""The p95 of a page's rerun with 20 sessions at once (`make bench-pages`). Prints one JSON object.

Twenty people each ask for a rerun every two seconds, at random moments, on the sample project. "mixed" has them where
people are: twelve at the rating desk, four reviewing, and one each on FAQs, records, dashboard and results. After it
every page is measured by itself, with all twenty on it. The clients are raw websockets in this process, so that what is
measured is the server; they, and whatever else runs, share the machine's cores with it: `web_cpu_ms_each` and `cores_busy`
tell how much of a figure is that. The load is closed: who waits asks for nothing.
"""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import psutil

from backend.access.sessions import open_session
from backend.settings import Settings
from backend.store.database import Database
from tests.bench.burden import Burden
from tests.bench.sockets import Tab
from tests.factories import a_person
from tests.stack import stack

SESSIONS, ROUNDS, PAUSE = 20, 6, 2.0
MIXED = ("rate",) * 12 + ("review",) * 4 + ("faqs", "records", "dashboard", "results")
PAGES = ("home", "review", "rate", "faqs", "records", "results", "dashboard", "chat")


async def person(tab: Tab, page: str, seed: int) -> list[float]:
    """One person's reruns of one page."""
    chance = random.Random(seed)
    await asyncio.sleep(chance.random() * PAUSE)
    seconds = []
    for _ in range(ROUNDS):
        seconds.append(await tab.rerun(page))
        await asyncio.sleep(chance.uniform(0.5, 1.5) * PAUSE)
    return seconds


async def measure(port: int, tokens: list[str], pages: tuple[str, ...], web: psutil.Process) -> dict[str, dict[str, Any]]:
    """Every page in turn, all people on it."""
    tabs = [Tab(port, token) for token in tokens]
    for tab in tabs:
        await tab.open()
        await tab.rerun()
    places = {"mixed": MIXED, **{page: (page,) * SESSIONS for page in pages}}
    found = {}
    for name, where in places.items():
        for tab, page in zip(tabs, where, strict=True):
            await tab.rerun(page)
        burden = Burden(web)
        each = await asyncio.gather(*(person(tab, page, n) for n, (tab, page) in enumerate(zip(tabs, where, strict=True))))
        seconds = [value for values in each for value in values]
        found[name] = {
            "reruns": len(seconds),
            "median_ms": round(statistics.median(seconds) * 1000, 1),
            "p95_ms": round(statistics.quantiles(seconds, n=20)[-1] * 1000, 1),
            **burden.told(len(seconds)),
        }
    for tab in tabs:
        await tab.close()
    return found


def main(pages: tuple[str, ...]) -> dict[str, object]:
    """Start the web process on the sample project and measure."""
    with tempfile.TemporaryDirectory() as folder, stack(Path(folder)) as running:
        running.command("sample", "--project", "shop")
        database = Database(Settings.from_env(running.environ).database)
        with database.writing() as session:
            people = [a_person(session, f"bench-{number}@example.org", admin=True) for number in range(SESSIONS)]
            tokens = [open_session(session, account_id=person.account_id or 0, hours=1) for person in people]
            session.commit()
        database.dispose()
        running.start("web")
        running.wait_for("web")
        web = psutil.Process(running.processes["web"].pid)
        return {"goal_p95_ms": 150, "sessions": SESSIONS, "pages": asyncio.run(measure(running.port, tokens, pages, web))}


if __name__ == "__main__":
    print(json.dumps(main(tuple(sys.argv[1:]) or PAGES), indent=2))
