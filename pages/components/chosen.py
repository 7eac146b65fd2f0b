"""The thing that somebody chose in a table, kept in the page's address, so that it can be sent to somebody."""

from __future__ import annotations

import streamlit as st


def keep_chosen(name: str, table: str, shown: str) -> None:
    """For a callback: put the chosen row's id into the address as `name`; `shown` is the state key of the ids listed."""
    rows = st.session_state[table].selection.rows
    ids = st.session_state.get(shown, [])
    if rows and rows[0] < len(ids):
        st.query_params[name] = str(ids[rows[0]])
    else:
        st.query_params.pop(name, None)


def chosen(name: str) -> int | None:
    """The id that the address names, or None where it names none or something else."""
    asked = st.query_params.get(name, "")
    return int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 10 else None
