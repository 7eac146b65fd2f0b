"""Column mappings that the project keeps by name: choosing one for a file, and keeping the one at hand."""

from __future__ import annotations

import streamlit as st

from backend.errors import InvalidInput
from backend.intake.files import Preview
from backend.intake.keeping_mappings import forget_mapping, keep_mapping, kept_mappings
from backend.intake.mapping import Mapping
from pages.components.notices import attempt, tell
from pages.components.visit import Visit


def choose_kept(visit: Visit, looked: Preview, *, key: str) -> Mapping | None:
    """A kept mapping that fits the file's columns, or None for the recognised one. Draws nothing where none fits."""
    with visit.reading() as session:
        kept = kept_mappings(session, actor=visit.actor, project_id=visit.project_id)
    fitting = {name: mapping for name, mapping in kept.items() if _fits(mapping, looked)}
    if not fitting:
        return None
    choice, button = st.columns([5, 1], vertical_alignment="bottom")
    name = choice.selectbox(
        "Begin with", [None, *fitting], format_func=lambda one: one or "What was recognised", key=f"{key}_kept"
    )
    if name is not None:
        button.button("Forget it", key=f"{key}_forget", on_click=attempt, args=(_forget, visit, name), width="stretch")
    return fitting.get(name) if name else None


def offer_to_keep(visit: Visit, mapping: Mapping | None, *, key: str) -> None:
    """Keep this choice of columns by name for the next file of this kind."""
    if mapping is None:
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input("Keep this choice as", key=f"{key}_keep_name", max_chars=80, placeholder="Monthly chat export")
        st.button("Keep", icon=":material/bookmark_add:", key=f"{key}_keep", on_click=attempt,
                  args=(_keep, visit, f"{key}_keep_name", mapping))  # fmt: skip


def _fits(mapping: Mapping, looked: Preview) -> bool:
    try:
        mapping.check(looked.columns)
    except InvalidInput:
        return False
    return True


def _keep(visit: Visit, name_key: str, mapping: Mapping) -> None:
    name = str(st.session_state.get(name_key) or "")
    with visit.writing() as session:
        keep_mapping(session=session, actor=visit.actor, project_id=visit.project_id, name=name, mapping=mapping)
    tell("success", f"Kept as “{name.strip()}”. It is offered for files with these columns.")


def _forget(visit: Visit, name: str) -> None:
    with visit.writing() as session:
        forget_mapping(session=session, actor=visit.actor, project_id=visit.project_id, name=name)
    tell("success", f"“{name}” is forgotten. Past imports stay as they are.")
