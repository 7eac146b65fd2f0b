"""Versions of every kind: what is told of them, and what only those that chat are used for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlmodel import select

from backend.__main__ import main
from backend.errors import InvalidInput
from backend.evaluation import conduct_queries, evaluating, evidence, promoting, queries, version_queries
from backend.runtime import Runtime
from backend.settings import Settings
from backend.store.database import Database
from backend.store.models import Evaluation, Job, Promotion, Run, Snapshot
from tests.backend.evaluation.scene import a_classifier, a_scene, a_t5, evaluated, write_folder
from trainer import contract


def test_each_version_tells_its_kind_and_how_its_run_measured_it(database: Database) -> None:
    with database.writing() as session:
        scene = a_scene(session)
        a_classifier(session, scene)
        run = session.get_one(Run, scene.run.id)
        run.config, run.result = {}, {"best_validation_loss": 0.25, "validation": {"perplexity": 1.284}}
        session.commit()
        cards = {card.name: card for card in version_queries.versions(session, project_id=scene.project_id)}
    sorts, chats, base = cards["Intents"], cards["Version 1"], cards["touchstone-mini"]
    assert (sorts.kind, sorts.chats, sorts.standing, sorts.snapshot) == ("classifier", False, "classifier", 1)
    assert sorts.told == "Loss 0.5, Accuracy 0.75, Macro-F1 0.733 on 4 rows of the test set"
    assert sorts.told_first == "Accuracy 0.75"
    assert sorts.test["confusion"]["matrix"] == [[1, 1], [0, 2]]
    assert (chats.kind, chats.chats, chats.standing) == ("chat model", True, "candidate")
    assert chats.told == "Loss 0.25, Perplexity 1.28 on the validation rows"
    assert (base.kind, base.standing, base.chats, base.is_base, base.told) == ("base model", "base model", True, True, "")
    table = version_queries.table(list(cards.values())).set_index("name")
    assert list(table["kind"]) == ["classifier", "chat model", "base model"]
    assert list(table["stage"]) == ["", "candidate", ""]


def test_a_t5_model_is_a_candidate_like_a_chat_model_and_named_as_what_it_is(sqlite: Database, tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    with sqlite.writing() as session:
        scene = a_scene(session)
        writes, base = a_t5(session, scene)
        write_folder(settings.snapshots, scene.snapshot)
        scene.project.current_version_id = scene.candidate.id
        cards = {card.name: card for card in version_queries.versions(session, project_id=scene.project_id)}
        assert (cards["Writes"].kind, cards["Writes"].chats, cards["Writes"].standing) == ("T5 model", True, "candidate")
        given = {"session": session, "actor": scene.lead, "settings": settings, "project_id": scene.project_id}
        started = evaluating.start_evaluation(**given, candidate_version_id=writes.id or 0)
        job = session.get_one(Job, started.job_id)
        config = contract.EvaluateConfig.from_json(contract.read_json(settings.data / job.folder / contract.CONFIG))
    told = {model.label: (model.base_model, model.adapter) for model in config.models}
    assert list(told) == [scene.candidate.served_as, writes.served_as, base.served_as], "Current, candidate, its own base."
    assert told[writes.served_as] == (writes.base_model, None)


def test_loss_a_token_is_not_compared_between_models_that_count_otherwise(sqlite: Database) -> None:
    with sqlite.writing() as session:
        scene = a_scene(session)
        writes, base = a_t5(session, scene)
        done = evaluated(session, scene, candidate=writes, baseline=base)
        for tokens, differ in ((200, False), (100, True)):
            models = {label: one | {"reference_tokens": 200} for label, one in done.report["models"].items()}
            models[writes.served_as]["reference_tokens"] = tokens
            done.report = done.report | {"models": models}
            session.flush()
            card = queries.evaluation_card(session, project_id=scene.project_id, evaluation_id=done.id or 0)
            table = queries.measures(card).set_index("measure")
            assert queries.counts_alike(card) is not differ
            assert ("loss and perplexity do not compare" in queries.about(card)) is differ
            assert table["difference"].isna()["Loss (nats a token)"] == table["difference"].isna()["Perplexity"] == differ
            assert table["difference"]["ROUGE-L (0–1)"] == pytest.approx(0.6)


def test_what_a_model_of_another_kind_forgot_is_shown_with_the_rows_it_is_of(sqlite: Database) -> None:
    with sqlite.writing() as session:
        scene = a_scene(session)
        writes, _ = a_t5(session, scene)
        done = evaluated(session, scene, candidate=writes, baseline=scene.candidate)
        of = {writes.served_as: "general talk", scene.candidate.served_as: "its own facts"}
        done.report = done.report | {
            "models": {label: one | {"holdout_of": of[label]} for label, one in done.report["models"].items()}
        }
        session.flush()
        card = queries.evaluation_card(session, project_id=scene.project_id, evaluation_id=done.id or 0)
    told = {family.name: family.figures for family in conduct_queries.families(card)}
    (row,) = told["What it forgets"].to_dict("records")
    assert (row[writes.served_as], row[scene.candidate.served_as]) == ("0.500", "0.500, on its own facts")
    assert not told["What it refuses"].astype(str).apply(lambda column: column.str.contains("facts")).any().any()


def test_what_does_not_chat_is_not_evaluated_by_answers_promoted_or_refused(sqlite: Database, tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    with sqlite.writing() as session:
        scene = a_scene(session)
        version = a_classifier(session, scene)
        write_folder(settings.snapshots, scene.snapshot)
        session.commit()
        given = {"session": session, "actor": scene.lead, "project_id": scene.project_id}
        for use in (
            lambda: evaluating.start_evaluation(**given, settings=settings, candidate_version_id=version.id or 0),
            lambda: evaluating.start_evaluation(
                **given, settings=settings, candidate_version_id=scene.candidate.id or 0, base_version_id=version.id
            ),
            lambda: promoting.promote(
                **given, settings=settings, version_id=version.id or 0, replaces=None, reason="It sorts.", override=True
            ),
            lambda: promoting.refuse(**given, version_id=version.id or 0, reason="It sorts badly."),
            lambda: evidence.standing(session, project_id=scene.project_id, version_id=version.id or 0),
        ):
            with pytest.raises(InvalidInput, match="Intents is a classifier and does not chat"):
                use()
            session.rollback()
        assert not session.exec(select(Promotion)).all()
        assert not session.exec(select(Evaluation)).all()


def test_the_commands_take_the_newest_version_that_chats(house: Runtime, capsys: pytest.CaptureFixture[str]) -> None:
    with house.database.writing() as session:
        scene = a_scene(session)
        a_classifier(session, scene)
        write_folder(house.settings.snapshots, scene.snapshot)
        session.commit()
    assert main(["evaluate", "--project", "shop"]) == 0
    assert json.loads(capsys.readouterr().out)["candidate"] == scene.candidate.served_as
    assert main(["evaluate", "--project", "shop", "--version", "2"]) == 1
    assert "does not chat" in capsys.readouterr().err


def test_a_snapshot_of_classes_has_no_questions_to_answer(database: Database, tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    with database.writing() as session:
        scene = a_scene(session)
        assert len(queries.snapshot_choices(session, project_id=scene.project_id)) == 1
        session.get_one(Snapshot, scene.snapshot.id).manifest = {"kind": "labels", "files": {}}
        session.flush()
        assert queries.snapshot_choices(session, project_id=scene.project_id) == {}
        with pytest.raises(InvalidInput, match="holds classes"):
            evaluating.start_evaluation(
                session=session,
                actor=scene.lead,
                settings=settings,
                project_id=scene.project_id,
                candidate_version_id=scene.candidate.id or 0,
            )
