"""Tasks for leads: how far each is, pausing and closing it, adding items, changing its questions and who takes part."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from backend.review import ordering, task_queries, tasking
from backend.review.task_queries import TaskCard
from backend.vocabulary import ItemOrder, TaskKind, TaskStatus
from pages.components import kept, rubric_builder
from pages.components.charts import show_table
from pages.components.guidelines import show_guidelines
from pages.components.kept import first
from pages.components.notices import attempt, plain, tell
from pages.components.task_choices import Choices, fields_of_options
from pages.components.task_form import show_guideline_fields
from pages.components.task_people import show_people
from pages.components.visit import Visit

KINDS = {TaskKind.LABEL: "Review", TaskKind.RATE: "Rating", TaskKind.COMPARE: "Comparison", TaskKind.RANK: "Ranking"}
STATES = {TaskStatus.OPEN: "Open", TaskStatus.PAUSED: "Paused", TaskStatus.CLOSED: "Closed"}
TONES = {TaskStatus.OPEN: "green", TaskStatus.PAUSED: "orange", TaskStatus.CLOSED: "gray"}
MORE = {"Add items": "add", "Questions": "help", "Who": "group", "Work so far": "monitoring"}


def show_tasks(visit: Visit) -> None:
    """Every task with its progress and what can be done to it."""
    with visit.reading() as session:
        cards = task_queries.task_cards(session, actor=visit.actor, project_id=visit.project_id)
    if not cards:
        st.info(
            "No task yet. Begin with New task: five short steps, and a look at it before it starts.", icon=":material/balance:"
        )
    shown = [card for card in cards if card.status is not TaskStatus.CLOSED]
    closed = [card for card in cards if card.status is TaskStatus.CLOSED]
    if closed and shown and not st.toggle(f"Show closed tasks ({len(closed)})", key="tasks-closed"):
        closed = []
    for card in [*shown, *closed]:
        with st.container(border=True):
            _task(visit, card)


def _task(visit: Visit, card: TaskCard) -> None:
    title, buttons = st.columns([3, 2], vertical_alignment="center")
    with title.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{plain(card.name)}**", width="content")
        st.badge(STATES[card.status], color=TONES[card.status])
    each = f"{card.overlap} to {card.overlap_max}" if card.overlap_max else f"{card.overlap}"
    asked = "guidelines" if card.kind is TaskKind.LABEL else "questions"
    st.caption(
        f"{KINDS[card.kind]} · {each} per item · made {card.created_at:%d %b %Y} · {asked} version {card.rubric_version}"
    )
    with buttons.container(horizontal=True, horizontal_alignment="right"):
        if card.status is not TaskStatus.CLOSED:
            paused = card.status is TaskStatus.PAUSED
            _button(visit, card, "Go on" if paused else "Pause", TaskStatus.OPEN if paused else TaskStatus.PAUSED)
            if card.options.order is not ItemOrder.GIVEN:
                st.button(
                    "Order anew", icon=":material/sort:", key=f"order-{card.id}", on_click=_order_now, args=(visit, card.id),
                    help=f"Orders the open items by what is known now. It happens by itself after {ordering.EVERY} answers.",
                )  # fmt: skip
            _button(visit, card, "Close", TaskStatus.CLOSED)
    st.progress(card.answers / card.answers_wanted if card.answers_wanted else 0.0, text=_progress(card))
    sections: dict[str, Callable[[Visit, TaskCard], None]] = {
        "Add items": _add,
        "Questions": _questions,
        "Who": _people,
        "Work so far": _work,
    }
    if not card.can_grow:
        sections.pop("Add items")
    if card.status is TaskStatus.CLOSED:
        sections.pop("Who")
    if not card.answers:
        sections.pop("Work so far")
    chosen = st.segmented_control(
        "More",
        list(sections),
        format_func=lambda name: f":material/{MORE[name]}: {_section(card, name)}",
        key=f"more-{card.id}",
        label_visibility="collapsed",
    )
    if chosen:
        sections[chosen](visit, card)


def _section(card: TaskCard, name: str) -> str:
    return "Guidelines" if name == "Questions" and card.kind is TaskKind.LABEL else name


def _progress(card: TaskCard) -> str:
    done = f"{card.answers:,} of {card.answers_wanted:,} answers, {card.items_done:,} of {card.items:,} items finished"
    if card.items_disputed:
        done += f"; {card.items_disputed:,} of them wait for a ruling"
    if card.answers_saved:
        done += f"; asking more only where raters disagree saved {card.answers_saved:,} judgements so far"
    if card.options.identical:
        done += f"; {card.options.identical:,} with equal answers count as ties and are not shown"
    return done


def _button(visit: Visit, card: TaskCard, label: str, status: TaskStatus) -> None:
    icons = {"Go on": "play_arrow", "Pause": "pause", "Close": "lock"}
    st.button(
        label,
        icon=f":material/{icons[label]}:",
        key=f"{status}-{card.id}",
        help="Closed tasks stay closed; their answers count." if label == "Close" else None,
        on_click=_change,
        args=(visit, card.id, status),
    )


def _change(visit: Visit, task_id: int, status: TaskStatus) -> None:
    def change() -> bool:
        with visit.writing() as session:
            tasking.change_status(
                session=session, actor=visit.actor, project_id=visit.project_id, task_id=task_id, status=status
            )
        return True

    if attempt(change):
        tell("success", f"The task is {STATES[status].lower()} now.")


def _order_now(visit: Visit, task_id: int) -> None:
    def order() -> ordering.Order:
        here = {"actor": visit.actor, "project_id": visit.project_id, "task_id": task_id}
        with visit.reading() as session:  # looking takes longest, and nobody waits for it
            found = ordering.find_order(session, **here)
        with visit.writing() as session:
            return ordering.reorder(session=session, **here, order=found)

    if found := attempt(order):
        tell("info" if found.note else "success", found.note or "The open items are in their new order.")


# --- adding items ----------------------------------------------------------------------------------------------------


def _add(visit: Visit, card: TaskCard) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        key = first(f"add-size-{card.id}", 0)
        st.number_input("Questions or records to add (0: all that fit)", 0, 10_000_000, key=key, width=320)
        st.button("Add", icon=":material/add:", key=f"add-{card.id}", on_click=_add_now, args=(visit, card.id, key))
    st.caption("Chosen as this task's items were; those that it asks about already are left out.")


def _add_now(visit: Visit, task_id: int, key: str) -> None:
    size = st.session_state[key] or None

    def add() -> int:
        with visit.writing() as session:
            return tasking.add_items_like(
                session=session, actor=visit.actor, project_id=visit.project_id, task_id=task_id, size=size
            )

    if added := attempt(add):
        tell("success", f"{added:,} items were added.")


# --- questions and guidelines ----------------------------------------------------------------------------------------


def _questions(visit: Visit, card: TaskCard) -> None:
    with visit.reading() as session:
        history = task_queries.rubric_history(session, actor=visit.actor, project_id=visit.project_id, task_id=card.id)
    if card.status is not TaskStatus.CLOSED:
        _revise(visit, card)
    for one in history:
        with st.expander(f"Version {one.number}, {one.created_at:%d %b %Y, %H:%M} UTC, {one.answers:,} answers"):
            st.text(f"By {one.author}. {one.reason}" if one.reason else f"By {one.author}.")
            st.text("Questions: " + (", ".join(one.questions) or "none"))
            if one.guidelines:
                show_guidelines(one.guidelines)


def _revise(visit: Visit, card: TaskCard) -> None:
    prefix = f"revise-{card.id}-{card.rubric_version}-"
    if f"{prefix}q-rows" not in st.session_state:
        rubric_builder.fill(f"{prefix}q-", card.rubric.questions)
    if card.kind is not TaskKind.LABEL:
        rubric_builder.show_builder(f"{prefix}q-", card.kind)
        if card.answers:
            st.caption(
                "Answers so far keep naming the version they were given under. A new short name is a new column in results."
            )
    first(f"{prefix}guidelines", card.guidelines)
    show_guideline_fields(f"{prefix}guidelines")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input("Why does it change?", key=f"{prefix}reason", max_chars=tasking.LONGEST_REASON, width=420)
        st.button(
            f"Save as version {card.rubric_version + 1}", icon=":material/save:", key=f"save-{prefix}",
            on_click=_save_version, args=(visit, card, prefix),
        )  # fmt: skip


def _save_version(visit: Visit, card: TaskCard, prefix: str) -> None:
    fields = {str(key).removeprefix(prefix): value for key, value in st.session_state.items() if str(key).startswith(prefix)}
    rubric = Choices({**fields, "kind": card.kind}).rubric
    if rubric is None:
        tell("error", "Something is wrong with these questions. It is said beside them; put it right first.")
        return

    def save() -> int:
        with visit.writing() as session:
            return tasking.revise_rubric(
                session=session,
                actor=visit.actor,
                project_id=visit.project_id,
                task_id=card.id,
                based_on=card.rubric_version,
                rubric=rubric,
                guidelines=str(fields.get("guidelines") or ""),
                reason=str(fields.get("reason") or ""),
            ).number

    if number := attempt(save):
        tell("success", f"Version {number} is asked from the next item on.")


# --- people ----------------------------------------------------------------------------------------------------------


def _people(visit: Visit, card: TaskCard) -> None:
    prefix = f"who-{card.id}-"
    fields = fields_of_options(
        card.options, overlap=card.overlap, overlap_max=card.overlap_max, lease_seconds=card.lease_seconds
    )
    for name, value in fields.items():
        first(f"{prefix}{name}", value)
    show_people(visit, prefix, card.kind, running=True)
    st.button("Save", icon=":material/save:", key=f"save-{prefix}", on_click=_save_people, args=(visit, card, prefix))


def _save_people(visit: Visit, card: TaskCard, prefix: str) -> None:
    choices = Choices({**kept.values(prefix), "kind": card.kind})

    def save() -> bool:
        with visit.writing() as session:
            tasking.change_options(
                session=session,
                actor=visit.actor,
                project_id=visit.project_id,
                task_id=card.id,
                options=choices.options(card.options),
                lease_seconds=choices.lease_seconds,
            )
        return True

    if attempt(save):
        tell("success", "Saved. It holds from the next item on.")


def _work(visit: Visit, card: TaskCard) -> None:
    with visit.reading() as session:
        frame = task_queries.work_by_rater(session, actor=visit.actor, project_id=visit.project_id, task_id=card.id)
    seconds = st.column_config.NumberColumn("mean seconds", format="%.1f")
    show_table(frame, key=f"raters-of-task-{card.id}", columns={"mean seconds": seconds})
