"""Grow: more ways to ask what is answered already, always marked and reviewed; what imports are for."""

from __future__ import annotations

import streamlit as st

from backend.vocabulary import Action
from pages.components.grow_form import show_form, show_found
from pages.components.grow_lists import show_batches, show_purposes
from pages.components.links import link_to
from pages.components.notices import guarded
from pages.components.visit import require

visit = require(Action.BULK_REVIEW)
st.title("Grow")
st.text(
    "Customers ask one thing in many ways. Here approved records give others that ask the same differently, with the answer "
    "they have. Each one is marked as synthetic, waits for review like any other, and never enters a validation or test set."
)
with st.expander("What synthetic records are good for, and what not", icon=":material/help:"):
    st.markdown(
        "- **Good for** a topic with few examples, a model that stumbles over typing slips or lower case, and conversations of "
        "several turns where the imports have single ones.\n"
        "- **Not good for** new knowledge: the answers are those you have. Nor for measuring: a model is judged on what real "
        "customers wrote.\n"
        "- **Too many do harm**: the model learns the manner of the templates. A few variations of each thin topic do more "
        "than many of everything. Compare two snapshots, with and without them, by an evaluation.\n"
    )
    link_to("topics", "Which topics are thin", icon="category")
with guarded():
    show_form(visit)
with guarded():
    show_found(visit)
with guarded():
    show_batches(visit)
with guarded():
    show_purposes(visit)
