"""The worker: claims jobs, starts children, watches them, takes in what they leave.

Promised: a child outlives its worker, and the next worker on the machine adopts it; a job whose child is gone goes back
into the queue, as often as it may; what a job leaves is taken in by the transaction that ends it, once. While the database
is away children go on undisturbed, and what happened meanwhile is told when it is back. A child sees the GPUs that its job
holds and no others, where the worker knows of GPUs; jobs that hold none run up to TOUCHSTONE_WORKER_SLOTS at a time.

Not promised: that a job of a machine that fell silent is run elsewhere by itself. Its child may still be writing there, so
it becomes `lost`, and a person decides.
"""

from __future__ import annotations

import math
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy.exc import OperationalError

from backend.access import audit, purging
from backend.access.actors import SYSTEM
from backend.errors import ServiceUnavailable, TouchstoneError
from backend.jobs import gpus, orphans, outcomes, processes, queue, slots
from backend.jobs.launcher import Launch, Launcher
from backend.jobs.outcomes import Collector, Ended, Outcome
from backend.jobs.processes import Identity
from backend.jobs.slots import Room
from backend.jobs.states import ACTIVE, End, after
from backend.settings import Settings
from backend.store.database import Database
from backend.store.models import Job
from backend.vocabulary import JobKind, JobStatus
from trainer import contract

log = structlog.get_logger("worker")
LONGEST_WAIT = 30.0
"""Seconds between two looks at a database that is away."""
_LEFT = (contract.CHECKPOINTS, contract.STUDY, contract.RESULT)
"""What an earlier attempt leaves that the next one can go on from."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds: of a lease, between looks, until a child that was asked to stop gets SIGTERM, and then SIGKILL, until a job
    that no worker could run is refused (others may be just starting), between two rounds of housekeeping.
    """

    lease: int = 30
    poll: float = 1.0
    stop_training: float = 60.0
    stop_other: float = 2.0
    kill: float = 30.0
    refuse: float = 60.0
    sweep: float = 3600.0


@dataclass(slots=True)
class Held:
    """A job that this worker holds, and its child. `ended` is set once the child is gone and not yet told."""

    job_id: int
    attempt: int
    kind: JobKind
    folder: Any
    identity: Identity
    gpus: int = 0
    noted: bool = False
    renewed: float = 0.0
    progress: dict[str, Any] | None = None
    stopping_since: float | None = None
    terminated: bool = False
    ended: Ended | None = None


class CollectFailed(Exception):
    """What a job left could not be taken in; the message is for people."""


