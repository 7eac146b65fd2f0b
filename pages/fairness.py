"""Data bias: who is answered how in the data, pairs that are treated unlike, and what can be done about it."""

from __future__ import annotations

import streamlit as st

from backend.vocabulary import Action
from pages.components.data_audit_view import show_audit
from pages.components.links import link_to
from pages.components.mitigation_form import show_mitigations
from pages.components.notices import guarded
from pages.components.probes_view import show_probes
from pages.components.visit import require

visit = require(Action.VIEW_RESULTS)
st.title("Data bias")
st.text(
    "A chatbot learns how people are treated from its examples. See who is answered how in this project's records, compare "
    "questions that differ only in who asks, and even out what should not be there before you freeze a snapshot."
)
PARTS = {"Audit": show_audit, "Counterfactuals": show_probes, "Mitigations": show_mitigations}
for show, tab in zip(PARTS.values(), st.tabs(list(PARTS), key="fairness-tab", on_change="rerun"), strict=True):
    if tab.open:
        with tab, guarded():
            show(visit)
st.caption("This page is about the data. How the models answer different groups is shown by the bias slices.")
link_to("slices", "Bias slices of the models", icon="stacked_bar_chart")
