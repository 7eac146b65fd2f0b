"""Links from one page to the next step, drawn only where the visitor may go there."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st
from streamlit.errors import StreamlitAPIException


def link_to(page: str, text: str, *, icon: str = "arrow_forward", address: Mapping[str, str] | None = None) -> None:
    """A link to `pages/<page>.py`; nothing where the page is not among this visitor's. `address` is what it asks for there."""
    try:
        st.page_link(f"{page}.py", label=text, icon=f":material/{icon}:", query_params=dict(address or {}) or None)
    except StreamlitAPIException:  # not registered: the role does not open it, or the page runs alone in a test
        return
