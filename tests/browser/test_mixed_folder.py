"""A lead takes a mixed folder (mailbox, manual, table, chat export) to approved, anonymised records, in the browser alone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from sqlmodel import select

from backend.access.sessions import open_session
from backend.settings import Settings
from backend.store.database import Database
from backend.store.records import FaqRevision
from backend.vocabulary import FaqState, Role
from tests.browser.conftest import World
from tests.browser.mixed_files import FROM_EACH, PARCEL, SECRETS, folder
from tests.browser.people import PATIENCE, Crowd, Person
from tests.factories import a_person, a_project
from tests.stack import stack

pytestmark = pytest.mark.browser

LONG = 200
"""Seconds that the checks may take on a busy machine."""


@pytest.fixture
def shop(chromium: Browser, tmp_path: Path) -> Iterator[World]:
    """A running product with an empty project, and its lead."""
    with stack(tmp_path) as running:
        database = Database(Settings.from_env(running.environ).database)
        database.migrate()
        with database.writing() as session:
            project = a_project(session, "lights")
            lead = a_person(session, "lena@example.org", project=project, role=Role.LEAD)
            token = open_session(session, account_id=lead.account_id or 0, hours=1)
            session.commit()
        database.dispose()
        running.start("web")
        running.start("worker")
        running.wait_for("web")
        crowd = Crowd(chromium, running.url)
        yield World(running, crowd, {"lead": crowd.known("Lena", token)})
        crowd.leave()


def test_a_lead_takes_a_mixed_folder_to_approved_anonymised_records(shop: World) -> None:
    lead = shop["lead"]
    the_folder_comes_in(lead)
    the_checks_look_at_it(lead)
    personal_data_is_masked_and_the_rest_put_right(lead)
    repeats_are_rejected(lead)
    the_checks_see_the_new_texts(lead)
    all_is_approved(lead)
    a_snapshot_is_frozen(lead)
    what_is_frozen_is_nobodys(shop.stack.data)
    what_the_manual_says_is_an_faq(Settings.from_env(shop.stack.environ).database)
    assert not lead.complaints


def the_folder_comes_in(lead: Person) -> None:
    lead.open("imports")
    lead.sees("This project is empty")
    upload = lead.page.get_by_test_id("stFileUploader").locator("input[type=file]")
    upload.set_input_files({"name": "shop.zip", "mimeType": "application/zip", "buffer": folder()})
    lead.sees("An archive of 4 files; 4 of them can be taken as they are.")
    approved = lead.page.get_by_role("checkbox", name="These FAQs are already approved")
    lead.page.get_by_text("These FAQs are already approved").click()
    expect(approved).to_be_checked(timeout=PATIENCE)
    lead.press("Import 4 files")
    lead.sees("4 of 4 files came in.")
    lead.settled()


def the_checks_look_at_it(lead: Person) -> None:
    lead.go("cleaning")
    lead.sees("13 of 13 records were not seen by all checks yet")
    lead.press("Run the checks")
    lead.sees(re.compile("The last run looked at 13 records"), seconds=LONG)
    lead.settled()


def personal_data_is_masked_and_the_rest_put_right(lead: Person) -> None:
    lead.press("Mask all", exact=False)
    lead.sees(re.compile(r"Masked \d+ places in \d records"))
    lead.settled()
    lead.choose("Look closer at", re.compile("^HTML left over"))
    lead.sees("What a fix makes of the first ones")
    lead.press("Fix all", exact=False)
    lead.sees("Fixed 1 place in 1 record.")
    lead.settled()


def repeats_are_rejected(lead: Person) -> None:
    lead.go("duplicates")
    lead.sees("Keep the first, reject the others")
    lead.press(re.compile("Reject 2 records"))
    lead.sees("Rejected 2 records")
    lead.settled()


def the_checks_see_the_new_texts(lead: Person) -> None:
    """What was masked and fixed has to be looked at again."""
    lead.go("cleaning")
    lead.press("Run the checks")
    lead.sees("You can leave this page")
    expect(lead.main.get_by_text(re.compile(r"The last run looked at \d records"))).to_be_visible(timeout=LONG * 1000)
    lead.settled()
    lead.sees("All 13 records were seen by all checks")
    lead.sees("Nothing is open")


def all_is_approved(lead: Person) -> None:
    lead.go("records")
    lead.choose("Status", re.compile("^Waiting"))
    lead.page.keyboard.press("Escape")
    lead.sees("11 of 13 records")
    lead.page.get_by_text("Decide on all 11 records of this list").click()
    lead.page.get_by_test_id("stButtonGroup").get_by_text("Approve", exact=True).click()
    lead.sees("11 of 11 will be approved.")
    lead.fill("Why?", "Read, all of them.")
    lead.page.keyboard.press("Tab")
    lead.settled()
    lead.press("Approve 11 records")
    lead.sees("11 records are approved")


def a_snapshot_is_frozen(lead: Person) -> None:
    lead.go("snapshots")
    lead.sees("Would enter")
    lead.fill("Name", "The folder")
    lead.press("Freeze")
    lead.sees("Snapshot 1 is frozen with 11 records")


def what_is_frozen_is_nobodys(data: Path) -> None:
    """Reads the folder that a model would learn from."""
    (snapshot,) = (data / "snapshots").iterdir()
    frozen = "".join(path.read_text(encoding="utf-8") for path in sorted(snapshot.glob("*.jsonl")))
    assert [secret for secret in SECRETS if secret.lower() in frozen.lower()] == []
    assert {name for name, words in FROM_EACH.items() if words not in frozen} == set()
    rows = [json.loads(line) for line in frozen.splitlines()]
    talks = [tuple(turn["content"].lower() for turn in row["messages"] if turn["role"] != "system") for row in rows]
    assert len(set(talks)) == len(talks)
    assert sum(PARCEL in talk[0] for talk in talks) == 1


def what_the_manual_says_is_an_faq(url: str) -> None:
    database = Database(url)
    with database.reading() as session:
        kept = session.exec(select(FaqRevision.answer).where(FaqRevision.state == FaqState.APPROVED)).all()
    database.dispose()
    assert sorted(answer.split()[0] for answer in kept) == ["Unused", "Wipe"]
