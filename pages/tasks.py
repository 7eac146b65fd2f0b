"""Tasks: what raters and experts are asked to do, how far it is, and the builder of new ones."""

from __future__ import annotations

import streamlit as st

from backend.vocabulary import Action
from pages.components.notices import guarded
from pages.components.task_board import show_tasks
from pages.components.task_form import OPEN, PREFILL, open_builder, show_builder
from pages.components.visit import require


def main() -> None:
    """The whole page."""
    visit = require(Action.CREATE_TASK)
    if (fields := st.session_state.pop(PREFILL, None)) is not None:
        open_builder(visit, **fields)
    if st.session_state.get(OPEN):
        st.title("New task")
        show_builder(visit)
        return
    title, button = st.columns([4, 1], vertical_alignment="bottom")
    title.title("Tasks")
    button.button(
        "New task",
        type="primary",
        icon=":material/add_task:",
        key="go-new",
        width="stretch",
        on_click=open_builder,
        args=(visit,),
    )
    with guarded():
        show_tasks(visit)


main()