class Worker:
    """One worker. `step` is one look at everything, `run` looks until it is told to stop."""

    def __init__(
        self,
        *,
        database: Database,
        settings: Settings,
        launcher: Launcher,
        collectors: Mapping[JobKind, Collector],
        pace: Pace | None = None,
        name: str = "",
    ) -> None:
        self._database, self._settings, self._launcher, self._collectors = database, settings, launcher, collectors
        self.pace = pace or Pace()
        self.name = name or orphans.worker_name(socket.gethostname(), os.getpid())
        self._offer = gpus.offered(settings)
        self._began, self._signed, self._swept = time.monotonic(), -math.inf, -math.inf
        self._held: dict[int, Held] = {}
        self._leave = threading.Event()

    def leave(self) -> None:
        """Stop looking; children go on. Safe in a signal handler."""
        self._leave.set()

    def run(self, *, once: bool = False, only: int | None = None, look: Callable[[], object] | None = None) -> int:
        """Work until `leave`; with `once` until nothing is left to do. `look` is called after each look. Returns jobs held."""
        wait = self.pace.poll
        while not self._leave.is_set():
            try:
                self.step(only=only)
                wait = self.pace.poll
                if once and not self._held:
                    break
            except ServiceUnavailable as error:
                wait = min(LONGEST_WAIT, wait * 2)
                log.warning("database_away", reason=error.message, next_look_in=wait, children=len(self._held))
            except Exception as error:
                if once:
                    raise
                wait = min(LONGEST_WAIT, wait * 2)  # one job's bug must not end the worker, which watches others too
                log.error("look_failed", next_look_in=wait, exc_info=error)
            if look is not None:
                look()
            self._leave.wait(wait)
        self._release()
        return len(self._held)

    def step(self, *, only: int | None = None) -> None:
        """One look: give a sign of life, adopt what is orphaned, attend what is held, start what waits."""
        self._sign_in(only)
        self._adopt(only)
        for held in list(self._held.values()):
            self._attend(held)
        while (room := self._room()) is not None and not self._leave.is_set() and self._launcher.is_ready():
            with self._database.writing() as session:
                job = queue.claim(session, worker=self.name, seconds=self.pace.lease, only=only, room=room)
                leased = slots.leased(session, job) if job is not None and self._offer.devices else ()
            if job is None:
                break
            self._start(job, leased)

    def _room(self) -> Room | None:
        """What is left for one more job; None when there is nothing."""
        without = sum(held.gpus == 0 for held in self._held.values()) < self._settings.worker_slots
        free = len(self._offer.devices) - sum(held.gpus for held in self._held.values())
        return Room(self.name, self._offer, slot=without) if without or free > 0 else None

    # --- being there ---

    def _sign_in(self, only: int | None) -> None:
        """Tell the others now and then that this worker is there, and do what is to be done as rarely."""
        at = time.monotonic()
        if at - self._signed < self.pace.lease / 3:
            return
        with self._database.writing() as session:
            if self._signed == -math.inf or not slots.seen(session, self.name):
                machine, host = processes.here(), socket.gethostname()
                slots.leave(session, *filter(orphans.has_ended, slots.living_on(session, machine)))
                slots.register(session, worker=self.name, machine=machine, host=host, offer=self._offer)
            session.commit()
        self._signed = at
        if at - self._began >= self.pace.refuse:
            self._refuse_hopeless(only)
        if only is None and at - self._swept >= self.pace.sweep:
            self._swept = at
            with self._database.writing() as session:
                purging.purge(session=session)

    def _refuse_hopeless(self, only: int | None) -> None:
        """End the jobs that no worker could ever run, with the reason."""
        with self._database.reading() as session:
            hopeless = slots.hopeless(session)
        for job_id, why in hopeless.items():
            if only not in (None, job_id):
                continue
            with self._database.writing() as session:
                job = queue.claim(session, worker=self.name, seconds=self.pace.lease, only=job_id)
            if job is not None:
                held = self._hold(job)
                held.ended = Ended(End.REFUSED, None, why)
                self._attend(held)

    # --- starting ---

    def _hold(self, job: Job, gpus: int = 0) -> Held:
        """Note a claimed job; it has no child yet."""
        nobody = Identity(processes.here(), -1, 0.0, job.nonce)
        folder = self._settings.data / job.folder
        held = Held(job.id or 0, job.attempt, job.kind, folder, nobody, gpus, noted=True, renewed=time.monotonic())
        self._held[held.job_id] = held
        return held

    def _start(self, job: Job, leased: Sequence[str] = ()) -> None:
        folder = self._settings.data / job.folder
        arguments, resume = job.payload[queue.ARGUMENTS], job.payload.get(queue.RESUME_ARGUMENTS)
        goes_on = bool(resume) and any((folder / name).exists() for name in _LEFT)
        launch = Launch(
            arguments=tuple(resume if goes_on and resume else arguments),
            folder=folder,
            nonce=job.nonce,
            title=f"job {job.id}, attempt {job.attempt} of {job.max_attempts}" + (", from the last checkpoint" * goes_on),
            keeps=goes_on,
            environment=self._offer.environment(leased),
        )
        held = self._hold(job, len(leased))
        try:
            held.identity, held.noted = self._launcher.start(launch), False
        except ServiceUnavailable as error:
            held.ended = Ended(End.REFUSED, None, error.message)
        log.info("job_started", job=held.job_id, attempt=held.attempt, pid=held.identity.pid, resumed=goes_on, gpus=leased)
        self._attend(held)

    # --- attending ---

    def _attend(self, held: Held) -> None:
        if held.ended is None and self._launcher.is_alive(held.identity):
            self._watch(held)
            return
        if held.ended is None:
            held.ended = self._launcher.ended(held.identity, held.folder)
            processes.end_strays(held.identity.nonce)
        self._settle(held, held.ended)

    def _watch(self, held: Held) -> None:
        with self._database.reading() as session:
            job = queue.get(session, held.job_id)
        if not self._is_mine(job, held):
            self._drop(held)
            return
        if job.status is JobStatus.STOPPING:
            self._press(held)
        progress, at = outcomes.progress(held.folder), time.monotonic()
        fresh = progress if progress and progress != held.progress else None
        if not held.noted or fresh or at - held.renewed > self.pace.lease / 3:
            self._renew(held, fresh)

    def _renew(self, held: Held, progress: dict[str, Any] | None) -> None:
        fence: dict[str, Any] = {"job_id": held.job_id, "attempt": held.attempt, "worker": self.name}
        with self._database.writing() as session:
            mine = queue.heartbeat(session, **fence, seconds=self.pace.lease, progress=progress)
            if mine and not held.noted:
                queue.started(session, **fence, identity=held.identity)
            session.commit()
        held.noted, held.renewed = True, time.monotonic()
        held.progress = progress or held.progress
        if not mine:
            self._drop(held)

    def _press(self, held: Held) -> None:
        """Ask the child to stop, more firmly as time passes."""
        at = time.monotonic()
        if held.stopping_since is None:
            held.stopping_since = at
        waited = at - held.stopping_since
        grace = self.pace.stop_training if held.kind in (JobKind.TRAIN, JobKind.SEARCH) else self.pace.stop_other
        try:
            (held.folder / contract.STOP).touch()  # again each time: a child that is just starting may clear it
        except OSError as error:
            log.warning("stop_file_not_written", job=held.job_id, reason=error.strerror)
            grace = 0.0
        if waited > grace + self.pace.kill:
            self._launcher.end(held.identity, signal.SIGKILL)
        elif waited > grace and not held.terminated:
            held.terminated = True
            self._launcher.end(held.identity, signal.SIGTERM)

    def _is_mine(self, job: Job, held: Held) -> bool:
        return (job.attempt, job.worker) == (held.attempt, self.name) and job.status in ACTIVE

    def _drop(self, held: Held) -> None:
        log.warning("job_taken_over", job=held.job_id, attempt=held.attempt)
        del self._held[held.job_id]

    # --- ending ---

    def _settle(self, held: Held, ended: Ended) -> None:
        try:
            status = self._finish(held, ended)
        except CollectFailed as error:
            status = self._finish(held, Ended(End.REFUSED, ended.exit_code, str(error)))
        del self._held[held.job_id]
        log.info("job_ended", job=held.job_id, attempt=held.attempt, status=status, message=ended.message)

    def _finish(self, held: Held, ended: Ended) -> str:
        """One transaction: the job's end, what it left, and who did it. Returns the status, or who is ignored."""
        with self._database.writing() as session:
            job = queue.locked(session, held.job_id)
            if not self._is_mine(job, held):
                return "ignored"
            asked = job.status is JobStatus.STOPPING
            again, pausing = ended.may_retry and job.attempt < job.max_attempts, bool(job.payload.get(queue.PAUSING))
            status = after(ended.end, stop_requested=asked, may_retry=again, pausing=pausing)
            message = "" if status is JobStatus.SUCCEEDED else ended.message
            fence: dict[str, Any] = {"job_id": held.job_id, "attempt": held.attempt, "worker": self.name}
            queue.finish(session, **fence, status=status, error=message)
            job.progress = outcomes.progress(held.folder) or job.progress
            if status is JobStatus.SUCCEEDED:
                self._collect(session, job, Outcome(status, ended.exit_code, held.folder, message))
            audit.record(
                session, SYSTEM, f"job.{status.value}", project_id=job.project_id, subject=f"job:{job.id}", attempt=job.attempt
            )
            session.commit()
        return status.value

    def _collect(self, session: Any, job: Job, outcome: Outcome) -> None:
        collector = self._collectors.get(job.kind)
        if collector is None:
            return
        try:
            collector(session=session, settings=self._settings, job=job, outcome=outcome)
        except OperationalError:  # the database, not the results: told again later
            raise
        except TouchstoneError as error:
            raise CollectFailed(error.message) from error
        except Exception as error:
            log.error("results_not_taken_in", job=job.id, exc_info=error)
            raise CollectFailed(
                "The job ended well, but its results could not be taken in; the worker's log says why."
            ) from error

    # --- adopting ---

    def _adopt(self, only: int | None) -> None:
        with self._database.reading() as session:
            jobs = [job for job in queue.active(session) if job.id not in self._held and only in (None, job.id)]
        for job in jobs:
            found = orphans.judge(job, self.name, launcher=self._launcher, lease_seconds=self.pace.lease)
            if found is None:
                continue
            with self._database.writing() as session:
                if not queue.adopt(session, job, worker=self.name, seconds=self.pace.lease):
                    continue
                leased = slots.leased(session, job)
                if found.identity is not None and not leased:  # its worker knew of no GPUs, and it sees all
                    slots.lease(session, job, self._offer)
                    leased = slots.leased(session, job)
                    session.commit()
            log.info("job_adopted", job=job.id, attempt=job.attempt, living=found.identity is not None, gpus=leased)
            held = self._hold(job, len(leased))
            held.noted = False
            if found.identity is None:
                held.ended = orphans.ended(held.folder, found, job.nonce)
            else:
                held.identity = found.identity

    def _release(self) -> None:
        """Let others adopt the children at once."""
        self._sign_out()
        for held in self._held.values():
            try:
                with self._database.writing() as session:
                    queue.release(session, job_id=held.job_id, attempt=held.attempt, worker=self.name)
                    session.commit()
            except ServiceUnavailable as error:
                log.warning("lease_not_released", job=held.job_id, reason=error.message)
        if self._held:
            log.info("children_left_running", jobs=sorted(self._held))

    def _sign_out(self) -> None:
        try:
            with self._database.writing() as session:
                slots.leave(session, self.name)
                session.commit()
        except ServiceUnavailable as error:
            log.warning("leave_not_noted", reason=error.message)
