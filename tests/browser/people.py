"""People at a browser: each has a context of their own (cookies, storage), and sees what their screen shows.

Waits are Playwright's: for what a person would see, or for Streamlit to have finished its run; never for a time.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, WebSocket, expect
from playwright.sync_api import TimeoutError as TooSlow

from backend.access.sessions import cookie_name

PATIENCE = 90_000
KEY_PAUSE = 0.35
"""Seconds between two presses; the desks take faster ones of the same key for the keyboard's own repeating."""
AGAIN = 10
"""Seconds after which somebody tries again what seems to have had no effect."""
TRIES = 4
PASSWORD = "grey heron over the mill pond"
READY = '[data-testid="stApp"][data-test-script-state="notRunning"][data-test-connection-state="CONNECTED"]'
PROBES = re.compile(r"/[a-z-]+/_stcore/(health|host-config)$")
"""Where Streamlit's page, opened by a deep address, looks for its server first; the answer is 404, and it looks on."""
Scheme = Literal["light", "dark"]


@dataclass
class Person:
    """One person, in a browser of their own."""

    name: str
    url: str
    context: BrowserContext
    page: Page
    frames: list[bytes] = field(default_factory=list)
    """Everything that the server sent over websockets."""
    complaints: list[str] = field(default_factory=list)
    """What the browser's console called an error, and scripts that threw."""

    pressed: float = 0.0

    @property
    def email(self) -> str:
        return f"{self.name.lower()}@example.org"

    @property
    def main(self) -> Locator:
        """The page without the sidebar."""
        return self.page.get_by_role("main")

    def go(self, page: str = "") -> None:
        """Go to a page of the app: by the sidebar where its link is, else by its address. The page that one is on already is
        opened anew: after a click on its link nothing would tell what was drawn before from what is drawn for it.
        """
        link = self.page.locator(f'[data-testid="stSidebarNavLink"][href$="/{page}"]')
        there = re.compile(rf"^{re.escape(self.url)}/{page}(\?.*)?$")
        elsewhere = self.page.url.startswith(self.url) and not there.match(self.page.url)
        if elsewhere and link.count() == 1 and link.is_visible():
            link.click(timeout=PATIENCE)
            self.page.wait_for_url(there, timeout=PATIENCE)
            self.settled()
        else:
            self.open(page)

    def open(self, page: str = "") -> None:
        """Open a page by its address, as a bookmark does."""
        self.page.goto(f"{self.url}/{page}")
        self.settled()

    def settled(self) -> None:
        """Wait until Streamlit has drawn what it was asked for."""
        self.page.locator(READY).wait_for(timeout=PATIENCE)
        expect(self.main.locator("h1, h2, h3, [data-testid=stAlert]").first).to_be_visible(timeout=PATIENCE)
        self.page.locator(READY).wait_for(timeout=PATIENCE)

    def press(self, label: str | re.Pattern[str], *, within: Locator | None = None, exact: bool = True) -> None:
        """Press a button by its words."""
        place = within or self.main
        target = place.get_by_role("button", name=label, exact=exact and isinstance(label, str))
        target.first.click(timeout=PATIENCE)
        self.settled()

    def key(self, name: str, *, until: str | re.Pattern[str] | None = None) -> None:
        """Press a key as a person does: not faster than a keyboard repeats, which the desks ignore. With `until`, see that
        text then, and press again where nothing came of it, because the page was still being drawn.
        """
        for _ in self._tries(until):
            self.page.wait_for_timeout(max(0.0, KEY_PAUSE - (time.monotonic() - self.pressed)) * 1000)
            self.page.keyboard.press(name)
            self.pressed = time.monotonic()

    def pick_row(self, row: int, until: str | re.Pattern[str], *, table: int = 0) -> None:
        """Choose a row of a table by the box at its left edge, and see what comes of it."""
        for _ in self._tries(until):
            pick_row(self.page, row, table=table)

    def _tries(self, until: str | re.Pattern[str] | None) -> Iterator[int]:
        """Once, and again (the body acts) until `until` is seen."""
        for attempt in range(TRIES):
            yield attempt
            if until is None:
                return
            try:
                self.sees(until, seconds=PATIENCE / 1000 if attempt == TRIES - 1 else AGAIN)
                return
            except AssertionError:
                if attempt == TRIES - 1:
                    raise
                self.settled()

    def fill(self, label: str, text: str, *, within: Locator | None = None) -> None:
        """Type into a field by its label."""
        box = (within or self.main).get_by_label(label, exact=True).first
        box.fill(text, timeout=PATIENCE)

    def choose(self, label: str, option: str | re.Pattern[str]) -> None:
        """Pick an option of a select box, or of one that takes several, by its words."""
        boxes = self.page.get_by_test_id("stSelectbox").or_(self.page.get_by_test_id("stMultiSelect"))
        box = boxes.filter(has_text=label).locator("input").first
        chosen = self.page.get_by_role("option", name=option).first
        for attempt in range(TRIES):  # a list that opens while the page is being drawn closes again
            box.click(timeout=PATIENCE)
            try:
                chosen.click(timeout=PATIENCE if attempt == TRIES - 1 else AGAIN * 1000)
                break
            except TooSlow:
                if attempt == TRIES - 1:
                    raise
                self.page.keyboard.press("Escape")
        self.settled()

    def sees(self, text: str | re.Pattern[str], *, seconds: float = PATIENCE / 1000) -> None:
        """A text is on the screen (or comes onto it)."""
        expect(self.page.get_by_text(text).filter(visible=True).first).to_be_visible(timeout=seconds * 1000)

    def text(self) -> str:
        """The words on the page, without the sidebar."""
        return self.main.inner_text()

    def heard(self, *words: str) -> list[str]:
        """Which of these words the server has sent to this browser."""
        everything = b"\n".join(self.frames)
        return [word for word in words if word.encode() in everything]

    def close(self) -> None:
        self.context.close()


