"""Jobs on a Ray cluster. The head is a small one of our own, whose jobs are real processes started from the entrypoint."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from backend.errors import InvalidInput
from backend.jobs import launchers, processes, queue
from backend.jobs.launcher import LocalLauncher
from backend.jobs.ray_head import HeadAway, HeadRefused, Told, job_server
from backend.jobs.ray_launcher import Patience, RayLauncher, entrypoint
from backend.settings import Settings
from backend.store.base import now
from backend.vocabulary import JobKind, JobStatus
from tests.backend.jobs.conftest import Workshop
from tests.backend.jobs.test_worker import running

HASTE = Patience(forgotten=0.2, silent=0.4, again=0.02, kill=1)


class SmallHead:
    """A head that keeps Ray's words. `away` makes it silent, `full` lets jobs wait, `unready` takes none in."""

    def __init__(self) -> None:
        self.address = "http://head:8265"
        self.requests: dict[str, Mapping[str, Any]] = {}
        self.children: dict[str, subprocess.Popen[bytes]] = {}
        self.stopped: list[str] = []
        self.away, self.full, self.deaf_to_submit, self.unready = False, False, False, False
        self.errors: dict[str, str] = {}

    def greet(self) -> None:
        if self.away:
            raise HeadAway("no connection", sent=False)

    def submit(self, submission: str, request: Mapping[str, Any]) -> None:
        self.greet()
        if self.unready:
            raise HeadAway("no agent", sent=False)
        assert submission not in self.requests
        self.requests[submission] = request
        if not self.full:
            self.begin(submission)
        if self.deaf_to_submit:
            raise HeadAway("no answer")

    def begin(self, submission: str) -> None:
        request = self.requests[submission]
        env = {"PATH": os.environ["PATH"], **request["runtime_env"]["env_vars"]}
        self.children[submission] = subprocess.Popen(
            request["entrypoint"], shell=True, start_new_session=True, env=env, cwd="/"
        )

    def look(self, submission: str) -> Told | None:
        if self.away:
            raise HeadAway("no answer")
        if submission not in self.requests:
            return None
        if submission in self.errors:
            return Told("FAILED", None, self.errors[submission])
        if submission not in self.children:
            return Told("PENDING")
        code = self.children[submission].poll()
        if code is None:
            return Told("RUNNING")
        if submission in self.stopped:
            return Told("STOPPED")
        return Told("FAILED" if code else "SUCCEEDED", code)

    def stop(self, submission: str) -> None:
        self.look(submission)
        self.stopped.append(submission)
        if submission in self.children:
            self.children[submission].kill()

    def forget(self, *, and_end: bool = True) -> None:
        """As if it were started anew, and its nodes had ended with it."""
        if and_end:
            self.end()
        self.requests, self.children = {}, {}

    def end(self) -> None:
        for child in self.children.values():
            child.kill()
            child.wait()


@pytest.fixture
def head() -> Iterator[SmallHead]:
    made = SmallHead()
    yield made
    made.end()


def on_ray(workshop: Workshop, head: SmallHead, *, program: tuple[str, ...] = (), **changes: Any) -> Any:
    launcher = RayLauncher(workshop.settings, head, program=program or workshop.program, patience=HASTE)
    return workshop.worker(launcher=launcher, **changes)


def the_only(head: SmallHead) -> tuple[str, Mapping[str, Any]]:
    (one,) = head.requests.items()
    return one


def test_a_job_runs_on_the_cluster_and_its_results_are_taken_in(workshop: Workshop, head: SmallHead) -> None:
    workshop.settings = replace(workshop.settings, ray_cpus=2, ray_gpus=1, ray_token="secret-token")
    job_id = workshop.enqueue()
    assert on_ray(workshop, head).run(once=True) == 0
    job = workshop.job(job_id)
    assert (job.status, job.attempt, job.progress["step"]) == (JobStatus.SUCCEEDED, 1, 3)
    assert workshop.collected == [job_id]
    log = (workshop.folder(job_id) / "log.txt").read_text()
    assert log.startswith(f"--- job {job_id}, attempt 1 of 3\n")
    assert "run from step 0" in log
    submission, request = the_only(head)
    assert submission.startswith(f"touchstone-{job_id}-1-")
    assert request["metadata"] == {"title": f"job {job_id}, attempt 1 of 3"}
    assert (request["entrypoint_num_cpus"], request["entrypoint_num_gpus"]) == (2, 1)
    assert "secret-token" not in str(request)
    assert "PATH" not in request["runtime_env"]["env_vars"]


