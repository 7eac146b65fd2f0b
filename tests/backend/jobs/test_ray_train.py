"""One run over two nodes of a real Ray cluster: it learns together, stops with a checkpoint, and goes on."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from backend.store.database import Database
from backend.training import controlling
from backend.vocabulary import JobStatus
from tests.backend.jobs.test_ray_cluster import MISSING, a_worker, until
from tests.backend.training.conftest import Studio
from tests.ray_nodes import Cluster
from trainer import contract

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"{', '.join(MISSING)} not installed: pip install -r requirements-cluster.txt"),
    pytest.mark.skipif(importlib.util.find_spec("pyarrow") is None, reason="pip install -r requirements-cluster.txt"),
]


def test_a_run_over_two_nodes_learns_together_stops_and_goes_on(sqlite: Database, tmp_path: Path, cluster: Cluster) -> None:
    cluster.add_node()
    studio = Studio(sqlite, tmp_path / "data")
    worker = a_worker(studio, cluster, "here 1/0.00@000000000000")
    recipe = {"batch_size": 4, "checkpoint_every": 5, "measured_answers": 0, "record": "nothing", "nodes": 2}

    run = studio.start(recipe={**recipe, "epochs": 200})
    folder = studio.settings.runs / run.folder
    until(worker, lambda: studio.job(run).progress.get("step", 0) >= 6, cluster)
    with sqlite.writing() as session:
        controlling.cancel(session=session, actor=studio.lead, job_id=run.job_id or 0)
    until(worker, lambda: studio.job(run).status is JobStatus.CANCELLED, cluster)
    assert studio.job(run).error == "Stopped; a checkpoint was kept."
    kept = sorted((folder / contract.CHECKPOINTS).glob("step-*"))
    assert kept

    with sqlite.writing() as session:
        controlling.resume(session=session, actor=studio.lead, job_id=run.job_id or 0)
    until(worker, lambda: studio.job(run).progress.get("step", 0) >= int(kept[-1].name[5:]) + 6, cluster)
    with sqlite.writing() as session:
        controlling.cancel(session=session, actor=studio.lead, job_id=run.job_id or 0)
    until(worker, lambda: studio.job(run).status is JobStatus.CANCELLED, cluster)

    short = studio.start(recipe={**recipe, "epochs": 2})
    until(worker, lambda: studio.job(short).status in (JobStatus.SUCCEEDED, JobStatus.FAILED), cluster)
    assert studio.job(short).status is JobStatus.SUCCEEDED, studio.job(short).error
    result = contract.read_json(studio.settings.runs / short.folder / contract.RESULT)
    assert result["processes"] == 2
    assert (studio.settings.runs / short.folder / contract.ADAPTER).is_dir()
    assert not (studio.settings.runs / short.folder / contract.CLUSTER).exists()
