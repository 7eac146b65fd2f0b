"""What a snapshot would hold if it were frozen now, and what stands in the way."""

from __future__ import annotations

import streamlit as st

from backend.datasets.queries import Outlook
from pages.components.links import link_to

NAMED = 30


def show_outlook(look: Outlook) -> None:
    """Counts of approved answers, and which records must be looked at first."""
    ready, personal, duplicates = st.columns(3)
    ready.metric("Would enter", look.ready, help="Approved records without open personal data, equal texts once.", border=True)
    personal.metric("Personal data", len(look.personal), help="Approved, but with an open finding. They stay out.", border=True)
    duplicates.metric("Equal texts", look.duplicates, help="Approved, but another record has the same text.", border=True)
    if look.personal:
        named = ", ".join(str(record_id) for record_id in look.personal[:NAMED])
        more = f" and {len(look.personal) - NAMED} more" if len(look.personal) > NAMED else ""
        st.warning(
            f"Mask or dismiss the personal data in these records, or leave them out: {named}{more}.",
            icon=":material/privacy_tip:",
        )
        link_to("records", "Records", icon="table_rows")
    with st.expander("By status and by metadata", icon=":material/table:"):
        left, right = st.columns(2)
        left.dataframe(look.by_status, hide_index=True, width="stretch")
        right.dataframe(look.by_slice, hide_index=True, width="stretch")


def show_obstacles(look: Outlook) -> None:
    """What keeps everything from being frozen, and what enters the train set alone."""
    if look.uncompared:
        st.warning(
            f"{look.uncompared} approved records have not been compared for near duplicates. Until then nothing can be frozen: "
            "the test set could hold what the model learns from.",
            icon=":material/difference:",
        )
        link_to("cleaning", "Clean", icon="mop")
    if look.synthetic:
        st.caption(
            f"Synthetic rows: {look.synthetic}. They enter the train set alone, and only where their original is "
            "in it too; the others are left out."
        )
