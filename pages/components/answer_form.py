"""The questions of a task as a form for whoever knows the answer: a ruling, or gold. Drawn inside st.form, read in a callback.

What is asked beside the rubric's questions comes first: which response is better, or each response's place. `start` holds
answers as they are stored, by what was asked; what it leaves out is open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from backend.review.wording import PREFERENCE, RANKING, TITLES, answer_words, passage_words
from backend.rubrics import Question, Rubric
from backend.vocabulary import QuestionType, TaskKind, Verdict
from pages.components.notices import plain

VERDICTS = {
    Verdict.LEFT: "Left is better",
    Verdict.RIGHT: "Right is better",
    Verdict.TIE: "Equally good",
    Verdict.BOTH_BAD: "Both bad",
}
_FROM_LABEL = {"first": Verdict.LEFT, "second": Verdict.RIGHT, "tie": Verdict.TIE, "both_bad": Verdict.BOTH_BAD}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the form asks about an item. `passages` are those that raters marked, by question, to choose from."""

    kind: TaskKind
    rubric: Rubric
    response_ids: tuple[int, ...]
    names: tuple[str, ...]
    texts: Mapping[int, str]
    passages: Mapping[str, Sequence[Mapping[str, Any]]]


def draw_answer(asked: Asked, *, key: str, start: Mapping[str, Any]) -> None:
    """Every question, with the answer to begin with."""
    if asked.kind is TaskKind.COMPARE:
        first = _FROM_LABEL.get(str(start.get(PREFERENCE)))
        options = list(VERDICTS)
        st.radio(
            TITLES[PREFERENCE],
            options,
            index=options.index(first) if first else None,
            format_func=VERDICTS.__getitem__,
            horizontal=True,
            key=f"{key}-{PREFERENCE}",
        )
    elif asked.kind is TaskKind.RANK:
        _places(asked, key, start.get(RANKING) or ())
    for question in asked.rubric.questions:
        _question(asked, question, f"{key}-{question.key}", start.get(question.key))


def _places(asked: Asked, key: str, ranking: Sequence[Sequence[int]]) -> None:
    places = {response: place for place, together in enumerate(ranking, start=1) for response in together}
    st.markdown(f"{plain(TITLES[RANKING])} Those that are equally good share a place.")
    for column, response, name in zip(st.columns(len(asked.names)), asked.response_ids, asked.names, strict=True):
        options = list(range(1, len(asked.names) + 1))
        start = options.index(places[response]) if response in places else None
        column.selectbox(f"Place of {plain(name)}", options, index=start, key=f"{key}-place-{response}")


def _question(asked: Asked, question: Question, key: str, start: Any) -> None:
    label = plain(question.text) + ("" if question.required else " (may stay open)")
    if question.type is QuestionType.TEXT:
        st.text_area(label, value=start or "", height=80, key=key)
    elif question.type is QuestionType.MULTIPLE:
        st.pills(label, question.scale, selection_mode="multi", default=start or [], format_func=plain, key=key)
    elif question.type is QuestionType.SPANS:
        _passages(asked, question, label, key)
    else:
        options: list[Any] = list(question.scale)
        if question.type is QuestionType.SCALE:
            options = list(question.points)
        elif question.type is QuestionType.YES_NO:
            options = [True, False]
        st.radio(
            label,
            options,
            index=options.index(start) if start in options else None,
            format_func=lambda option: plain(answer_words(question, option)),
            horizontal=True,
            key=key,
        )


def _passages(asked: Asked, question: Question, label: str, key: str) -> None:
    """Choose from what raters marked. New passages are marked on the rating desk, where the text is."""
    offered = asked.passages.get(question.key, ())
    if not offered:
        st.caption(f"{label}: nobody marked anything, so there is nothing to choose from here.")
        return
    said = [passage_words(span, asked.texts) for span in offered]
    st.multiselect(label, range(len(offered)), format_func=lambda place: said[place], key=key)


def read_answer(asked: Asked, *, key: str) -> dict[str, Any]:
    """For a callback: what was answered, as the use-cases take it (`answers`, `verdict`, `ranking`)."""
    state = st.session_state
    answers = {one.key: _read(asked, one, state.get(f"{key}-{one.key}")) for one in asked.rubric.questions}
    found: dict[str, Any] = {"answers": {name: answer for name, answer in answers.items() if answer is not None}}
    if asked.kind is TaskKind.COMPARE:
        found["verdict"] = state.get(f"{key}-{PREFERENCE}")
    elif asked.kind is TaskKind.RANK:
        places = [state.get(f"{key}-place-{response}") for response in asked.response_ids]
        given = sorted({place for place in places if place is not None})
        found["ranking"] = [[at for at, place in enumerate(places) if place == wanted] for wanted in given]
    return found


def _read(asked: Asked, question: Question, given: Any) -> Any:
    if question.type is QuestionType.SPANS:
        offered = asked.passages.get(question.key, ())
        return [dict(offered[place]) for place in given or ()]
    if question.type is QuestionType.MULTIPLE:
        return list(given or ())
    return given or None if question.type is QuestionType.TEXT else given
