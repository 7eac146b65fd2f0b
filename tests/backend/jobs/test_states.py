"""The state machine of jobs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.errors import Conflict
from backend.jobs.states import ALLOWED, End, after, move
from backend.vocabulary import FINISHED_JOBS, JobStatus

statuses = st.sampled_from(list(JobStatus))


@given(statuses, statuses)
def test_only_ways_that_exist_are_gone(current: JobStatus, target: JobStatus) -> None:
    if target in ALLOWED[current]:
        assert move(current, target) is target
    else:
        with pytest.raises(Conflict):
            move(current, target)


def test_what_succeeded_stays_and_every_other_end_can_be_tried_again() -> None:
    assert ALLOWED[JobStatus.SUCCEEDED] == frozenset()
    for status in FINISHED_JOBS - {JobStatus.SUCCEEDED}:
        assert ALLOWED[status] == {JobStatus.QUEUED}


@given(st.sampled_from(list(End)), st.booleans(), st.booleans(), st.booleans())
def test_every_end_of_a_child_leads_somewhere_allowed(end: End, stop_requested: bool, may_retry: bool, pausing: bool) -> None:
    current = JobStatus.STOPPING if stop_requested else JobStatus.RUNNING
    target = after(end, stop_requested=stop_requested, may_retry=may_retry, pausing=pausing)
    assert (target is JobStatus.PAUSED) == (pausing and stop_requested and end not in (End.OK, End.REFUSED))
    assert target in ALLOWED[current]
    assert (target is JobStatus.SUCCEEDED) == (end is End.OK)
    if stop_requested:
        assert target is not JobStatus.QUEUED
    if target is JobStatus.QUEUED:
        assert may_retry


@given(st.sampled_from(list(End)))
def test_without_tries_left_nothing_goes_back_into_the_queue(end: End) -> None:
    assert after(end, stop_requested=False, may_retry=False) in FINISHED_JOBS
