"""Tasks: what raters and experts are asked to do, how far it is, and the form that asks for more."""

from __future__ import annotations

import streamlit as st

from backend.evaluation import results_queries
from backend.vocabulary import Action
from pages.components.notices import guarded
from pages.components.task_board import show_form, show_tasks
from pages.components.visit import require


def main() -> None:
    """The whole page."""
    visit = require(Action.CREATE_TASK)
    st.title("Tasks")
    with visit.reading() as session:
        tasks = results_queries.tasks(session, actor=visit.actor, project_id=visit.project_id)
    board, new = st.tabs([":material/assignment: Tasks", ":material/add_task: New task"])
    with board, guarded():
        show_tasks(visit, tasks)
    with new, guarded():
        show_form(visit)


main()
