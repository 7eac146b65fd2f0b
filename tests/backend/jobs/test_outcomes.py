"""How an end is read from an exit code or from files, and the log's tail."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backend.jobs.outcomes import progress, read_end, tail
from backend.jobs.states import End


@pytest.mark.parametrize(
    ("code", "end"),
    [(0, End.OK), (3, End.STOPPED), (2, End.REFUSED), (4, End.REFUSED), (5, End.REFUSED), (6, End.REFUSED), (1, End.CRASHED)],
)
def test_exit_codes_are_those_of_the_contract(tmp_path: Path, code: int, end: End) -> None:
    assert read_end(tmp_path, code).end is end


def test_a_signal_is_named(tmp_path: Path) -> None:
    found = read_end(tmp_path, -9)
    assert (found.end, found.message) == (
        End.CRASHED,
        "The trainer was ended by SIGKILL. Often that means that the machine ran out of memory.",
    )


@pytest.mark.parametrize(
    ("files", "end"),
    [
        ({"result.json": {}}, End.OK),
        ({"report.json": {}}, End.OK),
        ({"error.json": {"kind": "disk_full", "message": "Full."}}, End.REFUSED),
        ({"error.json": {"kind": "crash", "message": "Oh."}}, End.CRASHED),
        ({"status.json": {"state": "stopped"}}, End.STOPPED),
        ({"status.json": {"state": "running"}}, End.VANISHED),
        ({}, End.VANISHED),
    ],
)
def test_without_an_exit_code_the_files_tell(tmp_path: Path, files: dict[str, object], end: End) -> None:
    for name, value in files.items():
        (tmp_path / name).write_text(json.dumps(value))
    assert read_end(tmp_path, None).end is end


def test_the_message_comes_from_the_last_line_of_the_log_where_there_is_no_error_file(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text('noise\n{"error": "bad_config", "message": "data must name the snapshot folder."}\n')
    assert read_end(tmp_path, 2).message == "data must name the snapshot folder."


def test_a_hostile_status_is_reduced_to_what_every_database_takes(tmp_path: Path) -> None:
    (tmp_path / "status.json").write_text(
        '{"step": NaN, "epoch": 1e999, "total_steps": 7, "message": "a\\u0000b\\ud800", "state": ["x"], "more": {"deep": 1}}'
    )
    assert progress(tmp_path) == {"total_steps": 7, "message": "ab?"}


def test_a_broken_status_is_no_progress(tmp_path: Path) -> None:
    (tmp_path / "status.json").write_text("{")
    assert progress(tmp_path) == {}


def test_the_tail_of_a_long_log_begins_with_a_whole_line(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_text("".join(f"line {number}\n" for number in range(1000)))
    shown = tail(path, 100)
    assert shown.startswith("line 9")
    assert shown.endswith("line 999\n")
    assert len(shown) <= 100
    assert tail(tmp_path / "none") == ""
