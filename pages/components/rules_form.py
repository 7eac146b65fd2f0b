"""The project's rules about its texts: languages, product words, brand voice with its table of forbidden words."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from backend.curation import setting_voice
from backend.curation.rule_queries import LANGUAGES, LONGEST_ANSWER
from pages.components.notices import attempt, tell
from pages.components.visit import Visit

FORBIDDEN, INSTEAD = "Do not say", "Say instead"

Pairs = Sequence[tuple[str, str]]


def show_rules(visit: Visit, held: Any) -> None:
    """The form."""
    pairs: Pairs = held.voice.forbidden
    # other rules, and those of another project, are other fields: Streamlit would keep in them what stood there before
    rules = repr((held.languages, sorted(held.product_words), held.voice))
    mark = f"{visit.project_id}_{zlib.crc32(rules.encode())}"
    with st.form("text_rules", border=False):
        with st.container(border=True):
            st.subheader("Texts")
            one, two = st.columns(2)
            one.multiselect(
                "Languages that records may be in", list(LANGUAGES), default=list(held.languages),
                format_func=LANGUAGES.__getitem__, key=f"rules_languages_{mark}", placeholder="Any language",
                help="A question or an answer that is surely in another one becomes a finding. Whatever you choose, so does an "
                "answer in another language than its question.",
            )  # fmt: skip
            two.text_area(
                "Words that are spelled right, one a line", value="\n".join(sorted(held.product_words)),
                key=f"rules_product_words_{mark}", height=120, placeholder="Linden\nSavannah sofa",
                help="Names of your products, say: right, whatever a dictionary says. The words of the Privacy page count too.",
            )  # fmt: skip
        with st.container(border=True):
            st.subheader("Brand voice")
            st.text("Forbidden words are found as whole words, in upper and lower case; list other forms of a word as well.")
            st.data_editor(
                pd.DataFrame(pairs, columns=[FORBIDDEN, INSTEAD], dtype=str), key=f"rules_forbidden_{mark}",
                num_rows="dynamic", hide_index=True, width="stretch", column_config={
                    FORBIDDEN: st.column_config.TextColumn(required=True, max_chars=80, help="A word or a phrase."),
                    INSTEAD: st.column_config.TextColumn(max_chars=80, help="Empty: a person decides what to say."),
                },
            )  # fmt: skip
            one, two = st.columns(2)
            one.text_area(
                "Every answer holds at least one of these, one a line", value="\n".join(held.voice.required),
                key=f"rules_required_{mark}", height=100, placeholder="Your team from Linden",
                help="A sign-off, say. Empty: no rule.",
            )  # fmt: skip
            two.number_input(
                "The most words of an answer", 0, LONGEST_ANSWER, held.voice.longest, step=10, key=f"rules_longest_{mark}",
                help="0: no limit.",
            )  # fmt: skip
        st.form_submit_button(
            "Save", type="primary", icon=":material/save:", on_click=attempt, args=(_save, visit, mark, tuple(pairs))
        )


def edited(pairs: Pairs, changes: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The table's rows once the changes that Streamlit tells of are made; cells that were cleared are empty texts."""
    rows = [dict(zip((FORBIDDEN, INSTEAD), pair, strict=True)) for pair in pairs]
    for place, cells in changes.get("edited_rows", {}).items():
        rows[int(place)].update(cells)
    gone = set(changes.get("deleted_rows", ()))
    kept = [row for place, row in enumerate(rows) if place not in gone]
    return [(str(row.get(FORBIDDEN) or ""), str(row.get(INSTEAD) or "")) for row in (*kept, *changes.get("added_rows", ()))]


def _save(visit: Visit, mark: str, pairs: Pairs) -> None:
    given = st.session_state
    with visit.writing() as session:
        setting_voice.set_text_rules(
            session=session,
            actor=visit.actor,
            project_id=visit.project_id,
            languages=given[f"rules_languages_{mark}"],
            product_words=given[f"rules_product_words_{mark}"].splitlines(),
            forbidden=edited(pairs, given.get(f"rules_forbidden_{mark}") or {}),
            required=given[f"rules_required_{mark}"].splitlines(),
            longest=int(given[f"rules_longest_{mark}"]),
        )
    tell("success", "Saved. New checks go by it; run them again on the Clean page for the records that are here.")
