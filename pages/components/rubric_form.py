"""The plain desk: one item drawn with Streamlit's own widgets, keys beside the buttons. It works with every reader.

Only texts and the slot's number reach the browser; the two sides of a comparison are called left and right.
"""

from __future__ import annotations

import streamlit as st

from backend.review.desk_queries import DeskTask
from backend.review.work_items import WorkItem
from backend.rubrics import Question
from backend.vocabulary import QuestionType, TaskKind, Verdict
from pages.components import presses
from pages.components.conversation import show_conversation
from pages.components.desk import Hand, Work
from pages.components.lessons import show_lesson
from pages.components.notices import plain
from pages.components.visit import Visit

VERDICTS = (
    (Verdict.LEFT, "Left is better", "Left", ":material/arrow_back:"),
    (Verdict.TIE, "Equally good", "T", ":material/equal:"),
    (Verdict.BOTH_BAD, "Both bad", "B", ":material/thumb_down:"),
    (Verdict.RIGHT, "Right is better", "Right", ":material/arrow_forward:"),
)
REASONS = (
    "I am not sure",
    "I know this customer or case",
    "Not a language that I read",
    "The text is broken or empty",
    "It upsets me",
)


def show_item(visit: Visit, task: DeskTask, hand: Hand, item: WorkItem, *, keys: bool = True) -> None:
    """The item at the front of the hand, with all that can be done to it. `keys` switches the shortcuts on."""
    work = hand.work_on(item)
    if (told := st.session_state.pop(presses.LESSON, None)) is not None:
        show_lesson(told)
    if item.practice:
        st.info("Practice: after your answer you see what was right. Practice is not counted.", icon=":material/school:")
    if item.correcting:
        st.info("You are changing your last answer. Until you do, the earlier one counts.", icon=":material/undo:")
    if item.why:
        st.caption(plain(f"Why this one now: {item.why}"))
    show_conversation(item.messages, key=f"talk-{item.slot_id}")
    _responses(visit, task, item, work)
    if item.reference:
        with st.expander("The reference answer", icon=":material/menu_book:"):
            st.text(item.reference)
    if task.kind is TaskKind.COMPARE:
        _verdicts(visit, task, item, work, keys)
    _questions(visit, task, item, work, keys)
    _comment(visit, task, item)
    if not presses.saves_itself(task, item):
        st.button(
            "Save the changed answer" if item.correcting else "Save",
            type="primary",
            icon=":material/save:",
            key=f"save-{item.slot_id}",
            width="stretch",
            on_click=presses.press_save,
            args=(visit, task, item.slot_id),
        )
    _others(visit, task, item, keys)


def titles(task: DeskTask, item: WorkItem) -> tuple[str, ...]:
    """What the responses are called."""
    if task.kind is TaskKind.COMPARE:
        return ("Left", "Right")
    return ("Response",) if len(item.texts) == 1 else tuple(f"Response {n}" for n in range(1, len(item.texts) + 1))


def _responses(visit: Visit, task: DeskTask, item: WorkItem, work: Work) -> None:
    named = titles(task, item)
    across = st.columns(min(3, len(item.texts)))
    for place, text in enumerate(item.texts):
        with across[place % 3], st.container(border=True, height="stretch"):
            st.markdown(f"**{named[place]}**")
            st.text(text if text.strip() else "(an empty answer)")
            if task.kind is TaskKind.RANK:
                _place(visit, task, item, work, place)
    if task.kind is TaskKind.RANK:
        order = " > ".join(" = ".join(str(place + 1) for place in tied) for tied in work.ranking)
        st.markdown(f"**From best to worst:** {order or 'choose the best response first'}")
        st.button(
            "The next one shares the place of the one before",
            icon=":material/equal:",
            key=f"tie-{item.slot_id}",
            type="primary" if work.tying else "secondary",
            disabled=not work.ranking,
            on_click=presses.press_tie,
            args=(visit, task, item.slot_id),
        )


def _place(visit: Visit, task: DeskTask, item: WorkItem, work: Work, place: int) -> None:
    rank = next((sum(map(len, work.ranking[:n])) for n, tied in enumerate(work.ranking) if place in tied), None)
    placed = f"Place {rank + 1} · take it away" if rank is not None else ""
    st.button(
        placed or f"Response {place + 1} is the next best",
        key=f"place-{place}-{item.slot_id}",
        type="primary" if placed else "secondary",
        width="stretch",
        on_click=presses.press_place,
        args=(visit, task, item.slot_id, place),
    )


def _verdicts(visit: Visit, task: DeskTask, item: WorkItem, work: Work, keys: bool) -> None:
    for column, (verdict, title, key, icon) in zip(st.columns(len(VERDICTS)), VERDICTS, strict=True):
        column.button(
            title,
            icon=icon,
            key=f"{verdict}-{item.slot_id}",
            shortcut=key if keys else None,
            type="primary" if work.verdict is verdict else "secondary",
            width="stretch",
            on_click=presses.press_verdict,
            args=(visit, task, item.slot_id, verdict),
        )


