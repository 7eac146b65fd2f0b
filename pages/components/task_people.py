"""Who takes part in a task, how many answer each item, and what is mixed in: fields for a new task and a running one."""

from __future__ import annotations

import streamlit as st

from backend.access.queries import Person, members_of
from backend.review.tasking import MOST_RATERS
from backend.task_options import MOST_SHARE
from backend.vocabulary import Role, TaskKind
from pages.components.kept import first, within
from pages.components.task_choices import ORDERS
from pages.components.visit import Visit


def show_people(visit: Visit, prefix: str, kind: TaskKind, *, running: bool = False) -> None:
    """The fields. How many answer each item is settled once a task runs."""
    with visit.reading() as session:
        people = members_of(session, actor=visit.actor, project_id=visit.project_id)
    fitting = {
        one.account_id: _name(one)
        for one in people
        if one.is_active and not (kind is TaskKind.LABEL and one.role == Role.RATER)
    }
    if kind is not TaskKind.LABEL and not running:
        _overlap(prefix)
    st.multiselect(
        "Who may take part",
        list(fitting),
        format_func=fitting.__getitem__,
        key=within(f"{prefix}raters", fitting, []),
        placeholder="Everybody in the project" if kind is not TaskKind.LABEL else "Every expert and lead",
    )
    left, right = st.columns(2)
    left.number_input(
        "Minutes that an item is held for one person",
        1,
        24 * 60,
        key=first(f"{prefix}minutes", max(1, visit.settings.lease_seconds // 60)),
        help="After that without a sign of life somebody else may get it.",
    )
    right.selectbox(
        "Which items come first",
        list(ORDERS),
        format_func=ORDERS.__getitem__,
        key=within(f"{prefix}order", ORDERS, next(iter(ORDERS))),
    )
    if kind is not TaskKind.LABEL:
        _reliability(prefix)


def _overlap(prefix: str) -> None:
    left, middle, right = st.columns([2, 3, 2], vertical_alignment="bottom")
    start = left.number_input(
        "Raters for each item", 1, MOST_RATERS, key=first(f"{prefix}overlap", 2), help="Two or more show how far people agree."
    )
    grows = middle.toggle(
        "Ask one more where they disagree",
        key=first(f"{prefix}grow", False),
        help="Most items are clear after two answers. Further raters are asked for the others alone.",
        disabled=start >= MOST_RATERS,
    )
    if grows:
        key = first(f"{prefix}up_to", 5)
        st.session_state[key] = max(st.session_state[key], start + 1)
        right.number_input("Up to", start + 1, MOST_RATERS, key=key)
        st.slider(
            "They disagree when their answers are this far apart (100: opposite ends)",
            5,
            100,
            step=5,
            format="%d%%",
            key=first(f"{prefix}dispute", 50),
        )


def _reliability(prefix: str) -> None:
    st.markdown("**Can the answers be relied on?**")
    most = int(MOST_SHARE * 100)
    gold, repeats, calibrate = st.columns(3, vertical_alignment="bottom")
    gold.number_input(
        "Gold items, in %",
        0,
        most,
        key=first(f"{prefix}gold", 0),
        help="Items with a known answer, mixed in unmarked. Mark gold under Quality.",
    )
    repeats.number_input(
        "Hidden repeats, in %", 0, most, key=first(f"{prefix}repeats", 0), help="Items that the same rater answered before."
    )
    if calibrate.toggle(
        "Calibration round first",
        key=first(f"{prefix}calibrate", False),
        help="Gold items with their explanation, before the real ones.",
    ):
        st.slider("Share that must be right in it", 10, 100, step=5, format="%d%%", key=first(f"{prefix}pass", 80))
    st.checkbox(
        "Show raters the reference answer",
        key=first(f"{prefix}reference", False),
        help="Helps with facts; may anchor their taste.",
    )


def _name(person: Person) -> str:
    return f"{person.name or person.email} ({person.role})"
