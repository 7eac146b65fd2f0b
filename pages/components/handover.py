"""Something that is shown once, for the one who asked, to copy: a one-time link, a fresh token."""

from __future__ import annotations

import streamlit as st

_KEY = "handover"


def hand_over(what: str, secret: str) -> None:
    """Keep `secret` in this browser session until it is put away; for callbacks. `what` is our own words."""
    st.session_state[_KEY] = (what, secret)


def show_handover() -> None:
    """Draw what there is to copy, with a button that puts it away."""
    if _KEY not in st.session_state:
        return
    what, secret = st.session_state[_KEY]
    with st.container(border=True):
        st.text(what)
        st.code(secret, language=None, wrap_lines=True)
        st.button("I have copied it", icon=":material/done:", on_click=_put_away, key="handover_done")


def _put_away() -> None:
    st.session_state.pop(_KEY, None)
