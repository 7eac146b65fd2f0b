"""What a lead decides about a version: promote, promote against the gate, refuse, roll back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from backend.evaluation.evidence import Standing
from backend.evaluation.promoting import OVERRIDE_REASON, promote, refuse, roll_back
from pages.components.notices import attempt, tell
from pages.components.visit import Visit


def show_roll_back(visit: Visit, leaves: int) -> None:
    """A button that asks for the reason and then goes back to the version before `leaves`."""
    with st.popover("Roll back", icon=":material/undo:", width="stretch"), st.form("roll_back", border=False):
        st.write("The version before it becomes current at once. The reason is kept.")
        st.text_area("Why", key="roll_back_reason", max_chars=4000)
        st.form_submit_button("Roll back now", on_click=_roll_back, args=(visit, leaves), type="primary")


def show_decision(visit: Visit, found: Standing, replaces: int | None, *, refusable: bool) -> None:
    """The reason and the buttons. What a press decides on is bound to it: the version, and the current one as shown."""
    version, passed = found.candidate_id, found.result.passed
    with st.form(f"decide_{version}"):
        st.text_area(
            "Why",
            key=f"reason_{version}",
            max_chars=4000,
            placeholder="What you saw, and why you decide so. It is kept for good.",
        )
        columns = st.columns(2)
        columns[0].form_submit_button(
            "Promote" if passed else "Promote against the gate",
            type="primary" if passed else "secondary",
            icon=":material/verified:" if passed else ":material/gavel:",
            help=None if passed else f"A reason of at least {OVERRIDE_REASON} characters is needed; the decision is marked.",
            on_click=_promote,
            args=(visit, version, replaces, not passed),
            width="stretch",
        )
        if refusable:
            columns[1].form_submit_button(
                "Refuse this candidate", icon=":material/block:", on_click=_refuse, args=(visit, version), width="stretch"
            )


def _decide(visit: Visit, use_case: Callable[..., Any], reason: str, said: str, **given: Any) -> None:
    def decide() -> Any:
        with visit.writing() as session:
            return use_case(session=session, actor=visit.actor, project_id=visit.project_id, reason=reason, **given)

    if attempt(decide):
        tell("success", said)


def _promote(visit: Visit, version_id: int, replaces: int | None, override: bool) -> None:
    given = {"version_id": version_id, "replaces": replaces, "override": override, "settings": visit.settings}
    said = "Promoted. The chat answers with it from the next message on."
    _decide(visit, promote, st.session_state[f"reason_{version_id}"], said, **given)


def _refuse(visit: Visit, version_id: int) -> None:
    reason = st.session_state[f"reason_{version_id}"]
    _decide(visit, refuse, reason, "Refused. It stays in the lineage and can be promoted later.", version_id=version_id)


def _roll_back(visit: Visit, leaves: int) -> None:
    reason = st.session_state["roll_back_reason"]
    _decide(
        visit,
        roll_back,
        reason,
        "Rolled back. The chat answers with the earlier version.",
        leaves=leaves,
        settings=visit.settings,
    )
