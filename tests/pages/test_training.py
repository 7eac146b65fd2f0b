from __future__ import annotations

import json
from typing import Any

import pytest
from sqlmodel import col, select

from backend.runtime import Runtime
from backend.store.models import Job, ModelVersion, Run, Search
from backend.vocabulary import JobStatus, Role, SnapshotKind
from tests.backend.training.conftest import Studio
from tests.factories import a_person, a_project
from tests.pages.desk import opened, words
from trainer import contract

HOSTILE = "<script>alert(1)</script> ![x](http://evil.example/x.png) :red[hi]"


@pytest.fixture
def studio(house: Runtime) -> Studio:
    made = Studio(house.database, house.settings.data)
    made.settings = house.settings
    return made


def runs(house: Runtime) -> list[Run]:
    with house.database.reading() as session:
        return list(session.exec(select(Run).order_by(col(Run.number))))


def set_job(house: Runtime, run: Run, **values: Any) -> None:
    with house.database.writing() as session:
        job = session.get_one(Job, run.job_id)
        for name, value in values.items():
            setattr(job, name, value)
        session.add(job)
        session.commit()


def test_a_lead_starts_a_run_with_sane_defaults_and_cancels_it(house: Runtime, studio: Studio) -> None:
    page = opened(house, studio.lead, "training")
    assert not page.exception
    assert "No run yet" in words(page)
    page.text_input(key="run_name").input(HOSTILE)
    page.number_input(key="recipe_own_epochs").set_value(3)
    page.button(key="FormSubmitter:start_run-Start").click().run()
    assert not page.exception
    (run,) = runs(house)
    assert (run.name, run.config) == (HOSTILE, contract.TrainConfig(data=run.config["data"], epochs=3).to_json())
    assert "Run 1 waits for a worker" in words(page).replace("\\", "")
    assert HOSTILE not in words(page)
    page.button(key=f"cancel_{run.id}").click().run()
    assert "was cancelled" in words(page)
    page.button(key=f"resume_{run.id}_0").click().run()
    assert "waits for a worker" in words(page)


def test_another_base_model_brings_gentler_defaults(house: Runtime, studio: Studio) -> None:
    page = opened(house, studio.lead, "training")
    page.session_state["recipe_base"] = "other"
    page.run()
    page.selectbox(key="recipe_model").select("Qwen/Qwen3-0.6B").run()
    assert any("Apache-2.0 licence" in caption.value.replace("\\", "") for caption in page.caption)
    assert page.number_input(key="recipe_other_epochs").value == 3
    assert "could also teach: Imitate, read and write apart (T5)" in words(page).replace("\\", "")
    page.button(key="FormSubmitter:start_run-Start").click().run()
    assert not page.exception
    (run,) = runs(house)
    assert (run.config["base_model"], run.config["learning_rate"]) == ("Qwen/Qwen3-0.6B", 2e-4)


def test_a_contradiction_is_told_and_starts_nothing(house: Runtime, studio: Studio) -> None:
    page = opened(house, studio.lead, "training")
    page.selectbox(key="recipe_own_precision").select("bf16")
    page.selectbox(key="recipe_own_device").select("cpu")
    page.button(key="FormSubmitter:start_run-Start").click().run()
    assert "is for a GPU" in words(page)
    assert runs(house) == []


def test_a_running_run_shows_its_curves_samples_and_log(house: Runtime, studio: Studio) -> None:
    run = studio.start(name="Live")
    folder = house.settings.runs / run.folder
    events = [
        {"event": "train", "step": step, "loss": 2 / step, "learning_rate": 1e-3, "tokens_per_second": 900.0}
        for step in range(1, 30)
    ]
    sample = {"prompt": HOSTILE, "reference": "Yes.", "text": HOSTILE}
    events.append({"event": "validation", "step": 29, "loss": 0.5, "perplexity": 1.6, "samples": [sample]})
    (folder / contract.METRICS).write_text("".join(json.dumps(event) + "\n" for event in events))
    (folder / contract.LOG).write_text(HOSTILE)
    set_job(house, run, status=JobStatus.RUNNING, attempt=2, progress={"step": 29, "total_steps": 100}, worker="w")
    page = opened(house, studio.lead, "training")
    assert not page.exception
    assert "Run 1 is running" in words(page)
    assert "Attempt 2 of 3" in words(page).replace("\\", "")
    assert "Perplexity on the validation rows" in words(page)
    assert [element.value for element in page.code].count(HOSTILE) == 3
    assert HOSTILE not in words(page)
    assert len(page.get("plotly_chart")) == 4


