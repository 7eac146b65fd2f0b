"""Contradictions: a list, and the chosen pair side by side with the words that differ, for an expert to decide."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from backend.curation import dismissing, duplicate_queries
from backend.curation.duplicate_queries import Contradiction, Side
from backend.vocabulary import Action
from pages.components.duplicate_view import show_side_name, show_way_to_review
from pages.components.notices import attempt, tell
from pages.components.visit import Visit
from pages.components.worddiff import show_diff

_PAGE = 50
_TABLE = "contradictions-table"


def show_contradictions(visit: Visit) -> None:
    """The list with the first pair open, or what to do where there is none."""
    with visit.reading() as session:
        total = duplicate_queries.count_contradictions(session, actor=visit.actor, project_id=visit.project_id)
        if not total:
            st.success("No two answers to the same question contradict each other.", icon=":material/done_all:")
            st.text(
                "Compared are amounts, times, days, yes and no, and what is denied. Facts that differ in other words are not "
                "noticed: reviewers still have to read."
            )
            return
        page = st.number_input("Page", 1, -(-total // _PAGE), 1, key="contradictions-page") if total > _PAGE else 1
        found = duplicate_queries.contradictions(
            session, actor=visit.actor, project_id=visit.project_id, offset=(int(page) - 1) * _PAGE, limit=_PAGE
        )
    st.text(f"Pairs that answer the same question differently: {total:,}. Choose one to see both texts side by side.")
    frame = pd.DataFrame(
        [(one.here.record_id, one.there.record_id, one.here.question, one.why) for one in found],
        columns=["record", "other", "question", "why"],
    )
    picked = st.dataframe(
        frame, width="stretch", hide_index=True, height=min(300, 36 * (len(frame) + 1) + 2), key=_TABLE, on_select="rerun",
        selection_mode="single-row",
        column_config={
            "record": st.column_config.NumberColumn("Record", width="small", format="%d"),
            "other": st.column_config.NumberColumn("Other", width="small", format="%d"),
            "question": st.column_config.TextColumn("Question", width="medium"),
            "why": st.column_config.TextColumn("What differs", width="large"),
        },
    )  # fmt: skip
    rows = [row for row in picked["selection"]["rows"] if row < len(found)]
    show_pair(visit, found[rows[0] if rows else 0])


def show_pair(visit: Visit, pair: Contradiction) -> None:
    """Both records, what differs, and the decisions."""
    key = f"contradiction-{pair.here.record_id}-{pair.there.record_id}"
    with st.container(border=True, key=key):
        for column, side in zip(st.columns(2), (pair.here, pair.there), strict=True):
            with column:
                _side(visit, side, key)
        show_diff(
            pair.here.answer, pair.there.answer, key=f"{key}-diff",
            before_name=f"only in record {pair.here.record_id}", after_name=f"only in record {pair.there.record_id}",
        )  # fmt: skip
        if visit.may(Action.REVIEW):
            reason = f"{key}-why"
            words, press = st.columns([3, 1], vertical_alignment="bottom")
            words.text_input("If both are right: why is it no contradiction?", key=reason, placeholder="Two different products")
            press.button(
                "No contradiction", icon=":material/close:", key=f"{key}-dismiss", width="stretch",
                on_click=attempt, args=(_dismiss, visit, pair.findings, reason),
            )  # fmt: skip


def _side(visit: Visit, side: Side, key: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        show_side_name(side)
    st.caption("The customer asks")
    st.text(side.question)
    st.caption("The answer")
    st.text(side.answer)
    show_way_to_review(visit, side, key)


def _dismiss(visit: Visit, finding_ids: tuple[int, ...], reason: str) -> None:
    with visit.writing() as session:
        dismissing.dismiss(
            session=session,
            actor=visit.actor,
            project_id=visit.project_id,
            finding_ids=finding_ids,
            reason=str(st.session_state.get(reason) or ""),
        )
    tell("success", "Dismissed on both records. It comes back only when an answer changes.")