def test_a_crashed_job_goes_on_from_its_checkpoint_as_a_submission_of_its_own(workshop: Workshop, head: SmallHead) -> None:
    job_id = workshop.enqueue("die:2")
    on_ray(workshop, head).run(once=True)
    assert workshop.job(job_id).status is JobStatus.SUCCEEDED
    assert [line.split()[:2] for line in workshop.starts(job_id)] == [["run", "0"], ["resume", "2"]]
    assert len(head.requests) == 2


def test_a_cancelled_job_stops_by_itself_with_a_checkpoint(workshop: Workshop, head: SmallHead) -> None:
    job_id, worker = workshop.enqueue(steps=2000), on_ray(workshop, head)
    workshop.look_until(worker, lambda: running(workshop, job_id))
    workshop.stop(job_id)
    assert workshop.run_to_status(worker, job_id, JobStatus.CANCELLED).error == "Stopped; a checkpoint was kept."
    assert head.stopped == []


def test_a_job_that_hears_nothing_is_ended_by_the_cluster(workshop: Workshop, head: SmallHead) -> None:
    job_id, worker = workshop.enqueue("deaf", steps=2000, kind=JobKind.EVALUATE), on_ray(workshop, head)
    workshop.look_until(worker, lambda: running(workshop, job_id))
    workshop.stop(job_id)
    job = workshop.run_to_status(worker, job_id, JobStatus.CANCELLED)
    assert (job.error, len(head.requests)) == ("The job was ended on the Ray cluster.", 1)
    assert head.stopped


def test_a_job_that_waits_for_room_is_withdrawn_and_does_nothing_if_it_starts_after_all(
    workshop: Workshop, head: SmallHead
) -> None:
    head.full = True
    job_id, worker = workshop.enqueue(kind=JobKind.EVALUATE), on_ray(workshop, head)
    worker.step()
    workshop.stop(job_id)
    assert "before the Ray cluster had room" in workshop.run_to_status(worker, job_id, JobStatus.CANCELLED).error
    submission, _ = the_only(head)
    head.begin(submission)
    assert head.children[submission].wait() == 73
    assert not (workshop.folder(job_id) / "starts").exists()


def test_a_job_that_the_cluster_has_no_room_for_is_tried_again_and_then_says_so(workshop: Workshop, head: SmallHead) -> None:
    head.full = True
    job_id, worker = workshop.enqueue(max_attempts=2), on_ray(workshop, head)
    for attempt in (1, 2):
        workshop.look_until(worker, lambda reached=attempt: workshop.job(job_id).attempt == reached)
        head.errors = dict.fromkeys(head.requests, "JOB_SUPERVISOR_ACTOR_START_TIMEOUT")
    assert "no room for this job" in workshop.run_to_status(worker, job_id, JobStatus.LOST).error


def test_a_job_that_a_new_head_does_not_know_is_run_again_from_its_checkpoint(workshop: Workshop, head: SmallHead) -> None:
    job_id, worker = workshop.enqueue(steps=5), on_ray(workshop, head)
    workshop.look_until(worker, lambda: running(workshop, job_id))
    head.forget()
    assert workshop.run_to_status(worker, job_id, JobStatus.SUCCEEDED).attempt == 2
    assert workshop.starts(job_id)[1].startswith("resume ")


def test_a_forgotten_job_is_lost_after_its_last_attempt_and_says_why(workshop: Workshop, head: SmallHead) -> None:
    job_id, worker = workshop.enqueue(steps=2000, max_attempts=1), on_ray(workshop, head)
    workshop.look_until(worker, lambda: running(workshop, job_id))
    head.forget()
    assert "its head was started anew" in workshop.run_to_status(worker, job_id, JobStatus.LOST).error


def test_a_forgotten_job_that_left_its_results_has_succeeded(workshop: Workshop, head: SmallHead) -> None:
    job_id, worker = workshop.enqueue(max_attempts=1), on_ray(workshop, head)
    worker.step()
    (child,) = head.children.values()
    child.wait()
    head.forget()
    assert workshop.run_to_status(worker, job_id, JobStatus.SUCCEEDED).attempt == 1


