"""Two texts of one thing: the one that was saved meanwhile, and the one that came too late."""

from __future__ import annotations

import streamlit as st

from pages.components.worddiff import show_diff


def show_collision(theirs: str, yours: str, *, key: str) -> None:
    """Both texts and their difference, with a word on what to do."""
    st.warning(
        "Somebody saved this text while you were editing it. Yours is not lost: compare the two, then keep theirs, "
        "or take yours over to the newest text and save it there.",
        icon=":material/call_split:",
    )
    st.markdown("**What differs**")
    show_diff(theirs, yours, key=f"{key}-collision", before_name="only in theirs", after_name="only in yours")
    left, right = st.columns(2)
    with left, st.container(border=True):
        st.markdown("**Theirs** (saved)")
        st.text(theirs)
    with right, st.container(border=True):
        st.markdown("**Yours** (not saved)")
        st.text(yours)
