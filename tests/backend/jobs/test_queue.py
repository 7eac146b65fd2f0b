"""The queue on both databases: order, fences, stops, and that no job is handed out twice."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlmodel import Session

from backend.access.actors import SYSTEM
from backend.errors import Conflict, InvalidInput, NotFound
from backend.jobs import queue
from backend.jobs.processes import Identity
from backend.store.base import now
from backend.store.database import Database
from backend.store.models import Job
from backend.vocabulary import JobKind, JobStatus
from tests.factories import a_project


def enqueue(database: Database, count: int = 1, **extra: object) -> list[int]:
    with database.writing() as session:
        project = a_project(session, f"shop-{now().timestamp()}".replace(".", "-"))
        jobs = [an_enqueued(session, project.id or 0, **extra) for _ in range(count)]
        session.commit()
        return [job.id or 0 for job in jobs]


def an_enqueued(session: Session, project_id: int, **extra: object) -> Job:
    given = {"kind": JobKind.TRAIN, "arguments": ["run"], "folder": "runs/x"} | extra
    return queue.enqueue(session, actor=SYSTEM, project_id=project_id, **given)  # type: ignore[arg-type]


def claim(database: Database, worker: str = "one", seconds: int = 30) -> Job | None:
    with database.writing() as session:
        return queue.claim(session, worker=worker, seconds=seconds)


def test_two_workers_in_a_hurry_never_get_one_job_twice(database: Database) -> None:
    ids = enqueue(database, 12)
    got: list[int] = []

    def work(name: str) -> None:
        while job := claim(database, name):
            got.append(job.id or 0)

    workers = [threading.Thread(target=work, args=(f"w{number}",)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(got) == ids


def test_the_highest_priority_goes_first_and_then_the_oldest(sqlite: Database) -> None:
    early, late = enqueue(sqlite, 2)
    (urgent,) = enqueue(sqlite, priority=5)
    assert [job.id for job in iter(lambda: claim(sqlite), None)] == [urgent, early, late]


def test_what_an_older_attempt_says_is_ignored(database: Database) -> None:
    enqueue(database)
    first = claim(database, "one")
    assert first is not None
    old = {"job_id": first.id or 0, "attempt": first.attempt, "worker": "one"}
    with database.writing() as session:
        assert queue.finish(session, **old, status=JobStatus.QUEUED)
        session.commit()
    second = claim(database, "one")
    assert second is not None
    assert second.attempt == 2
    assert second.nonce != first.nonce
    with database.writing() as session:
        assert not queue.heartbeat(session, **old, seconds=9, progress={"step": 99})
        assert not queue.started(session, **old, identity=Identity("here", 1, 1.0, "x"))
        assert not queue.finish(session, **old, status=JobStatus.SUCCEEDED)
        session.commit()
        job = queue.get(session, first.id or 0)
        assert (job.status, job.progress, job.pid) == (JobStatus.RUNNING, {}, None)


def test_a_job_is_adopted_by_one_worker_only_and_the_former_one_loses_it(database: Database) -> None:
    (job_id,) = enqueue(database)
    claim(database, "one", seconds=-1)
    with database.writing() as session:
        seen = queue.get(session, job_id)
        session.expunge(seen)
        session.commit()
    with database.writing() as session:
        assert queue.adopt(session, seen, worker="two", seconds=30)
    with database.writing() as session:
        assert not queue.adopt(session, seen, worker="three", seconds=30)
    with database.writing() as session:
        assert not queue.heartbeat(session, job_id=job_id, attempt=1, worker="one", seconds=30)
        assert queue.heartbeat(session, job_id=job_id, attempt=1, worker="two", seconds=30)


def test_a_worker_that_renewed_its_lease_meanwhile_keeps_the_job(sqlite: Database) -> None:
    (job_id,) = enqueue(sqlite)
    claim(sqlite, "one", seconds=-1)
    with sqlite.writing() as session:
        seen = queue.get(session, job_id)
        session.expunge(seen)
        assert queue.heartbeat(session, job_id=job_id, attempt=1, worker="one", seconds=30)
        session.commit()
    with sqlite.writing() as session:
        assert not queue.adopt(session, seen, worker="two", seconds=30)


def test_a_queued_job_is_cancelled_at_once_and_a_running_one_is_asked(database: Database) -> None:
    waiting, running = enqueue(database, 2, priority=0)
    with database.writing() as session:
        assert queue.claim(session, worker="one", seconds=30, only=running) is not None
    with database.writing() as session:
        assert queue.request_stop(session, queue.locked(session, waiting)).status is JobStatus.CANCELLED
        stopping = queue.request_stop(session, queue.locked(session, running))
        asked = stopping.stop_requested_at
        assert (stopping.status, asked is not None) == (JobStatus.STOPPING, True)
        assert queue.request_stop(session, stopping).stop_requested_at == asked
        session.commit()
    assert claim(database) is None


def test_an_ended_job_is_tried_again_with_its_fence_going_on(sqlite: Database) -> None:
    (job_id,) = enqueue(sqlite, max_attempts=1)
    claim(sqlite)
    with sqlite.writing() as session:
        with pytest.raises(Conflict, match="once it has ended"):
            queue.requeue(session, queue.locked(session, job_id))
        assert queue.finish(session, job_id=job_id, attempt=1, worker="one", status=JobStatus.FAILED, error="No.")
        job = queue.requeue(session, queue.locked(session, job_id))
        session.commit()
        assert (job.status, job.max_attempts, job.finished_at) == (JobStatus.QUEUED, 4, None)
    again = claim(sqlite)
    assert again is not None
    assert (again.attempt, again.error) == (2, "")


def test_what_succeeded_can_neither_be_stopped_nor_repeated(sqlite: Database) -> None:
    (job_id,) = enqueue(sqlite)
    claim(sqlite)
    with sqlite.writing() as session:
        queue.finish(session, job_id=job_id, attempt=1, worker="one", status=JobStatus.SUCCEEDED)
        for act in (queue.request_stop, queue.requeue):
            with pytest.raises(Conflict):
                act(session, queue.locked(session, job_id))


def test_a_job_without_arguments_and_a_job_that_is_not_there_are_refused(sqlite: Database) -> None:
    with pytest.raises(InvalidInput):
        enqueue(sqlite, arguments=[])
    with sqlite.reading() as session, pytest.raises(NotFound):
        queue.get(session, 99)


def test_a_released_lease_is_over_at_once(sqlite: Database) -> None:
    (job_id,) = enqueue(sqlite)
    claim(sqlite)
    with sqlite.writing() as session:
        assert queue.release(session, job_id=job_id, attempt=1, worker="one")
        session.commit()
        lease = queue.get(session, job_id).lease_expires_at
        assert lease is not None
        assert lease <= now() + timedelta(seconds=1)
