"""The gate's checks as a list to read, live or as they stood when a decision was made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import streamlit as st

from pages.components.notices import plain

_SIGNS = {
    "passed": (":green[:material/check_circle:]", "passed"),
    "failed": (":red[:material/cancel:]", "failed"),
    "not_enough": (":orange[:material/hourglass_empty:]", "not enough evidence"),
    "nothing_to_check": (":gray[:material/remove_circle:]", "nothing to check"),
}
_VERDICTS = {
    "passed": (st.success, ":material/check_circle:", "The gate is passed."),
    "failed": (st.error, ":material/cancel:", "The gate is not passed: a check failed."),
    "not_enough": (
        st.warning,
        ":material/hourglass_empty:",
        "The gate is not passed yet: there is not enough evidence. That says nothing against the candidate.",
    ),
}


def show_verdict(verdict: str, more: str = "") -> None:
    """The outcome over all checks in a sentence."""
    draw, icon, sentence = _VERDICTS[verdict]
    draw(plain(f"{sentence} {more}".strip()), icon=icon)


def show_checks(checks: Iterable[Mapping[str, Any]]) -> None:
    """One line a check: sign and word, what was asked, what was measured, what follows."""
    with st.container(border=True, gap="small"):
        for check in checks:
            sign, word = _SIGNS[str(check["outcome"])]
            left, right = st.columns([2, 3])
            left.markdown(f"{sign} **{plain(check['title'])}** ({word})  \nNeeded: {plain(check['needed'])}")
            right.markdown(f"{plain(check['measured'])}  \n{plain(check['sentence'])}")
