"""Rate and compare: one open task, one item after the other, by keys or by mouse."""

from __future__ import annotations

import streamlit as st

from backend.access.maintaining import set_preference
from backend.access.queries import profile_of
from backend.review.desk_queries import DeskCount, DeskTask, desk_count, desk_tasks, open_label_tasks, own_gold
from backend.vocabulary import Action, TaskKind
from pages.components import desk
from pages.components.fast_desk import load_fast_desk, show_fast_desk
from pages.components.lessons import show_lesson
from pages.components.links import link_to
from pages.components.notices import attempt, guarded, plain
from pages.components.presses import LESSON
from pages.components.rubric_form import show_item, show_undo
from pages.components.visit import Visit, require

KINDS = {TaskKind.RATE: "Rate", TaskKind.COMPARE: "Compare", TaskKind.RANK: "Rank"}
FEW = 6  # tasks; more go into a select box
READ_AFTER = 5  # answers, after which the guidelines start folded
HOW = {
    TaskKind.RATE: "Answer each question. Once all are answered the item is saved, and the next one comes.",
    TaskKind.COMPARE: "Choose the better answer with ← or →, T if they are equally good, B if both are bad.",
    TaskKind.RANK: "Choose the best answer, then the next best, down to the worst; then save.",
}


def choose(visit: Visit, tasks: list[DeskTask]) -> DeskTask:
    """Ask which task, where there are several; the first with something to do is chosen to begin with."""
    names = {task.id: f"{KINDS[task.kind]}: {task.name}" for task in tasks}
    if len(tasks) == 1:
        st.markdown(f"**{plain(names[tasks[0].id])}**")
        return tasks[0]
    if len(tasks) <= FEW:  # after a press on a pill the keys work at once; a select box would keep them for its search
        first = next((task.id for task in tasks if numbers(visit, task).waiting), tasks[0].id)
        chosen = st.pills(
            "Task",
            list(names),
            format_func=lambda key: plain(names[key]),
            key="desk-task",
            default=first,
            label_visibility="collapsed",
        )
    else:
        chosen = st.selectbox("Task", list(names), format_func=lambda key: names[key], key="desk-task")
    return next((task for task in tasks if task.id == chosen), tasks[0])


def numbers(visit: Visit, task: DeskTask) -> DeskCount:
    """What is left and what was done."""
    with visit.reading() as session:
        return desk_count(session, actor=visit.actor, project_id=visit.project_id, task_id=task.id)


def plain_desk(visit: Visit, task: DeskTask, count: DeskCount, *, keys: bool, unread: bool, gold: str) -> None:
    """The item in hand with Streamlit's own buttons, or that there is none."""
    if task.guidelines:
        with st.expander("Guidelines", icon=":material/menu_book:", expanded=unread):
            st.text(task.guidelines)
    speed = "".join(f" · **{value}** {name}" for name, value in desk.speed_words(count).items())
    st.markdown(
        f":material/inbox: **{count.waiting_text}** waiting for you · :material/task_alt: **{count.done}** done by you here · "
        f":material/today: **{count.today}** today{speed}{' · ' + gold if gold else ''}"
    )
    hand = desk.fill(visit, task.id)
    item = hand.front(task.id)
    if item is not None:
        st.caption(HOW[task.kind])
        show_item(visit, task, hand, item, keys=keys)
        return
    if (told := st.session_state.pop(LESSON, None)) is not None:
        show_lesson(told)
    st.success("Nothing is left for you in this task. Thank you!", icon=":material/done_all:")
    st.text("Items that somebody skips or leaves unfinished may come back; look in again later, or choose another task.")
    show_undo(visit, task, keys, place=st.container(), key=f"undo-last-{task.id}")


def switch(visit: Visit, fast: bool) -> None:
    """Callback: choose the other desk, also for next time."""

    def save() -> None:
        with visit.writing() as session:
            set_preference(session=session, actor=visit.actor, name="fast_desk", value=fast)

    attempt(save)


visit = require(Action.RATE)
st.html("<style>.stMainBlockContainer { padding: 3.25rem clamp(1rem, 3vw, 3.5rem) 3rem; }</style>")  # room for the texts
st.title("Rate and compare")
with visit.reading() as session:
    tasks = desk_tasks(session, actor=visit.actor, project_id=visit.project_id)
    labelling = open_label_tasks(session, actor=visit.actor, project_id=visit.project_id)
    preferences = profile_of(session, visit.actor).preferences
if labelling:
    link_to("review", f"Label records: {plain(', '.join(labelling))}", icon="rate_review")
if not tasks:
    st.info("There is nothing to rate at the moment.", icon=":material/balance:")
    st.text("A lead makes rating, comparison and ranking tasks on the page Tasks. They appear here at once.")
    st.stop()
task = choose(visit, tasks)
fast, keys = preferences.get("fast_desk", True), preferences.get("keyboard_shortcuts", True)
with visit.reading() as session:
    gold = desk.gold_words(own_gold(session, actor=visit.actor, project_id=visit.project_id, task_id=task.id))
with guarded():
    count = numbers(visit, task)
    unread = preferences.get("show_guidelines", True) and count.done < READ_AFTER
    if not fast:
        plain_desk(visit, task, count, keys=keys, unread=unread, gold=gold)


@st.fragment
def fast_desk() -> None:
    """Drawn again for each answer, without the rest of the page."""
    with guarded():
        show_fast_desk(visit, task, keys=keys, unread=unread, gold=gold)


if fast:
    load_fast_desk()
    fast_desk()
st.toggle(
    "Fast desk",
    value=fast,
    key="fast-desk",
    on_change=switch,
    args=(visit, not fast),
    help="Draws the next item at once and saves behind it. Switch it off for plain buttons, which every screen reader knows.",
)


@st.fragment(run_every=max(20, task.lease_seconds // 3))
def hold_on() -> None:
    """Keep the items in hand while this tab is open."""
    desk.beat(visit, task)


hold_on()
