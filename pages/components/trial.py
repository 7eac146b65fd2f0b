"""A text looked at by every detector that looks at one record; nothing is stored."""

from __future__ import annotations

import streamlit as st

from backend.curation.detector_queries import LONGEST_TRIAL, try_out
from pages.components.notices import guarded
from pages.components.visit import Visit

_COLUMNS = {
    "found": "Found", "in": st.column_config.TextColumn("In", width="small"),
    "text": st.column_config.TextColumn("Text", width="medium"),
    "becomes": st.column_config.TextColumn("Would become", width="small"),
    "score": st.column_config.NumberColumn("How sure", format="percent", width="small"),
    "why": st.column_config.TextColumn("Why", width="large"),
}  # fmt: skip


def show_trial(visit: Visit) -> None:
    """The two boxes, and what was found in them."""
    st.text("Paste a question and an answer, and see what would be found in them. Nothing is stored.")
    with st.form("trial", border=False):
        one, two = st.columns(2)
        question = one.text_area("What the customer says", key="trial_question", max_chars=LONGEST_TRIAL, height=120)
        answer = two.text_area("What is answered (may stay empty)", key="trial_answer", max_chars=LONGEST_TRIAL, height=120)
        pressed = st.form_submit_button("Look", icon=":material/search:", type="primary")
    if not pressed:
        return
    with guarded(), st.spinner("Looking. The first time takes some seconds, because word lists and models are loaded."):
        with visit.reading() as session:
            found, slices = try_out(session, actor=visit.actor, project_id=visit.project_id, question=question, answer=answer)
        if found.empty:
            st.text("Nothing was found. That is no proof: see below what each detector misses.")
        else:
            st.dataframe(found, hide_index=True, width="stretch", column_config=_COLUMNS, column_order=list(_COLUMNS))
        if slices:
            st.text("Slices: " + " · ".join(f"{name}: {value}" for name, value in sorted(slices.items())))
