"""The worker with real children: success, retry, cancel, adoption, faults."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from backend.access.audit import verify
from backend.errors import IntegrityViolated, ServiceUnavailable
from backend.jobs import processes, queue
from backend.jobs.worker import Pace
from backend.store.base import now
from backend.store.database import Database
from backend.vocabulary import JobKind, JobStatus
from tests.backend.jobs.conftest import Workshop


def running(workshop: Workshop, job_id: int, step: int = 2) -> bool:
    return int(workshop.job(job_id).progress.get("step", 0)) >= step


def test_a_worker_runs_the_queue_until_it_is_empty_and_takes_the_results_in(workshops: Workshop) -> None:
    jobs = [workshops.enqueue(), workshops.enqueue(kind=JobKind.EVALUATE)]
    assert workshops.worker().run(once=True) == 0
    assert workshops.collected == jobs
    for job_id in jobs:
        job = workshops.job(job_id)
        assert (job.status, job.attempt, job.error) == (JobStatus.SUCCEEDED, 1, "")
        assert (job.progress["step"], job.finished_at is not None) == (3, True)
        assert "run from step 0" in (workshops.folder(job_id) / "log.txt").read_text()
    with workshops.database.reading() as session:
        assert verify(session).broken_at is None


def test_a_child_that_was_killed_goes_on_from_its_checkpoint(workshops: Workshop) -> None:
    job_id = workshops.enqueue("die:3", steps=5)
    workshops.worker().run(once=True)
    job = workshops.job(job_id)
    assert (job.status, job.attempt) == (JobStatus.SUCCEEDED, 2)
    first, second = workshops.starts(job_id)
    assert first.startswith("run 0 ")
    assert second.startswith("resume 3 ")
    assert first.split()[2] != second.split()[2]


def test_a_child_that_always_crashes_is_given_up_after_its_last_attempt(workshop: Workshop) -> None:
    job_id = workshop.enqueue("fail:1", max_attempts=3)
    workshop.worker().run(once=True)
    job = workshop.job(job_id)
    assert (job.status, job.attempt) == (JobStatus.FAILED, 3)
    assert len(workshop.starts(job_id)) == 3


@pytest.mark.parametrize("code", [2, 4, 5, 6])
def test_a_refusal_is_not_tried_again_and_says_why(workshop: Workshop, code: int) -> None:
    job_id = workshop.enqueue(f"fail:{code}")
    workshop.worker().run(once=True)
    job = workshop.job(job_id)
    assert (job.status, job.attempt, job.error) == (JobStatus.FAILED, 1, "The disk is full. Free some space.")
    assert workshop.collected == []


def test_a_running_child_stops_with_a_checkpoint_and_goes_on_when_asked_to(workshops: Workshop) -> None:
    job_id, worker = workshops.enqueue(steps=100), workshops.worker()
    workshops.look_until(worker, lambda: running(workshops, job_id))
    workshops.stop(job_id)
    job = workshops.run_to_status(worker, job_id, JobStatus.CANCELLED)
    assert "checkpoint" in job.error
    stopped_at = job.progress["step"]
    with workshops.database.writing() as session:
        again = queue.requeue(session, queue.locked(session, job_id))
        again.payload = {**again.payload, "resume_arguments": ["resume", str(workshops.folder(job_id)), str(stopped_at + 2)]}
        session.add(again)
        session.commit()
    worker.run(once=True)
    assert workshops.job(job_id).status is JobStatus.SUCCEEDED
    assert workshops.starts(job_id)[1].startswith(f"resume {stopped_at} ")


def test_a_paused_child_keeps_its_place_and_the_last_word_counts(workshop: Workshop) -> None:
    job_id, worker = workshop.enqueue(steps=2000), workshop.worker()
    workshop.look_until(worker, lambda: running(workshop, job_id))
    with workshop.database.writing() as session:
        queue.request_stop(session, queue.locked(session, job_id), pause=True)
        session.commit()
    job = workshop.run_to_status(worker, job_id, JobStatus.PAUSED)
    assert (job.attempt, "checkpoint" in job.error) == (1, True)
    worker.run(once=True)
    assert workshop.job(job_id).status is JobStatus.PAUSED
    with workshop.database.writing() as session:
        queue.requeue(session, queue.locked(session, job_id))
        session.commit()
    workshop.look_until(worker, lambda: workshop.job(job_id).status is JobStatus.RUNNING)
    with workshop.database.writing() as session:
        queue.request_stop(session, queue.locked(session, job_id), pause=True)
        queue.request_stop(session, queue.locked(session, job_id))
        session.commit()
    workshop.run_to_status(worker, job_id, JobStatus.CANCELLED)


def test_a_child_that_hears_nothing_is_killed_with_its_group(workshop: Workshop) -> None:
    job_id, worker = workshop.enqueue("deaf", steps=2000, kind=JobKind.EVALUATE), workshop.worker()
    workshop.look_until(worker, lambda: running(workshop, job_id))
    workshop.stop(job_id)
    job = workshop.run_to_status(worker, job_id, JobStatus.CANCELLED)
    assert processes.started(job.pid or 0) is None


def test_a_job_cancelled_in_the_queue_never_starts(workshop: Workshop) -> None:
    job_id = workshop.enqueue()
    workshop.stop(job_id)
    workshop.worker().run(once=True)
    assert workshop.job(job_id).status is JobStatus.CANCELLED
    assert not workshop.folder(job_id).exists()


def test_a_job_cancelled_between_claim_and_start_ends_soon(workshop: Workshop) -> None:
    job_id, worker = workshop.enqueue(steps=2000), workshop.worker()
    with workshop.database.writing() as session:
        job = queue.claim(session, worker=worker.name, seconds=30)
    assert job is not None
    workshop.stop(job_id)
    worker._start(job)
    assert workshop.run_to_status(worker, job_id, JobStatus.CANCELLED).attempt == 1


def test_two_workers_run_no_job_twice(workshops: Workshop) -> None:
    jobs = [workshops.enqueue(steps=1) for _ in range(6)]
    threads = [threading.Thread(target=workshops.worker(name).run, kwargs={"once": True}) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(workshops.collected) == jobs
    assert [len(workshops.starts(job_id)) for job_id in jobs] == [1] * 6


def test_a_worker_that_leaves_gives_its_living_child_to_the_next(workshops: Workshop) -> None:
    job_id, first, second = workshops.enqueue(steps=12), workshops.worker("one"), workshops.worker("two")
    workshops.look_until(first, lambda: running(workshops, job_id))
    pid = workshops.job(job_id).pid
    first.leave()
    assert first.run() == 1
    second.step()
    adopted = workshops.job(job_id)
    assert (adopted.worker, adopted.pid, adopted.attempt) == ("two", pid, 1)
    first.step()
    assert first._held == {}
    job = workshops.run_to_status(second, job_id, JobStatus.SUCCEEDED)
    assert (job.attempt, workshops.collected, len(workshops.starts(job_id))) == (1, [job_id], 1)


def test_a_child_that_vanished_while_no_worker_looked_goes_on_from_its_checkpoint(workshop: Workshop) -> None:
    job_id, first = workshop.enqueue(steps=30), workshop.worker("one")
    workshop.look_until(first, lambda: running(workshop, job_id))
    pid = workshop.job(job_id).pid or 0
    first.leave()
    first.run()
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    second = workshop.worker("two")
    workshop.look_until(second, lambda: workshop.job(job_id).attempt == 2)
    assert workshop.run_to_status(second, job_id, JobStatus.SUCCEEDED).attempt == 2
    assert workshop.starts(job_id)[1].startswith("resume ")


def test_a_child_whose_worker_died_before_noting_it_is_found_by_its_nonce(workshop: Workshop) -> None:
    job_id, first = workshop.enqueue(steps=15), workshop.worker()
    workshop.look_until(first, lambda: running(workshop, job_id))
    with workshop.database.writing() as session:
        job = queue.locked(session, job_id)
        pid, job.boot_id, job.pid, job.pid_started, job.lease_expires_at = job.pid, "", None, None, now()
        session.add(job)
        session.commit()
    second = workshop.worker(first.name + " ")
    second.name = first.name.replace(" ", "-two ", 1)
    second.step()
    assert workshop.job(job_id).worker == second.name
    job = workshop.run_to_status(second, job_id, JobStatus.SUCCEEDED)
    assert (job.attempt, job.pid, len(workshop.starts(job_id))) == (1, pid, 1)


def test_a_job_of_a_machine_that_fell_silent_is_lost_and_not_started_twice(workshop: Workshop) -> None:
    job_id = workshop.enqueue()
    with workshop.database.writing() as session:
        assert queue.claim(session, worker="other-host 17/5.00@000000000000", seconds=-299) is not None
    worker = workshop.worker()
    worker.step()
    assert workshop.job(job_id).status is JobStatus.RUNNING
    with workshop.database.writing() as session:
        job = queue.locked(session, job_id)
        job.lease_expires_at, job.boot_id = now().replace(year=2020), "another machine"
        session.add(job)
        session.commit()
    job = workshop.run_to_status(worker, job_id, JobStatus.LOST)
    assert "fell silent" in job.error
    assert not workshop.folder(job_id).exists()


def test_while_the_database_is_away_the_child_goes_on_and_is_taken_in_later(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id, worker = workshop.enqueue(steps=8), workshop.worker()
    workshop.look_until(worker, lambda: running(workshop, job_id))
    pid = workshop.job(job_id).pid or 0

    def away(*_: Any) -> None:
        raise ServiceUnavailable("The database did not answer in time.")

    with monkeypatch.context() as patch:
        patch.setattr(Database, "reading", away)
        patch.setattr(Database, "writing", away)
        until = time.monotonic() + 10
        while processes.started(pid) is not None and time.monotonic() < until:
            with pytest.raises(ServiceUnavailable):
                worker.step()
            time.sleep(0.02)
    assert workshop.job(job_id).status is JobStatus.RUNNING
    assert workshop.run_to_status(worker, job_id, JobStatus.SUCCEEDED).attempt == 1
    assert workshop.collected == [job_id]


def test_results_that_cannot_be_taken_in_fail_the_job_and_leave_nothing_half_written(workshop: Workshop) -> None:
    def collect(*, session: Any, **_: Any) -> None:
        session.add(queue.get(session, job_id).model_copy(update={"id": None, "error": "half"}))
        session.flush()
        raise IntegrityViolated("The report does not fit.")

    job_id = workshop.enqueue()
    workshop.worker(collectors={JobKind.TRAIN: collect}).run(once=True)
    job = workshop.job(job_id)
    assert (job.status, job.error) == (JobStatus.FAILED, "The report does not fit.")
    with workshop.database.reading() as session:
        assert len(queue.active(session)) == 0
        assert session.get(type(job), job_id + 1) is None


def test_a_program_that_is_not_there_is_told_and_not_tried_again(sqlite: Database, tmp_path: Path) -> None:
    workshop = Workshop(sqlite, tmp_path, ("/nowhere/trainer",))
    job_id = workshop.enqueue()
    workshop.worker().run(once=True)
    job = workshop.job(job_id)
    assert (job.status, job.attempt) == (JobStatus.FAILED, 1)
    assert job.error.startswith("The job could not be started")


def test_a_child_gets_no_secrets_and_the_threads_of_the_settings(workshop: Workshop) -> None:
    from backend.jobs.launcher import child_environment

    given = {"PATH": "/bin", "DATABASE_URL": "postgresql://secret", "TOUCHSTONE_ENGINE_KEY": "k", "HF_HOME": "/models"}
    made = child_environment(workshop.settings, given)
    assert made["OMP_NUM_THREADS"] == "1"
    assert (made["PATH"], made["HF_HOME"]) == ("/bin", "/models")
    assert not {"DATABASE_URL", "TOUCHSTONE_ENGINE_KEY"} & made.keys()


def test_a_killed_worker_process_is_followed_by_one_that_adopts_at_once(workshop: Workshop) -> None:
    job_id = workshop.enqueue(steps=40)
    workshop.start_and_kill_a_worker(lambda: running(workshop, job_id))
    before = workshop.job(job_id)
    assert before.lease_expires_at is not None
    assert before.lease_expires_at > now()
    heir = workshop.worker(pace=Pace(poll=0.05))
    heir.step()
    after = workshop.job(job_id)
    assert (after.worker, after.pid, after.attempt) == (heir.name, before.pid, 1)
    workshop.stop(job_id)
    assert workshop.run_to_status(heir, job_id, JobStatus.CANCELLED).error == "Stopped; a checkpoint was kept."


def test_a_full_disk_at_the_start_is_told_plainly(workshop: Workshop) -> None:
    job_id = workshop.enqueue()
    folder = workshop.folder(job_id)
    folder.mkdir(parents=True)
    (folder / "log.txt").symlink_to("/dev/full")
    workshop.worker().run(once=True)
    job = workshop.job(job_id)
    assert (job.status, job.attempt) == (JobStatus.FAILED, 1)
    assert job.error.startswith("The disk is full")
