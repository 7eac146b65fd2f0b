"""GPUs as leased rows: the rule of who is next, and that no two jobs ever hold one, on both databases."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import select

from backend.access.actors import SYSTEM
from backend.jobs import queue, slots
from backend.jobs.gpus import CLUSTER, Device, Offer
from backend.jobs.slots import Need, Room, Standing, Waiting, needed, pick, why_waiting
from backend.store.base import now
from backend.store.database import Database
from backend.store.machines import Gpu, Presence
from backend.store.models import Job
from backend.vocabulary import JobKind, JobStatus
from tests.factories import a_project

QUEUES = st.lists(st.integers(0, 5), max_size=8).map(lambda needs: [Waiting(*job) for job in enumerate(needs)])


def standing(total: int, free: int, name: str = "me", *, cluster: bool = False) -> Standing:
    return Standing(name, f"host-{name}", total, free, cluster)


# --- the rule ---


@pytest.mark.parametrize(
    ("config", "need"),
    [
        ({}, Need(1)),
        ({"device": "auto", "processes": 4}, Need(4)),
        ({"device": "cuda", "processes": 2}, Need(2, only=True)),
        ({"device": "cpu", "processes": 4}, Need(0)),
    ],
)
def test_a_recipe_needs_a_gpu_for_each_process_unless_it_is_for_the_cpu(config: dict[str, Any], need: Need) -> None:
    assert needed(config) == need


@given(waiting=QUEUES, total=st.integers(0, 4), taken=st.integers(0, 4), slot=st.booleans())
def test_a_worker_starts_what_fits_and_never_lets_a_smaller_job_starve_a_larger_one(
    waiting: list[Waiting], total: int, taken: int, slot: bool
) -> None:
    free = max(0, total - taken)
    chosen = pick(waiting, mine=standing(total, free), slot=slot, others=[])
    before = waiting if chosen is None else waiting[: waiting.index(chosen)]
    if total == 0:
        assert chosen == (waiting[0] if waiting and slot else None)
        return
    fitting = [job for job in before if 0 < job.gpus <= total]
    assert all(job.gpus > 0 or not slot for job in before)
    assert not fitting or fitting[0].gpus > free
    if chosen is not None:
        assert slot if chosen.gpus == 0 else chosen.gpus <= free
        assert chosen.gpus == 0 or not fitting


@given(st.lists(st.integers(1, 2), min_size=4, max_size=4))
def test_a_large_job_starts_although_small_ones_come_all_the_time(sizes: list[int]) -> None:
    """Four GPUs, small jobs on all of them, and behind the large job always more of them."""
    running, free = [1, 1, 1, 1], 0
    for _ in range(5):
        waiting = [Waiting(1, 4), *(Waiting(2 + number, size) for number, size in enumerate(sizes))]
        while (chosen := pick(waiting, mine=standing(4, free), slot=True, others=[])) is not None:
            if chosen.gpus == 4:
                return
            running.append(chosen.gpus)
            free -= chosen.gpus
            waiting.remove(chosen)
        free += running.pop(0)
    pytest.fail("the large job starved")


def test_gpus_are_kept_back_only_where_most_are_free() -> None:
    waiting = [Waiting(1, 4), Waiting(2, 1), Waiting(3, 0)]
    fuller, emptier = standing(4, 1, "fuller"), standing(4, 3, "emptier")
    assert pick(waiting, mine=fuller, slot=True, others=[emptier]) == waiting[1]
    assert pick(waiting, mine=emptier, slot=True, others=[fuller]) == waiting[2]
    assert pick(waiting, mine=fuller, slot=True, others=[standing(2, 2)]) == waiting[2], "too small to be waited for"


def test_a_worker_without_gpus_leaves_jobs_to_machines_that_have_them() -> None:
    waiting = [Waiting(1, 1), Waiting(2, 2), Waiting(3, 3, only=True)]
    here = standing(0, 0)
    assert pick(waiting, mine=here, slot=True, others=[standing(1, 0, "one")]) == waiting[1]
    assert pick(waiting, mine=here, slot=True, others=[standing(2, 0, "two")]) is None
    assert pick(waiting, mine=here, slot=True, others=[standing(0, 0, "none")]) == waiting[0]
    assert pick(waiting[2:], mine=here, slot=True, others=[]) is None
    assert pick(waiting, mine=here, slot=True, others=[standing(0, 0, "ray", cluster=True)]) is None
    assert pick(waiting, mine=standing(0, 0, cluster=True), slot=True, others=[]) == waiting[0]


def test_a_job_that_waits_says_what_for() -> None:
    one, four = Waiting(1, 1), Waiting(1, 4)
    has_two, has_four, none = standing(2, 1, "two"), standing(4, 3, "four"), standing(0, 0, "none")
    told = {
        why_waiting(four, ahead=0, living=[]): "No worker is running",
        why_waiting(Waiting(1, 0), ahead=3, living=[has_two]): "as soon as a worker is free",
        why_waiting(one, ahead=3, living=[none]): "as soon as a worker is free",
        why_waiting(four, ahead=0, living=[has_two]): "needs 4 GPUs at once, and no running worker has as many",
        why_waiting(four, ahead=0, living=[has_two, none]): "as soon as a worker without GPUs is free",
        why_waiting(
            four, ahead=0, living=[has_two, has_four]
        ): "4 GPUs on host-four, where 3 of 4 are free; what gets free there is kept",
        why_waiting(four, ahead=2, living=[has_four]): "2 that need GPUs are before it",
        why_waiting(one, ahead=1, living=[has_two]): "for 1 GPU; one that needs GPUs is before it",
        why_waiting(one, ahead=0, living=[has_two]): "in a moment",
    }
    assert [(said, part) for said, part in told.items() if part not in said] == []


# --- on databases ---


def an_offer(count: int, prefix: str = "GPU-") -> Offer:
    return Offer(tuple(Device(f"{prefix}{n}", n, f"{prefix}{n}", "H200", 143771) for n in range(count)), known=True)


def sign_in(database: Database, worker: str, offer: Offer, machine: str = "machine") -> None:
    with database.writing() as session:
        slots.register(session, worker=worker, machine=machine, host=worker, offer=offer)
        session.commit()


def enqueue(database: Database, *needs: int, **extra: Any) -> list[int]:
    with database.writing() as session:
        project = a_project(session, f"shop-{now().timestamp()}".replace(".", "-"))
        given = {"kind": JobKind.TRAIN, "arguments": ["run"], "folder": "runs/x", "project_id": project.id or 0} | extra
        jobs = [queue.enqueue(session, actor=SYSTEM, need=Need(need), **given) for need in needs]
        session.commit()
        return [job.id or 0 for job in jobs]


def claim(database: Database, worker: str, offer: Offer, **extra: Any) -> Job | None:
    with database.writing() as session:
        return queue.claim(session, worker=worker, seconds=30, room=Room(worker, offer, **extra))


def finish(database: Database, job: Job, status: JobStatus = JobStatus.SUCCEEDED) -> None:
    with database.writing() as session:
        assert queue.finish(session, job_id=job.id or 0, attempt=job.attempt, worker=job.worker, status=status)
        session.commit()


def held(database: Database) -> dict[str, int]:
    with database.reading() as session:
        return slots.held(session)


def test_of_many_claimers_in_a_hurry_no_two_ever_hold_one_gpu(database: Database) -> None:
    """Four workers of one machine with three GPUs; every claim's GPUs are compared with all that are in use then."""
    offer, needs = an_offer(3), [1, 3, 2, 1, 0, 2, 3, 1, 1, 2, 1, 3]
    jobs = enqueue(database, *needs)
    in_use: dict[str, int] = {}
    wrong: list[str] = []
    done: list[int] = []
    guard = threading.Lock()

    def work(name: str) -> None:
        sign_in(database, name, offer)
        while len(done) < len(jobs) and not wrong:
            job = claim(database, name, offer)
            if job is None:
                continue
            with database.reading() as session:
                mine = slots.leased(session, job)
            with guard:
                if len(mine) != job.gpus or set(mine) & in_use.keys():
                    wrong.append(f"job {job.id} with {mine} beside {in_use}")
                in_use.update(dict.fromkeys(mine, job.id or 0))
            time.sleep(0.01)
            with guard:
                for device in mine:
                    del in_use[device]
                done.append(job.id or 0)
            finish(database, job)

    workers = [threading.Thread(target=work, args=(f"w{number}",)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert wrong == []
    assert sorted(done) == jobs
    assert held(database) == {}


def test_a_job_that_somebody_has_in_hand_is_passed_over(postgres_new: Callable[[], str]) -> None:
    """Where rows are locked one by one; a writer on SQLite is alone."""
    database, offer = Database(postgres_new()), an_offer(2)
    sign_in(database, "one", offer)
    first, second = enqueue(database, 1, 1)
    with database.writing() as session:
        queue.locked(session, first)
        job = claim(database, "one", offer)
        assert job is not None
        assert job.id == second
    database.dispose()


def test_workers_in_two_containers_of_a_machine_share_its_gpus(database: Database) -> None:
    """A GPU is the same by its UUID, whatever the machine is called from inside."""
    offer = an_offer(2)
    sign_in(database, "one", offer, "boot/1")
    sign_in(database, "two", offer, "boot/2")
    first, second, third = enqueue(database, 1, 1, 1)
    assert [job.id for job in (claim(database, "one", offer), claim(database, "two", offer)) if job] == [first, second]
    assert held(database) == {"GPU-0": first, "GPU-1": second}
    assert claim(database, "two", offer) is None
    assert third not in held(database).values()


@pytest.mark.parametrize("status", [JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.LOST, JobStatus.QUEUED])
def test_however_a_job_ends_its_gpus_are_free(status: JobStatus, database: Database) -> None:
    offer = an_offer(2)
    sign_in(database, "one", offer)
    enqueue(database, 2)
    job = claim(database, "one", offer)
    assert job is not None
    assert set(held(database)) == {"GPU-0", "GPU-1"}
    finish(database, job, status)
    with database.reading() as session:
        assert {(gpu.job_id, gpu.attempt) for gpu in session.exec(select(Gpu))} == {(None, None)}


def test_a_job_that_was_adopted_keeps_its_gpus_and_one_that_paused_does_not(database: Database) -> None:
    offer = an_offer(1)
    sign_in(database, "one", offer)
    enqueue(database, 1, 1)
    job = claim(database, "one", offer)
    assert job is not None
    with database.writing() as session:
        assert queue.adopt(session, job, worker="two", seconds=30)
    assert held(database) == {"GPU-0": job.id}
    assert claim(database, "two", offer) is None
    with database.writing() as session:
        adopted = queue.request_stop(session, queue.locked(session, job.id or 0), pause=True)
        session.commit()
    assert held(database) == {"GPU-0": job.id}, "it still runs to its next step"
    finish(database, adopted, JobStatus.PAUSED)
    assert claim(database, "two", offer) is not None


def test_what_an_older_attempt_held_is_free(sqlite: Database) -> None:
    """Also where a row was left behind, by a version that did not free it or by hand."""
    offer = an_offer(1)
    sign_in(sqlite, "one", offer)
    (job_id,) = enqueue(sqlite, 1)
    first = claim(sqlite, "one", offer)
    assert first is not None
    with sqlite.writing() as session:
        job = queue.locked(session, job_id)
        job.status = JobStatus.QUEUED
        session.add(job)
        session.commit()
    second = claim(sqlite, "one", offer)
    assert second is not None
    assert second.attempt == 2
    with sqlite.reading() as session:
        assert [(gpu.job_id, gpu.attempt) for gpu in session.exec(select(Gpu))] == [(job_id, 2)]


def test_a_job_too_large_for_now_holds_gpus_back_but_not_work_without_them(database: Database) -> None:
    offer = an_offer(2)
    sign_in(database, "one", offer)
    small, large, later, plain = enqueue(database, 1, 2, 1, 0)
    first = claim(database, "one", offer)
    assert first is not None
    assert first.id == small
    beside = claim(database, "one", offer)
    assert beside is not None
    assert beside.id == plain
    assert claim(database, "one", offer, slot=False) is None
    finish(database, first)
    freed = claim(database, "one", offer)
    assert freed is not None
    assert freed.id == large
    finish(database, freed)
    last = claim(database, "one", offer)
    assert last is not None
    assert last.id == later


def test_a_job_too_large_for_the_machine_holds_nobody_up_and_is_refused_with_the_reason(database: Database) -> None:
    offer = an_offer(2)
    sign_in(database, "one", offer)
    large, small = enqueue(database, 4, 1)
    job = claim(database, "one", offer)
    assert job is not None
    assert job.id == small
    with database.reading() as session:
        assert list(slots.hopeless(session)) == [large]
        assert "needs 4 GPUs at once, and no worker's machine has more than 2" in slots.hopeless(session)[large]
    sign_in(database, "four", an_offer(4, "MIG-"))
    with database.reading() as session:
        assert slots.hopeless(session) == {}
    with database.writing() as session:
        slots.leave(session, "four")
        session.commit()
        assert slots.hopeless(session) == {}, "it may be back in a moment"
        session.exec(select(Presence).where(Presence.name == "four")).one().seen_at = now() - slots.GRACE
        session.commit()
        assert list(slots.hopeless(session)) == [large]
    sign_in(database, "plain", Offer())
    with database.reading() as session:
        assert slots.hopeless(session) == {}, "it can do without"
    elsewhere = claim(database, "plain", Offer())
    assert elsewhere is not None
    assert elsewhere.id == large


def test_a_job_that_insists_on_a_gpu_is_refused_where_no_machine_has_one(database: Database) -> None:
    sign_in(database, "plain", Offer())
    with database.writing() as session:
        project = a_project(session)
        job = queue.enqueue(
            session,
            actor=SYSTEM,
            project_id=project.id or 0,
            kind=JobKind.TRAIN,
            arguments=["run"],
            folder="x",
            need=Need(1, True),
        )
        session.commit()
    assert claim(database, "plain", Offer()) is None
    with database.reading() as session:
        assert "no worker's machine has one. Choose the device" in slots.hopeless(session)[job.id or 0]
    sign_in(database, "ray", CLUSTER)
    with database.reading() as session:
        assert slots.hopeless(session) == {}


def test_a_cluster_takes_any_job_and_leases_nothing_here(sqlite: Database) -> None:
    sign_in(sqlite, "ray", CLUSTER)
    jobs = enqueue(sqlite, 8, 0)
    assert [job.id for job in iter(lambda: claim(sqlite, "ray", CLUSTER), None)] == jobs
    assert held(sqlite) == {}


def test_a_job_that_somebody_waits_for_does_not_wait_for_others_turns(sqlite: Database) -> None:
    offer = an_offer(2)
    sign_in(sqlite, "one", offer)
    _, large, mine = enqueue(sqlite, 1, 2, 1)
    assert claim(sqlite, "one", offer) is not None
    with sqlite.writing() as session:
        job = queue.claim(session, worker="one", seconds=30, only=mine, room=Room("one", offer))
    assert job is not None
    assert set(held(sqlite).values()) == {job.id, mine - 2}
    assert large not in held(sqlite).values()


def test_two_workers_that_start_at_once_name_their_gpus_once(database: Database) -> None:
    offer = an_offer(4)
    starting = [threading.Thread(target=sign_in, args=(database, f"w{number}", offer)) for number in range(6)]
    for thread in starting:
        thread.start()
    for thread in starting:
        thread.join()
    with database.reading() as session:
        assert sorted(session.exec(select(Gpu.device))) == ["GPU-0", "GPU-1", "GPU-2", "GPU-3"]
        assert len(slots.living(session)) == 6


def test_workers_and_gpus_that_are_gone_for_a_day_are_forgotten_but_for_what_is_held(database: Database) -> None:
    sign_in(database, "old", an_offer(3, "OLD-"))
    enqueue(database, 1)
    assert claim(database, "old", an_offer(1, "OLD-")) is not None
    with database.writing() as session:
        long_ago = now() - slots.KEPT - timedelta(minutes=1)
        for row in (*session.exec(select(Presence)), *session.exec(select(Gpu))):
            setattr(row, "seen_at" if isinstance(row, Presence) else "named_at", long_ago)
        session.commit()
    sign_in(database, "new", an_offer(1))
    with database.reading() as session:
        assert sorted(session.exec(select(Gpu.device))) == ["GPU-0", "OLD-0"]
        assert list(session.exec(select(Presence.name))) == ["new"]


def test_a_worker_is_there_until_it_leaves_or_falls_silent(sqlite: Database) -> None:
    sign_in(sqlite, "one", an_offer(2))
    with sqlite.writing() as session:
        assert [(one.name, one.total, one.free) for one in slots.living(session)] == [("one", 2, 2)]
        assert slots.living_on(session, "machine") == ["one"]
        slots.leave(session, "one")
        assert slots.living(session) == []
        assert slots.living_on(session, "machine") == []
        assert slots.on_offer(session) == set()
        assert slots.seen(session, "one")
        assert len(slots.living(session)) == 1
        assert not slots.seen(session, "nobody")
        session.exec(select(Presence)).one().seen_at = now() - slots.LIVING
        session.flush()
        assert slots.living(session) == []
