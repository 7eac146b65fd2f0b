"""The whole way: people answer a task, the answers are frozen, the trainer learns from them, a version comes out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from backend.access.actors import SYSTEM
from backend.datasets.freezing import freeze
from backend.datasets.kinds import Labelling
from backend.evaluation.evaluating import collect as collect_evaluation
from backend.evaluation.evaluating import start_evaluation
from backend.jobs.waiting import wait
from backend.settings import Settings
from backend.store.database import Database
from backend.store.models import ModelVersion, Response, Run
from backend.training import launching
from backend.vocabulary import JobKind, JobStatus, SnapshotKind, TaskKind
from tests.backend.datasets.test_labelling import a_desk
from tests.backend.review.judging import Judging


def trained(desk: Judging, settings: Settings, kind: SnapshotKind, **recipe: Any) -> Run:
    """Freeze what was answered and train on it, as the command line does."""
    labelling = Labelling(kind=kind)
    snapshot = desk.call(freeze, settings=settings, project_id=desk.project, labelling=labelling)
    given = {"epochs": 2, "batch_size": 4, "learning_rate": 1e-3} | recipe
    run = desk.call(launching.start_run, settings=settings, project_id=desk.project, snapshot_id=snapshot.id or 0, recipe=given)
    finished(desk, settings, run.job_id or 0)
    with desk.database.reading() as session:
        return session.get_one(Run, run.id)


def finished(desk: Judging, settings: Settings, job_id: int) -> None:
    collectors = {JobKind.TRAIN: launching.collect, JobKind.EVALUATE: collect_evaluation}
    job = wait(database=desk.database, settings=settings, job_id=job_id, collectors=collectors)
    assert job.status is JobStatus.SUCCEEDED, job.error


@pytest.mark.slow
def test_blind_comparisons_become_a_dpo_version_that_is_evaluated_as_any_other(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.jobs.waiting.PATIENCE", 0.1)
    desk, settings = a_desk(sqlite, TaskKind.COMPARE, items=10, overlap=1), Settings(data=tmp_path / "data")
    list(desk.rate_all())
    run = trained(desk, settings, SnapshotKind.PREFERENCES, epochs=5)
    assert run.result["objective"] == "dpo"
    assert run.result["test"]["preference_accuracy"] == 1.0
    with sqlite.writing() as session:
        version = session.exec(select(ModelVersion).where(ModelVersion.run_id == run.id)).one()
        evaluation = start_evaluation(
            session=session,
            actor=SYSTEM,
            settings=settings,
            project_id=desk.project,
            candidate_version_id=version.id or 0,
            decoding={"max_new_tokens": 8},
        )
    finished(desk, settings, evaluation.job_id or 0)
    with sqlite.reading() as session:
        answers = session.exec(select(Response).where(Response.evaluation_id == evaluation.id)).all()
        assert {answer.reference.split()[0] for answer in answers} == {"Truth"}
        assert len(answers) == 2  # one question in the test split, two models


@pytest.mark.slow
def test_ratings_become_a_kto_version(sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.jobs.waiting.PATIENCE", 0.1)
    desk, settings = a_desk(sqlite, TaskKind.RATE, items=10, overlap=1), Settings(data=tmp_path / "data")
    for number in range(10):
        (item,) = desk.next()
        desk.answer(item, good=number % 2 == 0)
    run = trained(desk, settings, SnapshotKind.THUMBS)
    assert run.result["objective"] == "kto"
    assert {"margin", "kl"} <= run.result["test"].keys()
    with sqlite.reading() as session:
        assert session.exec(select(ModelVersion).where(ModelVersion.run_id == run.id)).one().adapter
