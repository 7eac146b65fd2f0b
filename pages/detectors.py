"""Detectors: how good each is on named data, what it is not good enough for, and a box to try them."""

from __future__ import annotations

import streamlit as st

from backend.curation.detector_queries import CHECKS
from backend.curation.queries import scorecards
from backend.vocabulary import Action, Check
from pages.components.abuse_teaching import show_teaching
from pages.components.notices import guarded
from pages.components.scorecard import show_scorecard
from pages.components.trial import show_trial
from pages.components.visit import require

visit = require(Action.VIEW_RECORDS)
st.title("Detectors")
st.text(
    "What looks at your texts. None of them is right every time: each card begins with what the detector is not good enough "
    "for, and its figures were measured on data that anybody can look at. Run the checks on the Clean page."
)
good, trial, teaching = st.tabs(["How good they are", "Try them", "Teach the abuse flag"])
with good:
    for card in scorecards():
        with st.container(border=True), guarded():
            st.subheader(CHECKS[Check(card["check"])])
            show_scorecard(card)
with trial, guarded():
    show_trial(visit)
with teaching, guarded():
    show_teaching(visit)
