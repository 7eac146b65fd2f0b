"""The commands `train`, `worker` and `jobs`, called as the command line calls them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from backend import __main__ as command_line
from backend.access.actors import SYSTEM
from backend.jobs.waiting import wait
from backend.runtime import Runtime
from backend.store.models import Job
from backend.training import controlling
from backend.vocabulary import JobStatus
from tests.backend.training.conftest import Studio


@pytest.fixture
def studio(house: Runtime) -> Studio:
    made = Studio(house.database, house.settings.data)
    made.settings = house.settings
    return made


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any, str]:
    """(exit code, the JSON on standard output, standard error)."""
    code = command_line.main(arguments)
    printed = capsys.readouterr()
    return code, json.loads(printed.out) if printed.out else None, printed.err


def test_train_queues_a_run_that_jobs_lists(studio: Studio, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.json"
    recipe.write_text('{"epochs": 2, "lora_rank": 4}')
    code, made, _ = run(capsys, "train", "--project", "shop", "--recipe", str(recipe), "--set", "epochs=5", "--name", "Try")
    assert (code, made["run"], made["status"]) == (0, 1, "queued")
    config = json.loads((Path(made["folder"]) / "config.json").read_text())
    assert (config["epochs"], config["lora_rank"]) == (5, 4)
    _, listed, _ = run(capsys, "jobs")
    assert [(job["id"], job["status"]) for job in listed] == [(made["job"], "queued")]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--project", "none"], "There is no project 'none'"),
        (["--project", "shop", "--snapshot", "7"], "no snapshot 7"),
        (["--project", "shop", "--set", "epochs"], "not of the form name=value"),
        (["--project", "shop", "--set", "speed=9"], "has no field speed"),
        (["--project", "shop", "--recipe", "/nowhere.json"], "cannot be read as JSON"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_an_exit_code(
    studio: Studio, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    code, printed, error = run(capsys, "train", *arguments)
    assert (code, printed) == (1, None)
    assert says in error
    assert error.count("\n") == 1


def test_waiting_for_a_job_that_was_cancelled_ends_with_it(house: Runtime, studio: Studio) -> None:
    made = studio.start()
    with house.database.writing() as session:
        controlling.cancel(session=session, actor=SYSTEM, job_id=made.job_id or 0)
    found = wait(database=house.database, settings=house.settings, job_id=made.job_id or 0, collectors={})
    assert found.status is JobStatus.CANCELLED


def test_a_worker_ends_when_nothing_is_left_and_a_refused_job_has_the_trainers_words(
    house: Runtime, studio: Studio, capsys: pytest.CaptureFixture[str]
) -> None:
    made = studio.start()
    config = house.settings.runs / made.folder / "config.json"
    config.write_text("{")
    code, told, _ = run(capsys, "worker", "--once")
    assert (code, told) == (0, {"left_running": 0})
    with house.database.reading() as session:
        job = session.get_one(Job, made.job_id)
    assert (job.status, job.attempt) == (JobStatus.FAILED, 1)
    assert f"{config} cannot be read as JSON" in job.error
