"""A box to try the brand voice on an answer, before any record is checked by it."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from backend.curation.rule_queries import try_voice

_EXAMPLE = "No problem, that sofa is really cheap!"


def show_trial(held: Any) -> None:
    """What the saved rules find in what is typed, and what would become of it."""
    with st.container(border=True):
        st.subheader("Try it")
        answer = st.text_area(
            "An answer", key="rules_try", height=100, placeholder=_EXAMPLE, max_chars=5000,
            help="The rules as they were saved last look at it. Nothing is kept.",
        )  # fmt: skip
        if not answer.strip():
            st.text("Type an answer, and press Ctrl+Enter to see what the saved brand voice finds in it.")
            return
        found, better = try_voice(held, answer)
        if not found:
            st.success("The brand voice finds nothing in this answer.", icon=":material/check_circle:")
            return
        rows = [{"Found": answer[one.start : one.end], "Why": one.why, "Becomes": _becomes(one.proposal)} for one in found]
        st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch")
        if better != answer:
            st.text("With all proposals accepted:")
            st.code(better, language=None, wrap_lines=True)


def _becomes(proposal: str | None) -> str:
    return "A person decides" if proposal is None else proposal
