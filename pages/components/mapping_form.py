"""The form that says which column is which, and what the first rows would become. Column names are shown as text."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from backend.conversations import Shape, metadata_text
from backend.errors import InvalidInput
from backend.intake.conversations import Imported, Label
from backend.intake.files import Preview
from backend.intake.mapping import Mapping
from backend.intake.readers.rows import Rejected
from backend.vocabulary import Thumb
from pages.components.conversation import show_conversation
from pages.components.notices import plain

SHAPES = {
    Shape.PAIRS: "One column for the prompt, one for the answer",
    Shape.ALPACA: "Alpaca: instruction, input, output",
    Shape.OPENAI: "A list of messages with role and content (OpenAI)",
    Shape.SHAREGPT: "A list of messages with from and value (ShareGPT)",
}
_TURNS = (Shape.OPENAI, Shape.SHAREGPT)
_FIELDS = {
    "conversation": ("List of messages", "The column that holds the whole conversation."),
    "prompt": ("Prompt", "What the customer says."),
    "context": ("Context", "Text that belongs to the prompt; it is put below it."),
    "response": ("Answer", "The reference answer. Beside a list of messages: the answer that follows it."),
    "system": ("System message", "Instructions that the chatbot was given."),
    "history": ("Earlier turns", "Turns before the prompt, as JSON."),
    "id": ("Id", "The row's name where it came from."),
    "group": ("Group", "Rows with the same value are never torn apart between training and test set."),
    "verdict": (
        "Verdict on the answer",
        "A thumb, yes or no, or a rating. An answer that is called bad waits for a better one.",
    ),
    "rejected": ("Rejected answer", "The answer that the row's own one was preferred to."),
}
_ROWS_SHOWN = 300


def show_rows(looked: Preview) -> None:
    """The first rows as they are."""
    rows = [{column: metadata_text(value)[:_ROWS_SHOWN] for column, value in row.values.items()} for row in looked.rows]
    st.dataframe(pd.DataFrame(rows, columns=list(looked.columns)), width="stretch", height=260, hide_index=True)


def mapping_form(looked: Preview, *, key: str, start: Mapping | None = None) -> Mapping | None:
    """The mapping as the user leaves it, or None, with the reason drawn, while it cannot be used.

    It begins with `start`, else with what was recognised.
    """
    proposed = start or looked.recognition.mapping
    first = proposed.shape if proposed else Shape.PAIRS
    shape = st.selectbox(
        "How do rows carry conversations?", list(SHAPES), index=list(SHAPES).index(first), format_func=SHAPES.__getitem__,
        key=f"{key}_shape",
    )  # fmt: skip
    if proposed is not None and proposed.shape is not shape:
        proposed = None
    chosen: dict[str, Any] = {}
    names = [name for name in _FIELDS if _belongs(name, shape)]
    columns = st.columns(3)
    for number, name in enumerate(names):
        with columns[number % 3]:
            chosen[name] = _column(looked, name, getattr(proposed, name) if proposed else None, key=f"{key}_{shape}_{name}")
    chosen["best"] = _best(proposed, chosen["verdict"], key=f"{key}_{shape}_best") if chosen["verdict"] else 0
    left = [column for column in looked.columns if column not in chosen.values()]
    default = [column for column in proposed.metadata if column in left] if proposed else []
    chosen["metadata"] = tuple(
        st.multiselect(
            "Metadata: columns to slice results by", left, default=default, key=f"{key}_{shape}_metadata",
            help="Language, channel, customer segment, topic: whatever tells groups of customers or questions apart.",
        )
    )  # fmt: skip
    one, two = st.columns(2)
    chosen["allow_prompts"] = one.checkbox(
        "Also take rows without an answer", value=bool(proposed and proposed.allow_prompts), key=f"{key}_allow_prompts",
        help="They come into the queue as prompts that an expert still has to answer.",
    )  # fmt: skip
    chosen["join_turns"] = two.checkbox(
        "Join messages that one speaker sent in a row", value=bool(proposed and proposed.join_turns), key=f"{key}_join_turns",
        help="Otherwise such rows are rejected, because turns must alternate.",
    )  # fmt: skip
    try:
        return Mapping(shape=shape, escaped=bool(proposed and proposed.escaped), **chosen)
    except InvalidInput as error:
        st.warning(plain(error.message), icon=":material/rule:")
        return None


def _belongs(name: str, shape: Shape) -> bool:
    if shape in _TURNS:
        return name not in ("prompt", "context", "history")
    return name != "conversation"


def _best(proposed: Mapping | None, verdict: str, *, key: str) -> int:
    """The highest mark of a rating, or 0 for a verdict that says yes or no."""
    start = proposed.best if proposed is not None and proposed.verdict == verdict else 0
    kinds = {0: "Yes or no, up or down", 5: "Marks from 1 to 5", 7: "Marks from 1 to 7", 10: "Marks from 1 to 10",
             100: "Marks from 1 to 100"}  # fmt: skip
    kinds.setdefault(start, f"Marks from 1 to {start}")
    return int(
        st.selectbox(
            "What the verdict says", list(kinds), index=list(kinds).index(start), format_func=kinds.__getitem__,
            key=f"{key}_{verdict}",
            help="The upper end of a scale is a thumb up, the lower end a thumb down; marks in the middle say neither.",
        )
    )  # fmt: skip


def _column(looked: Preview, name: str, proposed: str | None, *, key: str) -> str | None:
    title, why = _FIELDS[name]
    options = [None, *looked.columns]
    index = options.index(proposed) if proposed in options else 0
    return st.selectbox(title, options, index=index, format_func=lambda column: column or "(none)", help=why, key=key)


def show_verdict(tried: list[Imported | Rejected]) -> None:
    """How many of the first rows can be taken, and why the others cannot."""
    bad = [item for item in tried if isinstance(item, Rejected)]
    judged = sum(isinstance(item, Imported) and item.label is not None for item in tried)
    brings = f" {judged} bring a judgement on the answer." if judged else ""
    st.text(f"Of the first {len(tried)} rows, {len(tried) - len(bad)} can be taken.{brings}")
    for item in bad[:3]:
        st.text(f"Line {item.line}: {item.reason}")


def show_first(tried: list[Imported | Rejected], *, key: str) -> None:
    """The first conversation as it will be judged."""
    taken = [item for item in tried if isinstance(item, Imported)]
    first = next((item for item in taken if item.label), taken[0] if taken else None)
    if first is None:
        return
    with st.container(border=True):
        st.caption("The first row, as it will be judged" if first is taken[0] else f"Line {first.line}, as it will be judged")
        show_conversation(first.conversation.messages, key=f"{key}_first")
        if first.label is not None:
            _show_label(first.label)
        if metadata := first.conversation.metadata:
            st.text("Metadata: " + ", ".join(f"{name} = {value}" for name, value in list(metadata.items())[:12])[:400])


def _show_label(label: Label) -> None:
    if label.thumb is not None:
        st.text(f"The file says that the answer is {'good' if label.thumb is Thumb.UP else 'bad: it waits for a better one'}.")
    else:
        st.text("The file prefers this answer to:")
        st.code(label.rejected, language=None, wrap_lines=True)
