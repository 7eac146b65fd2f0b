"""Rejecting what repeats an earlier record: which, how many, why; and taking it back."""

from __future__ import annotations

import streamlit as st

from backend.curation import duplicate_queries, resolving
from backend.curation.duplicate_queries import THRESHOLD
from backend.curation.resolving import Resolved
from pages.components.notices import attempt, counted, plain, tell
from pages.components.visit import Visit

_RULE, _LEAST, _WHY = "resolve-rule", "resolve-least", "resolve-why"
_EXACT, _NEAR = "All exact repeats", "Near duplicates too"


def show_resolutions(visit: Visit) -> None:
    """The rule with its count, and what was done before."""
    st.subheader("Keep the first, reject the others")
    rule = st.segmented_control("Which?", [_EXACT, _NEAR], default=_EXACT, required=True, key=_RULE)
    least = 1.0
    if rule == _NEAR:
        least = st.slider("From which similarity on?", THRESHOLD, 0.99, 0.95, 0.01, key=_LEAST, width=420)
    with visit.reading() as session:
        told = resolving.preview(session=session, actor=visit.actor, project_id=visit.project_id, least=least)
    _say(told)
    if told.rejected:
        st.text_input("Why?", "Repeats an earlier record", key=_WHY, max_chars=2000, help="Stands on each record.")
        more = "the first " if told.more else ""
        st.button(
            f"Reject {more}{counted(told.rejected, 'record')}", type="primary", icon=":material/content_cut:", key="resolve",
            on_click=attempt, args=(_reject, visit, least, told.rejected),
        )  # fmt: skip
    _earlier(visit)


def _say(told: Resolved) -> None:
    """What would happen, in words."""
    if not told.rejected:
        st.text("No open duplicate fits this rule.")
    else:
        approved = f" {told.approved:,} of them are approved; those approvals are withdrawn." if told.approved else ""
        st.text(f"{counted(told.rejected, 'record')} would be rejected; the earlier record of each pair stays.{approved}")
    if told.answers_differ:
        st.text(
            f"Those that stay because their answers differ or were edited: {told.answers_differ:,}. Look at them one by one."
        )
    if told.needed:
        st.text(f"Others that stay, because the earlier record is rejected or only the later one is approved: {told.needed:,}.")


def _earlier(visit: Visit) -> None:
    with visit.reading() as session:
        earlier = duplicate_queries.resolutions(session, actor=visit.actor, project_id=visit.project_id)
    if earlier:
        st.subheader("Rejected before")
    for one in earlier:
        with st.container(horizontal=True, vertical_alignment="center", key=f"resolution-{one.number}"):
            st.text(
                f"{counted(one.records, 'record')} by {one.actor} on {one.at:%d %B %Y at %H:%M} UTC: {one.reason}",
                width="stretch",
            )
            st.button(
                plain(f"Undo {one.records:,}"), icon=":material/undo:", key=f"undo-{one.number}",
                on_click=attempt, args=(_undo, visit, one.number),
            )  # fmt: skip


def _reject(visit: Visit, least: float, expected: int) -> None:
    with visit.writing() as session:
        done = resolving.reject_duplicates(
            session=session,
            actor=visit.actor,
            project_id=visit.project_id,
            least=least,
            reason=str(st.session_state.get(_WHY) or ""),
            expected=expected,
        )
    rest = " There are more; press again." if done.more else ""
    tell("success", f"Rejected {counted(done.rejected, 'record')}. Undo stands below.{rest}")


def _undo(visit: Visit, number: int) -> None:
    with visit.writing() as session:
        count = resolving.undo_resolution(session=session, actor=visit.actor, project_id=visit.project_id, number=number)
    tell("success", f"Back as they stood: {counted(count, 'record')}. Those ruled on or edited since were left alone.")