@dataclass
class Crowd:
    """Lets people in, and knows who is there."""

    browser: Browser
    url: str
    everybody: list[Person] = field(default_factory=list)

    def person(self, name: str, *, scheme: Scheme = "light", width: int = 1360, height: int = 850, **options: object) -> Person:
        """Somebody with a fresh browser."""
        context = self.browser.new_context(
            color_scheme=scheme,
            viewport={"width": width, "height": height},
            reduced_motion="reduce",
            accept_downloads=True,
            **options,  # type: ignore[arg-type]
        )
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        made = Person(name, self.url, context, page)
        page.on("websocket", _listener(made.frames))
        page.on("console", _complainer(made.complaints))
        page.on("pageerror", lambda error: made.complaints.append(f"script error: {error}"))
        self.everybody.append(made)
        return made

    def known(self, name: str, token: str, **options: object) -> Person:
        """Somebody who is signed in already, by a session's token."""
        person = self.person(name, **options)  # type: ignore[arg-type]
        person.context.add_cookies([{"name": cookie_name(secure=False), "value": token, "url": self.url}])
        return person

    def again(self, person: Person, **options: object) -> Person:
        """The same person, signed in, in another browser window (other theme, other width)."""
        return self.person(person.name, storage_state=person.context.storage_state(), **options)  # type: ignore[arg-type]

    def keep(self, folder: Path, name: str) -> None:
        """Save everybody's screen and words, to see what went wrong."""
        folder.mkdir(exist_ok=True)
        for person in self.everybody:
            if person.page.is_closed():
                continue
            stem = f"{name}-{person.name}"
            person.page.screenshot(path=folder / f"{stem}.png", timeout=10_000)
            words = person.page.locator("body").inner_text(timeout=5_000)
            complaints = json.dumps(person.complaints, indent=1)
            (folder / f"{stem}.txt").write_text(f"{person.page.url}\n\n{words}\n\n{complaints}\n", encoding="utf-8")

    def told(self) -> str:
        """What everybody sees now, in words, for the report of a failure."""
        seen = []
        for person in self.everybody:
            if not person.page.is_closed():
                words = person.page.locator("body").inner_text(timeout=5_000).replace("\n\n", "\n")
                seen.append(f"--- {person.name} at {person.page.url}\n{words[:1500]}\n{person.complaints[-5:]}")
        return "\n".join(seen)

    def leave(self) -> None:
        """Close every window."""
        for person in self.everybody:
            person.close()
        self.everybody.clear()


def _listener(frames: list[bytes]) -> Callable[[WebSocket], None]:
    def keep(payload: str | bytes) -> None:
        frames.append(payload.encode() if isinstance(payload, str) else payload)

    return lambda socket: socket.on("framereceived", keep)


def _complainer(complaints: list[str]) -> Callable[[ConsoleMessage], None]:
    def keep(message: ConsoleMessage) -> None:
        where = message.location.get("url", "")
        if message.type == "error" and not PROBES.search(where):
            complaints.append(f"{message.text} ({where})")

    return keep


def set_up(crowd: Crowd, link: str, *, sample: bool) -> Person:
    """The admin, who opened the printed link and made the account."""
    admin = crowd.person("Ada")
    admin.page.goto(link)
    admin.page.get_by_label("Your name").fill("Ada")
    admin.page.get_by_label("E-mail").fill(admin.email)
    admin.page.get_by_label("Password").fill(PASSWORD)
    admin.page.get_by_label("Load the sample project").set_checked(sample)
    admin.page.get_by_role("button", name="Create the account").click()
    admin.settled()
    return admin


def invite(host: Person, crowd: Crowd, name: str, role: str) -> Person:
    """Somebody whom `host` invites into the project that `host` looks at; the link is opened in another browser."""
    guest = crowd.person(name)
    host.go("members")
    host.fill("E-mail", guest.email)
    host.choose("Role", re.compile(f"^{role}", re.IGNORECASE))
    host.press("Invite")
    link = host.page.get_by_test_id("stCode").first.inner_text(timeout=PATIENCE).strip()
    host.press("I have copied it")
    guest.page.goto(link)
    guest.page.get_by_label("Your name").fill(name)
    guest.page.get_by_label("Password").fill(PASSWORD)
    guest.page.get_by_role("button", name="Create my account").click()
    guest.settled()
    return guest


def sign_in(person: Person) -> None:
    """By the login page, with the password."""
    person.page.goto(f"{person.url}/login")
    person.page.get_by_label("E-mail").fill(person.email)
    person.page.get_by_label("Password").fill(PASSWORD)
    person.page.get_by_role("button", name="Sign in").click()
    person.settled()


def pick_row(page: Page, row: int, *, table: int = 0) -> None:
    """Choose a row of a table by the box at its left edge."""
    grid = page.get_by_test_id("stDataFrame").nth(table)
    grid.locator(".dvn-scroller").click(position={"x": 18, "y": 36 + 35 * row + 17}, timeout=PATIENCE)
    page.locator(READY).wait_for(timeout=PATIENCE)
