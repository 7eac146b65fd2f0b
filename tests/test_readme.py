"""The README stays true: its settings, its tree, its commands."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pytest

from backend.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_setting_is_in_the_table_and_no_other() -> None:
    described = set(re.findall(r"^\| `([A-Z_]+)` \|", README, re.MULTILINE))
    assert described == {spec.metadata["variable"] for spec in dataclasses.fields(Settings)}


def test_every_room_of_the_house_is_in_the_tree_with_a_comment() -> None:
    tree = README.split("## The tree")[1].split("```")[1]
    lines = {line.split()[0].rstrip("/"): line.split(maxsplit=1)[1:] for line in tree.splitlines() if line.strip()}
    rooms = {path.name for path in (ROOT / "backend").iterdir() if path.is_dir() and not path.name.startswith("__")}
    modules = {path.name for path in (ROOT / "trainer").glob("*.py")} - {"__init__.py"}
    assert (rooms | modules) - set(lines) == set()
    assert [name for name, comment in lines.items() if not comment] == []


def test_the_pictures_that_it_shows_are_there() -> None:
    for path in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README):
        assert (ROOT / path).is_file(), path


def commands() -> set[str]:
    """The first words after `python -m backend` or `python -m trainer`, with their alternatives."""
    found = set()
    for program, rest in re.findall(r"python -m (backend|trainer) ([a-z][^\n#]*)", README):
        for part in rest.split("`")[0].split(" | "):
            if match := re.match(r"[a-z-]+", part.strip()):
                found.add(f"{program} {match.group()}")
    return found


@pytest.mark.parametrize("program", ["backend", "trainer"])
def test_every_command_that_it_names_exists(program: str) -> None:
    named = {command.split()[1] for command in commands() if command.startswith(program + " ")}
    assert len(named) > 5
    done = subprocess.run(
        [sys.executable, "-m", program, "--help"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert {name for name in named if not re.search(rf"\b{name}\b", done.stdout)} == set()
