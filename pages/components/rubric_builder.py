"""The rubric builder: questions to add, word, order and remove, each with what is wrong about it beside it.

Fields live under a prefix; `<prefix>rows` lists the questions' numbers in order. Nothing is saved here: `built` gives the
rubric as it stands, or None while something is wrong.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import Any

import streamlit as st

from backend.errors import InvalidInput
from backend.review.templates import TEMPLATES
from backend.rubrics import MOST_QUESTIONS, Question, Rubric
from backend.vocabulary import QuestionType, TaskKind
from pages.components.kept import first
from pages.components.notices import plain

TYPES = {
    QuestionType.SCALE: "Scale with worded points",
    QuestionType.YES_NO: "Yes or no",
    QuestionType.SINGLE: "One of several",
    QuestionType.MULTIPLE: "Any of several",
    QuestionType.TEXT: "Free text",
    QuestionType.SPANS: "Marked passages with a reason",
}
ICONS = {
    QuestionType.SCALE: "linear_scale",
    QuestionType.YES_NO: "thumbs_up_down",
    QuestionType.SINGLE: "radio_button_checked",
    QuestionType.MULTIPLE: "check_box",
    QuestionType.TEXT: "notes",
    QuestionType.SPANS: "format_ink_highlighter",
}
LISTS = {
    QuestionType.SCALE: "Words of the points, from worst to best, one a line",
    QuestionType.SINGLE: "Answers to choose from, one a line",
    QuestionType.MULTIPLE: "Answers to choose from, one a line",
    QuestionType.SPANS: "Reasons to choose from, one a line",
}
EMPTY: dict[QuestionType, tuple[str, ...]] = {
    QuestionType.SCALE: ("Very bad", "Bad", "Neither", "Good", "Very good"),
    QuestionType.SINGLE: ("First answer", "Second answer"),
    QuestionType.MULTIPLE: ("First answer", "Second answer"),
    QuestionType.SPANS: ("Wrong fact", "Rude"),
}
FIELDS = ("name", "text", "type", "points", "keys", "required")


def fill(prefix: str, questions: Iterable[Question]) -> None:
    """Callback, or before the fields are drawn: these questions in place of those that are there."""
    for key in [key for key in st.session_state if str(key).startswith(prefix)]:
        del st.session_state[key]
    st.session_state[f"{prefix}rows"] = []
    for question in questions:
        add(prefix, question)


def add(prefix: str, question: Question) -> None:
    """Callback: one more question at the end."""
    rows: list[int] = st.session_state.get(f"{prefix}rows", [])
    number = st.session_state.get(f"{prefix}last", 0) + 1
    taken = {st.session_state.get(f"{prefix}{row}-name") for row in rows}
    name = next(name for name in _names(question.key) if name not in taken)
    shown = (name, question.text, question.type, "\n".join(question.scale), " ".join(question.keys), question.required)
    for field, value in zip(FIELDS, shown, strict=True):
        st.session_state[f"{prefix}{number}-{field}"] = value
    st.session_state[f"{prefix}rows"], st.session_state[f"{prefix}last"] = [*rows, number], number


def show_builder(prefix: str, kind: TaskKind) -> None:
    """Every question with its fields, and the way to add one."""
    rows: list[int] = st.session_state.setdefault(f"{prefix}rows", [])
    if not rows:
        st.info(
            "No question yet. Add the first one below."
            if kind is TaskKind.RATE
            else "No question: raters only say which answer is better. Add one to ask for reasons, say.",
            icon=":material/help:",
        )
    for place, row in enumerate(rows):
        with st.container(border=True):
            _question(prefix, kind, rows, place, row)
    with st.popover("Add a question", icon=":material/add:", disabled=len(rows) >= MOST_QUESTIONS):
        for kind_of, title in TYPES.items():
            blank = Question("question", "What should raters say?", EMPTY.get(kind_of, ()), kind_of)
            st.button(
                title, icon=f":material/{ICONS[kind_of]}:", key=f"go-add-{prefix}{kind_of}", width="stretch",
                on_click=add, args=(prefix, blank),
            )  # fmt: skip
        st.caption("Ready-made")
        for title, question in TEMPLATES.items():
            st.button(
                title, icon=f":material/{ICONS[question.type]}:", key=f"go-add-{prefix}{question.key}", width="stretch",
                on_click=add, args=(prefix, question),
            )  # fmt: skip
    problem = whole_problem(prefix, kind)
    if problem:
        st.error(plain(problem), icon=":material/error:")


def built(kind: TaskKind, values: Mapping[str, Any]) -> Rubric | None:
    """The rubric of the fields, by their names without the prefix; None while something is wrong with it."""
    try:
        rubric = Rubric(tuple(_read(values, row) for row in values.get("rows", [])))
        rubric.check_for(kind)
    except InvalidInput:
        return None
    return rubric


def questions_of(prefix: str) -> tuple[Question, ...]:
    """The questions as they stand; none while something is wrong with one."""
    fields = fields_of(prefix)
    try:
        return tuple(_read(fields, row) for row in fields.get("rows", []))
    except InvalidInput:
        return ()


def whole_problem(prefix: str, kind: TaskKind) -> str:
    """What is wrong with the questions together, where nothing is wrong with any of them alone; else nothing."""
    fields = fields_of(prefix)
    if any(_problem(fields, row, kind) for row in fields.get("rows", [])):
        return ""
    try:
        Rubric(tuple(_read(fields, row) for row in fields.get("rows", []))).check_for(kind)
    except InvalidInput as error:
        return error.message
    return ""


def fields_of(prefix: str) -> dict[str, Any]:
    """The builder's fields as they stand, by name without the prefix."""
    return {str(key).removeprefix(prefix): value for key, value in st.session_state.items() if str(key).startswith(prefix)}


