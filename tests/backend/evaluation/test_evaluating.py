from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session, select

from backend.access.actors import Actor
from backend.errors import Forbidden, IntegrityViolated, InvalidInput, NotFound, NotReady
from backend.evaluation import evaluating
from backend.evaluation.reports import PROBES
from backend.jobs.outcomes import Outcome
from backend.settings import Settings
from backend.store.database import Database
from backend.store.models import Evaluation, Job, Response
from backend.vocabulary import JobKind, JobStatus, Role, Split
from tests.backend.evaluation.scene import Scene, a_scene, a_trained_version, write_folder
from tests.factories import a_person
from trainer import contract


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path)


def start(session: Session, settings: Settings, scene: Scene, actor: Actor | None = None, **extra: Any) -> Evaluation:
    write_folder(settings.snapshots, scene.snapshot)
    return evaluating.start_evaluation(
        session=session,
        actor=actor or scene.lead,
        settings=settings,
        project_id=scene.project_id,
        **{"candidate_version_id": scene.candidate.id, **extra},
    )


def lines_of(scene: Scene) -> list[dict[str, Any]]:
    return [
        {
            "label": version.served_as,
            "id": str(record.id),
            "prompt": record.prompt,
            "reference": record.answer,
            "text": f"\x00{record.answer}" if version is scene.candidate else "No \ud800 idea.",
            "loss": float("nan") if version is scene.base else 0.5,
            "tokens": 4,
            "exact_match": version is scene.candidate,
            "rouge_l": 0.5,
            "sentence_bleu": 1.0,
            "seconds": 0.1,
        }
        for version in (scene.base, scene.candidate)
        for record in scene.tested
    ]


def leave(settings: Settings, job: Job, scene: Scene, lines: list[dict[str, Any]] | None = None, **report: Any) -> Outcome:
    """What a trainer leaves in the job's folder."""
    folder = settings.data / job.folder
    measures = {"n": 12, "loss": 1.0, "perplexity": 2.7, "bleu": 1.0, "rouge_l": 0.5, "exact_match": 0.5}
    whole = {"models": {scene.base.served_as: measures, scene.candidate.served_as: measures | {"loss": float("nan")}}} | report
    (folder / contract.REPORT).write_text(json.dumps(whole))
    rows = lines_of(scene) if lines is None else lines
    (folder / contract.RESPONSES).write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked = [json.loads(line) for line in (folder / PROBES).read_text().splitlines()]
    labels = (scene.base.served_as, scene.candidate.served_as)
    said = [{"label": label, "id": one["id"], "text": _said(label == labels[0], one)} for label in labels for one in asked]
    (folder / contract.PROBE_ANSWERS).write_text("".join(json.dumps(row) + "\n" for row in said))
    return Outcome(JobStatus.SUCCEEDED, 0, folder, "")


def _said(is_base: bool, probe: dict[str, Any]) -> str:
    """The base refuses what harms and answers people alike; the candidate refuses nobody but the second of each pair."""
    refused = probe["suite"] == "harmful" if is_base else probe["suite"] == "other"
    return "I cannot help you with that." if refused else "Thank you, we are glad to help you with that!"


def test_an_evaluation_is_a_job_whose_config_the_trainer_can_read(database: Database, settings: Settings) -> None:
    with database.writing() as session:
        scene = a_scene(session)
        evaluation = start(session, settings, scene, decoding={"temperature": 0.7, "seed": 5})
    with database.reading() as session:
        job = session.get_one(Job, evaluation.job_id)
        assert job.kind is JobKind.EVALUATE
        assert evaluation.base_version_id == scene.base.id
        assert evaluation.decoding["seed"] == 5
    config = contract.EvaluateConfig.from_json(contract.read_json(settings.data / job.folder / contract.CONFIG))
    assert [model.label for model in config.models] == [scene.base.served_as, scene.candidate.served_as]
    assert config.models[1].adapter == scene.candidate.adapter
    assert config.data == str(settings.snapshots / scene.snapshot.folder)
    assert job.payload["arguments"][0] == "evaluate"


def test_the_current_version_is_the_baseline_once_there_is_one(sqlite: Database, settings: Settings) -> None:
    with sqlite.writing() as session:
        scene = a_scene(session)
        _run, newer = a_trained_version(session, scene.project, scene.snapshot, number=2)
        scene.project.current_version_id = scene.candidate.id
        evaluation = start(session, settings, scene, candidate_version_id=newer.id)
    assert evaluation.base_version_id == scene.candidate.id


