"""What people said about answers: totals, the newest feedback, complaints that wait for somebody."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from backend.serving.queries import feedback_counts, feedback_list
from backend.serving.receiving import close_feedback
from backend.vocabulary import Action
from pages.components.charts import show_table
from pages.components.notices import attempt, plain, tell
from pages.components.visit import Visit, require

SHOWN = 20
"""Complaints that are listed at a time."""


def draw(visit: Visit) -> None:
    """The whole page."""
    st.title("Feedback")
    with visit.reading() as session:
        counts = feedback_counts(session, visit.project_id)
        frame = feedback_list(session, visit.project_id)
        waiting = feedback_list(session, visit.project_id, waiting=True, limit=SHOWN)
    if counts.feedback == 0:
        st.info(
            "No feedback yet. Promote a version, let people chat with it, and what they say about its answers comes here "
            "and into the review queue.",
            icon=":material/thumbs_up_down:",
        )
        st.page_link("chat.py", label="Open the chat", icon=":material/chat:")
        return
    for column, (name, value) in zip(
        st.columns(4),
        [
            ("Conversations", f"{counts.chats:,}"),
            ("Thumbs up / down", f"{counts.up:,} / {counts.down:,}"),
            ("Mean satisfaction (1–5)", "–" if counts.mean_csat is None else f"{counts.mean_csat:.1f}"),
            ("Complaints waiting", f"{counts.open_complaints:,}"),
        ],
        strict=True,
    ):
        column.metric(name, value, border=True)
    st.markdown(
        "Each conversation below is a record now: an expert corrects its answer in **Review records**, "
        "and the next model learns from it."
    )
    _complaints(visit, waiting, counts.open_complaints)
    st.subheader("All feedback, newest first")
    show_table(frame.drop(columns=["id"]), key="feedback")


def _complaints(visit: Visit, waiting: pd.DataFrame, total: int) -> None:
    if waiting.empty:
        st.success("Every complaint has been answered.", icon=":material/check_circle:")
        return
    st.subheader("Complaints that wait for somebody")
    if total > len(waiting):
        st.caption(f"The {len(waiting)} oldest of {total:,}.")
    for row in waiting.itertuples():
        with st.container(border=True):
            asks = " · asks for a person" if row.wants_person else ""
            st.caption(f"{row.when:%Y-%m-%d %H:%M} UTC · {plain(str(row.version))}{asks}")
            st.markdown(f"**Asked:** {plain(str(row.question))}")
            st.markdown(f"**Answered:** {plain(str(row.answer))}")
            if row.comment:
                st.markdown(f"**Comment:** {plain(str(row.comment))}")
            st.button(
                "Mark as answered", key=f"close_{row.id}", on_click=_close, args=(visit, int(row.id)), icon=":material/check:"
            )


def _close(visit: Visit, feedback_id: int) -> None:
    def close() -> bool:
        with visit.writing() as session:
            close_feedback(session=session, actor=visit.actor, feedback_id=feedback_id)
        return True

    if attempt(close):
        tell("success", "Marked as answered.")


draw(require(Action.VIEW_DASHBOARD))