def _question(prefix: str, kind: TaskKind, rows: list[int], place: int, row: int) -> None:
    here = f"{prefix}{row}-"
    text, kind_of, buttons = st.columns([5, 3, 2], vertical_alignment="bottom")
    text.text_input(f"Question {place + 1}", key=first(f"{here}text", ""), max_chars=500)
    chosen = kind_of.selectbox(
        "Answered by", list(TYPES), format_func=TYPES.__getitem__, key=first(f"{here}type", QuestionType.SCALE),
        on_change=_retyped, args=(here,),
    )  # fmt: skip
    with buttons.container(horizontal=True, horizontal_alignment="right", gap="small"):
        _move(prefix, row, "up", "arrow_upward", -1, disabled=place == 0)
        _move(prefix, row, "down", "arrow_downward", 1, disabled=place == len(rows) - 1)
        st.button(
            "", icon=":material/delete:", key=f"go-remove-{here}", help="Remove this question",
            on_click=_remove, args=(prefix, row),
        )  # fmt: skip
    if chosen in LISTS:
        st.text_area(LISTS[chosen], key=first(f"{here}points", ""), height="content")
    name, keys, required = st.columns([3, 4, 3], vertical_alignment="bottom")
    name.text_input(
        "Short name", key=first(f"{here}name", ""), max_chars=40, help="Stands in tables and files: one word of letters and _."
    )
    keys.text_input(
        "Keys (blank: digits; y and n)",
        key=first(f"{here}keys", ""),
        max_chars=60,
        placeholder="a d g",
        disabled=chosen in (QuestionType.TEXT, QuestionType.SPANS),
        help="One small letter or digit for each answer, with a space between them.",
    )
    required.checkbox("Must be answered", key=first(f"{here}required", True))
    if problem := _problem(fields_of(prefix), row, kind):
        st.error(plain(problem), icon=":material/error:")


def _retyped(here: str) -> None:
    """A question that had no list of answers gets one to change."""
    if not str(st.session_state.get(f"{here}points") or "").strip():
        st.session_state[f"{here}points"] = "\n".join(EMPTY.get(st.session_state[f"{here}type"], ()))


def _move(prefix: str, row: int, word: str, icon: str, by: int, *, disabled: bool) -> None:
    st.button(
        "", icon=f":material/{icon}:", key=f"go-{word}-{prefix}{row}", help=f"Move {word}", disabled=disabled,
        on_click=_shift, args=(prefix, row, by),
    )  # fmt: skip


def _shift(prefix: str, row: int, by: int) -> None:
    rows = list(st.session_state[f"{prefix}rows"])
    place = rows.index(row)
    goal = min(max(place + by, 0), len(rows) - 1)
    rows.insert(goal, rows.pop(place))
    st.session_state[f"{prefix}rows"] = rows


def _remove(prefix: str, row: int) -> None:
    st.session_state[f"{prefix}rows"] = [one for one in st.session_state[f"{prefix}rows"] if one != row]


def _problem(fields: Mapping[str, Any], row: int, kind: TaskKind) -> str:
    """What is wrong with this question alone."""
    try:
        Rubric((dataclasses.replace(_read(fields, row), required=True),)).check_for(kind)
    except InvalidInput as error:
        return error.message
    return ""


def _read(fields: Mapping[str, Any], row: int) -> Question:
    """The question that the fields describe. Raises InvalidInput."""
    kind = QuestionType(fields.get(f"{row}-type", QuestionType.SCALE))
    text = str(fields.get(f"{row}-text") or "").strip()
    points = tuple(line.strip() for line in str(fields.get(f"{row}-points") or "").splitlines() if line.strip())
    keys = tuple(str(fields.get(f"{row}-keys") or "").lower().replace(",", " ").split())
    return Question(
        key=str(fields.get(f"{row}-name") or "").strip() or _short_name(text),
        text=text,
        scale=points if kind in LISTS else (),
        type=kind,
        required=bool(fields.get(f"{row}-required", True)),
        keys=keys if kind not in (QuestionType.TEXT, QuestionType.SPANS) else (),
    )


def _short_name(text: str) -> str:
    words = re.findall(r"[a-z0-9]+", text.lower())[:3]
    name = "_".join(words)[:40]
    return name if name.isidentifier() else f"question_{name}"[:40]


def _names(key: str) -> Iterable[str]:
    yield key
    yield from (f"{key[:37]}_{number}" for number in range(2, MOST_QUESTIONS + 2))
