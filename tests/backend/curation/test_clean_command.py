"""`clean` on the command line: JSON out, lines or a bar while it goes on, clear words for what it does not know."""

from __future__ import annotations

import io
import json

import pytest
from sqlmodel import select

from backend.__main__ import main
from backend.curation.bar import Bar
from backend.runtime import Runtime
from backend.store.records import Finding
from backend.vocabulary import FindingKind
from tests.factories import a_project, a_record


@pytest.fixture
def shop(house: Runtime) -> Runtime:
    with house.database.writing() as session:
        project = a_project(session)
        a_record(session, project, prompt="Where is it?", answer="On its way.<br/>Write to ann@example.org")
        session.commit()
    return house


def test_chosen_checks_run_and_what_they_found_is_printed(shop: Runtime, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["clean", "--project", "shop", "--checks", "text,personal", "--workers", "1"]) == 0
    told = capsys.readouterr()
    printed = json.loads(told.out)
    assert {name: printed[name] for name in ("status", "checks", "records", "findings")} == {
        "status": "succeeded", "checks": ["text", "personal"], "records": 1, "findings": {"email": 1, "markup": 1},
    }  # fmt: skip
    assert "Looking at records: 1 of 1" in told.err
    with shop.database.reading() as session:
        assert {finding.kind for finding in session.exec(select(Finding))} == {FindingKind.EMAIL, FindingKind.MARKUP}
    assert main(["clean", "--project", "shop", "--checks", "text"]) == 0
    assert json.loads(capsys.readouterr().out)["records"] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--project", "shop", "--checks", "text,speling"], "There is no check called 'speling'. There are: text, language"),
        (["--project", "nowhere"], "There is no project 'nowhere'"),
        (["--project", "shop", "--workers", "0"], "At least one process"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(
    shop: Runtime, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert main(["clean", *arguments]) == 1
    assert said in capsys.readouterr().err


def test_a_bar_is_drawn_where_people_look_on_and_lines_where_not() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    drawn, lines = Terminal(), io.StringIO()
    for out in (drawn, lines):
        bar = Bar(out, every=0.0)
        bar.tell("Looking", 0, 4)
        bar.tell("Looking", 4, 4)
        bar.tell("Comparing", 0, 2)
        bar.end()
    assert "\r\x1b[2K[" + "█" * 30 + "] Looking: 4 of 4" in drawn.getvalue()
    assert drawn.getvalue().count("\n") == 2
    assert [line.split(",")[0] for line in lines.getvalue().splitlines()] == [
        "Looking: 0 of 4", "Looking: 4 of 4", "Comparing: 0 of 2",
    ]  # fmt: skip
