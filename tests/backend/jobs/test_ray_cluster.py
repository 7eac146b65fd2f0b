"""A real Ray cluster: a head and a second node train, stop, lose the head, and the job table makes it right again."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from backend.jobs import processes
from backend.jobs.ray_head import HeadAway, HttpHead
from backend.jobs.ray_launcher import Patience, RayLauncher
from backend.jobs.worker import Pace, Worker
from backend.settings import Settings
from backend.store.database import Database
from backend.store.models import Job, Run
from backend.training import controlling, launching
from backend.vocabulary import JobKind, JobStatus
from tests.backend.training.conftest import Studio
from tests.ray_nodes import Cluster
from trainer import contract

MISSING = [name for name in ("ray", "aiohttp", "aiohttp_cors") if importlib.util.find_spec(name) is None]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"{', '.join(MISSING)} not installed: pip install -r requirements-cluster.txt"),
]


def a_worker(studio: Studio, cluster: Cluster, name: str = "") -> Worker:
    settings = Settings(data=studio.settings.data, launcher="ray", ray_address=cluster.address, ray_token=cluster.token)
    launcher = RayLauncher(settings, HttpHead(cluster.address, cluster.token), patience=Patience(forgotten=15, again=0.5))
    collectors = {JobKind.TRAIN: launching.collect}
    return Worker(
        database=studio.database, settings=settings, launcher=launcher, collectors=collectors, pace=Pace(poll=0.2), name=name
    )


def until(worker: Worker, reached: Callable[[], bool], cluster: Cluster, seconds: float = 240) -> None:
    end = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < end, f"it did not happen in time\n{cluster.said()}"
        worker.step()
        time.sleep(0.2)


def test_a_run_trains_on_another_node_stops_with_a_checkpoint_and_survives_the_loss_of_the_head(
    sqlite: Database, tmp_path: Path, cluster: Cluster
) -> None:
    with pytest.raises(HeadAway) as refused:
        HttpHead(cluster.address, "another token").greet()
    assert not refused.value.sent

    studio = Studio(sqlite, tmp_path / "data")
    worker = a_worker(studio, cluster, "here 1/0.00@000000000000")
    recipe = {"batch_size": 4, "checkpoint_every": 5, "measured_answers": 0, "record": "nothing"}

    def at(run: Run, step: int) -> Callable[[], bool]:
        return lambda: studio.job(run).progress.get("step", 0) >= step and studio.job(run).status is JobStatus.RUNNING

    def ended(run: Run) -> Callable[[], bool]:
        return lambda: studio.job(run).status not in (JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.STOPPING)

    def stop(run: Run) -> Job:
        with sqlite.writing() as session:
            controlling.cancel(session=session, actor=studio.lead, job_id=run.job_id or 0)
        until(worker, ended(run), cluster)
        return studio.job(run)

    short = studio.start(recipe={**recipe, "epochs": 2})
    until(worker, ended(short), cluster)
    job = studio.job(short)
    assert (job.status, job.error, job.attempt) == (JobStatus.SUCCEEDED, "", 1)
    assert job.boot_id == f"ray:{cluster.address}"
    assert (studio.settings.runs / short.folder / contract.ADAPTER).is_dir()

    long = studio.start(recipe={**recipe, "epochs": 5000})
    folder = studio.settings.runs / long.folder
    until(worker, at(long, 6), cluster)
    worker.leave()
    worker.run()
    worker = a_worker(studio, cluster, "here 2/0.00@000000000000")  # as after a restart
    worker.step()
    assert studio.job(long).worker == worker.name
    job = stop(long)
    assert (job.status, job.error, job.attempt) == (JobStatus.CANCELLED, "Stopped; a checkpoint was kept.", 1)
    assert any((folder / contract.CHECKPOINTS).iterdir())

    with sqlite.writing() as session:
        controlling.resume(session=session, actor=studio.lead, job_id=long.job_id or 0)
    until(worker, at(long, job.progress["step"] + 10), cluster)
    lost = studio.job(long)
    cluster.kill_head()
    cluster.start()
    until(worker, lambda: studio.job(long).attempt == lost.attempt + 1, cluster)
    assert processes.find(lost.nonce) == []
    until(worker, at(long, studio.job(long).progress["step"] + 10), cluster)
    job = stop(long)
    assert (job.status, job.error) == (JobStatus.CANCELLED, "Stopped; a checkpoint was kept.")
    log = (folder / contract.LOG).read_text()
    assert log.count("from the last checkpoint") == 2
