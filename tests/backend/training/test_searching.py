"""Searches: refused where they cannot be, run as one job, their best recipe started as a run."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import select

from backend.errors import Forbidden, InvalidInput, NotFound, NotReady
from backend.jobs.launcher import LocalLauncher
from backend.jobs.worker import Pace, Worker
from backend.store.models import Job, ModelVersion, Run, Search
from backend.training import search_queries, searching, space_words
from backend.vocabulary import JobKind, JobStatus
from tests.backend.training.conftest import Studio
from trainer import spaces

SPACE = {"learning_rate": {"choices": [1e-3, 3e-3]}}
QUICK = {"epochs": 1, "lora_rank": 2, "batch_size": 8}


def start(studio: Studio, **changes: Any) -> Search:
    given: dict[str, Any] = {"actor": studio.lead, "recipe": QUICK, "space": SPACE, "method": "grid", "trials": 4} | changes
    with studio.database.writing() as session:
        return searching.start_search(
            session=session, settings=studio.settings, project_id=studio.project_id, snapshot_id=studio.snapshot_id, **given
        )


@pytest.mark.parametrize(
    ("words", "space"),
    [
        ("4, 8,16", {"choices": [4, 8, 16]}),
        ("cosine, linear", {"choices": ["cosine", "linear"]}),
        ("0.0001 to 1e-2 by magnitude", {"low": 0.0001, "high": 0.01, "log": True}),
        ("1 to 5", {"low": 1, "high": 5}),
        ("0 to 0.2 in steps of 0.1", {"low": 0, "high": 0.2, "step": 0.1}),
    ],
)
def test_values_are_read_as_people_write_them(words: str, space: dict[str, Any]) -> None:
    assert space_words.read([("epochs", words)]) == {"epochs": space}
    assert space_words.read(space_words.write({"epochs": space}).items()) == {"epochs": space}


@given(st.text(max_size=60))
def test_whatever_is_typed_is_read_or_refused_with_a_sentence(words: str) -> None:
    refusal = "learning_rate"
    try:
        spaces.read_space(space_words.read([("learning_rate", words)]))
    except (InvalidInput, spaces.ConfigError) as error:
        refusal = str(error)
    assert "learning_rate" in refusal


def test_a_field_that_stands_twice_is_refused() -> None:
    with pytest.raises(InvalidInput, match="epochs stands there twice"):
        space_words.read([("epochs", "1, 2"), ("", "x"), ("epochs", "3")])


def test_what_cannot_be_searched_starts_nothing(small_studio: Studio) -> None:
    for changes, reason in (
        ({"space": {"warp": {"choices": [1]}}}, "warp is no field"),
        ({"space": {}}, "a field to vary, or folds"),
        ({"recipe": {"epochs": 0}}, "epochs must be at least 1"),
        ({"trials": 0}, "trials must be from 1"),
    ):
        with pytest.raises(InvalidInput, match=reason):
            start(small_studio, **changes)
    with pytest.raises(Forbidden):
        start(small_studio, actor=small_studio.rater)
    assert not small_studio.settings.runs.exists()


def test_a_search_runs_as_a_job_and_its_best_recipe_as_a_run(small_studio: Studio) -> None:
    studio = small_studio
    made = start(studio)
    with studio.database.reading() as session:
        with pytest.raises(NotReady, match="has not finished"):
            searching.best_recipe(session, studio.lead, made.id or 0)
        with pytest.raises(NotFound):
            searching.best_recipe(session, studio.lead, 999)
    worker = Worker(
        database=studio.database,
        settings=studio.settings,
        launcher=LocalLauncher(studio.settings),
        collectors={JobKind.SEARCH: searching.collect},
        pace=Pace(poll=0.05),
    )
    worker.run(once=True)
    with studio.database.reading() as session:
        job = session.exec(select(Job)).one()
        assert (job.kind, job.status, job.error) == (JobKind.SEARCH, JobStatus.SUCCEEDED, "")
        card = search_queries.search_card(session, studio.lead, studio.settings, made.id or 0)
        assert list(card.trials["state"]) == ["complete", "complete"]
        assert card.best["value"] == card.trials["value"].min()
        assert session.exec(select(ModelVersion)).all() == []
    with studio.database.writing() as session:
        run = searching.run_best(session=session, actor=studio.lead, settings=studio.settings, search_id=made.id or 0)
        assert (run.config["learning_rate"], run.config["epochs"]) == (card.best["params"]["learning_rate"], 1)
        assert session.exec(select(Run)).one().name == f"Best of {made.name}"
