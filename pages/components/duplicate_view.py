"""The threshold explorer: how many records are repeats from which similarity on, and pairs around the chosen one."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from backend.curation import duplicate_queries
from backend.curation.duplicate_queries import THRESHOLD, Pair, Side
from backend.vocabulary import Action, RecordStatus
from pages.components.charts import MAIN, POOR, framed, show_chart
from pages.components.links import link_to
from pages.components.notices import plain
from pages.components.record_card import STATUS
from pages.components.visit import Visit
from pages.components.worddiff import show_diff

SLIDER = "duplicates-threshold"


def show_curve(curve: pd.DataFrame) -> float:
    """The curve with its slider; returns the chosen similarity."""
    chosen = st.slider(
        "Similarity of what the customer says", 0.5, 1.0, THRESHOLD, 0.01, key=SLIDER,
        help="The share of four-letter pieces that two texts have in common: 1 is equal, .8 a word or two that differ in a "
        "short question. Findings are made from .8 on; the slider only shows what another threshold would mean.",
    )  # fmt: skip
    count = int(curve["records"].to_numpy()[(curve["similarity"] - chosen).abs().to_numpy().argmin()])
    st.text(f"Records that repeat an earlier one from {chosen:.2f} on: {count:,}.")
    show_chart(_figure(curve, chosen, count), curve, key="duplicates-curve")
    return chosen


def _figure(curve: pd.DataFrame, chosen: float, count: int) -> Any:
    import plotly.graph_objects as go

    figure = go.Figure(
        go.Scatter(
            x=curve["similarity"], y=curve["records"], mode="lines", line={"color": MAIN, "width": 3, "shape": "hv"},
            fill="tozeroy", hovertemplate="from %{x:.2f} on: %{y:,} records<extra></extra>", showlegend=False,
        )
    )  # fmt: skip
    figure.add_vline(x=chosen, line={"color": POOR, "width": 2, "dash": "dot"})
    figure.add_trace(
        go.Scatter(
            x=[chosen], y=[count], mode="markers", marker={"color": POOR, "size": 10}, hoverinfo="skip", showlegend=False
        )
    )
    figure.update_xaxes(title="Similarity", tickformat=".2f")
    figure.update_yaxes(title="Records that repeat an earlier one", rangemode="tozero")
    return framed(figure)


def show_pairs(visit: Visit, threshold: float) -> None:
    """Pairs on both sides of the threshold, with the words that differ."""
    with visit.reading() as session:
        found = duplicate_queries.pairs(session, actor=visit.actor, project_id=visit.project_id, threshold=threshold)
    st.subheader("Pairs around it")
    if not found:
        st.text(
            f"No pair is between {threshold - duplicate_queries.AROUND:.2f} and {threshold + duplicate_queries.AROUND:.2f}."
        )
        return
    for pair in found:
        _pair(visit, pair, threshold)


def _pair(visit: Visit, pair: Pair, threshold: float) -> None:
    key = f"pair-{pair.first.record_id}-{pair.second.record_id}"
    with st.container(border=True, key=key):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            is_repeat = pair.similarity >= threshold
            st.badge(
                "Equal" if pair.exact else f"{pair.similarity:.2f}", color="orange" if is_repeat else "gray",
                icon=":material/content_copy:" if is_repeat else ":material/call_split:",
            )  # fmt: skip
            show_side_name(pair.first)
            show_side_name(pair.second)
            show_way_to_review(visit, pair.second, key)
        show_diff(
            pair.first.question, pair.second.question, key=f"{key}-question",
            before_name=f"only in record {pair.first.record_id}", after_name=f"only in record {pair.second.record_id}",
        )  # fmt: skip
        if pair.first.answer == pair.second.answer:
            st.caption("Both have the same answer.")
        else:
            with st.expander("Their answers differ", icon=":material/difference:"):
                show_diff(
                    pair.first.answer, pair.second.answer, key=f"{key}-answer",
                    before_name=f"only in record {pair.first.record_id}", after_name=f"only in record {pair.second.record_id}",
                )  # fmt: skip


def show_side_name(side: Side) -> None:
    """Which record, and where it stands."""
    words, icon, color = STATUS[RecordStatus(side.status)]
    st.markdown(plain(f"Record {side.record_id}"), width="content")
    st.badge(words, icon=f":material/{icon}:", color=color)  # type: ignore[arg-type]


def show_way_to_review(visit: Visit, side: Side, key: str) -> None:
    """A press takes the record up in review; who reviews nothing gets a link to it."""
    if not visit.may(Action.REVIEW):
        link_to("records", "Open the record", icon="open_in_new", address={"record": str(side.record_id)})
    elif st.button(f"Review record {side.record_id}", icon=":material/rate_review:", key=f"{key}-review-{side.record_id}"):
        st.session_state["review_record"] = side.record_id
        st.switch_page("review.py")
