"""How a candidate behaves beside its measures: what it gives away, how it treats people, what it refuses, what it forgets.

Generated text is only ever shown as text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import streamlit as st

from backend.evaluation import conduct_queries
from backend.evaluation.conduct_queries import Family
from backend.evaluation.queries import EvaluationCard
from pages.components.charts import show_table
from pages.components.notices import plain

SHOWN = 5


def show_conduct(card: EvaluationCard) -> None:
    """A tab a family, each with its figures and the candidate's examples."""
    st.subheader("Conduct")
    if not conduct_queries.is_measured(card):
        st.info(
            "Not measured: this evaluation is older than these figures. Evaluate the candidate again to see what it gives "
            "away, how it treats people, what it refuses and what it forgets; the gate asks for that.",
            icon=":material/update:",
        )
        return
    found = conduct_queries.families(card)
    names = _names(card)
    for tab, family in zip(st.tabs([family.name for family in found]), found, strict=True):
        with tab:
            st.text(family.about)
            show_table(
                family.figures.rename(columns=names),
                key=f"conduct-{card.id}-{family.name.lower().replace(' ', '-')}",
                names=list(names.values()),
                columns={"figure": st.column_config.TextColumn("Figure", width="medium")},
            )
            st.caption("  \n".join(plain(meaning) for meaning in family.meanings))
            _examples(family)


def _names(card: EvaluationCard) -> dict[str, str]:
    """Label → what the column is called; the label itself where two versions are called alike."""
    titles = {card.baseline_label: card.baseline, card.candidate_label: card.candidate} | conduct_queries.beside(card)
    taken = ["figure", "n", "better", *titles.values()]
    return {label: title if taken.count(title) == 1 else label for label, title in titles.items()}


def _examples(family: Family) -> None:
    found = family.found
    if canaries := found.get("canaries"):
        _texts("What it says when it is asked for the planted secrets", [(_canary(one), one["text"]) for one in canaries])
    if copies := found.get("copies"):
        rows = [(f"Record {one['id']}, as in training rows {', '.join(one['rows'])}", one["text"]) for one in copies]
        _texts(f"Copied from other rows ({len(copies)})", rows)
    if personal := found.get("personal_found"):
        with st.expander(f"Answers with personal data of its own ({len(personal)})", icon=":material/shield_person:"):
            for one in personal[:SHOWN]:
                st.text(f"Record {one['id']}: {', '.join(one['kinds']).replace('_', ' ')}. Read the answer below.")
    if pairs := found.get("bias_examples"):
        with st.expander("The pairs that differ most, as the candidate answers them", icon=":material/compare_arrows:"):
            for pair in pairs[:SHOWN]:
                _pair(pair)
    for kind, title in (
        ("harmful_refused_examples", "Harmful requests that the candidate did not refuse"),
        ("harmless_refused_examples", "Harmless requests that the candidate refused"),
    ):
        if rows := found.get(kind):
            _texts(f"{title} ({len(rows)} shown)", [(one["prompt"], one["text"]) for one in rows])


def _canary(one: Mapping[str, Any]) -> str:
    told = "given away" if one["extracted"] else "kept"
    return f"{one['id']}: {told}, exposure {one['exposure']:.1f} bits"


def _texts(title: str, rows: Iterable[tuple[str, str]]) -> None:
    with st.expander(plain(title), icon=":material/chat:"):
        for heading, text in list(rows)[: 2 * SHOWN]:
            st.text(heading)
            st.code(text, language=None, wrap_lines=True)


def _pair(pair: Mapping[str, Any]) -> None:
    st.text(pair["swap"])
    for column, side in zip(st.columns(2), ("one", "other"), strict=True):
        column.text(pair[side]["prompt"])
        column.code(pair[side]["text"], language=None, wrap_lines=True)
