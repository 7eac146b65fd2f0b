"""Workers that lease GPUs, with real children that tell which ones they were given."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest

from backend.jobs import queue, slots
from backend.jobs.slots import Need
from backend.jobs.worker import Pace
from backend.store.accounts import OneTimeLink
from backend.store.base import now
from backend.vocabulary import JobStatus, LinkPurpose
from tests.backend.jobs.conftest import QUICK, Workshop

Install = Callable[[int], list[str]]
AT_ONCE = Pace(lease=30, poll=0.02, stop_training=5.0, stop_other=0.2, kill=0.3, refuse=0.0)


def running(workshop: Workshop, job_id: int, step: int = 2) -> bool:
    return int(workshop.job(job_id).progress.get("step", 0)) >= step


def test_no_two_children_of_two_workers_ever_see_one_gpu(workshops: Workshop, install_gpus: Install) -> None:
    uuids = install_gpus(3)
    needs = [1, 2, 1, 3, 1, 1, 2, 0]
    jobs = [workshops.enqueue(steps=3, need=Need(need)) for need in needs]
    threads = [threading.Thread(target=workshops.worker(name).run, kwargs={"once": True}) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    spans = []
    for job_id, need in zip(jobs, needs, strict=True):
        assert workshops.job(job_id).status is JobStatus.SUCCEEDED
        (_, began, given), (_, ended, _) = workshops.visible(job_id)
        given_uuids = given.split(",") if given else []
        assert len(given_uuids) == need
        spans += [(uuid, began, ended, job_id) for uuid in given_uuids]
    assert {uuid for uuid, *_ in spans} == set(uuids), "all of them were of use"
    for uuid, began, ended, job_id in spans:
        for other, other_began, other_ended, other_job in spans:
            assert (uuid, job_id) == (other, other_job) or uuid != other or ended <= other_began or other_ended <= began
    assert workshops.held() == {}


def test_as_many_jobs_run_at_once_as_there_are_gpus_and_slots_for_those_without(
    workshop: Workshop, install_gpus: Install
) -> None:
    uuids = install_gpus(2)
    first, second, third = (workshop.enqueue(steps=200) for _ in range(3))
    plain, another = (workshop.enqueue(steps=200, need=Need(0)) for _ in range(2))
    worker = workshop.worker()
    workshop.look_until(worker, lambda: all(running(workshop, job_id, 1) for job_id in (first, second, plain)))
    assert [workshop.visible(job_id)[0][2] for job_id in (first, second, plain)] == [*uuids, ""]
    assert [workshop.job(job_id).status for job_id in (third, another)] == [JobStatus.QUEUED] * 2
    workshop.stop(second)
    workshop.look_until(worker, lambda: workshop.job(third).status is JobStatus.RUNNING)
    assert workshop.held() == dict(zip(uuids, (first, third), strict=True))
    assert workshop.job(another).status is JobStatus.QUEUED


def test_a_machine_without_gpus_runs_jobs_in_its_slots_and_children_see_what_the_worker_sees(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    one, two = workshop.enqueue(), workshop.enqueue(need=Need(4))
    workshop.worker().run(once=True)
    assert [workshop.visible(job_id)[0][2] for job_id in (one, two)] == ["all", "all"]


def test_a_worker_that_leaves_hands_on_the_gpu_with_the_living_child(workshops: Workshop, install_gpus: Install) -> None:
    (uuid,) = install_gpus(1)
    job_id, next_id = workshops.enqueue(steps=20), workshops.enqueue(steps=1)
    first, second = workshops.worker("one"), workshops.worker("two")
    workshops.look_until(first, lambda: running(workshops, job_id))
    first.leave()
    assert first.run() == 1
    second.step()
    assert (workshops.job(job_id).worker, workshops.held()) == ("two", {uuid: job_id})
    assert workshops.job(next_id).status is JobStatus.QUEUED
    workshops.run_to_status(second, next_id, JobStatus.SUCCEEDED)
    ended = workshops.visible(job_id)[-1][1]
    assert ended <= workshops.visible(next_id)[0][1]
    assert workshops.held() == {}


def test_the_gpu_of_a_killed_worker_process_stays_with_its_child(workshop: Workshop, install_gpus: Install) -> None:
    (uuid,) = install_gpus(1)
    job_id, next_id = workshop.enqueue(steps=200), workshop.enqueue(steps=1)
    workshop.start_and_kill_a_worker(lambda: running(workshop, job_id))
    heir = workshop.worker()
    heir.step()
    assert (workshop.job(job_id).worker, workshop.job(job_id).attempt, workshop.held()) == (heir.name, 1, {uuid: job_id})
    assert workshop.job(next_id).status is JobStatus.QUEUED
    workshop.stop(job_id)
    workshop.run_to_status(heir, job_id, JobStatus.CANCELLED)
    workshop.run_to_status(heir, next_id, JobStatus.SUCCEEDED)
    assert [workshop.visible(one)[0][2] for one in (job_id, next_id)] == [uuid, uuid]


def test_a_living_child_that_leased_nothing_does_so_when_it_is_adopted(workshop: Workshop, install_gpus: Install) -> None:
    """Its worker knew of no GPUs, by its settings or its version, and the child sees them all."""
    job_id, blind = workshop.enqueue(steps=200), workshop.worker("blind")
    workshop.look_until(blind, lambda: running(workshop, job_id))
    blind.leave()
    blind.run()
    (uuid,) = install_gpus(1)
    worker = workshop.worker("seeing")
    worker.step()
    assert workshop.held() == {uuid: job_id}
    workshop.stop(job_id)
    workshop.run_to_status(worker, job_id, JobStatus.CANCELLED)
    assert workshop.held() == {}


def test_a_child_that_was_killed_leases_anew_with_its_next_attempt(workshop: Workshop, install_gpus: Install) -> None:
    uuids = install_gpus(2)
    job_id, worker = workshop.enqueue(steps=30, need=Need(2)), workshop.worker()
    workshop.look_until(worker, lambda: running(workshop, job_id))
    os.kill(workshop.job(job_id).pid or 0, signal.SIGKILL)
    workshop.look_until(worker, lambda: workshop.job(job_id).attempt == 2)
    assert workshop.run_to_status(worker, job_id, JobStatus.SUCCEEDED).attempt == 2
    assert [given for what, _, given in workshop.visible(job_id) if what == "began"] == [",".join(uuids)] * 2
    assert workshop.held() == {}


def test_a_paused_run_lets_go_of_its_gpu_and_leases_one_when_it_goes_on(workshop: Workshop, install_gpus: Install) -> None:
    (uuid,) = install_gpus(1)
    job_id, worker = workshop.enqueue(steps=200), workshop.worker()
    workshop.look_until(worker, lambda: running(workshop, job_id))
    with workshop.database.writing() as session:
        queue.request_stop(session, queue.locked(session, job_id), pause=True)
        session.commit()
    workshop.run_to_status(worker, job_id, JobStatus.PAUSED)
    assert workshop.held() == {}
    with workshop.database.writing() as session:
        queue.requeue(session, queue.locked(session, job_id))
        session.commit()
    workshop.look_until(worker, lambda: workshop.held() == {uuid: job_id})


def test_a_program_that_does_not_start_keeps_no_gpu(workshop: Workshop, install_gpus: Install) -> None:
    install_gpus(1)
    workshop.program = ("/nowhere/trainer",)
    job_id = workshop.enqueue()
    workshop.worker().run(once=True)
    assert workshop.job(job_id).status is JobStatus.FAILED
    assert workshop.held() == {}


def test_what_a_machine_that_fell_silent_held_is_free_when_its_job_is_lost(workshop: Workshop, install_gpus: Install) -> None:
    install_gpus(1)
    silent = workshop.worker("other-host 17/5.00@000000000000")
    job_id = workshop.enqueue()
    silent._sign_in(None)
    with workshop.database.writing() as session:
        room = silent._room()
        assert room is not None
        job = queue.claim(session, worker=silent.name, seconds=-301, room=room)
        assert job is not None
        job.boot_id = "another machine"
        session.add(job)
        session.commit()
    assert list(workshop.held().values()) == [job_id]
    workshop.run_to_status(workshop.worker(), job_id, JobStatus.LOST)
    assert workshop.held() == {}


def test_a_job_that_no_worker_could_run_fails_with_the_reason_and_the_next_one_runs(
    workshops: Workshop, install_gpus: Install
) -> None:
    install_gpus(2)
    large, small = workshops.enqueue(need=Need(3)), workshops.enqueue(need=Need(2))
    patient = workshops.worker("patient", Pace(poll=0.02))
    patient.run(once=True)
    assert [workshops.job(job_id).status for job_id in (large, small)] == [JobStatus.QUEUED, JobStatus.SUCCEEDED]
    workshops.worker("strict", AT_ONCE).step()
    job = workshops.job(large)
    assert (job.status, job.attempt) == (JobStatus.FAILED, 1)
    assert "needs 3 GPUs at once, and no worker's machine has more than 2" in job.error
    assert not workshops.folder(large).exists()


def test_the_setting_leaves_gpus_to_others(workshop: Workshop, install_gpus: Install) -> None:
    uuids = install_gpus(3)
    workshop.use(gpus="2")
    first, second = workshop.enqueue(steps=2), workshop.enqueue(steps=2)
    workshop.worker().run(once=True)
    assert {workshop.visible(job_id)[0][2] for job_id in (first, second)} == {uuids[2]}
    workshop.use(gpus="none")
    third = workshop.enqueue(steps=2)
    workshop.worker("fresh").run(once=True)
    assert workshop.visible(third)[0][2] == ""


def test_a_worker_takes_the_place_of_one_that_was_killed_on_its_machine(workshop: Workshop, install_gpus: Install) -> None:
    """Else what it offered would keep jobs from a worker that has no GPUs any more."""
    install_gpus(2)
    killed = workshop.worker("x")
    killed.name = workshop.worker().name.replace(f" {os.getpid()}/", " 4194305/")
    killed._sign_in(None)
    workshop.use(gpus="none")
    job_id = workshop.enqueue(steps=1)
    workshop.worker().run(once=True)
    assert workshop.job(job_id).status is JobStatus.SUCCEEDED


def test_a_worker_is_seen_while_it_is_there(workshop: Workshop, install_gpus: Install) -> None:
    install_gpus(2)
    worker = workshop.worker("one", QUICK)
    worker.step()
    with workshop.database.reading() as session:
        assert [(one.name, one.total) for one in slots.living(session)] == [("one", 2)]
    worker.leave()
    worker.run()
    with workshop.database.reading() as session:
        assert slots.living(session) == []


def test_a_worker_keeps_house_now_and_then(workshop: Workshop) -> None:
    with workshop.database.writing() as session:
        used = {"used_at": now() - timedelta(days=40), "expires_at": now() - timedelta(days=39)}
        session.add(OneTimeLink(token_hash="x", purpose=LinkPurpose.INVITE, **used))
        session.commit()
    workshop.worker().run(once=True)
    with workshop.database.reading() as session:
        assert session.get(OneTimeLink, 1) is None
