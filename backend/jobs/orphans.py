"""Jobs whose worker is gone: which ones, and what became of their children.

A worker is gone when its lease has run out, or at once when it was a process of this machine that no longer lives. Its
child can be judged where it was started: on this machine by its identity, after a restart of the machine it is dead. What
runs on a cluster the launcher knows. On another machine it cannot be judged; after ten leases without a sign the job counts
as lost.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from backend.jobs import outcomes, processes
from backend.jobs.launcher import Launcher
from backend.jobs.outcomes import Ended
from backend.jobs.processes import Identity
from backend.jobs.states import End
from backend.store.base import now
from backend.store.models import Job

_NAME = re.compile(r"(?P<host>.*) (?P<pid>\d+)/(?P<started>[\d.]+)@(?P<machine>[0-9a-f]{12})")
SILENT_LEASES = 10


@dataclass(frozen=True, slots=True)
class Orphan:
    """A job without a worker. `identity` is its living child; without one, `elsewhere` says that nobody could look."""

    identity: Identity | None = None
    elsewhere: bool = False


def worker_name(host: str, pid: int) -> str:
    """A worker's name: for people the host and pid, for `judge` whether that process still is the one."""
    return f"{host[:60]} {pid}/{processes.started(pid) or 0:.2f}@{_machine_tag()}"


def _machine_tag() -> str:
    return hashlib.sha256(processes.here().encode()).hexdigest()[:12]


def judge(job: Job, worker: str, *, launcher: Launcher, lease_seconds: int) -> Orphan | None:
    """What to make of an active job; None while its worker may still attend it."""
    lease = job.lease_expires_at
    expired = lease is None or lease <= now()
    holder, me = _NAME.fullmatch(job.worker), _NAME.fullmatch(worker)
    was_here = holder is not None and holder["machine"] == _machine_tag()
    if not expired and not (holder is not None and was_here and _is_gone(holder)):
        return None
    is_here = job.boot_id == processes.here() or (was_here and not job.boot_id)
    child = (_living_child(job) if is_here else None) or launcher.find(job.boot_id, job.nonce)
    if child is not None or is_here:
        return Orphan(child)
    on_cluster = job.boot_id.startswith(processes.CLUSTER)
    if not on_cluster and holder is not None and me is not None and holder["host"] == me["host"]:
        return Orphan()  # the machine or its container was restarted, and nothing survives that
    silent = lease is None or lease + timedelta(seconds=lease_seconds * SILENT_LEASES) <= now()
    return Orphan(elsewhere=True) if silent else None


def has_ended(worker: str) -> bool:
    """Whether a worker was a process of this machine that no longer lives; False where that cannot be told."""
    name = _NAME.fullmatch(worker)
    return name is not None and name["machine"] == _machine_tag() and _is_gone(name)


def _is_gone(holder: re.Match[str]) -> bool:
    began = processes.started(int(holder["pid"]))
    return began is None or f"{began:.2f}" != holder["started"]


def _living_child(job: Job) -> Identity | None:
    """The job's child, also one whose worker died before it could note who it is."""
    if job.pid is not None and job.pid_started is not None:
        known = Identity(job.boot_id, job.pid, job.pid_started, job.nonce)
        return known if processes.is_alive(known) else None
    leaders = [pid for pid in processes.find(job.nonce) if os.getpgid(pid) == pid]
    # torchrun's processes lead groups of their own; the child began before them.
    first = min(leaders, key=lambda pid: processes.started(pid) or float("inf"), default=None)
    return processes.identify(first, job.nonce) if first is not None else None


def ended(folder: Path, orphan: Orphan, nonce: str) -> Ended:
    """How the child of an orphaned job ended. What it started and left behind here is ended first."""
    if orphan.elsewhere:
        message = "The machine that ran this job fell silent. Make sure that it no longer runs there, then try it again."
        return Ended(End.VANISHED, None, message, may_retry=False)
    processes.end_strays(nonce)
    return outcomes.read_end(folder, None)
