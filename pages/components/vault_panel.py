"""The vault: whom a stand-in stands for. Every look is in the audit trail."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from backend.curation import vault
from backend.curation.queries import KINDS
from pages.components.notices import attempt
from pages.components.visit import Visit

_FOUND = "vault_found"


def show_vault(visit: Visit) -> None:
    """The form for admins, and what the last look found."""
    st.subheader("Whom a stand-in stands for")
    st.text(
        "The originals are encrypted with a key in the data folder. Each look is written into the audit trail with its reason."
    )
    with st.form("vault", clear_on_submit=True):
        one, two = st.columns(2)
        one.text_input("Stand-in, or a part of it", key="vault_stand_in", max_chars=200)
        two.text_input(
            "Why do you need to know?", key="vault_reason", max_chars=200, placeholder="The customer asked for their data"
        )
        st.form_submit_button("Open the vault", icon=":material/lock_open:", on_click=attempt, args=(_look, visit))
    found = st.session_state.pop(_FOUND, None)
    if found is not None and found[0] == visit.project_id:
        if not found[1]:
            st.text("No stand-in of this project holds that.")
        else:
            rows = pd.DataFrame(
                [{"What": KINDS[one.kind], "Stand-in": one.stand_in, "Original": one.original} for one in found[1]]
            )
            st.dataframe(rows, hide_index=True, width="stretch")


def _look(visit: Visit) -> None:
    given = st.session_state
    given.pop(_FOUND, None)
    with visit.writing() as session:
        originals = vault.look_up(
            session=session,
            actor=visit.actor,
            project_id=visit.project_id,
            folder=visit.settings.data,
            stand_in=given["vault_stand_in"],
            reason=given["vault_reason"],
        )
    given[_FOUND] = (visit.project_id, originals)
