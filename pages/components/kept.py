"""What was typed and chosen in a form of several steps, kept while its parts are not drawn.

Streamlit forgets a field that is left out of a run. A form's fields share a prefix; `restore` puts their values back at
the top of a run, `keep` remembers them at its end. Buttons must not have the prefix: their presses are not to be kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import streamlit as st


def restore(prefix: str) -> None:
    """Put back what was kept, before any field is drawn."""
    for key, value in _store(prefix).items():
        st.session_state.setdefault(key, value)


def keep(prefix: str) -> None:
    """Remember the fields as they are now."""
    _store(prefix).update(_present(prefix))


def values(prefix: str) -> dict[str, Any]:
    """Everything by its name without the prefix; callbacks, which run before `restore`, get the newest too."""
    return {key.removeprefix(prefix): value for key, value in {**_store(prefix), **_present(prefix)}.items()}


def forget(prefix: str) -> None:
    """Empty the form. In a callback, or before its fields are drawn."""
    for key in _present(prefix):
        del st.session_state[key]
    _store(prefix).clear()


def first(key: str, value: Any) -> str:
    """Set a field that nobody has touched; returns its key."""
    st.session_state.setdefault(key, value)
    return key


def within(key: str, options: Iterable[Any], default: Any) -> str:
    """Like `first` for a choice: what is no option any more is dropped, or becomes the default; returns the key."""
    known = list(options)
    chosen = st.session_state.get(key, default)
    if isinstance(chosen, list):
        st.session_state[key] = [one for one in chosen if one in known]
    else:
        st.session_state[key] = chosen if chosen in known else default
    return key


def _store(prefix: str) -> dict[str, Any]:
    kept: dict[str, Any] = st.session_state.setdefault(f"kept {prefix}", {})
    return kept


def _present(prefix: str) -> dict[str, Any]:
    return {str(key): value for key, value in st.session_state.items() if str(key).startswith(prefix)}
