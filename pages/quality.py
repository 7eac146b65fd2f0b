"""Quality: how far raters can be relied on, how far they agree, gold and hidden repeats."""

from __future__ import annotations

import streamlit as st

from backend.evaluation import figures
from backend.review import gold_queries, quality_queries, quality_tables
from backend.review.quality_queries import QualityTask
from backend.vocabulary import Action
from pages.components import figure_view, gold_view, quality_view
from pages.components.links import link_to
from pages.components.notices import guarded, plain
from pages.components.visit import Visit, require


def main() -> None:
    """The whole page."""
    visit = require(Action.VIEW_RESULTS)
    st.title("Quality")
    with visit.reading() as session:
        tasks = quality_queries.tasks(session, actor=visit.actor, project_id=visit.project_id)
        notices = quality_queries.notices(session, actor=visit.actor, project_id=visit.project_id)
    if not tasks:
        st.info("Nobody has been asked to judge anything yet.", icon=":material/verified_user:")
        st.text("Make a task first. Here you will see how far its raters agree, who needs help, and you mark gold.")
        link_to("tasks", "Make a task", icon="assignment")
        return
    quality_view.show_notices(visit, notices)
    names = {task.id: task.name for task in tasks}
    chosen = st.selectbox("Task", list(names), format_func=lambda key: names[key], key="quality-task")
    task = next(task for task in tasks if task.id == chosen)
    with guarded():
        show_task(visit, task)


def show_task(visit: Visit, task: QualityTask) -> None:
    """Everything about one task's raters."""
    state = figure_view.state_of(visit)
    shown = figure_view.figure(visit, state, figures.QUALITY, figures.subject_of(task.id))
    figure_view.show_age(visit, state, shown)
    where = {"actor": visit.actor, "project_id": visit.project_id, "task_id": task.id}
    with visit.reading() as session:
        rows = quality_queries.raters(session, **where)
        gold = gold_queries.gold_rows(session, **where)
        changes = quality_queries.changed_minds(session, **where)
    raters, agreement, known, repeats = st.tabs(
        [":material/group: Raters", ":material/handshake: Agreement", ":material/workspace_premium: Gold",
         ":material/repeat: Repeats"]
    )  # fmt: skip
    value = shown.value if shown is not None else {"agreement": [], "raters": [], "most": 0}
    with raters, guarded():
        progress = figure_view.figure(visit, state, figures.PROGRESS)
        did = progress.value["raters"] if progress is not None else []
        work = {one["account"]: one for one in did if one["task"] == task.id}
        if rows:
            others = {one["rater"]: one for one in value["raters"]}
            quality_view.show_raters(visit, task, rows, quality_tables.raters_table(rows, work, others))
            if reason := next((one["why_not"] for one in value["raters"] if one["why_not"]), ""):
                st.caption(f"Reliability cannot be told yet: {plain(reason)}.")
        else:
            st.info("Nobody has answered anything in this task yet.", icon=":material/group:")
            link_to("tasks", "See how the task stands", icon="assignment")
    with agreement, guarded():
        quality_view.show_agreement(value["agreement"], value["most"])
    with known, guarded():
        gold_view.show_gold(visit, task, gold)
    with repeats, guarded():
        quality_view.show_repeats(task, rows, changes)


main()
