"""Judging tasks for leads: how far each is, pausing and closing, and the form that makes one from an evaluation."""

from __future__ import annotations

import streamlit as st

from backend.evaluation import comparing, queries, results_queries
from backend.evaluation.queries import EvaluationCard
from backend.evaluation.results_queries import TaskState
from backend.vocabulary import TaskKind, TaskStatus
from pages.components.charts import show_table
from pages.components.links import link_to
from pages.components.notices import attempt, guarded, plain, tell
from pages.components.visit import Visit

KINDS = {TaskKind.COMPARE: "Compare two versions blind", TaskKind.RATE: "Rate each answer on the rubric"}
STATES = {TaskStatus.OPEN: "Open", TaskStatus.PAUSED: "Paused", TaskStatus.CLOSED: "Closed"}


def show_tasks(visit: Visit, tasks: list[TaskState]) -> None:
    """Every task with its progress and what can be done to it."""
    if not tasks:
        st.info("No task yet. Make the first one under New task.", icon=":material/balance:")
    for task in tasks:
        with st.container(border=True):
            _task(visit, task)


def _task(visit: Visit, task: TaskState) -> None:
    title, buttons = st.columns([3, 2], vertical_alignment="center")
    kind = "Comparison" if task.kind is TaskKind.COMPARE else "Rating"
    title.markdown(f"**{plain(task.name)}**")
    title.caption(f"{kind} · {STATES[task.status]} · {task.overlap} per item · made {task.created_at:%d %b %Y}")
    with buttons.container(horizontal=True, horizontal_alignment="right"):
        if task.status is not TaskStatus.CLOSED:
            paused = task.status is TaskStatus.PAUSED
            _button(visit, task, "Go on" if paused else "Pause", TaskStatus.OPEN if paused else TaskStatus.PAUSED)
            _button(visit, task, "Close", TaskStatus.CLOSED)
    done = f"{task.answers} of {task.answers_wanted} answers, {task.items_done} of {task.items} items finished"
    if task.identical:
        done += f"; {task.identical} pairs of equal answers count as ties and are not shown"
    st.progress(task.answers / task.answers_wanted if task.answers_wanted else 0.0, text=done)
    if task.answers and st.toggle("Who did how much", key=f"raters-{task.id}"):
        with visit.reading() as session:
            frame = results_queries.work_by_rater(session, actor=visit.actor, project_id=visit.project_id, task_id=task.id)
        seconds = st.column_config.NumberColumn("mean seconds", format="%.1f")
        show_table(frame, key=f"raters-of-task-{task.id}", columns={"mean seconds": seconds})


def _button(visit: Visit, task: TaskState, label: str, status: TaskStatus) -> None:
    icons = {"Go on": "play_arrow", "Pause": "pause", "Close": "lock"}
    st.button(
        label,
        icon=f":material/{icons[label]}:",
        key=f"{status}-{task.id}",
        help="Closed tasks stay closed; their answers count." if label == "Close" else None,
        on_click=_change,
        args=(visit, task.id, status),
    )


def _change(visit: Visit, task_id: int, status: TaskStatus) -> None:
    def change() -> bool:
        with visit.writing() as session:
            comparing.change_status(
                session=session, actor=visit.actor, project_id=visit.project_id, task_id=task_id, status=status
            )
        return True

    if attempt(change):
        tell("success", f"The task is {STATES[status].lower()} now.")


def show_form(visit: Visit) -> None:
    """Make a task from a finished evaluation."""
    with visit.reading() as session:
        cards = [card for card in queries.evaluations(session, project_id=visit.project_id) if card.finished_at]
    if not cards:
        st.info("Tasks are made from an evaluation. Run one first; its answers come here.", icon=":material/fact_check:")
        link_to("evaluations", "Evaluate", icon="fact_check")
        return
    names = {card.id: f"{card.id}: {card.candidate} against {card.baseline}, {card.created_at:%d %b %H:%M}" for card in cards}
    left, right = st.columns(2)
    chosen = left.selectbox("Evaluation", list(names), format_func=lambda key: names[key], key="task-evaluation")
    kind = right.selectbox("What raters do", list(KINDS), format_func=lambda key: KINDS[key], key="task-kind")
    card = next(card for card in cards if card.id == chosen)
    left.number_input("Raters per item", 1, comparing.MOST_RATERS, 2, key="task-overlap", help="Two or more show agreement.")
    right.number_input("Questions (0: all)", 0, 1_000_000, 0, key="task-size", help="A random sample of the test questions.")
    left.number_input("Seed of the sample", 0, 2**31 - 1, 0, key="task-seed", help="The same seed draws the same questions.")
    right.text_input("Name (raters see it, so name no version)", key="task-name", max_chars=200)
    st.text_area("Guidelines for raters", key="task-guidelines", placeholder="What makes an answer good here?", height=100)
    st.checkbox("Show raters the reference answer", key="task-reference", help="Helps with facts; may anchor their taste.")
    _preview(visit, card, kind)
    st.button(
        "Make the task",
        type="primary",
        icon=":material/add_task:",
        key="task-make",
        on_click=_make,
        args=(visit, card.id, kind),
    )


def _preview(visit: Visit, card: EvaluationCard, kind: TaskKind) -> None:
    chosen = st.session_state
    with guarded(), visit.reading() as session:
        draw = comparing.preview(
            session,
            project_id=visit.project_id,
            evaluation_id=card.id,
            kind=kind,
            sample_size=chosen["task-size"] or None,
            seed=chosen["task-seed"],
        )
        items, overlap = len(draw.subjects), chosen["task-overlap"]
        text = f"{draw.questions} questions make {items} items and {items * overlap} answers to give."
        if draw.identical:
            text += f" {draw.identical} questions got the same answer from both: they count as ties and are not shown."
        st.info(text, icon=":material/preview:")


def _make(visit: Visit, evaluation_id: int, kind: TaskKind) -> None:
    chosen = st.session_state
    create = comparing.create_comparison_task if kind is TaskKind.COMPARE else comparing.create_rating_task

    def make() -> str:
        with visit.writing() as session:
            return create(
                session=session,
                actor=visit.actor,
                project_id=visit.project_id,
                evaluation_id=evaluation_id,
                overlap=chosen["task-overlap"],
                sample_size=chosen["task-size"] or None,
                seed=chosen["task-seed"],
                guidelines=chosen["task-guidelines"],
                name=chosen["task-name"],
                show_reference=chosen["task-reference"],
                lease_seconds=visit.settings.lease_seconds,
            ).name

    if name := attempt(make):
        tell("success", f"“{name}” is open. Raters find it under Rate and compare.")
        chosen["task-name"] = ""