def _questions(visit: Visit, task: DeskTask, item: WorkItem, work: Work, keys: bool) -> None:
    asked = next((one.key for one in task.questions if one.key not in work.answers), None)
    for question in task.questions:
        active = question.key == asked
        marker = ":material/arrow_right: " if active else ":material/check: " if question.key in work.answers else ""
        st.markdown(f"{marker}**{plain(question.text)}**" + ("" if question.required else " (optional)"))
        if question.type is QuestionType.TEXT:
            _text(visit, task, item, work, question)
        elif question.type is QuestionType.SPANS:
            _passages(visit, task, item, work, question)
        else:
            _choices(visit, task, item, work, question, keys and active)


def _choices(visit: Visit, task: DeskTask, item: WorkItem, work: Work, question: Question, keys: bool) -> None:
    answer = work.answers.get(question.key)
    values: tuple[object, ...] = question.choices
    if question.type is QuestionType.SCALE:
        values = tuple(question.points)
    elif question.type is QuestionType.YES_NO:
        values = (True, False)
    across = st.columns(min(5, len(values)))
    for place, value in enumerate(values):
        chosen = value in answer if isinstance(answer, list) else answer is not None and value == answer
        number = f"{place + 1} · " if question.type is QuestionType.SCALE else ""
        across[place % 5].button(
            f"{number}{plain(question.choices[place])}",
            key=f"{question.key}-{place + 1}-{item.slot_id}",
            shortcut=(question.shortcuts[place] or None) if keys else None,
            type="primary" if chosen else "secondary",
            width="stretch",
            wrap=True,
            on_click=presses.press_choice,
            args=(visit, task, item.slot_id, question, place),
        )


def _text(visit: Visit, task: DeskTask, item: WorkItem, work: Work, question: Question) -> None:
    key = presses.text_key(question, item.slot_id)
    st.session_state.setdefault(key, str(work.answers.get(question.key) or ""))
    st.text_area(
        plain(question.text),
        key=key,
        label_visibility="collapsed",
        height=90,
        max_chars=5000,
        on_change=presses.write,
        args=(visit, task, item.slot_id, question),
    )


def _passages(visit: Visit, task: DeskTask, item: WorkItem, work: Work, question: Question) -> None:
    named = titles(task, item)
    place, words, reason, button = st.columns([2, 5, 3, 2], vertical_alignment="bottom")
    place.selectbox(
        "In", range(len(named)), format_func=lambda n: named[n], key=presses.mark_key(question, item.slot_id, "place")
    )
    words.text_input("The words, as they stand there", key=presses.mark_key(question, item.slot_id, "words"))
    reason.selectbox("What it is", question.choices, key=presses.mark_key(question, item.slot_id, "reason"))
    button.button(
        "Mark",
        icon=":material/ink_highlighter:",
        key=f"mark-{question.key}-{item.slot_id}",
        width="stretch",
        on_click=presses.press_mark,
        args=(visit, task, item.slot_id, question),
    )
    for number, span in enumerate(work.answers.get(question.key) or []):
        text, away = st.columns([10, 2], vertical_alignment="center")
        text.text(f"{span['reason']}: “{item.texts[span['response']][span['start'] : span['end']]}”")
        away.button(
            "Remove",
            key=f"unmark-{question.key}-{number}-{item.slot_id}",
            on_click=presses.press_unmark,
            args=(visit, task, item.slot_id, question, number),
        )


def _comment(visit: Visit, task: DeskTask, item: WorkItem) -> None:
    st.session_state.setdefault(presses.comment_key(item.slot_id), str(item.draft.get("comment") or item.comment))
    st.text_area(
        "Comment (kept while you think, saved with the answer)",
        key=presses.comment_key(item.slot_id),
        height=80,
        max_chars=5000,
        placeholder="What made you decide? Also what is wrong when you skip or flag.",
        on_change=presses.write,
        args=(visit, task, item.slot_id, None),
    )


def _others(visit: Visit, task: DeskTask, item: WorkItem, keys: bool) -> None:
    if item.correcting:
        st.button(
            "Keep it as it was",
            icon=":material/close:",
            key=f"keep-{item.slot_id}",
            width="stretch",
            on_click=presses.press_keep,
            args=(visit, task, item.slot_id),
        )
        return
    reason, skip, undo, flag = st.columns([3, 2, 3, 3], vertical_alignment="bottom")
    reason.selectbox("Reason to skip", REASONS, key=presses.skip_key(item.slot_id))
    skip.button(
        "Skip",
        icon=":material/skip_next:",
        key=f"skip-{item.slot_id}",
        shortcut="S" if keys else None,
        width="stretch",
        help="Somebody else gets this item. It is not offered to you again.",
        on_click=presses.press_skip,
        args=(visit, task, item.slot_id),
    )
    show_undo(visit, task, keys, place=undo, key=f"undo-{item.slot_id}")
    flag.button(
        "Flag the question",
        icon=":material/flag:",
        key=f"flag-{item.slot_id}",
        width="stretch",
        help="Sends your comment to the experts, for questions that are broken or hold private data.",
        on_click=presses.press_flag,
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
        on_click=presses.press_undo,
        args=(visit, task),
    )
