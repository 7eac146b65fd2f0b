"""A look before a run: made by a worker as the run would be, and remembered by the run that follows it."""

from __future__ import annotations

import pytest
from sqlmodel import select

from backend.errors import Forbidden, InvalidInput, NotFound
from backend.jobs.launcher import LocalLauncher
from backend.jobs.worker import Pace, Worker
from backend.store.models import Job
from backend.training import planning
from backend.vocabulary import JobKind, JobStatus
from tests.backend.training.conftest import Studio

QUICK = {"epochs": 1, "lora_rank": 2}


def test_a_worker_makes_the_plan_and_the_run_after_it_remembers_the_estimate(small_studio: Studio) -> None:
    studio = small_studio
    given = {"settings": studio.settings, "project_id": studio.project_id, "snapshot_id": studio.snapshot_id}
    with studio.database.writing() as session:
        job = planning.start_plan(session=session, actor=studio.lead, recipe=QUICK, **given)
        job_id = job.id or 0
    launcher = LocalLauncher(studio.settings)
    worker = Worker(database=studio.database, settings=studio.settings, launcher=launcher, collectors={}, pace=Pace(poll=0.05))
    worker.run(once=True)
    with studio.database.reading() as session:
        card = planning.plan_card(session, studio.lead, studio.settings, job_id)
    assert (card.status, card.error) == (JobStatus.SUCCEEDED, "")
    assert (card.told["rows"], card.told["steps"], card.told["stop_token_trained"], card.told["fits"]) == (12, 1, True, True)
    assert any(part["trained"] and "takes" in part["text"] for part in card.told["example"])
    estimate = studio.job(studio.start(recipe=QUICK)).payload["estimate"]
    assert estimate["estimated_seconds"] == card.told["estimated_seconds"]
    assert studio.job(studio.start(recipe=QUICK | {"epochs": 2})).payload["estimate"] == {}


def test_what_cannot_be_planned_or_seen_is_refused(small_studio: Studio) -> None:
    studio = small_studio
    given = {"settings": studio.settings, "project_id": studio.project_id, "snapshot_id": studio.snapshot_id}
    with studio.database.writing() as session:
        with pytest.raises(InvalidInput, match="epochs must be at least 1"):
            planning.start_plan(session=session, actor=studio.lead, recipe={"epochs": 0}, **given)
        with pytest.raises(Forbidden):
            planning.start_plan(session=session, actor=studio.rater, recipe=QUICK, **given)
        with pytest.raises(NotFound):
            planning.plan_card(session, studio.lead, studio.settings, 999)
        assert session.exec(select(Job).where(Job.kind == JobKind.PLAN)).all() == []
