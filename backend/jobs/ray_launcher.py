"""Starts the trainer as a job of a Ray cluster, which places it on whichever node has room.

Every node sees the data folder, the program and its Python at the same paths as the worker does (a shared file system, or
images that are alike). So the log, the checkpoints, STOP and the results go through the run folder as they do for children
of this machine, and only the life of the child is asked of the cluster. A submission is named by the job's nonce: each
attempt has its own, and any worker finds it again.

The job table is the truth. A head that was started anew knows no old submission: after a time in which the old head's nodes
end by themselves, such a job ended if it left its results, and has vanished otherwise. A head that stays silent says
nothing about its jobs, which may go on: they are lost after a while, and a person decides.

Not promised: that a job which the cluster has no room for starts; Ray gives it up after 15 minutes. Nodes bring their own
environment; what is given with a job can be read by whoever may see the cluster, so no secret is.
"""

from __future__ import annotations

import shlex
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from backend.jobs import outcomes, processes
from backend.jobs.launcher import ROOT, Launch, Launcher, LocalLauncher, child_environment, prepare
from backend.jobs.outcomes import Ended
from backend.jobs.processes import Identity
from backend.jobs.ray_head import LIVING, SUCCEEDED, WAITING, Head, HeadAway, HeadRefused, Told
from backend.jobs.states import End
from backend.settings import Settings
from trainer import contract

log = structlog.get_logger("worker")
_UNSEEN = 72
"""The exit code of a node that does not see the run folder or the program's."""
_NO_MORE = 73
"""The exit code of a job that was to stop before it had started."""
_NOT_STARTED = frozenset({126, 127})
"""A shell's exit codes for a program that is not there."""