@pytest.mark.parametrize("role", [Role.RATER, Role.EXPERT, None])
def test_only_leads_start_evaluations(sqlite: Database, settings: Settings, role: Role | None) -> None:
    with sqlite.writing() as session:
        scene = a_scene(session)
        other = a_scene(session, slug="other")
        person = a_person(session, "x@y.z", project=scene.project, role=role) if role else other.lead
        with pytest.raises(Forbidden):
            start(session, settings, scene, actor=person)
        assert session.exec(select(Evaluation)).all() == []


def test_versions_and_snapshots_of_another_project_are_not_found(sqlite: Database, settings: Settings) -> None:
    with sqlite.writing() as session:
        scene, other = a_scene(session), a_scene(session, slug="other")
        for foreign in (
            {"candidate_version_id": other.candidate.id},
            {"base_version_id": other.base.id},
            {"snapshot_id": other.snapshot.id},
        ):
            with pytest.raises(NotFound):
                start(session, settings, scene, **foreign)


def test_what_cannot_be_compared_is_refused_in_words(sqlite: Database, settings: Settings) -> None:
    with sqlite.writing() as session:
        scene = a_scene(session)
        with pytest.raises(InvalidInput, match="itself"):
            start(session, settings, scene, base_version_id=scene.candidate.id)
        with pytest.raises(NotReady, match="validation"):
            start(session, settings, scene, split=Split.VALIDATION)
        with pytest.raises(InvalidInput, match="temperature"):
            start(session, settings, scene, decoding={"temperature": -1})
        with pytest.raises(InvalidInput, match="at least one question"):
            start(session, settings, scene, limit=0)
        with pytest.raises(InvalidInput, match="no run"):
            start(session, settings, scene, candidate_version_id=scene.base.id, base_version_id=scene.candidate.id)


def test_a_snapshot_that_was_changed_on_disk_is_not_evaluated_on(sqlite: Database, settings: Settings) -> None:
    with sqlite.writing() as session:
        scene = a_scene(session)
        with pytest.raises(IntegrityViolated, match="not what was frozen"):
            evaluating.start_evaluation(
                session=session,
                actor=scene.lead,
                settings=settings,
                project_id=scene.project_id,
                candidate_version_id=scene.candidate.id or 0,
            )


def test_responses_are_stored_once_with_version_seed_and_slices(database: Database, settings: Settings) -> None:
    with database.writing() as session:
        scene = a_scene(session)
        evaluation = start(session, settings, scene)
    for _twice in range(2):
        with database.writing() as session:
            job = session.get_one(Job, evaluation.job_id)
            outcome = leave(settings, job, scene)
            evaluating.collect(session=session, settings=settings, job=job, outcome=outcome)
            session.commit()
    with database.reading() as session:
        rows = session.exec(select(Response).where(Response.version_id == scene.candidate.id)).all()
        stored = session.get_one(Evaluation, evaluation.id)
        assert session.exec(select(Response)).all().__len__() == 24
        assert stored.finished_at is not None
        assert stored.report["models"][scene.candidate.served_as]["loss"] is None
        first = min(rows, key=lambda row: row.record_id or 0)
        assert first.prompt == [{"role": "user", "content": "Question 4?"}]
        assert first.text == "\ufffdAnswer 4."
        assert first.slices == {"language": "es"}
        assert first.metrics["exact_match"] == 1.0
        assert first.decoding["seed"] == 0


def test_the_report_says_how_each_model_treats_people_what_it_refuses_and_whom_it_gives_away(
    database: Database, settings: Settings
) -> None:
    with database.writing() as session:
        scene = a_scene(session)
        evaluation = start(session, settings, scene)
    lines = lines_of(scene)
    lines[-1]["text"] = "Write to our customer at jo.rivers@example.com."
    with database.writing() as session:
        job = session.get_one(Job, evaluation.job_id)
        evaluating.collect(session=session, settings=settings, job=job, outcome=leave(settings, job, scene, lines))
        session.commit()
    with database.reading() as session:
        report = session.get_one(Evaluation, evaluation.id).report
    base, tuned = report["models"][scene.base.served_as], report["models"][scene.candidate.served_as]
    assert (base["harmful_refused"], base["harmless_refused"], base["bias_refusal"]) == (1.0, 0.0, 0.0)
    assert (tuned["harmful_refused"], tuned["harmless_refused"], tuned["bias_refusal"]) == (0.0, 0.0, 1.0)
    assert (tuned["bias_refusal_n"], tuned["harmful_refused_n"]) == (20, 24)
    assert tuned["bias_refusal_leaning"] == 1.0
    assert base["intervals"]["harmful_refused"][0] < 1.0
    assert tuned["harmful_refused_examples"][0]["text"].startswith("Thank you")
    assert tuned["bias_examples"][0]["other"]["text"] == "I cannot help you with that."
    assert tuned["personal"] == pytest.approx(1 / 12)
    assert tuned["personal_found"] == [{"id": str(scene.tested[-1].id), "kinds": ["email"], "count": 1}]
    assert base["personal"] == 0.0
    assert report["named"][scene.candidate.served_as] == scene.candidate.name


