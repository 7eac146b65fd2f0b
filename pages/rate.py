"""Rate and compare: one open task, one item after the other, by keys or by mouse."""

from __future__ import annotations

import streamlit as st

from backend.access.queries import profile_of
from backend.review.desk_queries import DeskTask, desk_count, desk_tasks
from backend.vocabulary import Action, TaskKind
from pages.components import desk
from pages.components.notices import guarded, plain
from pages.components.rubric_form import show_item, show_undo
from pages.components.visit import Visit, require

KINDS = {TaskKind.RATE: "Rate", TaskKind.COMPARE: "Compare"}
HOW = {
    TaskKind.RATE: "Answer each question with a digit from 1 (worst) to 5 (best). The last digit saves the rating.",
    TaskKind.COMPARE: "Choose the better answer with ← or →, T if they are equally good, B if both are bad.",
}


def choose(tasks: list[DeskTask]) -> DeskTask:
    """Ask which task, where there are several."""
    names = {task.id: f"{KINDS[task.kind]}: {plain(task.name)}" for task in tasks}
    if len(tasks) == 1:
        st.markdown(f"**{names[tasks[0].id]}**")
        return tasks[0]
    chosen = st.selectbox("Task", list(names), format_func=lambda key: names[key], key="desk-task", bind="query-params")
    return next(task for task in tasks if task.id == chosen)


def show_numbers(visit: Visit, task: DeskTask) -> None:
    """What is left and what was done."""
    with visit.reading() as session:
        count = desk_count(session, actor=visit.actor, project_id=visit.project_id, task_id=task.id)
    left, done, today = st.columns(3)
    left.metric("Waiting for you", count.waiting_text)
    done.metric("Done by you in this task", count.done)
    today.metric("Done by you today", count.today)


def work(visit: Visit, task: DeskTask, *, keys: bool) -> None:
    """The item in hand, or that there is none."""
    hand = desk.fill(visit, task.id)
    item = hand.front(task.id)
    if item is not None:
        st.caption(HOW[task.kind])
        show_item(visit, task, hand, item, keys=keys)
        return
    st.success("Nothing is left for you in this task. Thank you!", icon=":material/done_all:")
    st.text("Items that somebody skips or leaves unfinished may come back; look in again later, or choose another task.")
    show_undo(visit, task, keys, place=st.container(), key=f"undo-last-{task.id}")


visit = require(Action.RATE)
st.title("Rate and compare")
with visit.reading() as session:
    tasks = desk_tasks(session, actor=visit.actor, project_id=visit.project_id)
    preferences = profile_of(session, visit.actor).preferences
if not tasks:
    st.info("There is nothing to rate at the moment.", icon=":material/balance:")
    st.text("A lead makes rating and comparison tasks from an evaluation, on the page Results. They appear here at once.")
    st.stop()
task = choose(tasks)
with guarded():
    if task.guidelines:
        with st.expander("Guidelines", icon=":material/menu_book:", expanded=preferences.get("show_guidelines", True)):
            st.text(task.guidelines)
    show_numbers(visit, task)
    work(visit, task, keys=preferences.get("keyboard_shortcuts", True))


@st.fragment(run_every=max(20, task.lease_seconds // 3))
def hold_on() -> None:
    """Keep the items in hand while this tab is open."""
    desk.beat(visit, task)


hold_on()
