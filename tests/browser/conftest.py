"""Fixtures of the browser tests: one Chromium, a running product to walk through, and what to keep when a test fails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.chromium import FLAGS, find
from tests.browser.people import Crowd, Person, invite, set_up
from tests.conftest import WALKED
from tests.stack import Stack, stack

SCREENSHOTS = Path(__file__).resolve().parents[2] / "screenshots"
"""The screenshots show what the walk left behind."""


@dataclass
class World:
    """A running product and the people in it."""

    stack: Stack
    crowd: Crowd
    people: dict[str, Person] = field(default_factory=dict)

    def __getitem__(self, role: str) -> Person:
        return self.people[role]

    def end_of_log(self, process: str) -> str:
        """The last lines of a process's log."""
        path = self.stack.data / f"{process}.log"
        return path.read_text(encoding="utf-8", errors="replace")[-2000:] if path.exists() else "There is none."

    def keep(self, name: str) -> None:
        """Screens, words and logs of now, into the screenshots folder."""
        self.crowd.keep(SCREENSHOTS, name)
        for process in ("web", "worker", "engine"):
            path = self.stack.data / f"{process}.log"
            if path.exists():
                (SCREENSHOTS / f"{name}-{process}.log").write_bytes(path.read_bytes()[-200_000:])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Walk, then screenshots, then faults; everything else stays where it is."""

    def place(item: pytest.Item) -> int:
        name = item.path.stem
        return WALKED.index(name) if item.path.parent == Path(__file__).parent and name in WALKED else -1

    places = [index for index, item in enumerate(items) if place(item) >= 0]
    for index, item in zip(places, sorted((items[index] for index in places), key=place), strict=True):
        items[index] = item


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):  # type: ignore[no-untyped-def]
    """Keep the evidence of a failure."""
    report = yield
    if report.failed and report.when == "call":
        for value in getattr(item, "funcargs", {}).values():
            if isinstance(value, World):
                report.sections.append(("what people saw", value.crowd.told()))
                report.sections.append(("the end of the worker's log", value.end_of_log("worker")))
                value.keep(f"failed-{item.name}")
    return report


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser process for all."""
    path = find()
    if path is None:
        pytest.fail("There is no Chromium; `make browser` installs one.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path or None, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def world(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The product with the sample project; an admin set it up and invited a lead, an expert and two raters."""
    with stack(tmp_path_factory.mktemp("walk"), "web", "worker", "engine") as running:
        crowd = Crowd(chromium, running.url)
        made = World(running, crowd)
        try:
            made.people["admin"] = admin = set_up(crowd, running.setup_link(), sample=True)
            for key, name, role in (
                ("lead", "Lena", "lead"),
                ("expert", "Emil", "expert"),
                ("rater", "Rosa", "rater"),
                ("second", "Sven", "rater"),
            ):
                made.people[key] = invite(admin, crowd, name, role)
        except BaseException:
            made.keep("failed-set-up")
            raise
        yield made
        crowd.leave()