def test_the_base_model_is_measured_beside_a_current_version_and_its_answers_are_not_kept(
    sqlite: Database, settings: Settings
) -> None:
    with sqlite.writing() as session:
        scene = a_scene(session)
        _run, newer = a_trained_version(session, scene.project, scene.snapshot, number=2)
        scene.project.current_version_id = scene.candidate.id
        evaluation = start(session, settings, scene, candidate_version_id=newer.id)
        job = session.get_one(Job, evaluation.job_id)
    config = contract.EvaluateConfig.from_json(contract.read_json(settings.data / job.folder / contract.CONFIG))
    assert [model.label for model in config.models] == [scene.candidate.served_as, newer.served_as, scene.base.served_as]
    assert config.learned == str(settings.snapshots / scene.snapshot.folder)
    figures = {"n": 12, "loss": 1.0, "perplexity": 2.7, "bleu": 1.0, "rouge_l": 0.5, "exact_match": 0.5}
    rows = [row | {"label": model.label} for model in config.models for row in lines_of(scene)[:12]]
    with sqlite.writing() as session:
        job = session.get_one(Job, evaluation.job_id)
        outcome = leave(settings, job, scene, rows, models={model.label: figures for model in config.models})
        (outcome.folder / contract.PROBE_ANSWERS).write_text("")
        (outcome.folder / PROBES).unlink()
        evaluating.collect(session=session, settings=settings, job=job, outcome=outcome)
        session.commit()
    with sqlite.reading() as session:
        stored = session.get_one(Evaluation, evaluation.id)
        assert stored.finished_at is not None
        assert set(stored.report["models"]) == {model.label for model in config.models}
        kept = {response.version_id for response in session.exec(select(Response))}
    assert kept == {scene.candidate.id, newer.id}


def without(key: str) -> Callable[[list[dict[str, Any]]], list[dict[str, Any]]]:
    return lambda rows: [{name: value for name, value in row.items() if name != key} for row in rows]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda rows: [],
        lambda rows: rows[:-1],
        lambda rows: [*rows, rows[0]],
        lambda rows: [{**rows[0], "id": "999999"}, *rows[1:]],
        lambda rows: [{**rows[0], "label": "somebody"}, *rows[1:]],
        lambda rows: [{**rows[0], "text": 5}, *rows[1:]],
        lambda rows: ["not an object"],
        without("text"),
    ],
)
def test_responses_that_do_not_fit_leave_nothing_behind(sqlite: Database, settings: Settings, spoil: Any) -> None:
    with sqlite.writing() as session:
        scene = a_scene(session)
        evaluation = start(session, settings, scene)
    with sqlite.writing() as session:
        job = session.get_one(Job, evaluation.job_id)
        outcome = leave(settings, job, scene, spoil(lines_of(scene)))
        with pytest.raises(IntegrityViolated, match="start the evaluation again"):
            evaluating.collect(session=session, settings=settings, job=job, outcome=outcome)
    with sqlite.reading() as session:
        assert session.exec(select(Response)).all() == []
        assert session.get_one(Evaluation, evaluation.id).finished_at is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"models": {}}', '{"models": {"shop-v0": {"n": 0}}}'])
def test_a_report_that_cannot_be_read_is_said_so(sqlite: Database, settings: Settings, content: str) -> None:
    with sqlite.writing() as session:
        scene = a_scene(session)
        evaluation = start(session, settings, scene)
        job = session.get_one(Job, evaluation.job_id)
        outcome = leave(settings, job, scene)
        (outcome.folder / contract.REPORT).write_text(content)
        with pytest.raises(IntegrityViolated):
            evaluating.collect(session=session, settings=settings, job=job, outcome=outcome)
