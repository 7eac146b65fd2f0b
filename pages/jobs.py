"""Jobs: what runs, what waits, what ended, and why. One can stop a job, or try an ended one again."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from backend.training import controlling, gpu_queries, queries
from backend.training.queries import JobCard
from backend.vocabulary import Action, JobStatus
from pages.components.charts import show_table
from pages.components.gpu_panel import show_gpus
from pages.components.links import link_to
from pages.components.notices import attempt, show_notices, tell
from pages.components.visit import Visit, require

SECONDS = 3.0


def main() -> None:
    """The whole page."""
    visit = require(Action.TRAIN)
    st.title("Jobs")
    st.write("Runs and evaluations wait here for a worker. They go on when you close this window.")
    _queue(visit)


@st.fragment(run_every=SECONDS)
def _queue(visit: Visit) -> None:
    show_notices()
    with visit.reading() as session:
        cards = queries.jobs(session, visit.actor, visit.settings, visit.project_id)
        why = gpu_queries.why_waiting(session, visit.actor, visit.project_id)
        gpus = gpu_queries.gpus(session, visit.actor, visit.project_id)
    show_gpus(gpus)
    if not cards:
        st.info("No job yet. Starting a run or an evaluation puts one here.", icon=":material/list_alt:")
        link_to("training", "Train", icon="model_training")
        return
    going = [card for card in cards if not card.is_over]
    if not going:
        st.info("Nothing runs or waits now.", icon=":material/check_circle:")
    for card in going:
        _going(visit, card, why.get(card.id, ""))
    ended = [card for card in cards if card.is_over]
    if ended:
        _ended(visit, ended)


def _going(visit: Visit, card: JobCard, why: str) -> None:
    with st.container(border=True):
        left, right = st.columns([3, 2])
        left.text(f"{card.label}: {card.status.value}, attempt {max(1, card.attempt)} of {card.max_attempts}")
        with right.container(horizontal=True, horizontal_alignment="right"):
            given = {"disabled": card.status is JobStatus.STOPPING, "on_click": attempt}
            if card.status is JobStatus.QUEUED:
                st.button("Put first", icon=":material/vertical_align_top:", on_click=attempt,
                          args=(_put_first, visit, card.id), key=f"first_{card.id}")  # fmt: skip
            if card.kind in controlling.PAUSED_AND_RESUMED:
                st.button("Pause", icon=":material/pause:", args=(_pause, visit, card.id), key=f"pause_{card.id}", **given)
            st.button("Stop", icon=":material/stop:", args=(_cancel, visit, card.id), key=f"stop_{card.id}", **given)
        step, total = card.progress.get("step", 0), card.progress.get("total_steps")
        if total:
            st.progress(min(1.0, max(0.0, step / total)), text=f"Step {step} of {total}")
        if card.status is JobStatus.QUEUED:
            st.text(why)
        else:
            st.text(f"Worker: {card.worker}")
            _log(card)


def _ended(visit: Visit, cards: list[JobCard]) -> None:
    st.subheader("Ended")
    rows = [
        {
            "job": card.id,
            "kind": card.kind.value,
            "name": card.title,
            "status": card.status.value,
            "attempts": card.attempt,
            "why": card.error,
            "queued": card.created,
        }
        for card in cards
    ]
    show_table(
        pd.DataFrame(rows),
        key="jobs",
        columns={"queued": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm", timezone="UTC")},
    )
    by_id = {card.id: card for card in cards}
    chosen = st.selectbox("Look into", list(by_id), format_func=lambda key: by_id[key].label, key="ended_job")
    card = by_id[chosen]
    if card.error:
        st.text(card.error)
    if card.status is not JobStatus.SUCCEEDED:
        st.button(
            "Go on" if card.status is JobStatus.PAUSED else "Try again",
            icon=":material/replay:",
            help="A run goes on from its last checkpoint, if it has one.",
            on_click=attempt,
            args=(_resume, visit, card.id),
            key=f"again_{card.id}_{card.attempt}",
        )
    _log(card)


def _log(card: JobCard) -> None:
    with st.expander("Log", icon=":material/terminal:"):
        st.code(queries.log_tail(card.log) or "Nothing yet.", language=None, wrap_lines=True, height=300)


def _cancel(visit: Visit, job_id: int) -> None:
    with visit.writing() as session:
        job = controlling.cancel(session=session, actor=visit.actor, job_id=job_id)
    done = job.status is JobStatus.CANCELLED
    tell("success", f"Job {job_id} is cancelled." if done else f"Job {job_id} stops at its next step.")


def _pause(visit: Visit, job_id: int) -> None:
    with visit.writing() as session:
        job = controlling.pause(session=session, actor=visit.actor, job_id=job_id)
    done = job.status is JobStatus.PAUSED
    tell("success", f"Job {job_id} is paused." if done else f"Job {job_id} stops at its next step and can go on later.")


def _put_first(visit: Visit, job_id: int) -> None:
    with visit.writing() as session:
        controlling.put_first(session=session, actor=visit.actor, job_id=job_id)
    tell("success", f"Job {job_id} is the next one.")


def _resume(visit: Visit, job_id: int) -> None:
    with visit.writing() as session:
        controlling.resume(session=session, actor=visit.actor, job_id=job_id)
    tell("success", f"Job {job_id} is in the queue again.")


main()
