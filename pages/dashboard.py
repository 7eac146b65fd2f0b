"""Dashboard: how far the loop has come, who did what, the runs, the current version with its evidence, what people say."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from backend.evaluation import activity, figure_queries, figures
from backend.vocabulary import Action
from pages.components.charts import bars, funnel, lines, show_chart, show_table
from pages.components.checklist import show_checks, show_verdict
from pages.components.figure_view import figure, show_age, state_of
from pages.components.links import link_to
from pages.components.notices import guarded, plain
from pages.components.overview import WORDS, overview, throughput
from pages.components.visit import Visit, require


def main() -> None:
    """The whole page."""
    visit = require(Action.VIEW_DASHBOARD)
    st.title("Dashboard")
    days = st.segmented_control(
        "Days shown", [7, 30, 90], default=30, key="dashboard_days", format_func=lambda days: f"{days} days"
    )
    days = days or activity.DAYS
    state = state_of(visit, Action.VIEW_DASHBOARD)
    found = overview(visit, days)
    left, right = st.columns(2)
    with left, guarded():
        _funnel(found.funnel)
    with right, guarded():
        _current(found.current)
    with guarded():
        _work(visit, state, days)
    with guarded():
        _runs(found.runs)
    left, right = st.columns(2)
    with left, guarded():
        _feedback(found.feedback, days)
    with right, guarded():
        _agreement(visit, state)


def _funnel(frame: pd.DataFrame) -> None:
    st.subheader("From imported to learned")
    if not frame["records"].iloc[0]:
        st.info("No records yet. Import conversations; their way to the model is counted here.", icon=":material/upload_file:")
        link_to("imports", "Import", icon="upload_file")
        return
    show_chart(funnel(frame, step="step", count="records"), frame, key="funnel")


def _current(now: activity.Current | None) -> None:
    st.subheader("Current version")
    if now is None:
        st.info("No version is current yet. A candidate that passes the gate can be promoted.", icon=":material/verified:")
        link_to("promotion", "Promote", icon="verified")
        return
    st.markdown(f"**{plain(now.name)}**, {plain(now.decision)} on {now.at:%d %b %Y} by {plain(now.by)}")
    if now.reason:
        st.text(now.reason)
    if now.evidence.get("checks"):
        against = f"It was compared with {now.evidence['baseline']}."
        show_verdict(now.evidence["verdict"], against + (" The lead overrode the gate." if now.overridden else ""))
        with st.expander("Its evidence as it stood", icon=":material/checklist:"):
            show_checks(now.evidence["checks"])
    link_to("promotion", "Candidates and decisions", icon="verified")


def _work(visit: Visit, state: figure_queries.State, days: int) -> None:
    st.subheader("Throughput")
    kept = figure(visit, state, figures.WORK, action=Action.VIEW_DASHBOARD)
    show_age(visit, state, kept)
    made = throughput(visit, kept, days, state.stamp if state.live else None)
    if made is None:
        st.info(f"Nobody ruled, edited or rated in the last {days} days.", icon=":material/group:")
        link_to("members", "Invite people", icon="group")
        return
    left, right = st.columns(2)
    with left:
        st.caption("By day (UTC)")
        show_chart(bars(made.daily, x="day", y=activity.WORK, names=WORDS), made.daily_table, key="throughput-days")
    with right:
        st.caption("By person")
        chart = bars(made.people, x="person", y=activity.WORK, names=WORDS, sideways=True)
        show_chart(chart, made.people_table, key="throughput-people")


def _runs(frame: pd.DataFrame) -> None:
    st.subheader("Training runs")
    if frame.empty:
        st.info("No run yet. Freeze a snapshot of approved records, then train on it.", icon=":material/model_training:")
        link_to("snapshots", "Freeze a snapshot", icon="photo_camera")
        return
    show_table(frame, key="runs", columns={"validation loss": st.column_config.NumberColumn(format="%.3f")})


def _feedback(frame: pd.DataFrame, days: int) -> None:
    st.subheader("What people say about answers")
    if frame.empty:
        st.info(f"No feedback in the last {days} days. It comes from the chat.", icon=":material/thumbs_up_down:")
        link_to("chat", "Open the chat", icon="chat")
        return
    chart = bars(frame, x="day", y=["up", "down"], stacked=False, names={"up": "Thumbs up", "down": "Thumbs down"})
    show_chart(chart, frame, key="feedback-days")
    link_to("feedback", "Read it", icon="thumbs_up_down")


def _agreement(visit: Visit, state: figure_queries.State) -> None:
    st.subheader("How often raters agree")
    kept = figure(visit, state, figures.AGREEMENT, action=Action.VIEW_DASHBOARD)
    frame = activity.agreement(kept.value["weeks"] if kept else [])
    if frame.empty:
        st.info("It shows once two raters compared the same answers.", icon=":material/balance:")
        link_to("tasks", "Set up a comparison", icon="balance")
        return
    st.caption("Share of pairs of raters who named the same winner of a comparison, by week")
    show_chart(lines(frame, x="week", y=["agreed"], share=True), frame, key="agreement-weeks")


main()
