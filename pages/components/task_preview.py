"""What a task would hold, before it starts: counts, strata, who meets whom, ten items."""

from __future__ import annotations

import streamlit as st

from backend.review import task_queries
from backend.review.task_queries import Example, Preview
from backend.vocabulary import TaskKind
from pages.components.conversation import show_conversation
from pages.components.notices import plain
from pages.components.task_choices import KINDS, Choices
from pages.components.visit import Visit


def look(visit: Visit, choices: Choices) -> Preview:
    """The preview of what is chosen. Raises InvalidInput."""
    with visit.reading() as session:
        return task_queries.preview(
            session, actor=visit.actor, project_id=visit.project_id, kind=choices.kind, selection=choices.selection
        )


def summary(found: Preview, kind: TaskKind) -> str:
    """The counts in words."""
    if kind is TaskKind.LABEL:
        return f"{found.found:,} records fit, {found.items:,} of them are taken."
    text = f"{found.found:,} questions have these answers. {found.questions:,} are drawn and make {found.items:,} items."
    if found.identical:
        text += f" {found.identical:,} are not shown because the answers are equal: they count as ties."
    return text


def show_preview(found: Preview, choices: Choices) -> bool:
    """Everything about the task to be; whether something is still wrong with it."""
    problem = choices.rubric is None
    if problem:
        st.error("Something is wrong with the questions. Go back to step 3; it is said there.", icon=":material/error:")
    kind = choices.kind
    items, answers, raters = st.columns(3)
    items.metric("Items", f"{found.items:,}")
    least = found.items * choices.overlap
    most = found.items * (choices.overlap_max or choices.overlap)
    answers.metric("Answers to give", f"{least:,}" if most == least else f"{least:,} to {most:,}")
    chosen = len(choices.fields.get("raters") or ())
    raters.metric("People", chosen or "Everybody")
    st.text(f"{KINDS[kind][0]}: {summary(found, kind)}")
    if choices.rubric is not None and choices.rubric.questions:
        st.text("Questions: " + " · ".join(question.text for question in choices.rubric.questions))
    _tables(found)
    if not found.examples:
        st.warning("Nothing fits this choice. Go back to step 2 and widen it.", icon=":material/filter_alt_off:")
        return problem
    st.markdown(f"**The first {len(found.examples)} items**")
    st.caption("You see whose answers these are. Raters do not.")
    for number, example in enumerate(found.examples):
        _example(number, example)
    return problem


def _tables(found: Preview) -> None:
    tables = [
        (found.strata, "The sample by value", {"value": "Value", "found": "Fit", "drawn": "Drawn"}),
        (found.meetings, "How often each two meet", {"one": "One", "other": "Other", "items": "Items"}),
    ]
    shown = [(frame, title, names) for frame, title, names in tables if len(frame)]
    for column, (frame, title, names) in zip(st.columns(len(shown) or 1), shown, strict=False):
        with column, st.expander(title, icon=":material/table:", expanded=len(frame) < 8):
            st.dataframe(frame.rename(columns=names), hide_index=True, width="stretch")


def _example(number: int, example: Example) -> None:
    asked = next((message.content for message in reversed(example.messages) if message.role == "user"), "")
    first = " ".join(asked.split())
    title = first if len(first) <= 90 else first[:89] + "…"
    with st.expander(plain(f"{number + 1}. {title}")):
        show_conversation(example.messages, key=f"example-{number}")
        for column, (name, text) in zip(st.columns(len(example.texts) or 1), example.texts, strict=False):
            with column, st.container(border=True, height="stretch"):
                st.caption(plain(name))
                st.text(text if text.strip() else "(an empty answer)")
