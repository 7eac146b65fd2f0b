"""Rules: what this project asks of its texts: languages, its own words, and how its answers sound."""

from __future__ import annotations

import streamlit as st

from backend.curation.rule_queries import text_rules
from backend.vocabulary import Action
from pages.components.notices import guarded
from pages.components.rules_form import show_rules
from pages.components.rules_trial import show_trial
from pages.components.visit import require

visit = require(Action.EDIT_SETTINGS)
st.title("Rules")
st.text(
    "What the checks hold this project's records to. Nothing is changed by a rule: what breaks one becomes a finding, with a "
    "proposal where there is one, and people decide. After a change, run the checks again on the Clean page."
)
with visit.reading() as session:
    held = text_rules(session, actor=visit.actor, project_id=visit.project_id)
with guarded():
    show_rules(visit, held)
with guarded():
    show_trial(held)