def test_a_short_silence_of_the_head_changes_nothing_and_a_long_one_loses_the_job(workshop: Workshop, head: SmallHead) -> None:
    job_id, worker = workshop.enqueue(steps=2000), on_ray(workshop, head)
    workshop.look_until(worker, lambda: running(workshop, job_id))
    head.away = True
    worker.step()
    head.away = False
    step = workshop.job(job_id).progress["step"]
    workshop.look_until(worker, lambda: running(workshop, job_id, step + 8))
    head.away = True
    job = workshop.run_to_status(worker, job_id, JobStatus.LOST)
    assert "could not be reached" in job.error
    assert (job.attempt, len(head.requests)) == (1, 1)  # it may still run there


def test_while_the_head_is_away_jobs_wait_in_the_queue(workshop: Workshop, head: SmallHead) -> None:
    head.away = True
    job_id, worker = workshop.enqueue(), on_ray(workshop, head)
    for _ in range(3):
        worker.step()
    assert (workshop.job(job_id).status, workshop.job(job_id).attempt) == (JobStatus.QUEUED, 0)
    head.away = False
    assert workshop.run_to_status(worker, job_id, JobStatus.SUCCEEDED).attempt == 1


def test_a_job_that_was_handed_in_without_an_answer_is_not_handed_in_twice(workshop: Workshop, head: SmallHead) -> None:
    head.deaf_to_submit = True
    job_id, worker = workshop.enqueue(), on_ray(workshop, head)
    assert workshop.run_to_status(worker, job_id, JobStatus.SUCCEEDED).attempt == 1
    assert len(head.requests) == 1


@pytest.mark.parametrize("long", [False, True])
def test_a_job_that_could_not_be_handed_in_is_handed_in_later_or_waits_again(
    workshop: Workshop, head: SmallHead, long: bool
) -> None:
    job_id, worker = workshop.enqueue(), on_ray(workshop, head)
    head.unready = True
    worker.step()
    assert (workshop.job(job_id).status, head.requests) == (JobStatus.RUNNING, {})
    if long:
        head.away = True
        assert "could not be reached" in workshop.run_to_status(worker, job_id, JobStatus.QUEUED).error
    head.away = head.unready = False
    assert workshop.run_to_status(worker, job_id, JobStatus.SUCCEEDED).attempt == 1 + long


def test_a_job_that_was_never_handed_in_is_cancelled_without_the_cluster(workshop: Workshop, head: SmallHead) -> None:
    job_id, worker = workshop.enqueue(kind=JobKind.EVALUATE), on_ray(workshop, head)
    head.unready = True
    worker.step()
    workshop.stop(job_id)
    assert "before the Ray cluster had room" in workshop.run_to_status(worker, job_id, JobStatus.CANCELLED).error
    assert head.requests == {}


def test_a_job_that_the_head_refuses_fails_with_a_sentence(workshop: Workshop, head: SmallHead) -> None:
    def refuse(*_: Any) -> None:
        raise HeadRefused("Traceback: no such field")

    head.submit = refuse  # type: ignore[method-assign]
    job_id = workshop.enqueue()
    on_ray(workshop, head).run(once=True)
    job = workshop.job(job_id)
    assert (job.status, "refused" in job.error, "Traceback" in job.error) == (JobStatus.FAILED, True, False)


@pytest.mark.parametrize("noted", [True, False])
def test_a_restarted_worker_finds_its_job_on_the_cluster_again(workshop: Workshop, head: SmallHead, noted: bool) -> None:
    job_id, first = workshop.enqueue(steps=15), on_ray(workshop, head, name="here 1/0.00@000000000000")
    workshop.look_until(first, lambda: running(workshop, job_id))
    with workshop.database.writing() as session:
        job = queue.locked(session, job_id)
        assert job.boot_id == "ray:http://head:8265"
        job.lease_expires_at, job.boot_id = now(), job.boot_id if noted else ""
        session.add(job)
        session.commit()
    second = on_ray(workshop, head, name="here 2/0.00@000000000000")
    second.step()
    assert workshop.job(job_id).worker == second.name
    assert workshop.run_to_status(second, job_id, JobStatus.SUCCEEDED).attempt == 1
    assert len(head.requests) == 1


