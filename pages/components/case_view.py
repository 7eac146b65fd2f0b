"""An item with everything that was said about it: the question, the responses, each rater's answer, the rulings so far."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from backend.review.adjudication_queries import Case, Ruling
from backend.review.consensus import FIRST, SECOND, Suggestion
from backend.review.wording import PREFERENCE, RANKING, TITLES, answer_words, ranking_words
from backend.vocabulary import QuestionType
from pages.components.answer_form import Asked
from pages.components.conversation import show_conversation
from pages.components.notices import plain

A_ROW = 3
"""Answers beside each other."""


def asked_of(case: Case) -> Asked:
    """What the form about this item asks."""
    spans = [question.key for question in case.rubric.questions if question.type is QuestionType.SPANS]
    passages: dict[str, list[dict[str, Any]]] = {key: [] for key in spans}
    for key in spans:
        for opinion in case.opinions:
            for span in opinion.answers.get(key, ()):
                placed = {**span, "response": _place(case, span)}
                if placed not in passages[key]:
                    passages[key].append(placed)
    texts = dict(zip(case.response_ids, case.texts, strict=True))
    return Asked(case.kind, case.rubric, case.response_ids, case.names, texts, passages)


def _place(case: Case, span: Mapping[str, Any]) -> int:
    """Where the passage's response stands here; raters may have seen it at another place."""
    ids = case.response_ids
    return ids.index(span["response_id"]) if span.get("response_id") in ids else int(span["response"])


def show_item(case: Case) -> None:
    """The question and the responses, as text."""
    show_conversation(case.messages, key=f"case-{case.item_id}")
    for column, name, text in zip(st.columns(len(case.texts)), case.names, case.texts, strict=True):
        with column, st.container(border=True, height="stretch"):
            st.markdown(f"**{plain(name if len(case.texts) > 1 else 'Response')}**")
            st.text(text if text.strip() else "(an empty answer)")
    if case.reference:
        with st.expander("The reference answer", icon=":material/menu_book:"):
            st.text(case.reference)
    if case.guidelines:
        with st.expander("Guidelines of the task", icon=":material/menu_book:"):
            st.text(case.guidelines)


def titles(case: Case) -> dict[str, str]:
    """What was asked → how the page calls it."""
    return TITLES | {question.key: question.text for question in case.rubric.questions}


def show_opinions(case: Case) -> None:
    """Every answer with its reason, side by side; what all said alike is not marked."""
    named = titles(case)
    for start in range(0, len(case.opinions), A_ROW):
        row = case.opinions[start : start + A_ROW]
        for column, opinion in zip(st.columns(max(len(row), min(len(case.opinions), A_ROW))), row, strict=False):
            with column, st.container(border=True, height="stretch"):
                st.markdown(f"**{plain(opinion.rater)}**" + (" (you)" if opinion.is_yours else ""))
                for asked, said in opinion.said.items():
                    others = {one.said.get(asked) for one in case.opinions}
                    mark = ":orange[:material/call_split:] " if len(others) > 1 else ""
                    st.markdown(f"{mark}{plain(named[asked])}  \n**{plain(said)}**")
                if opinion.comment:
                    st.caption("Their reason")
                    st.text(opinion.comment)


def suggestion_words(case: Case, asked: str, suggestion: Suggestion) -> str:
    """The suggested answer."""
    if asked == PREFERENCE:
        place = {FIRST: 0, SECOND: 1}.get(str(suggestion.answer))
        if place is not None:
            return f"{case.names[place]} is better"
        return {"tie": "Equally good", "both_bad": "Both bad"}[str(suggestion.answer)]
    if asked == RANKING:
        return ranking_words(suggestion.answer, dict(zip(case.response_ids, case.names, strict=True)))
    return answer_words(case.rubric.question(asked), suggestion.answer)


def show_suggestion(case: Case, suggested: Mapping[str, Suggestion]) -> None:
    """What the answers come down to, and how sure that is."""
    if not suggested:
        st.caption("The answers suggest nothing: there are as many for one as for the other.")
        return
    named = titles(case)
    for asked, suggestion in suggested.items():
        title = f"{plain(named[asked])}  \n" if len(suggested) > 1 else ""
        sure = "almost sure" if suggestion.confidence > 0.99 else f"{suggestion.confidence:.0%} sure"
        st.markdown(f"{title}**{plain(suggestion_words(case, asked, suggestion))}**, {sure}")
    methods = sorted({suggestion.method for suggestion in suggested.values()})
    st.caption(f"By {plain(' and '.join(methods))}. It is a suggestion: the raters may share a mistake.")


def show_rulings(case: Case) -> None:
    """The rulings so far, the newest first."""
    for ruling in case.rulings:
        with st.container(border=True):
            st.markdown(
                f"**Ruling {ruling.number}** by {plain(ruling.author)}, {ruling.at:%d %b %Y, %H:%M} UTC{_marks(ruling)}"
            )
            st.text("; ".join(ruling.said.values()))
            st.text(f"Because: {ruling.reason}")
            if ruling.withdrawn:
                st.text(f"Withdrawn: {ruling.withdrawn}")


def _marks(ruling: Ruling) -> str:
    marks = " · :green[in force]" if ruling.in_force else " · withdrawn"
    return marks + (" · had rated the item too" if ruling.rated_it else "")
