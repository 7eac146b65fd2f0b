from __future__ import annotations

from typing import Any

import pytest

from backend.jobs import queue, slots
from backend.jobs.gpus import Device, Offer
from backend.jobs.slots import Room
from backend.runtime import Runtime
from backend.store.models import Job, Run
from backend.training import controlling
from backend.vocabulary import JobStatus
from tests.backend.training.conftest import Studio
from tests.pages.desk import opened, words

HOSTILE = "<script>alert(1)</script> ![x](http://evil.example/x.png) :red[hi]"


@pytest.fixture
def studio(house: Runtime) -> Studio:
    made = Studio(house.database, house.settings.data)
    made.settings = house.settings
    return made


def set_job(house: Runtime, run: Run, **values: Any) -> None:
    with house.database.writing() as session:
        job = session.get_one(Job, run.job_id)
        for name, value in values.items():
            setattr(job, name, value)
        session.add(job)
        session.commit()


def test_jobs_are_listed_stopped_and_tried_again(house: Runtime, studio: Studio) -> None:
    page = opened(house, studio.lead, "jobs")
    assert "No job yet" in words(page)
    run = studio.start(name=HOSTILE)
    page.run()
    assert f"Job {run.job_id}, train {HOSTILE}: queued, attempt 1 of 3" in [text.value for text in page.text]
    page.button(key=f"stop_{run.job_id}").click().run()
    assert not page.exception
    assert f"Job {run.job_id} is cancelled" in words(page)
    page.button(key=f"again_{run.job_id}_0").click().run()
    assert "is in the queue again" in words(page)
    with house.database.writing() as session:
        controlling.cancel(session=session, actor=studio.lead, job_id=run.job_id or 0)
    set_job(house, run, status=JobStatus.RUNNING, progress={"step": 3, "total_steps": 9}, worker="host 7/1.00@abc")
    page.run()
    assert "Worker: host 7" in words(page)
    assert not page.exception


def test_a_waiting_job_is_put_first_paused_and_goes_on(house: Runtime, studio: Studio) -> None:
    first, second = studio.start(name="First"), studio.start(name="Second")
    page = opened(house, studio.lead, "jobs")
    page.button(key=f"first_{second.job_id}").click().run()
    assert f"Job {second.job_id} is the next one" in words(page)
    with house.database.writing() as session:
        assert queue.claim(session, worker="w", seconds=60).id == second.job_id  # type: ignore[union-attr]
    page.button(key=f"pause_{first.job_id}").click().run()
    assert f"Job {first.job_id} is paused" in words(page)
    page.button(key=f"again_{first.job_id}_0").click().run()
    assert studio.job(first).status is JobStatus.QUEUED
    page.button(key=f"pause_{second.job_id}").click().run()
    assert f"Job {second.job_id} stops at its next step and can go on later" in words(page)
    assert not page.exception


def test_gpus_are_shown_with_what_runs_on_each_and_a_waiting_job_says_what_for(house: Runtime, studio: Studio) -> None:
    first, second = studio.start(name=HOSTILE), studio.start(name="Second")
    page = opened(house, studio.lead, "jobs")
    assert "GPU" not in words(page)
    assert words(page).count("No worker is running") == 2
    offer = Offer((Device("GPU-a", 3, "GPU-a", HOSTILE, 143771),), known=True)
    with house.database.writing() as session:
        slots.register(session, worker="w", machine="m", host="big-box", offer=offer)
        session.commit()
        assert queue.claim(session, worker="w", seconds=60, room=Room("w", offer)).id == first.job_id  # type: ignore[union-attr]
    page.run()
    shown = [text.value for text in page.text]
    assert shown[0] == "GPUs of big-box: 0 of 1 free"
    assert {f"GPU 3, {HOSTILE}, 140 GiB", f"Job {first.job_id}, train {HOSTILE}"} == set(shown[1:3])
    assert "It waits for 1 GPU on big-box, where 0 of 1 are free; what gets free there is kept for it." in shown
    page.button(key=f"stop_{second.job_id}").click().run()
    assert not page.exception
