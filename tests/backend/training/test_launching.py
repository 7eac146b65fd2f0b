"""Runs: started on what was frozen, stopped, tried again, and taken in."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import col, select

from backend.access.actors import SYSTEM
from backend.access.overview import overview
from backend.errors import Conflict, Forbidden, IntegrityViolated, InvalidInput, NotFound, NotReady
from backend.jobs import queue
from backend.jobs.launcher import LocalLauncher
from backend.jobs.outcomes import Outcome
from backend.jobs.worker import Pace, Worker
from backend.settings import Settings
from backend.store import versions as kinds
from backend.store.database import Database
from backend.store.models import Job, ModelVersion, Run
from backend.training import controlling, launching, queries
from backend.vocabulary import JobKind, JobStatus, Role, Stage
from tests.backend.training.conftest import Studio
from tests.factories import a_person, a_project
from trainer import contract


def versions(studio: Studio) -> list[ModelVersion]:
    with studio.database.reading() as session:
        return list(session.exec(select(ModelVersion).order_by(col(ModelVersion.number))))


def finish(studio: Studio, run: Run, *, weights: str = contract.ADAPTER, result: str = '{"steps": 5}') -> None:
    """As if the trainer had ended well."""
    folder = studio.settings.runs / run.folder
    if weights:
        (folder / weights).mkdir()
    (folder / contract.RESULT).write_text(result)
    with studio.database.writing() as session:
        job = session.get_one(Job, run.job_id)
        outcome = Outcome(JobStatus.SUCCEEDED, 0, folder, "")
        launching.collect(session=session, settings=studio.settings, job=job, outcome=outcome)
        session.commit()


def test_a_run_is_a_row_a_config_and_a_job(studio: Studio) -> None:
    run = studio.start(recipe={"epochs": "3"}, name="  Try  ")
    folder = studio.settings.runs / run.folder
    config = contract.TrainConfig.from_json(contract.read_json(folder / contract.CONFIG))
    assert (config.epochs, Path(config.data)) == (3, studio.settings.snapshots / "shop-0001")
    assert (run.number, run.name, run.config["epochs"]) == (1, "Try", 3)
    job = studio.job(run)
    assert (job.status, job.kind, job.folder) == (JobStatus.QUEUED, JobKind.TRAIN, f"runs/{run.folder}")
    assert job.payload["arguments"] == ["run", "--config", str(folder / "config.json"), "--out", str(folder)]
    assert studio.start().number == 2


def test_a_changed_snapshot_is_not_trained_on(small_studio: Studio) -> None:
    path = small_studio.settings.snapshots / "shop-0001" / "train.jsonl"
    path.write_bytes(path.read_bytes().replace(b"Yes", b"No!"))
    with pytest.raises(IntegrityViolated, match=r"train\.jsonl was changed"):
        small_studio.start()
    assert not small_studio.settings.runs.exists()


def test_what_cannot_be_trained_is_refused_before_anything_is_written(sqlite: Database, tmp_path: Path) -> None:
    empty = Studio(sqlite, tmp_path / "data", rows=0)
    with pytest.raises(NotReady, match="no rows to train on"):
        empty.start()
    assert not empty.settings.runs.exists()


def test_a_recipe_that_contradicts_itself_starts_nothing(small_studio: Studio) -> None:
    with pytest.raises(InvalidInput, match="epochs must be at least 1"):
        small_studio.start(recipe={"epochs": 0})
    assert not small_studio.settings.runs.exists()


def test_raters_and_other_projects_may_not_start_or_steer(small_studio: Studio) -> None:
    run = small_studio.start()
    with small_studio.database.writing() as session:
        other = a_project(session, "other")
        stranger = a_person(session, "lead@other.test", project=other, role=Role.LEAD)
        session.commit()
    with pytest.raises(Forbidden):
        small_studio.start(small_studio.rater)
    for act in (controlling.cancel, controlling.resume):
        for actor, error in ((small_studio.rater, Forbidden), (stranger, NotFound)):
            with small_studio.database.writing() as session, pytest.raises(error):
                act(session=session, actor=actor, job_id=run.job_id or 0)
    with small_studio.database.writing() as session, pytest.raises(NotFound):
        launching.start_run(
            session=session,
            actor=stranger,
            settings=small_studio.settings,
            project_id=other.id or 0,
            snapshot_id=small_studio.snapshot_id,
        )
    with small_studio.database.reading() as session, pytest.raises(NotFound):
        queries.run_card(session, stranger, small_studio.settings, run.id or 0)


def test_a_run_that_ended_well_brings_a_base_and_a_candidate_and_only_once(studio: Studio) -> None:
    run = studio.start(name="Try")
    finish(studio, run, result='{"steps": 5, "best_validation_loss": NaN}')
    with studio.database.writing() as session:
        outcome = Outcome(JobStatus.SUCCEEDED, 0, Path(), "")
        launching.collect(session=session, settings=studio.settings, job=session.get_one(Job, run.job_id), outcome=outcome)
        session.commit()
        assert session.get_one(Run, run.id).result == {"steps": 5}
    base, candidate = versions(studio)
    assert (base.number, base.run_id, base.served_as, base.adapter) == (0, None, "shop-base", None)
    assert (candidate.number, candidate.run_id, candidate.served_as) == (1, run.id, "shop-v1")
    assert candidate.stage is Stage.CANDIDATE
    served = json.loads((studio.settings.models / "shop-v1" / contract.SERVED).read_text())
    assert served == {"base_model": contract.EMBEDDED, "revision": None, "adapter": candidate.adapter}
    assert Path(candidate.adapter or "").name == contract.ADAPTER


def test_another_base_model_gets_a_version_of_its_own_and_the_same_one_does_not(small_studio: Studio) -> None:
    for recipe in ({}, {"base_model": "org/model", "revision": "abc"}, {}):
        finish(small_studio, small_studio.start(recipe=recipe))
    found = [(version.number, version.served_as) for version in versions(small_studio)]
    assert found == [(0, "shop-base"), (1, "shop-v1"), (2, "shop-base-2"), (3, "shop-v3"), (4, "shop-v4")]


def test_full_weights_are_a_base_of_their_own(small_studio: Studio) -> None:
    run = small_studio.start(recipe={"adapter": "full"})
    finish(small_studio, run, weights=contract.MODEL)
    candidate = versions(small_studio)[1]
    assert candidate.adapter is None
    assert Path(candidate.base_model) == small_studio.settings.runs / run.folder / contract.MODEL


@pytest.mark.parametrize(("weights", "result"), [("", "{}"), (contract.ADAPTER, "{")])
def test_a_run_without_weights_or_result_is_not_taken_in(small_studio: Studio, weights: str, result: str) -> None:
    with pytest.raises(IntegrityViolated):
        finish(small_studio, small_studio.start(), weights=weights, result=result)
    assert versions(small_studio) == []


def test_a_queued_run_is_cancelled_resumed_and_repeated(studio: Studio) -> None:
    run = studio.start(recipe={"epochs": 7})
    with studio.database.writing() as session:
        assert controlling.cancel(session=session, actor=studio.lead, job_id=run.job_id or 0).status is JobStatus.CANCELLED
    with studio.database.writing() as session, pytest.raises(Conflict):
        controlling.cancel(session=session, actor=studio.lead, job_id=run.job_id or 0)
    with studio.database.writing() as session:
        assert controlling.resume(session=session, actor=studio.lead, job_id=run.job_id or 0).status is JobStatus.QUEUED
    with studio.database.writing() as session, pytest.raises(Conflict):
        controlling.resume(session=session, actor=studio.lead, job_id=run.job_id or 0)
    with studio.database.writing() as session:
        again = launching.repeat_run(session=session, actor=studio.lead, settings=studio.settings, run_id=run.id or 0)
    assert (again.number, again.config["epochs"], again.snapshot_id) == (2, 7, run.snapshot_id)
    assert again.folder != run.folder


@pytest.mark.slow
def test_the_real_trainer_is_run_killed_resumed_and_taken_in(sqlite: Database, tmp_path: Path) -> None:
    studio = Studio(sqlite, tmp_path / "data")
    run = studio.start(recipe={"epochs": 25, "batch_size": 4, "checkpoint_every": 5, "evaluations_per_epoch": 1})
    settings = Settings(data=studio.settings.data)
    worker = Worker(
        database=sqlite,
        settings=settings,
        launcher=LocalLauncher(settings),
        collectors={JobKind.TRAIN: launching.collect},
        pace=Pace(poll=0.1),
    )
    killed: list[int] = []

    def kill_once() -> None:
        job = studio.job(run)
        if not killed and job.pid and job.progress.get("step", 0) >= 10:
            os.kill(job.pid, 9)
            killed.append(job.progress["step"])

    worker.run(once=True, look=kill_once)
    job = studio.job(run)
    assert (job.status, job.error, job.attempt) == (JobStatus.SUCCEEDED, "", 2 if killed else 1)
    assert killed, "the run was over before it could be killed"
    assert [version.served_as for version in versions(studio)] == ["shop-base", "shop-v1"]
    with sqlite.reading() as session:
        card = queries.run_card(session, SYSTEM, settings, run.id or 0)
    frame = queries.read_metrics(card.folder).frame()
    assert (card.share_done, card.version, list(frame["step"])) == (1.0, "shop-v1", list(range(1, 76)))
    assert frame["loss"].iloc[-1] < frame["loss"].iloc[0] / 4
    assert "from the last checkpoint" in queries.log_tail(card.folder / contract.LOG)
    with sqlite.writing() as session, pytest.raises(Conflict):
        queue.requeue(session, queue.locked(session, run.job_id or 0))


def test_reading_on_gives_the_whole_curve_and_a_rewound_file_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / contract.METRICS

    def line(step: int, event: str = "train", **values: Any) -> str:
        return json.dumps({"event": event, "step": step, "loss": 1 / step, **values}) + "\n"

    path.write_text(line(1) + line(2) + '{"event": "tr')
    first = queries.read_metrics(tmp_path)
    assert len(first.train) == 2
    path.write_text(line(1) + line(2) + line(3) + line(3, "validation", perplexity=2.0, samples=[{"prompt": "p"}]) + "junk\n")
    second = queries.read_metrics(tmp_path, first)
    assert (len(second.train), second.samples) == (3, [{"prompt": "p"}])
    assert list(second.frame()["validation_loss"].dropna()) == [pytest.approx(1 / 3)]
    other = tmp_path / "other"
    other.write_text(line(1))
    other.replace(path)
    assert len(queries.read_metrics(tmp_path, second).train) == 1
    path.unlink()
    assert queries.read_metrics(tmp_path, second).frame().empty


def test_a_long_curve_is_thinned_and_read_in_bounded_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [json.dumps({"event": "train", "step": step, "loss": 1.0}) for step in range(1, 9001)]
    (tmp_path / contract.METRICS).write_text("\n".join(lines) + "\n")
    monkeypatch.setattr(queries, "CHUNK", 100_000)
    known, looks = queries.read_metrics(tmp_path), 1
    while not known.complete:
        known, looks = queries.read_metrics(tmp_path, known), looks + 1
    assert looks > 3
    assert len(known.train) == 9000
    frame = known.frame()
    assert len(frame) <= queries.POINTS * 2
    assert (frame["step"].iloc[0], frame["step"].iloc[-1]) == (1, 9000)


def test_the_tables_of_runs_and_jobs_and_a_comparison(small_studio: Studio) -> None:
    one, two = small_studio.start(name="One"), small_studio.start(name="Two", recipe={"epochs": 2})
    finish(small_studio, one, result='{"best_validation_loss": 0.5}')
    with small_studio.database.reading() as session:
        lead, settings = small_studio.lead, small_studio.settings
        table = queries.runs(session, lead, small_studio.project_id)
        cards = queries.jobs(session, lead, settings, small_studio.project_id)
        settings_table, curves = queries.compare(session, lead, settings, [one.id or 0, two.id or 0])
    assert list(table["name"]) == ["Two", "One"]
    assert list(table["version"]) == ["", "shop-v1"]
    assert [card.title for card in cards] == ["Two", "One"]
    rows = settings_table.set_index("what")
    assert list(rows.loc["epochs"]) == ["15", "2"]
    assert rows.loc["best_validation_loss"].iloc[0] == "0.5"
    assert curves.empty


def test_a_run_learns_what_its_snapshot_holds(small_studio: Studio) -> None:
    small_studio.snapshot("preferences")
    assert small_studio.start().config["objective"] == "dpo"
    assert small_studio.start(recipe={"objective": "orpo"}).config["objective"] == "orpo"
    with pytest.raises(InvalidInput, match=r"holds preferences\. Choose dpo, orpo, reward"):
        small_studio.start(recipe={"objective": "kto"})
    with small_studio.database.reading() as session:
        found = queries.snapshot_choices(session, small_studio.lead, small_studio.project_id)
    assert [(one.number, one.kind, one.rows) for one in found.values()] == [(2, "preferences", 12), (1, "sft", 12)]


def test_what_scores_or_sorts_is_a_version_that_the_engine_is_not_offered(studio: Studio) -> None:
    studio.snapshot("labels")
    run = studio.start(name="Intents")
    finish(studio, run, result='{"objective": "classification", "test": {"rows": 2, "accuracy": 0.5}}')
    (made,) = versions(studio)
    assert (made.number, made.name, made.run_id, made.base_model) == (1, "Intents", run.id, contract.EMBEDDED)
    assert not studio.settings.models.exists()
    with studio.database.reading() as session:
        card = queries.run_card(session, studio.lead, studio.settings, run.id or 0)
        counts = overview(session, actor=studio.lead, project_id=studio.project_id)
        chatting = session.exec(select(ModelVersion.id).where(kinds.chatting())).all()
    assert (card.objective, card.chats, card.version) == ("classification", False, "shop-v1")
    assert card.result["test"]["accuracy"] == 0.5
    assert (counts.candidates, list(chatting)) == (0, [])
    finish(studio, studio.start(recipe={"objective": "classification", "adapter": "full"}), weights=contract.MODEL)
    studio.snapshot("thumbs", number=3)
    finish(studio, studio.start())
    assert [(one.number, one.served_as) for one in versions(studio)] == [
        (0, "shop-base"), (1, "shop-v1"), (2, "shop-v2"), (3, "shop-v3")
    ]  # fmt: skip
    with studio.database.reading() as session:
        found = session.exec(select(ModelVersion.number).where(kinds.chatting()).order_by(col(ModelVersion.number))).all()
        assert list(found) == [0, 3]
        assert overview(session, actor=studio.lead, project_id=studio.project_id).candidates == 1


def test_a_t5_model_is_a_candidate_that_the_engine_is_offered_with_its_base(small_studio: Studio) -> None:
    run = small_studio.start(recipe={"objective": "seq2seq", "base_model": "google/flan-t5-small", "adapter": "full"})
    finish(small_studio, run, weights=contract.MODEL)
    base, made = versions(small_studio)
    assert (base.name, base.base_model, base.run_id) == ("flan-t5-small as it is", "google/flan-t5-small", None)
    assert made.base_model == str(small_studio.settings.runs / run.folder / contract.MODEL)
    served = {one.parent.name: contract.read_json(one) for one in small_studio.settings.models.glob(f"*/{contract.SERVED}")}
    assert {name: told["base_model"] for name, told in served.items()} == {
        "shop-base": "google/flan-t5-small", "shop-v1": made.base_model
    }  # fmt: skip
    with small_studio.database.reading() as session:
        card = queries.run_card(session, small_studio.lead, small_studio.settings, run.id or 0)
        assert (card.chats, card.kind) == (True, "T5 model")
        assert overview(session, actor=small_studio.lead, project_id=small_studio.project_id).candidates == 1


def test_the_two_lists_of_what_does_not_chat_are_one() -> None:
    assert set(contract.OBJECTIVES) - set(contract.WRITERS) == kinds.JUDGES


def test_a_run_goes_on_from_an_earlier_version_and_so_does_its_repetition(small_studio: Studio) -> None:
    first = small_studio.start()
    finish(small_studio, first)
    made = versions(small_studio)[-1]
    small_studio.snapshot("preferences")
    second = small_studio.start(initial_version_id=made.id)
    assert (second.config["objective"], second.config["initial_adapter"]) == ("dpo", made.adapter)
    with small_studio.database.writing() as session:
        again = launching.repeat_run(
            session=session, actor=small_studio.lead, settings=small_studio.settings, run_id=second.id or 0
        )
    assert again.config["initial_adapter"] == made.adapter
    with pytest.raises(InvalidInput, match="cannot start from another model"):
        small_studio.start(initial_version_id=made.id, recipe={"base_model": "org/other"})
    with pytest.raises(InvalidInput, match="cannot go on from a chat model"):
        small_studio.start(initial_version_id=made.id, recipe={"objective": "reward"})
    small_studio.snapshot("labels", number=3)
    with pytest.raises(InvalidInput, match="cannot go on from a chat model"):
        small_studio.start(initial_version_id=made.id)
    with pytest.raises(NotFound):
        small_studio.start(initial_version_id=99)


def test_a_run_goes_on_from_full_weights_as_its_base(small_studio: Studio) -> None:
    first = small_studio.start(recipe={"adapter": "full"})
    finish(small_studio, first, weights=contract.MODEL)
    made = versions(small_studio)[-1]
    second = small_studio.start(initial_version_id=made.id)
    assert (second.config["base_model"], second.config["initial_adapter"]) == (made.base_model, None)
    assert made.base_model.endswith(contract.MODEL)


def test_the_curve_has_the_figures_of_the_objective(tmp_path: Path) -> None:
    rows = [
        {"event": "train", "step": 1, "loss": 0.7, "learning_rate": 1e-3, "tokens_per_second": 9.0},
        {"event": "validation", "step": 1, "loss": 0.6, "preference_accuracy": 0.5, "margin": 0.1, "samples": []},
    ]
    (tmp_path / contract.METRICS).write_text("".join(json.dumps(row) + "\n" for row in rows))
    frame = queries.read_metrics(tmp_path).frame()
    assert {"validation_loss", "preference_accuracy", "margin"} <= set(frame.columns)
    assert "perplexity" not in frame.columns
