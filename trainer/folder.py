"""The run folder as files: metrics, status, errors and the wish to stop. Names are those of `trainer.contract`.

`status.json`, `result.json` and `error.json` are replaced atomically, so a reader never sees half of one. `metrics.jsonl`
only grows, except that `rewind` drops what a killed run wrote after the checkpoint that is resumed from.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import logging
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import FrameType
from typing import Any

from trainer import contract
from trainer.recorders import Recorder
from trainer.told import ConfigError

log = logging.getLogger("trainer")


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Replaces `path` by the object in one step."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(json.dumps(value, ensure_ascii=False, indent=1), encoding="utf-8")
    os.replace(temporary, path)


def write_lines(path: Path, lines: Iterable[dict[str, Any]]) -> None:
    """Replaces `path` by the objects, one a line, in one step."""
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    os.replace(temporary, path)


class Refused(ConfigError):
    """What was asked would spoil a folder that holds something else; nothing is written there."""


@contextlib.contextmanager
def held(folder: Path, patience: float = 30.0) -> Iterator[None]:
    """Within, no other process trains in the folder. One that was killed a moment ago may still be ending. Raises Refused."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / contract.LOCK).open("a") as lock:
        until = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise Refused(f"Another process trains in {folder}. Wait until it has ended, or stop it.") from None
                time.sleep(0.2)
            except OSError as error:
                log.warning("the folder cannot be locked (%s); see that no other process trains there", error)
                break
        yield


class RunFolder:
    """Writes one run's files."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.recorders: list[Recorder] = []
        path.mkdir(parents=True, exist_ok=True)

    @property
    def checkpoints(self) -> Path:
        """Where the run's checkpoints lie."""
        return self.path / contract.CHECKPOINTS

    def metric(self, event: str, **values: Any) -> None:
        """Appends one line to the metrics. Numbers that are not finite become null, which every JSON reader takes."""
        row = {"event": event} | {key: _finite(value) for key, value in values.items()}
        with (self.path / contract.METRICS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
        for recorder in self.recorders:
            recorder.record(event, row)

    def rewind(self, step: int) -> None:
        """Drops metrics of steps after `step`, and a last line that was cut off."""
        path = self.path / contract.METRICS
        if not path.exists():
            return
        kept = []
        for line in path.read_text(encoding="utf-8", errors="replace").split("\n"):  # other line breaks may stand in texts
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if row.get("step", 0) <= step:
                kept.append(line)
        temporary = path.with_name(f".{path.name}.tmp")
        temporary.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
        os.replace(temporary, path)

    def status(self, state: str, *, step: int, total_steps: int, epoch: float, message: str = "") -> None:
        """Says where the run stands: state is running, finished, stopped or failed."""
        value = {"state": state, "step": step, "total_steps": total_steps, "epoch": round(epoch, 3), "message": message}
        write_json(self.path / contract.STATUS, value | {"updated": time.time()})

    def error(self, kind: str, message: str) -> None:
        """Says why the run failed. On a full disk it is tried and, if need be, given up: the exit code still tells."""
        try:
            write_json(self.path / contract.ERROR, {"kind": kind, "message": message})
            last = self.path / contract.STATUS
            status = json.loads(last.read_text(encoding="utf-8")) if last.exists() else {}
            where = {"step": status.get("step", 0), "total_steps": status.get("total_steps", 0)}
            self.status("failed", **where, epoch=status.get("epoch", 0.0), message=message)
        except (OSError, ValueError) as error:
            if not is_disk_full(error):
                raise


class Onlooker(RunFolder):
    """A run folder that another process writes."""

    def metric(self, event: str, **values: Any) -> None:
        """Nothing."""

    def rewind(self, step: int) -> None:
        """Nothing."""

    def status(self, state: str, *, step: int, total_steps: int, epoch: float, message: str = "") -> None:
        """Nothing."""

    def error(self, kind: str, message: str) -> None:
        """Nothing."""


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def is_disk_full(error: BaseException | None) -> bool:
    """Whether the error, or one that it came from, says that the disk or quota is full."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if "No space left on device" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


@contextlib.contextmanager
def on_signals(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Within, SIGTERM and SIGINT call the handler. Only a program's main thread hears them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, was in before.items():
            signal.signal(number, was)


class StopRequest:
    """Whether somebody wants the run to stop: the STOP file, or SIGTERM. Asked at every step boundary."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / contract.STOP
        self._signalled = False

    def listening(self) -> AbstractContextManager[None]:
        """Within, SIGTERM and SIGINT mean: stop at the next step boundary."""
        return on_signals(self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._signalled = True

    def __bool__(self) -> bool:
        return self._signalled or self._file.exists()

    def clear(self) -> None:
        """Forgets an earlier wish, as a resumed run must."""
        self._file.unlink(missing_ok=True)
