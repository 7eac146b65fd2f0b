from __future__ import annotations

from typing import Any

import pytest

from backend.jobs import queue
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
