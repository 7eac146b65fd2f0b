"""Links from one page to the next step, drawn only where the visitor may go there."""

from __future__ import annotations

import streamlit as st
from streamlit.errors import StreamlitAPIException


def link_to(page: str, text: str, *, icon: str = "arrow_forward") -> None:
    """A link to `pages/<page>.py`; nothing where the page is not among this visitor's."""
    try:
        st.page_link(f"{page}.py", label=text, icon=f":material/{icon}:")
    except StreamlitAPIException:  # not registered: the role does not open it, or the page runs alone in a test
        return
