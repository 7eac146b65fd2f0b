"""A workshop: a database, a data folder, workers whose children are real processes that keep the trainer's contract."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.access.actors import SYSTEM
from backend.jobs import processes, queue, slots
from backend.jobs.launcher import LocalLauncher
from backend.jobs.worker import Pace, Worker
from backend.settings import Settings
from backend.store.database import Database
from backend.store.models import Job
from backend.vocabulary import JobKind, JobStatus
from tests.factories import a_project
from tests.ray_nodes import Cluster

FAKE = Path(__file__).with_name("fake_trainer.py")
QUICK = Pace(lease=30, poll=0.02, stop_training=5.0, stop_other=0.2, kill=0.3)
WORKER = """import sys; from pathlib import Path; from backend.store.database import Database
from backend.settings import Settings; from backend.jobs.launcher import LocalLauncher
from backend.jobs.worker import Worker, Pace
settings = Settings(data=Path(sys.argv[2]))
launcher = LocalLauncher(settings, {}, [sys.executable, sys.argv[3]])
Worker(database=Database(sys.argv[1]), settings=settings, launcher=launcher, collectors={}, pace=Pace(poll=0.05)).run()
"""


class Workshop:
    """What a test of the worker has in its hands."""

    def __init__(self, database: Database, data: Path, program: tuple[str, ...] = ()) -> None:
        self.database = database
        self.settings = Settings(data=data, database_url=str(database.url))
        self.collected: list[int] = []
        self.program = program or (sys.executable, str(FAKE))
        with database.writing() as session:
            self.project_id = a_project(session).id or 0
            session.commit()

    def enqueue(self, how: str = "", *, steps: int = 3, kind: JobKind = JobKind.TRAIN, **extra: Any) -> int:
        name = f"runs/{time.monotonic_ns()}"
        folder = str(self.settings.data / name)
        with self.database.writing() as session:
            job = queue.enqueue(
                session,
                actor=SYSTEM,
                project_id=self.project_id,
                kind=kind,
                arguments=["run", folder, str(steps), how],
                resume_arguments=["resume", folder, str(steps)],
                folder=name,
                **extra,
            )
            session.commit()
            return job.id or 0

    def worker(self, name: str = "", pace: Pace = QUICK, **changes: Any) -> Worker:
        launcher = LocalLauncher(self.settings, os.environ, self.program)
        given: dict[str, Any] = {"database": self.database, "collectors": dict.fromkeys(JobKind, self.collect)}
        return Worker(**{"settings": self.settings, "launcher": launcher, "pace": pace, "name": name} | given | changes)

    def collect(self, *, session: Any, settings: Settings, job: Job, outcome: Any) -> None:
        assert outcome.status is JobStatus.SUCCEEDED
        assert job.status is JobStatus.SUCCEEDED
        self.collected.append(job.id or 0)

    def use(self, **settings: Any) -> None:
        """Other settings for workers that are made from now on."""
        self.settings = dataclasses.replace(self.settings, **settings)

    def visible(self, job_id: int) -> list[tuple[str, float, str]]:
        """What the job's children noted of themselves: began or ended, when, with which GPUs."""
        lines = (self.folder(job_id) / "gpus").read_text().splitlines()
        return [(what, float(at), gpus) for what, at, gpus in (line.split(" ", 2) for line in lines)]

    def held(self) -> dict[str, int]:
        with self.database.reading() as session:
            return slots.held(session)

    def job(self, job_id: int) -> Job:
        with self.database.reading() as session:
            return queue.get(session, job_id)

    def folder(self, job_id: int) -> Path:
        return self.settings.data / self.job(job_id).folder

    def starts(self, job_id: int) -> list[str]:
        return (self.folder(job_id) / "starts").read_text().splitlines()

    def stop(self, job_id: int) -> None:
        with self.database.writing() as session:
            queue.request_stop(session, queue.locked(session, job_id))
            session.commit()

    def look_until(self, worker: Worker, reached: Callable[[], bool], seconds: float = 20) -> None:
        """Step a worker until something is so."""
        until = time.monotonic() + seconds
        while not reached():
            assert time.monotonic() < until, "it did not happen in time"
            worker.step()
            time.sleep(0.01)

    def start_and_kill_a_worker(self, reached: Callable[[], bool]) -> None:
        """A worker in a process of its own, which is killed once something is so."""
        program = [sys.executable, "-c", WORKER, str(self.database.url), str(self.settings.data), self.program[1]]
        process = subprocess.Popen(program, cwd=Path(__file__).parents[3])
        try:
            until = time.monotonic() + 60
            while not reached():
                assert time.monotonic() < until
                time.sleep(0.02)
        finally:
            process.kill()
            process.wait()

    def run_to_status(self, worker: Worker, job_id: int, *statuses: JobStatus) -> Job:
        self.look_until(worker, lambda: self.job(job_id).status in statuses)
        return self.job(job_id)


@pytest.fixture
def workshop(sqlite: Database, tmp_path: Path) -> Iterator[Workshop]:
    made = Workshop(sqlite, tmp_path / "data")
    yield made
    _end_children(made)


@pytest.fixture
def workshops(database: Database, tmp_path: Path) -> Iterator[Workshop]:
    """A workshop on each database in turn."""
    made = Workshop(database, tmp_path / "data")
    yield made
    _end_children(made)


def _end_children(made: Workshop) -> None:
    with made.database.reading() as session:
        for job in queue.active(session):
            processes.end_strays(job.nonce, signal.SIGKILL)


NVIDIA_SMI = """#!/bin/sh
[ "$1 $2" = "--query-gpu=index,uuid,name,memory.total --format=csv,noheader,nounits" ] || exit 9
cat "$0.txt"
"""


@pytest.fixture
def install_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[str]]:
    """Puts a program nvidia-smi on the PATH that lists so many GPUs; returns their UUIDs."""

    def install(count: int) -> list[str]:
        folder = tmp_path / "driver"
        folder.mkdir(exist_ok=True)
        program = folder / "nvidia-smi"
        program.write_text(NVIDIA_SMI)
        program.chmod(0o755)
        uuids = [f"GPU-{number:08x}-aaaa-bbbb-cccc-0123456789ab" for number in range(count)]
        lines = [f"{number}, {uuid}, NVIDIA H200, 143771" for number, uuid in enumerate(uuids)]
        program.with_name("nvidia-smi.txt").write_text("".join(f"{line}\n" for line in lines))
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        return uuids

    return install


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    made = Cluster()
    try:
        made.start()
        yield made
    finally:
        made.end()
