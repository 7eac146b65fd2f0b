"""The answers of an evaluation beside each other, five questions a page. Generated text is only ever shown as text."""

from __future__ import annotations

import streamlit as st

from backend.conversations import messages_from_json
from backend.evaluation import queries
from backend.evaluation.queries import SHOWN, EvaluationCard, Pair
from pages.components.conversation import show_conversation
from pages.components.notices import plain
from pages.components.visit import Visit
from pages.components.worddiff import show_diff

PAGE = 5


def show_answers(visit: Visit, card: EvaluationCard) -> None:
    """The browser: what to show, a page of questions."""
    st.subheader("Answers")
    with visit.reading() as session:
        slices = queries.slice_choices(session, project_id=visit.project_id, evaluation_id=card.id)
    left, middle, right = st.columns(3)
    shown = left.selectbox("Show", list(SHOWN), format_func=lambda key: SHOWN[key], key=f"shown_{card.id}")
    key = middle.selectbox("Slice", ["", *slices], format_func=lambda key: key or "All", key=f"slice_{card.id}")
    value = right.selectbox("Value", slices[key], key=f"value_{card.id}_{key}") if key else ""
    wanted = {"project_id": visit.project_id, "evaluation_id": card.id, "shown": shown}
    wanted |= {"slice_key": key, "slice_value": value or ""}
    with visit.reading() as session:
        _none, total = queries.responses(session, **wanted, limit=0)
        pages = max(1, -(-total // PAGE))
        page = st.pagination(pages, key=f"page_{card.id}_{shown}_{key}_{value}") if pages > 1 else 1
        pairs, _total = queries.responses(session, **wanted, offset=(page - 1) * PAGE, limit=PAGE)
    st.caption(f"{total:,} question{'s' * (total != 1)}")
    for pair in pairs:
        _pair(card, pair)


def _pair(card: EvaluationCard, pair: Pair) -> None:
    with st.container(border=True):
        left, right = st.columns(2)
        with left:
            show_conversation(messages_from_json(pair.prompt), key=f"prompt-{card.id}-{pair.record_id}")
        with right:
            st.caption("Reference answer")
            st.code(pair.reference, language=None, wrap_lines=True)
        for column, name, text, metrics in zip(
            st.columns(2),
            (card.baseline, card.candidate),
            (pair.baseline, pair.candidate),
            (pair.baseline_metrics, pair.candidate_metrics),
            strict=True,
        ):
            exact = ":green[:material/check:] exact" if metrics.get("exact_match") else ":red[:material/close:] not exact"
            column.caption(f"{plain(name)}: {exact}, ROUGE-L {metrics.get('rouge_l') or 0:.2f}")
            column.code(text, language=None, wrap_lines=True)
        if pair.candidate != pair.reference:
            with st.expander("Candidate against the reference, word by word", icon=":material/difference:"):
                names = {"before_name": "reference", "after_name": "candidate"}
                show_diff(pair.reference, pair.candidate, key=f"diff-{card.id}-{pair.record_id}", **names)
