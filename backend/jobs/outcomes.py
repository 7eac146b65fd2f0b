"""How a child ended, from its exit code where this worker is its parent, else from the files that it left.

A worker that adopted a child cannot ask for its exit code. The trainer writes its result last and its error when it ends,
so the files tell the same. Not promised: the exit code itself for adopted children, it is None there.
"""

from __future__ import annotations

import json
import math
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.jobs.states import End
from backend.vocabulary import JobStatus
from trainer import contract
from trainer.contract import Exit

_REFUSALS = frozenset({Exit.BAD_INPUT, Exit.OUT_OF_MEMORY, Exit.DISK_FULL, Exit.NOT_FINITE})
_MOST = 1 << 20
"""Bytes of a status or error file that are read; theirs are some hundred."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A job's end. `message` is a sentence for people, empty for a success."""

    status: JobStatus
    exit_code: int | None
    folder: Path
    message: str


Collector = Callable[..., None]
"""`collect(*, session, settings, job, outcome)`: takes in what a succeeded job left; the worker commits."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What a child's exit code and files say."""

    end: End
    exit_code: int | None
    message: str
    may_retry: bool = True


def read_end(folder: Path, exit_code: int | None) -> Ended:
    """What became of the child whose files are in `folder`."""
    if exit_code is None:
        return _from_files(folder)
    if exit_code == Exit.OK:
        return Ended(End.OK, exit_code, "")
    if exit_code == Exit.STOPPED:
        return Ended(End.STOPPED, exit_code, "Stopped; a checkpoint was kept.")
    if exit_code in _REFUSALS:
        fallback = f"The trainer refused this job (exit code {exit_code}); its log says why."
        return Ended(End.REFUSED, exit_code, error_message(folder) or fallback)
    return Ended(End.CRASHED, exit_code, _crash(folder, exit_code))


def _from_files(folder: Path) -> Ended:
    if (folder / contract.RESULT).exists() or (folder / contract.REPORT).exists():
        return Ended(End.OK, None, "")
    error = read_object(folder / contract.ERROR)
    if error:
        end = End.CRASHED if error.get("kind") == "crash" else End.REFUSED
        return Ended(end, None, error_message(folder) or "The trainer failed; its log says why.")
    if (read_object(folder / contract.STATUS) or {}).get("state") == "stopped":
        return Ended(End.STOPPED, None, "Stopped; a checkpoint was kept.")
    return Ended(End.VANISHED, None, "The trainer's process vanished: it was killed, or the machine went down.")


def _crash(folder: Path, exit_code: int) -> str:
    if exit_code < 0:
        try:
            name = signal.Signals(-exit_code).name
        except ValueError:
            name = f"signal {-exit_code}"
        hint = " Often that means that the machine ran out of memory." if name == "SIGKILL" else ""
        return f"The trainer was ended by {name}.{hint}"
    return error_message(folder) or f"The trainer crashed (exit code {exit_code}); its log says where."


def error_message(folder: Path) -> str:
    """The message of error.json, or of the JSON object that the program's last line is; empty where there is none."""
    error = read_object(folder / contract.ERROR)
    if error is None:
        lines = tail(folder / contract.LOG, 8192).strip().splitlines()
        error = _parsed(lines[-1]) if lines else None
    message = (error or {}).get("message")
    return _storable(message, 2000) if isinstance(message, str) else ""


def read_object(path: Path) -> dict[str, Any] | None:
    """The JSON object in a small file; None where there is none that can be read."""
    try:
        with path.open("rb") as file:
            return _parsed(file.read(_MOST).decode("utf-8", errors="replace"))
    except OSError:
        return None


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def tail(path: Path, most: int = 64_000) -> str:
    """The last `most` bytes of a text file, from the first whole line on; empty where there is none."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - most))
            data = file.read(most)
    except OSError:
        return ""
    text = data.decode("utf-8", errors="replace")
    return text.partition("\n")[2] if size > most and "\n" in text else text


def progress(folder: Path) -> dict[str, Any]:
    """What status.json says, reduced to what the table keeps and can keep."""
    status = read_object(folder / contract.STATUS) or {}
    kept: dict[str, Any] = {}
    for key in ("state", "step", "total_steps", "epoch", "message", "updated"):
        value = status.get(key)
        if isinstance(value, str):
            kept[key] = _storable(value, 500)
        elif isinstance(value, int | float) and math.isfinite(value):
            kept[key] = value
    return kept


def _storable(text: str, most: int) -> str:
    """Text that every database takes: no NUL, no half characters."""
    return text[:most].replace("\x00", "").encode("utf-8", errors="replace").decode("utf-8")
