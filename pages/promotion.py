"""Promote: a candidate's evidence against the gate, the decision with its reason, the way back."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from backend.evaluation import queries, version_queries
from backend.evaluation.activity import Current, current
from backend.evaluation.evidence import Standing, gate_of_project, standing
from backend.evaluation.version_queries import VersionCard
from backend.vocabulary import Action, Stage
from pages.components.charts import show_table
from pages.components.checklist import show_checks, show_verdict
from pages.components.decisions import show_decision, show_roll_back
from pages.components.gate_form import show_gate_form
from pages.components.links import link_to
from pages.components.model_export import show_model_export
from pages.components.notices import counted, guarded, plain
from pages.components.version_view import say_left_out
from pages.components.visit import Visit, require


def main() -> None:
    """The whole page."""
    visit = require(Action.PROMOTE)
    st.title("Promote")
    st.write("The version that is current answers in the chat. A candidate takes its place when it passes the gate.")
    with visit.reading() as session:
        versions = version_queries.versions(session, project_id=visit.project_id)
        now = current(session, project_id=visit.project_id)
        gate = gate_of_project(session, visit.project_id)
    _current(visit, now)
    trained = [one for one in versions if one.chats and not one.is_base and one.stage != Stage.CURRENT]
    candidates = [one for one in trained if one.stage == Stage.CANDIDATE]
    if trained:
        _candidate(visit, candidates, trained, now)
    else:
        st.info("No candidate waits. Each finished run of a model that answers brings one.", icon=":material/model_training:")
        link_to("training", "Train", icon="model_training")
    say_left_out([one for one in versions if not one.chats])
    show_model_export(visit, versions)
    if visit.may(Action.EDIT_SETTINGS):
        with st.expander("The gate's conditions", icon=":material/tune:"):
            show_gate_form(visit, gate)
    with guarded():
        _history(visit)


def _current(visit: Visit, now: Current | None) -> None:
    with st.container(border=True):
        if now is None:
            st.markdown(":material/verified: **No version is current yet.** Nobody can chat until one is promoted.")
            return
        left, right = st.columns([3, 1], vertical_alignment="center")
        left.markdown(
            f":material/verified: **{plain(now.name)}** is current, {now.decision} on {now.at:%d %b %Y} by {plain(now.by)}."
        )
        with right:
            show_roll_back(visit, now.version_id)


def _candidate(visit: Visit, candidates: list[VersionCard], trained: list[VersionCard], now: Current | None) -> None:
    names = {one.id: f"{one.name} ({one.stage}, {one.created_at:%d %b})" for one in trained}
    choices = [one.id for one in candidates] or list(names)
    if candidates and len(trained) > len(candidates) and st.toggle("Show retired versions too", key="show_retired"):
        choices = list(names)
    chosen = st.selectbox("Candidate", choices, format_func=lambda key: names[key], key="promotion_candidate")
    with guarded(), visit.reading() as session:
        found = standing(session, project_id=visit.project_id, version_id=chosen)
        _evidence(found)
        show_decision(visit, found, now.version_id if now else None, refusable=any(one.id == chosen for one in candidates))


def _evidence(found: Standing) -> None:
    st.subheader(f"Against {plain(found.baseline_name)}")
    result = found.result.to_json()
    idle = len(found.result.unchecked)
    show_verdict(result["verdict"], f"{counted(idle, 'condition')} could not be checked; below stands why." if idle else "")
    show_checks(result["checks"])
    left, right = st.columns(2)
    if found.evaluation_id is None:
        with left:
            link_to("evaluations", "Next: evaluate it on the test questions", icon="fact_check")
    elif not found.result.passed:
        with left:
            link_to("tasks", "Have its answers compared blind", icon="balance")
        with right:
            link_to("evaluations", "Read its answers", icon="fact_check")


def _history(visit: Visit) -> None:
    with visit.reading() as session:
        frame = queries.decisions(session, project_id=visit.project_id)
    st.subheader("Decisions")
    if frame.empty:
        st.caption("None yet. Every promotion, refusal and roll-back is listed here with its reason and evidence.")
        return
    show_table(frame.drop(columns=["id", "evidence"]), key="decisions")
    with_checks = frame[frame["evidence"].map(lambda evidence: bool(evidence.get("checks")))]
    if with_checks.empty:
        return
    names: pd.Series = with_checks.apply(lambda row: f"{row['decision']} {row['version']}, {row['at']:%d %b %H:%M}", axis=1)
    with st.expander("Evidence as it stood", icon=":material/history:"):
        row = st.selectbox("Decision", list(with_checks.index), format_func=lambda key: names[key], key="decision_shown")
        show_checks(with_checks.loc[row, "evidence"]["checks"])


main()
