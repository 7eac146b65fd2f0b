"""Audit trail: who did what, when; the check of its chain; a CSV."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import streamlit as st

from backend.access.audit import verify
from backend.access.queries import audit_actions, audit_trail
from backend.vocabulary import Action
from pages.components.notices import tell
from pages.components.visit import Visit, require

PERIODS = {"Last day": 1, "Last week": 7, "Last 30 days": 30, "Everything": None}
SHOWN = 500
EXPORTED = 100_000
HEADS = {
    "number": st.column_config.NumberColumn("No.", format="%d", width="small"),
    "at": st.column_config.DatetimeColumn("When (UTC)", format="YYYY-MM-DD HH:mm:ss", timezone="UTC"),
    "actor": "Who",
    "action": "Did",
    "subject": "To what",
    "detail": "More",
    "hash": st.column_config.TextColumn("Hash", width="small"),
}


def _check_chain(visit: Visit) -> None:
    with visit.reading() as session:
        found = verify(session)
    if found.broken_at is None:
        tell("success", f"The chain of {found.entries:,} entries is whole. Head: {found.head[:16] or 'none'}.")
    else:
        tell(
            "error", f"The chain is broken at entry {found.broken_at}. {found.reason} Keep a copy of the database and find out."
        )


visit = require(Action.VIEW_AUDIT, needs_project=False)
st.title("Audit trail")
st.write("Every decision, with who made it. Entries are only ever added; each one's hash covers the one before.")
everywhere = visit.actor.is_admin and st.toggle("All projects and accounts", value=visit.project is None)
project_id = None if everywhere else visit.project_id
first, second, third = st.columns([2, 3, 2])
period = first.selectbox("When", list(PERIODS), index=2)
with visit.reading() as session:
    actions = second.multiselect("What", audit_actions(session, actor=visit.actor, project_id=project_id))
search = third.text_input("Who or what", placeholder="part of it")
days = PERIODS[period]
chosen = {
    "actor": visit.actor,
    "project_id": project_id,
    "actions": actions,
    "search": search,
    "since": datetime.now(UTC) - timedelta(days=days) if days else None,
}
with visit.reading() as session:
    trail = audit_trail(session, limit=SHOWN, **chosen)
if trail.empty:
    st.info("Nothing was done that fits. Widen the time or clear the filters.", icon=":material/history:")
else:
    st.dataframe(trail, hide_index=True, width="stretch", column_order=list(HEADS), column_config=HEADS)
    if len(trail) == SHOWN:
        st.caption(f"The newest {SHOWN} are shown; the CSV has up to {EXPORTED:,}.")


def _csv() -> bytes:
    from pages.components.charts import as_csv  # brings plotly along: only when somebody downloads

    with visit.reading() as session:
        frame = audit_trail(session, limit=EXPORTED, **chosen)
    return as_csv(frame)


left, right = st.columns(2)
left.download_button(
    "Download as CSV", _csv, "audit.csv", "text/csv", icon=":material/download:", on_click="ignore", width="stretch",
    disabled=trail.empty,
)  # fmt: skip
right.button("Check the chain", icon=":material/verified_user:", on_click=_check_chain, args=(visit,), width="stretch")
