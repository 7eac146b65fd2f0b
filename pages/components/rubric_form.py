"""The plain desk: one item drawn with Streamlit's own buttons, each with its key beside it. It works with every reader.

Only texts and the slot's number reach the browser; the two sides of a comparison are called left and right.
"""

from __future__ import annotations

import streamlit as st

from backend.review.annotating import WorkItem
from backend.review.desk_queries import DeskTask
from backend.rubrics import Question
from backend.vocabulary import TaskKind, Verdict
from pages.components import desk
from pages.components.conversation import show_conversation
from pages.components.desk import Hand
from pages.components.notices import plain
from pages.components.visit import Visit

VERDICTS = (
    (Verdict.LEFT, "Left is better", "Left", ":material/arrow_back:"),
    (Verdict.TIE, "Equally good", "T", ":material/equal:"),
    (Verdict.BOTH_BAD, "Both bad", "B", ":material/thumb_down:"),
    (Verdict.RIGHT, "Right is better", "Right", ":material/arrow_forward:"),
)


def show_item(visit: Visit, task: DeskTask, hand: Hand, item: WorkItem, *, keys: bool = True) -> None:
    """The item at the front of the hand, with all that can be done to it. `keys` switches the shortcuts on."""
    if item.correcting:
        st.info("You are changing your last answer. Until you do, the earlier one counts.", icon=":material/undo:")
    show_conversation(item.messages, key=f"talk-{item.slot_id}")
    _responses(item)
    if item.reference:
        with st.expander("The reference answer", icon=":material/menu_book:"):
            st.text(item.reference)
    if task.kind is TaskKind.COMPARE:
        _verdicts(visit, task, item, keys)
    else:
        _questions(visit, task, hand, item, keys)
    st.text_area(
        "Comment (kept while you think, saved with the answer)",
        key=desk.comment_key(item.slot_id),
        height=80,
        max_chars=5000,
        placeholder="What made you decide? Also the reason when you skip or flag.",
    )
    _others(visit, task, item, keys)


def _responses(item: WorkItem) -> None:
    titles = ("Response",) if len(item.texts) == 1 else ("Left", "Right")
    for column, title, text in zip(st.columns(len(item.texts)), titles, item.texts, strict=True):
        with column, st.container(border=True, height="stretch"):
            st.markdown(f"**{title}**")
            st.text(text if text.strip() else "(an empty answer)")


def _verdicts(visit: Visit, task: DeskTask, item: WorkItem, keys: bool) -> None:
    for column, (verdict, title, key, icon) in zip(st.columns(len(VERDICTS)), VERDICTS, strict=True):
        column.button(
            title,
            icon=icon,
            key=f"{verdict}-{item.slot_id}",
            shortcut=key if keys else None,
            type="primary" if item.verdict is verdict else "secondary",
            width="stretch",
            on_click=desk.press_verdict,
            args=(visit, task, item.slot_id, verdict),
        )


def _questions(visit: Visit, task: DeskTask, hand: Hand, item: WorkItem, keys: bool) -> None:
    chosen = hand.chosen.get(item.slot_id, {})
    asked = next((question.key for question in task.questions if question.key not in chosen), None)
    for question in task.questions:
        active = question.key == asked
        marker = ":material/arrow_right: " if active else ":material/check: " if question.key in chosen else ""
        st.markdown(f"{marker}**{plain(question.text)}**")
        _points(visit, task, item, question, chosen.get(question.key), keys and active)
    if item.correcting:
        st.button(
            "Save the changed rating",
            type="primary",
            icon=":material/save:",
            key=f"save-{item.slot_id}",
            on_click=desk.press_save,
            args=(visit, task, item.slot_id),
        )


def _points(visit: Visit, task: DeskTask, item: WorkItem, question: Question, chosen: int | None, keys: bool) -> None:
    for column, point in zip(st.columns(len(question.scale)), question.points, strict=True):
        column.button(
            f"{point} · {plain(question.scale[point - 1])}",
            key=f"{question.key}-{point}-{item.slot_id}",
            shortcut=str(point) if keys and point < 10 else None,
            type="primary" if point == chosen else "secondary",
            width="stretch",
            wrap=True,
            on_click=desk.press_point,
            args=(visit, task, item.slot_id, question.key, point),
        )


def _others(visit: Visit, task: DeskTask, item: WorkItem, keys: bool) -> None:
    skip, undo, flag = st.columns(3)
    if item.correcting:
        undo.button(
            "Keep it as it was",
            icon=":material/close:",
            key=f"keep-{item.slot_id}",
            width="stretch",
            on_click=desk.press_keep,
            args=(visit, task, item.slot_id),
        )
        return
    skip.button(
        "Skip",
        icon=":material/skip_next:",
        key=f"skip-{item.slot_id}",
        shortcut="S" if keys else None,
        width="stretch",
        help="Somebody else gets this item. It is not offered to you again.",
        on_click=desk.press_skip,
        args=(visit, task, item.slot_id),
    )
    show_undo(visit, task, keys, place=undo, key=f"undo-{item.slot_id}")
    flag.button(
        "Flag the question",
        icon=":material/flag:",
        key=f"flag-{item.slot_id}",
        width="stretch",
        help="Sends your comment to the experts, for questions that are broken or hold private data.",
        on_click=desk.press_flag,
        args=(visit, task, item.slot_id),
    )


def show_undo(visit: Visit, task: DeskTask, keys: bool, *, place: st.delta_generator.DeltaGenerator, key: str) -> None:
    """The button that brings the last answer back."""
    place.button(
        "Undo the last answer",
        icon=":material/undo:",
        key=key,
        shortcut="U" if keys else None,
        width="stretch",
        on_click=desk.press_undo,
        args=(visit, task),
    )
