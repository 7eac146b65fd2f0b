"""One of several processes of a run, as `trainer.processes` starts it: how it is told what, and how it says how it ended."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

ENDS = "TOUCHSTONE_ENDS"
"""Names the folder where each process leaves how it ended: ``<rank>.json`` with code, kind, message."""
STARTER = "TOUCHSTONE_STARTER"
"""The process that started the run, where it is on this machine: without it none of the others goes on."""
PARTS = "TOUCHSTONE_PARTS"
"""How many parts a batch is read in at least."""


def is_one_of_several() -> bool:
    """Whether this process was started as one of several of a run, by torchrun or by Ray Train."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 and "RANK" in os.environ


def is_started_by_us() -> bool:
    """Whether this process is to leave word of its end."""
    return ENDS in os.environ


def parts() -> int:
    """How many parts a batch is read in at least."""
    return int(os.environ.get(PARTS, "1"))


def meeting() -> dict[str, Any]:
    """How this process finds the others, as `init_process_group` takes it: by a file where torchrun was started by us."""
    if not is_started_by_us() or "TORCHELASTIC_RUN_ID" not in os.environ:
        return {}
    who = {"rank": int(os.environ["RANK"]), "world_size": int(os.environ["WORLD_SIZE"])}
    return {"init_method": f"file://{os.environ[ENDS]}/meeting", **who}


def note_end(code: int, kind: str = "", message: str = "") -> None:
    """Leave how this process ended."""
    path = Path(os.environ[ENDS]) / f"{os.environ.get('RANK', '0')}.json"
    path.write_text(json.dumps({"code": code, "kind": kind, "message": message}, ensure_ascii=False), encoding="utf-8")


def end_with_starters() -> None:
    """End this process when one of those that started it is gone: torchrun gives its children sessions of their own, so what
    ends its group, or the run's first process alone, does not reach them."""
    parent, starter = os.getppid(), int(os.environ.get(STARTER, "0"))

    def watch() -> None:
        while os.getppid() == parent and (not starter or _lives(starter)):
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="starters").start()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def train_in_ray(given: dict[str, Any]) -> None:
    """The program in a process that Ray Train started. Raises SystemExit where the others must not wait for this one."""
    os.environ |= given["environment"]
    from trainer.__main__ import main

    code = main(given["arguments"])
    if code:
        raise SystemExit(code)
