"""Waiting for a job on the command line.

A running worker gets three seconds to take the job; if none does, the job runs here, in this process's worker. Stopping
the command leaves the job alive: the next worker adopts it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence

from backend.jobs import launchers, queue, slots
from backend.jobs.outcomes import Collector
from backend.jobs.slots import Standing, Waiting
from backend.jobs.worker import Worker
from backend.settings import Settings
from backend.store.database import Database
from backend.store.models import Job
from backend.vocabulary import FINISHED_JOBS, JobKind, JobStatus

PATIENCE = 3.0
"""Seconds that running workers have to take the job."""


def wait(*, database: Database, settings: Settings, job_id: int, collectors: Mapping[JobKind, Collector]) -> Job:
    """The job, once it has ended. Progress goes to standard error."""
    started, worker, told = time.monotonic(), None, ""
    try:
        while True:
            with database.reading() as session:
                job = queue.get(session, job_id)
                line = _line(job, slots.living(session) if worker is not None else ())
            if line != told:
                told = line
                print(line, file=sys.stderr, flush=True)
            if job.status in FINISHED_JOBS:
                return job
            if worker is None and job.status is JobStatus.QUEUED and time.monotonic() - started > PATIENCE:
                print("No worker took the job; it runs here as soon as it can.", file=sys.stderr, flush=True)
                worker = Worker(
                    database=database, settings=settings, launcher=launchers.configured(settings), collectors=collectors
                )
            if worker is not None:
                worker.step(only=job_id)
            time.sleep(0.5)
    finally:
        if worker is not None:
            worker.leave()
            worker.run()


def _line(job: Job, living: Sequence[Standing]) -> str:
    """Where the job stands; once it is this command's worker that is to run it, also what it waits for."""
    if job.status is JobStatus.QUEUED and any(one.total for one in living):
        waiting = Waiting(job.id or 0, job.gpus, job.gpus_only)
        return f"{job.status.value}. {slots.why_waiting(waiting, ahead=0, living=living)}"
    done, total = job.progress.get("step"), job.progress.get("total_steps")
    return f"{job.status.value}" + (f", step {done} of {total}" if total else "")
