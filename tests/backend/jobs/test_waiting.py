"""What a command that waits for its job says."""

from __future__ import annotations

from backend.jobs.slots import Standing
from backend.jobs.waiting import _line
from backend.store.models import Job
from backend.vocabulary import JobKind, JobStatus


def test_a_command_says_what_its_job_waits_for_only_where_there_are_gpus() -> None:
    job = Job(id=1, project_id=1, kind=JobKind.TRAIN)
    assert _line(job, []) == "queued"
    assert _line(job, [Standing("w", "vm", 0, 0)]) == "queued"
    assert "waits for 1 GPU on vm, where 0 of 2 are free" in _line(job, [Standing("w", "vm", 2, 0)])
    job.status, job.progress = JobStatus.RUNNING, {"step": 3, "total_steps": 9}
    assert _line(job, [Standing("w", "vm", 2, 0)]) == "running, step 3 of 9"