def test_a_failed_run_tells_why_and_starts_again_as_a_new_run(house: Runtime, studio: Studio) -> None:
    run = studio.start(name="Broken", recipe={"epochs": 2})
    set_job(house, run, status=JobStatus.FAILED, attempt=1, error="The disk is full. Free some space.")
    page = opened(house, studio.lead, "training")
    assert "The disk is full" in words(page)
    page.button(key=f"repeat_{run.id}").click().run()
    assert not page.exception
    assert [(made.name, made.config["epochs"]) for made in runs(house)] == [("Broken", 2), ("Broken again", 2)]
    page.multiselect(key="compared_runs").set_value([made.id for made in runs(house)]).run()
    assert not page.exception


def test_an_empty_project_is_sent_to_snapshots(house: Runtime, studio: Studio) -> None:
    with house.database.writing() as session:
        lead = a_person(session, "new@shop.test", project=a_project(session, "empty"), role=Role.LEAD)
        session.commit()
    page = opened(house, lead, "training")
    assert "Freeze a snapshot of approved records first" in words(page)
    assert words(page).count("No snapshot of this kind yet") == len(SnapshotKind)
    assert "Teaches: Prefer (DPO), Imitate and prefer (ORPO), Score (reward model)" in words(page)
    assert not page.exception


def test_a_snapshot_of_preferences_offers_what_learns_from_them_each_in_a_sentence(house: Runtime, studio: Studio) -> None:
    studio.snapshot("preferences")
    page = opened(house, studio.lead, "training")
    assert not page.exception
    assert words(page).count("No snapshot of this kind yet") == 2
    choice = page.radio(key="recipe_objective_preferences")
    assert choice.value == "dpo"
    assert list(choice.options) == ["Prefer (DPO)", "Imitate and prefer (ORPO)", "Score (reward model)"]
    assert page.number_input(key="recipe_own_dpo_beta").value == 0.1
    choice.set_value("reward").run()
    assert [field.key for field in page.number_input if field.key and field.key.endswith("_beta")] == []
    page.button(key="FormSubmitter:start_run-Start").click().run()
    assert not page.exception
    (run,) = runs(house)
    assert run.config["objective"] == "reward"


def test_a_classifier_shows_its_report_and_that_it_does_not_chat(house: Runtime, studio: Studio) -> None:
    studio.snapshot("labels")
    run = studio.start(name="Intents")
    confusion = {"classes": [HOSTILE, "even"], "matrix": [[3, 1], [0, 4]]}
    test = {"rows": 8, "loss": 0.4, "accuracy": 0.875, "macro_f1": 0.87, "confusion": confusion}
    events = [
        {"event": "train", "step": 1, "loss": 0.7, "learning_rate": 1e-3, "tokens_per_second": 9.0},
        {"event": "validation", "step": 1, "loss": 0.6, "accuracy": 0.5, "macro_f1": 0.4, "samples": []},
    ]
    (house.settings.runs / run.folder / contract.METRICS).write_text("".join(json.dumps(row) + "\n" for row in events))
    set_job(house, run, status=JobStatus.SUCCEEDED, attempt=1)
    with house.database.writing() as session:
        stored = session.get_one(Run, run.id)
        stored.result = {"objective": "classification", "test": test}
        session.add(stored)
        session.commit()
    page = opened(house, studio.lead, "training")
    assert not page.exception
    assert {metric.label: metric.value for metric in page.metric}["Accuracy"] == "0.875"
    assert "Start it again to have one" in words(page)
    with house.database.writing() as session:
        given = {"project_id": studio.project_id, "number": 1, "name": HOSTILE, "run_id": run.id}
        session.add(ModelVersion(base_model=contract.EMBEDDED, served_as="shop-v1", **given))
        session.commit()
    page.run()
    assert not page.exception
    assert "It made the version shop-v1, a classifier." in words(page)
    assert words(page).replace("\\", "").count("It does not chat, so it is not evaluated by answers") == 2, "Run and version."
    listed = next(frame.value for frame in page.dataframe if "kind" in frame.value)
    assert list(listed["kind"]) == ["classifier"]
    assert list(listed["figures"]) == ["Loss 0.4, Accuracy 0.875, Macro-F1 0.87 on 8 rows of the test set"]
    assert "Share of validation rows sorted right" in words(page)
    assert HOSTILE not in words(page)


