"""Privacy: what counts as personal data in this project, what takes its place, how good the detector is, the vault."""

from __future__ import annotations

import streamlit as st

from backend.curation.queries import rules, scorecard
from backend.vocabulary import Action, Check
from pages.components.notices import guarded
from pages.components.privacy_form import show_rules
from pages.components.scorecard import show_scorecard
from pages.components.vault_panel import show_vault
from pages.components.visit import require

visit = require(Action.EDIT_SETTINGS)
st.title("Privacy")
st.text(
    "Personal data is marked when records come in and when they are edited. A record in which some is open cannot be approved "
    "and enters no snapshot. Mask or dismiss what was found on the Clean page or in review."
)
with visit.reading() as session:
    held = rules(session, actor=visit.actor, project_id=visit.project_id)
with guarded():
    show_rules(visit, held)
card = scorecard(Check.PERSONAL)
if card is not None:
    with guarded():
        st.subheader("How good the detector is")
        show_scorecard(card)
if visit.may(Action.OPEN_VAULT):
    with guarded():
        show_vault(visit)
