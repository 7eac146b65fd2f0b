"""Links out of Streamlit to the login pages, in the same tab (Streamlit's own link buttons open another)."""

from __future__ import annotations

import streamlit as st

_LINK = """<a href="{path}" target="_self" style="display:inline-block;padding:.35rem .9rem;border:1px solid currentColor;\
border-radius:.55rem;color:inherit;text-decoration:none;font-weight:600">{text}</a>"""


def way_in() -> None:
    """To the login."""
    st.html(_LINK.format(path="/login", text="Sign in"))


def way_out() -> None:
    """To the page that ends the session."""
    st.html(_LINK.format(path="/logout", text="Sign out"))
