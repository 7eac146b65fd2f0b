"""Who a child process is, whether it lives, and how its whole group is ended.

A pid alone is not an identity: it is used again. A child is known by the machine's boot and process namespace, its pid,
the moment that pid began (in clock ticks, which no clock change moves) and a nonce in its environment. A zombie counts
as dead. A signal is sent only after the identity was checked, and to the group that the child leads.

Not promised: anything about processes of another machine or container; `here()` says which ones can be judged.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

NONCE = "TOUCHSTONE_JOB_NONCE"
"""The variable that marks a child and all that it starts."""
CLUSTER = "ray:"
"""How the `machine` of a child begins that a cluster runs; no process here can be told from it."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A child. `machine` is `here()` of where it was started, or names the cluster that runs it; pid and time are 0 then."""

    machine: str
    pid: int
    started: float
    nonce: str


@cache
def here() -> str:
    """The machine's boot id and, where there are such, the process namespace: containers of one host have different ones."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        boot = f"boot-{psutil.boot_time():.0f}"
    with contextlib.suppress(OSError):
        boot += "/" + os.readlink("/proc/self/ns/pid").strip("pid:[]")
    return boot[:64]


def started(pid: int) -> float | None:
    """When this pid began, as a number that only this process has; None when it is gone or a zombie."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return None if after_name[0] in "ZX" else float(after_name[19])
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return None
    except (OSError, IndexError, ValueError):
        return None
    return _started_by_psutil(pid)


def _started_by_psutil(pid: int) -> float | None:
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.Error:
        return None


def identify(pid: int, nonce: str) -> Identity | None:
    """The identity of a living process, or None."""
    began = started(pid)
    return None if began is None else Identity(here(), pid, began, nonce)


def is_alive(identity: Identity) -> bool:
    """Whether this very process lives. Only for identities of this machine."""
    return identity.machine == here() and started(identity.pid) == identity.started


def find(nonce: str) -> list[int]:
    """Living processes that carry the nonce: the child and what it started, whoever their parent is now."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(NONCE) == nonce and started(process.pid) is not None:
                found.append(process.pid)
    return found


@contextlib.contextmanager
def leaving_on_sigterm() -> Iterator[None]:
    """Within, SIGTERM ends this process as an exception does, so that what it holds is let go; after it, as before."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def end_group(identity: Identity, number: signal.Signals) -> None:
    """Send a signal to the child's group; what is left of the group when its leader is gone gets it one by one."""
    if is_alive(identity):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(identity.pid, number)
        return
    end_strays(identity.nonce, number)


def end_strays(nonce: str, number: signal.Signals = signal.SIGKILL) -> int:
    """Signal every process that carries the nonce; returns how many there were."""
    strays = find(nonce)
    for pid in strays:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
    return len(strays)