def test_a_run_can_go_on_from_an_earlier_version(house: Runtime, studio: Studio) -> None:
    first = studio.start()
    with house.database.writing() as session:
        given = {
            "project_id": studio.project_id,
            "number": 1,
            "name": "One",
            "run_id": first.id,
            "adapter": "/runs/one/adapter",
        }
        session.add(ModelVersion(base_model=contract.EMBEDDED, served_as="shop-v1", **given))
        session.commit()
    page = opened(house, studio.lead, "training")
    page.selectbox(key="recipe_start_sft").set_value(1).run()
    page.button(key="FormSubmitter:start_run-Start").click().run()
    assert not page.exception
    assert runs(house)[-1].config["initial_adapter"] == "/runs/one/adapter"


def test_a_search_is_started_from_the_same_form_and_shows_its_trials(house: Runtime, studio: Studio) -> None:
    page = opened(house, studio.lead, "training")
    page.session_state["run_what"] = "A search"
    page.run()
    page.number_input(key="search_trials").set_value(5)
    page.button(key="FormSubmitter:start_run-Start the search").click().run()
    assert not page.exception
    with house.database.reading() as session:
        (search,) = session.exec(select(Search)).all()
    assert search.config["trials"] == 5
    assert search.config["space"]["lora_rank"] == {"choices": [4, 8, 16, 32]}
    assert "Search 1 waits for a worker" in words(page).replace("\\", "")
    folder = house.settings.runs / search.folder
    rows = [
        {"number": n + 1, "state": "complete", "value": 2.0 - n, "params": {"learning_rate": 0.001 * (n + 1), "lora_rank": 4}}
        for n in range(2)
    ]
    (folder / contract.TRIALS).write_text(json.dumps({"metric": "loss", "direction": "minimize", "trials": rows}))
    result = {"best": {**rows[1], "config": search.config["config"]}}
    with house.database.writing() as session:
        stored = session.get_one(Search, search.id)
        stored.result = result
        job = session.get_one(Job, search.job_id)
        job.status = JobStatus.SUCCEEDED
        session.add_all([stored, job])
        session.commit()
    page.run()
    assert {metric.label: metric.value for metric in page.metric}["Best loss"] == "1"
    page.button(key=f"best_{search.id}").click().run()
    assert [run.name for run in runs(house)] == ["Best of Search 1"]


def test_a_look_before_the_start_tells_rows_time_memory_and_what_is_trained(house: Runtime, studio: Studio) -> None:
    page = opened(house, studio.lead, "training")
    page.button(key="FormSubmitter:start_run-Look before you start").click().run()
    assert "waits for a worker" in words(page)
    with house.database.reading() as session:
        (job,) = session.exec(select(Job)).all()
    told = {
        "rows": 12, "steps": 15, "estimated_seconds": 75.4, "estimated_peak_memory_bytes": 2.5e8, "tokens": 400,
        "device": "cpu", "trained_share": 0.5, "longest": 30, "rows_too_long": 0, "rows_shortened": 0, "validation_rows": 2,
        "test_rows": 2, "stop_token_trained": True, "fits": True, "fits_why": "It needs about 0.2 of 16.0 GB.",
        "example": [{"text": "<b>Do</b> you ship?", "trained": False}, {"text": "Yes & soon.", "trained": True}],
    }  # fmt: skip
    (house.settings.data / job.folder / contract.RESULT).write_text(json.dumps(told))
    with house.database.writing() as session:
        stored = session.get_one(Job, job.id)
        stored.status = JobStatus.SUCCEEDED
        session.add(stored)
        session.commit()
    page.run()
    assert not page.exception
    shown = {metric.label: metric.value for metric in page.metric}
    assert (shown["Rows to learn from"], shown["Time, about"], shown["Memory, about"]) == ("12", "75 s", "0.25 GB")
    marked = next(block.body for block in page.get("html") if "plan-text" in block.body and "Yes" in block.body)
    assert "&lt;b&gt;Do&lt;/b&gt; you ship?<mark>Yes &amp; soon.</mark>" in marked
    page.button(key="FormSubmitter:start_run-Start").click().run()
    (run,) = runs(house)
    set_job(house, run, status=JobStatus.SUCCEEDED)
    with house.database.writing() as session:
        stored_run = session.get_one(Run, run.id)
        stored_run.result = {"seconds": 90.0, "peak_memory_bytes": 2.0e8}
        session.add(stored_run)
        session.commit()
    page.run()
    assert "Measured: 90 s (+19%), 0.20 GB (-20%)" in words(page)