def test_a_worker_without_the_cluster_leaves_its_jobs_to_others_until_they_are_long_silent(
    workshop: Workshop, head: SmallHead
) -> None:
    job_id, first = workshop.enqueue(steps=2000), on_ray(workshop, head, name="here 1/0.00@000000000000")
    workshop.look_until(first, lambda: running(workshop, job_id))
    first.leave()
    first.run()
    local = workshop.worker(name="here 2/0.00@000000000000")
    local.step()
    assert workshop.job(job_id).worker == first.name
    with workshop.database.writing() as session:
        job = queue.locked(session, job_id)
        job.lease_expires_at = now() - timedelta(hours=1)
        session.add(job)
        session.commit()
    assert "fell silent" in workshop.run_to_status(local, job_id, JobStatus.LOST).error


def test_a_child_of_this_machine_is_looked_after_once_jobs_go_to_the_cluster(workshop: Workshop, head: SmallHead) -> None:
    job_id, first = workshop.enqueue(steps=2000), workshop.worker()
    workshop.look_until(first, lambda: running(workshop, job_id))
    first.leave()
    first.run()
    second = on_ray(workshop, head)
    second.step()
    assert workshop.job(job_id).worker == second.name
    os.kill(workshop.job(job_id).pid or 0, signal.SIGKILL)
    workshop.look_until(second, lambda: workshop.job(job_id).attempt == 2 and running(workshop, job_id))
    assert workshop.job(job_id).boot_id.startswith(processes.CLUSTER)
    assert len(head.requests) == 1


def test_a_node_that_sees_no_run_folder_or_no_program_is_told_of(workshop: Workshop, head: SmallHead, tmp_path: Path) -> None:
    done = subprocess.run(entrypoint(["true"], tmp_path / "elsewhere"), shell=True)
    assert done.returncode == 72
    job_id = workshop.enqueue()
    on_ray(workshop, head, program=("/nowhere/python",)).run(once=True)
    job = workshop.job(job_id)
    assert (job.status, job.attempt) == (JobStatus.FAILED, 1)
    assert "was not found on the Ray cluster's node" in job.error
    head.begin = lambda submission: head.children.update(  # type: ignore[method-assign]
        {submission: subprocess.Popen(["sh", "-c", "exit 72"])}
    )
    other = workshop.enqueue()
    on_ray(workshop, head).run(once=True)
    assert "does not see the run folder" in workshop.job(other).error


def test_names_with_spaces_and_quotes_reach_the_program_as_they_are(tmp_path: Path) -> None:
    folder = tmp_path / "it's; $(touch x) here"
    folder.mkdir()
    (folder / "log.txt").touch()
    told = "a 'b' $HOME; exit 5"
    line = entrypoint([sys.executable, "-c", "import sys; print(sys.argv[1])", told], folder)
    assert subprocess.run(line, shell=True).returncode == 0
    assert (folder / "log.txt").read_text() == told + "\n"


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ({}, "http://127.0.0.1:8265"),
        ({"ray_address": "auto"}, "http://127.0.0.1:8265"),
        ({"ray_address": "http://head:9000/"}, "http://head:9000"),
        ({"ray_address": "https://ray.example.org/jobs"}, "https://ray.example.org/jobs"),
        ({"ray_address": "head:6379"}, "http://head:8265"),
        ({"ray_address": "ray://head:10001"}, "http://head:8265"),
        ({"ray_address": "[::1]:6379"}, "http://[::1]:8265"),
        ({"ray_address": "head:6379", "ray_job_server": "http://head:9000"}, "http://head:9000"),
    ],
)
def test_the_job_server_is_found_from_what_ray_itself_reads(given: dict[str, str], address: str) -> None:
    assert job_server(Settings(**given)) == address


@pytest.mark.parametrize("given", ["ftp://head", "http://user:secret@head:8265", "head:port", "http://"])
def test_an_address_that_is_none_is_refused(given: str) -> None:
    with pytest.raises(InvalidInput, match="RAY_ADDRESS must be"):
        job_server(Settings(ray_address=given))


def test_the_setting_chooses_where_jobs_run() -> None:
    assert isinstance(launchers.configured(Settings()), LocalLauncher)
    assert isinstance(launchers.configured(Settings(launcher="ray")), RayLauncher)
    with pytest.raises(InvalidInput, match="TOUCHSTONE_LAUNCHER"):
        launchers.configured(Settings(launcher="moon"))
