"""A task's guidelines: Markdown that a lead wrote, shown so that nothing in it is fetched or run.

Promised: no image is loaded, from wherever it may be; HTML stays text (Streamlit's own rule). Links stay links: they lead
somewhere only when they are pressed.
"""

from __future__ import annotations

import streamlit as st

BREAK = "\u200b"
"""Between the two signs that begin an image: nobody sees it, and Markdown sees a link."""


def without_images(text: str) -> str:
    """The same Markdown with each image as a link."""
    return text.replace("![", f"!{BREAK}[")


def show_guidelines(text: str) -> None:
    """Draw the guidelines."""
    st.markdown(without_images(text))