_FORGOTTEN = "The Ray cluster does not know this job any more: its head was started anew."
_AWAY = "The Ray cluster could not be reached for a long time. Make sure that the job no longer runs there, then try it again."
_NEVER_SENT = "The Ray cluster could not be reached when the job was to start."
_REFUSED = "The Ray cluster refused this job; the worker's log says why."
_WITHDRAWN = "Stopped before the Ray cluster had room for it."
_NO_PLACE = (
    "The Ray cluster's node does not see the run folder or the program. Mount the data folder and the program at the same "
    "paths on every node as on the worker's machine, then try the job again."
)
_NO_PROGRAM = "The trainer was not found on the Ray cluster's node: its Python must be at the same path there as here."
_WHY = {
    "JOB_SUPERVISOR_ACTOR_START_TIMEOUT": "The Ray cluster had no room for this job in time. Wait until others have ended, or "
    "ask for less (TOUCHSTONE_RAY_CPUS, TOUCHSTONE_RAY_GPUS).",
    "JOB_SUPERVISOR_ACTOR_UNSCHEDULABLE": "The Ray cluster has no node for this job. Ask for less (TOUCHSTONE_RAY_CPUS, "
    "TOUCHSTONE_RAY_GPUS).",
    "JOB_SUPERVISOR_ACTOR_DIED": "The node of the Ray cluster that ran this job was lost.",
}


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds: until a forgotten job has ended for sure (nodes whose head is gone end after 60, also when another has taken its
    place: 58 were measured), until the jobs of a silent head are lost, between two questions to one, and until a child that
    got SIGTERM gets SIGKILL.
    """

    forgotten: float = 75.0
    silent: float = 300.0
    again: float = 5.0
    kill: int = 30


@dataclass(slots=True)
class _Watch:
    """What was seen of one submission."""

    told: Told | None = None
    forgotten: float | None = None
    """Since when the head has not known it."""
    silent: float | None = None
    """Since when the head has not answered."""
    request: dict[str, Any] | None = None
    """What is still to be handed in, because the head has surely not got it."""
    refused: bool = False
    withdrawn: bool = False
    """It was to be stopped while it still waited for room."""


class RayLauncher:
    """Children on a Ray cluster. Those that a worker of this machine left here are looked after as before."""

    def __init__(
        self,
        settings: Settings,
        head: Head,
        *,
        program: Sequence[str] = (),
        patience: Patience | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.machine = f"{processes.CLUSTER}{head.address}"[:64]
        self._settings, self._head, self._clock = settings, head, clock
        self._program = tuple(program) or (sys.executable, "-m", "trainer")
        self._patience = patience or Patience()
        self._here: Launcher = LocalLauncher(settings)
        self._watches: dict[str, _Watch] = {}
        self._greeted: float | None = None
        self._away: float | None = None

    def is_ready(self) -> bool:
        """Whether the head answers and lets this worker in; asked anew every few seconds."""
        if self._greeted is None or self._clock() - self._greeted >= self._patience.again:
            try:
                self._asked(self._head.greet)
                self._greeted = self._clock()
            except HeadAway:
                return False
        return self._greeted is not None

    def start(self, launch: Launch) -> Identity:
        """Make the job ready to be handed in. What the trainer prints is added to the log of its folder."""
        prepare(launch)
        self._watches[launch.nonce] = _Watch(request=self._request(launch))
        return self._identity(launch.nonce)

    def find(self, machine: str, nonce: str) -> Identity | None:
        """A job that another worker handed to this cluster."""
        if machine == self.machine:
            return self._identity(nonce)
        if machine:
            return None
        try:
            return self._identity(nonce) if self._asked(lambda: self._head.look(_submission(nonce))) else None
        except HeadAway:
            return self._identity(nonce)  # it may have been handed in; a second one beside it would spoil both

    def is_alive(self, identity: Identity) -> bool:
        """Whether the cluster runs the job or has it waiting, or may, as long as it does not say.

        A job is handed in here, at the first look or once the head takes it. Whether a head that fell silent meanwhile has
        taken it is found out by looking, never by handing it in twice.
        """
        if identity.machine != self.machine:
            return self._here.is_alive(identity)
        watch = self._watches.setdefault(identity.nonce, _Watch())
        at, submission = self._clock(), _submission(identity.nonce)
        try:
            if watch.request is not None:
                self._hand_in(submission, watch)
            watch.told = None if watch.refused else self._asked(lambda: self._head.look(submission))
        except HeadAway:
            watch.silent = at if watch.silent is None else watch.silent
            return not watch.withdrawn and at - watch.silent < self._patience.silent
        watch.silent = None
        if watch.refused or watch.withdrawn:
            return False
        if watch.told is None:
            watch.forgotten = at if watch.forgotten is None else watch.forgotten
            return at - watch.forgotten < self._patience.forgotten
        watch.forgotten = None
        return watch.told.status in LIVING

    def ended(self, identity: Identity, folder: Path) -> Ended:
        """How the job ended: by what the cluster says, by its files where that says nothing."""
        if identity.machine != self.machine:
            return self._here.ended(identity, folder)
        watch = self._watches.pop(identity.nonce, _Watch())
        if watch.refused:
            return Ended(End.REFUSED, None, _REFUSED)
        if watch.withdrawn:
            return Ended(End.STOPPED, None, _WITHDRAWN)
        if watch.request is not None:
            return Ended(End.VANISHED, None, _NEVER_SENT)
        code = _exit_code(watch.told) if watch.silent is None else None
        if code == _NO_MORE:
            return Ended(End.STOPPED, code, _WITHDRAWN)
        if code == _UNSEEN:
            return Ended(End.REFUSED, code, _NO_PLACE)
        if code in _NOT_STARTED:
            return Ended(End.REFUSED, code, _NO_PROGRAM)
        files = outcomes.read_end(folder, code)
        if code is not None or files.end is not End.VANISHED:
            return files
        if watch.silent is not None:
            return Ended(End.VANISHED, None, _AWAY, may_retry=False)
        if watch.told is None:
            return Ended(End.VANISHED, None, _FORGOTTEN)
        return Ended(End.VANISHED, None, _WHY.get(watch.told.error, "The job was ended on the Ray cluster."))

    def end(self, identity: Identity, number: signal.Signals) -> None:
        """Have the cluster end the job; it sends SIGTERM and, after a while, SIGKILL. One that waits for room is withdrawn."""
        if identity.machine != self.machine:
            self._here.end(identity, number)
            return
        watch = self._watches.setdefault(identity.nonce, _Watch())
        if watch.request is not None:
            watch.withdrawn, watch.request = True, None
            return
        try:
            self._asked(lambda: self._head.stop(_submission(identity.nonce)))
        except HeadAway:
            return  # asked again at the next look, which notices the silence too
        watch.withdrawn = watch.told is not None and watch.told.status == WAITING

    def _hand_in(self, submission: str, watch: _Watch) -> None:
        """Raises HeadAway where the head has surely not got it; the request is kept for the next time."""
        request = watch.request or {}
        try:
            self._asked(lambda: self._head.submit(submission, request))
        except HeadAway as away:
            if not away.sent:
                raise
        except HeadRefused as refused:
            log.error("ray_refused_job", submission=submission, reason=str(refused))
            watch.refused = True
        watch.request = None

    def _identity(self, nonce: str) -> Identity:
        return Identity(self.machine, 0, 0.0, nonce)

    def _request(self, launch: Launch) -> dict[str, Any]:
        given = child_environment(self._settings, {}) | {
            processes.NONCE: launch.nonce,
            "RAY_JOB_STOP_WAIT_TIME_S": str(self._patience.kill),
        }
        return {
            "entrypoint": entrypoint([*self._program, *launch.arguments], launch.folder),
            "runtime_env": {"env_vars": given},
            "metadata": {"title": launch.title},
            **self._room(launch.folder),
        }

    def _room(self, folder: Path) -> dict[str, Any]:
        """What the job takes on its node: as much for each of its processes, and nothing where it is spread over several
        nodes, because then it asks for its processes' room itself."""
        config = outcomes.read_object(folder / contract.CONFIG) or {}
        times = 0 if int(config.get("nodes", 1)) > 1 else int(config.get("processes", 1))
        return {
            "entrypoint_num_cpus": self._settings.ray_cpus * times,
            "entrypoint_num_gpus": self._settings.ray_gpus * times,
        }

    def _asked(self, question: Callable[[], Any]) -> Any:
        """The head's answer. One that was silent is left alone for a moment, so that its jobs hold up nothing else."""
        at = self._clock()
        if self._away is not None and at - self._away < self._patience.again:
            raise HeadAway("asked a moment ago", sent=False)
        try:
            answer = question()
        except HeadAway as away:
            if self._away is None:
                log.warning("ray_head_away", address=self._head.address, reason=str(away))
            self._away, self._greeted = self._clock(), None
            raise
        if self._away is not None:
            log.info("ray_head_is_back", address=self._head.address)
        self._away = None
        return answer


def entrypoint(command: Sequence[str], folder: Path) -> str:
    """The shell line that a node runs. A job that was to stop before it started stops before it starts."""
    home, output = shlex.quote(str(ROOT)), shlex.quote(str(folder / contract.LOG))
    stop = shlex.quote(str(folder / contract.STOP))
    return (
        f"cd {home} && test -w {output} || exit {_UNSEEN}; test -e {stop} && exit {_NO_MORE}; "
        f"exec {shlex.join(command)} >> {output} 2>&1"
    )


def _submission(nonce: str) -> str:
    return f"touchstone-{nonce}"


def _exit_code(told: Told | None) -> int | None:
    if told is None:
        return None
    return contract.Exit.OK if told.status == SUCCEEDED else told.exit_code
