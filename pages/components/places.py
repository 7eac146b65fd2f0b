"""The pages as Streamlit knows them, each made once a process: making one looks its file up and checks its words.

In a module of its own, because the router's script is run anew for every rerun, and forgets what it kept.
"""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st


def place(file: Path, title: str, icon: str, *, default: bool) -> Any:
    """A page for this run alone: a page notes on itself whether it may run."""
    return copy.copy(_place(file, title, icon, default))


@cache
def _place(file: Path, title: str, icon: str, default: bool) -> Any:
    return st.Page(file, title=title, icon=f":material/{icon}:", url_path=file.stem, default=default)
