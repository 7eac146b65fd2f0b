"""Starts the trainer as a child of its own session, whose output goes to a file, and ends it again.

The child survives its worker: it has no pipe to it and is in another process group. It gets the environment without the
secrets of `Settings`, because it needs neither the database nor the identity provider.
"""

from __future__ import annotations

import dataclasses
import errno
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from backend.errors import ServiceUnavailable
from backend.jobs import outcomes, processes
from backend.jobs.outcomes import Ended
from backend.jobs.processes import Identity
from backend.settings import Settings
from trainer import contract

ROOT = Path(__file__).resolve().parents[2]
"""Where `python -m trainer` is found, whatever folder the worker was started in."""


@dataclass(frozen=True, slots=True)
class Launch:
    """What is started: the trainer's arguments, the folder of its files, and the nonce that marks it."""

    arguments: tuple[str, ...]
    folder: Path
    nonce: str
    title: str
    """A line for the log: which attempt of which job."""
    keeps: bool = False
    """Whether an earlier attempt's results are gone on from, and so are left where they are."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """What a child of this machine is told beside what all are told: which GPUs are its own."""


class Launcher(Protocol):
    """What a worker needs to run children somewhere."""

    def is_ready(self) -> bool:
        """Whether a child can be started now. While not, jobs wait in the queue."""
        ...

    def start(self, launch: Launch) -> Identity:
        """Start a child. Raises ServiceUnavailable with a sentence when it cannot be started."""
        ...

    def find(self, machine: str, nonce: str) -> Identity | None:
        """A child that another worker started through such a launcher; `machine` is empty where it was not noted."""
        ...

    def ended(self, identity: Identity, folder: Path) -> Ended:
        """How a child ended that does not live any more."""
        ...

    def is_alive(self, identity: Identity) -> bool:
        """Whether the child lives."""
        ...

    def end(self, identity: Identity, number: signal.Signals) -> None:
        """Send a signal to the child and to all that it started."""
        ...


class LocalLauncher:
    """Children on this machine. Their environment is this process's unless another is given."""

    def __init__(self, settings: Settings, environ: Mapping[str, str] | None = None, program: Sequence[str] = ()) -> None:
        self._program = tuple(program) or (sys.executable, "-m", "trainer")
        self._environ = child_environment(settings, os.environ if environ is None else environ)
        self._children: dict[int, subprocess.Popen[bytes]] = {}

    def is_ready(self) -> bool:
        """Always."""
        return True

    def start(self, launch: Launch) -> Identity:
        """Start a child. What it prints is added to the log of its folder."""
        prepare(launch)
        try:
            with (launch.folder / contract.LOG).open("ab") as output:
                child = subprocess.Popen(  # noqa: S603 - no shell; the arguments were made by a use-case
                    [*self._program, *launch.arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=ROOT,
                    env=self._environ | {**launch.environment, processes.NONCE: launch.nonce},
                    start_new_session=True,
                )
        except OSError as error:
            raise ServiceUnavailable(_why_not(error)) from error
        self._children[child.pid] = child
        identity = processes.identify(child.pid, launch.nonce)
        return identity or Identity(processes.here(), child.pid, 0.0, launch.nonce)  # it has ended already

    def find(self, machine: str, nonce: str) -> Identity | None:
        """Nothing: children of this machine are found by their identity (`orphans`)."""
        return None

    def ended(self, identity: Identity, folder: Path) -> Ended:
        """How a child ended: by its exit code, or by its files where this process is not its parent."""
        return outcomes.read_end(folder, self.exit_code(identity))

    def exit_code(self, identity: Identity) -> int | None:
        """The exit code of an ended child of this process; reaps it."""
        child = self._children.get(identity.pid)
        if child is None:
            return None
        code = child.wait()
        del self._children[identity.pid]
        return code

    def is_alive(self, identity: Identity) -> bool:
        """Whether the child lives."""
        child = self._children.get(identity.pid)
        return child.poll() is None if child else processes.is_alive(identity)

    def end(self, identity: Identity, number: signal.Signals) -> None:
        """Send a signal to the child's group."""
        processes.end_group(identity, number)


def child_environment(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of a child: no secrets of ours, and as many threads as the settings say."""
    secret = {spec.metadata["variable"] for spec in dataclasses.fields(settings) if spec.metadata["secret"]}
    threads = str(settings.trainer_threads)
    return {key: value for key, value in environ.items() if key not in secret} | {
        "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }


def prepare(launch: Launch) -> None:
    """Take away what an earlier attempt said about its end, so that it is not taken for this one's, and begin the log.

    Raises ServiceUnavailable with a sentence when the folder cannot be written.
    """
    stale = [contract.STOP, contract.ERROR, contract.STATUS]
    if not launch.keeps:
        stale += [contract.RESULT, contract.REPORT]
    try:
        launch.folder.mkdir(parents=True, exist_ok=True)
        for name in stale:
            (launch.folder / name).unlink(missing_ok=True)
        with (launch.folder / contract.LOG).open("ab") as output:
            output.write(f"--- {launch.title}\n".encode())
    except OSError as error:
        raise ServiceUnavailable(_why_not(error)) from error


def _why_not(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "The disk is full, so the job could not be started. Free some space, then try the job again."
    if error.errno in (errno.EAGAIN, errno.ENOMEM):
        return "The machine has no memory or process left to start the job. Wait until others have ended, then try it again."
    return f"The job could not be started: {error.strerror or 'the trainer was not found'}. Ask whoever runs this server."
