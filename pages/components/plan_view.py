"""A look before a run: rows and tokens, time and memory, and one conversation with what is trained of it marked."""

from __future__ import annotations

import html
from typing import Any

import streamlit as st

from backend.training import planning
from backend.training.planning import PlanCard
from backend.vocabulary import JobStatus
from pages.components.notices import plain, tell
from pages.components.recipe_form import chosen_recipe
from pages.components.run_view import SECONDS
from pages.components.visit import Visit

PLAN = "plan-job"
_STYLE = """<style>.plan-text{white-space:pre-wrap;overflow-wrap:anywhere;font-family:ui-monospace,monospace;font-size:.85rem;
line-height:1.5;max-height:22rem;overflow:auto}.plan-text mark{background:rgba(63,143,99,.28);color:inherit;border-radius:3px}
</style>"""


def look_before(visit: Visit, snapshot_id: int, base_model: str, objective: str) -> None:
    """Callback of the form: ask a worker for the plan."""
    with visit.writing() as session:
        job = planning.start_plan(
            session=session,
            actor=visit.actor,
            settings=visit.settings,
            project_id=visit.project_id,
            snapshot_id=snapshot_id,
            recipe=chosen_recipe(base_model, objective),
        )
    st.session_state[PLAN] = (visit.project_id, job.id)
    tell("info", "A worker looks at the rows and tries two steps. The plan appears under the form.")


def show_plan(visit: Visit) -> None:
    """The plan that was asked for last, in this project."""
    project_id, job_id = st.session_state.get(PLAN, (None, 0))
    if project_id != visit.project_id:
        return
    with visit.reading() as session:
        card = planning.plan_card(session, visit.actor, visit.settings, job_id)
    if card.is_over:
        _told(card)
    else:
        _waiting(visit, job_id)


@st.fragment(run_every=SECONDS)
def _waiting(visit: Visit, job_id: int) -> None:
    with visit.reading() as session:
        card = planning.plan_card(session, visit.actor, visit.settings, job_id)
    if card.is_over:
        st.rerun()
    words = {JobStatus.QUEUED: "The plan waits for a worker."}.get(card.status, "The plan is being made.")
    st.info(words, icon=":material/hourglass_top:")


def _told(card: PlanCard) -> None:
    st.subheader("What this run would do")
    if not card.told:
        st.error(plain(card.error or "The plan could not be made; the Jobs page has its log."), icon=":material/error:")
        return
    told = card.told
    one, two, three, four = st.columns(4)
    one.metric("Rows to learn from", f"{told['rows']:,}", border=True)
    two.metric("Steps", f"{told['steps']:,}", border=True)
    three.metric("Time, about", _duration(told["estimated_seconds"]), border=True, help="Without validations.")
    four.metric("Memory, about", f"{told['estimated_peak_memory_bytes'] / 1e9:.2f} GB", border=True)
    st.text(
        f"{told['tokens']:,} tokens on {told['device']}, {told['trained_share']:.0%} of them trained. Longest row: "
        f"{told['longest']:,} tokens. Left out as too long: {told['rows_too_long']:,}; shortened: {told['rows_shortened']:,}. "
        f"Validation rows: {told['validation_rows']:,}; test rows: {told['test_rows']:,}."
    )
    if told.get("fits") is not None:
        draw = st.success if told["fits"] else st.error
        draw(plain(str(told["fits_why"])), icon=":material/memory:")
    if told.get("stop_token_trained") is False:
        st.error("The end of the answer is not trained, so the model would not learn to stop.", icon=":material/error:")
    st.text("The first row as the model reads it; what is marked is trained.")
    st.html(_STYLE + f'<div class="plan-text">{_marked(told["example"])}</div>')


def _marked(runs: list[dict[str, Any]]) -> str:
    """The text with its trained runs marked. Every piece is escaped: it comes from people's records."""
    pieces = [(html.escape(str(run["text"])), run["trained"]) for run in runs]
    return "".join(f"<mark>{text}</mark>" if trained else text for text, trained in pieces)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
