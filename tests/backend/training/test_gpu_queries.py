"""What the Jobs page tells of GPUs, and how many of them each kind of job asks for."""

from __future__ import annotations

from typing import Any

import pytest

from backend.access.actors import SYSTEM
from backend.errors import Forbidden
from backend.jobs import queue, slots
from backend.jobs.gpus import Device, Offer
from backend.jobs.slots import Need, Room
from backend.store.models import Job
from backend.training import controlling, gpu_queries, planning, searching
from backend.vocabulary import JobKind, JobStatus, Role
from tests.backend.training.conftest import Studio
from tests.factories import a_person, a_project

OFFER = Offer((Device("GPU-a", 0, "GPU-a", "NVIDIA H200", 143771), Device("GPU-b", 1, "GPU-b")), known=True)


def sign_in(studio: Studio, offer: Offer = OFFER, host: str = "big-box") -> None:
    with studio.database.writing() as session:
        slots.register(session, worker=host, machine=host, host=host, offer=offer)
        session.commit()


def claim(studio: Studio) -> Job:
    with studio.database.writing() as session:
        job = queue.claim(session, worker="big-box", seconds=30, room=Room("big-box", OFFER))
    assert job is not None
    return job


def test_each_kind_of_job_asks_for_the_gpus_of_its_recipe(studio: Studio) -> None:
    given: dict[str, Any] = {"settings": studio.settings, "project_id": studio.project_id, "snapshot_id": studio.snapshot_id}
    runs = [studio.start(), studio.start(recipe={"device": "cpu"}), studio.start(recipe={"device": "cuda", "processes": 2})]
    asked = [studio.job(run) for run in runs]
    with studio.database.writing() as session:
        recipe = {"device": "auto", "processes": 4}
        asked.append(planning.start_plan(session=session, actor=studio.lead, recipe=recipe, **given))
        search = searching.start_search(
            session=session,
            actor=studio.lead,
            recipe={"device": "cuda"},
            space={"epochs": {"choices": [1, 2]}},
            method="grid",
            **given,
        )
        asked.append(session.get_one(Job, search.job_id))
    assert [(job.gpus, job.gpus_only) for job in asked] == [(1, False), (0, False), (2, True), (1, False), (1, True)]


def test_gpus_are_listed_with_what_runs_on_them(studio: Studio) -> None:
    run = studio.start(name="First")
    with studio.database.reading() as session:
        assert gpu_queries.gpus(session, studio.lead, studio.project_id) == []
        assert "No worker is running" in gpu_queries.why_waiting(session, studio.lead, studio.project_id)[run.job_id or 0]
    sign_in(studio)
    claim(studio)
    with studio.database.reading() as session:
        first, second = gpu_queries.gpus(session, studio.lead, studio.project_id)
        assert (first.host, first.number, first.name, first.memory_mib) == ("big-box", 0, "NVIDIA H200", 143771)
        assert (first.doing, first.since is not None) == (f"Job {run.job_id}, train First", True)
        assert (second.number, second.doing, second.since) == (1, "", None)
        assert gpu_queries.why_waiting(session, studio.lead, studio.project_id) == {}
        with pytest.raises(Forbidden):
            gpu_queries.gpus(session, studio.rater, studio.project_id)


def test_a_job_of_another_project_is_not_named(studio: Studio) -> None:
    sign_in(studio)
    with studio.database.writing() as session:
        other = a_project(session, "secret")
        stranger = a_person(session, "other@shop.test", project=other, role=Role.LEAD)
        queue.enqueue(
            session,
            actor=SYSTEM,
            project_id=other.id or 0,
            kind=JobKind.TRAIN,
            arguments=["run"],
            folder="x",
            payload={"run": "Plot"},
        )
        session.commit()
    claim(studio)
    with studio.database.reading() as session:
        assert gpu_queries.gpus(session, studio.lead, studio.project_id)[0].doing == "A job of another project"
        assert gpu_queries.gpus(session, stranger, other.id or 0)[0].doing.endswith("train Plot")


def test_a_gpu_in_use_is_listed_also_when_its_worker_has_left(studio: Studio) -> None:
    sign_in(studio)
    studio.start()
    claim(studio)
    with studio.database.writing() as session:
        slots.leave(session, "big-box")
        assert [card.number for card in gpu_queries.gpus(session, studio.lead, studio.project_id)] == [0]


def test_why_a_job_waits_counts_those_before_it_also_of_other_projects(studio: Studio) -> None:
    sign_in(studio)
    with studio.database.writing() as session:
        other = a_project(session, "other")
        given: dict[str, Any] = {"actor": SYSTEM, "kind": JobKind.TRAIN, "arguments": ["run"], "folder": "x"}
        queue.enqueue(session, project_id=other.id or 0, need=Need(2), **given)
        mine = queue.enqueue(session, project_id=studio.project_id, **given)
        large = queue.enqueue(session, project_id=studio.project_id, need=Need(3), **given)
        session.commit()
        told = gpu_queries.why_waiting(session, studio.lead, studio.project_id)
        assert told.keys() == {mine.id, large.id}
        assert "one that needs GPUs is before it" in told[mine.id or 0]
        assert "needs 3 GPUs at once" in told[large.id or 0]
        controlling.put_first(session=session, actor=studio.lead, job_id=mine.id or 0)
        assert gpu_queries.why_waiting(session, studio.lead, studio.project_id)[mine.id or 0] == "It starts in a moment."
        assert queue.get(session, mine.id or 0).status is JobStatus.QUEUED
