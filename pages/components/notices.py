"""How outcomes are told. Known errors show their message; anything else shows an id, and the log has the trace under it.

`attempt` wraps a use-case call inside a callback: it makes no `st.*` call itself, but leaves a notice in session state,
which `show_notices` draws at the top of the next run.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

import streamlit as st
import structlog

from backend.errors import TouchstoneError

P = ParamSpec("P")
T = TypeVar("T")
log = structlog.get_logger("pages")
_KEY = "notices"
_DRAW = {
    "success": (st.success, ":material/check_circle:"),
    "error": (st.error, ":material/error:"),
    "info": (st.info, ":material/info:"),
}


_ACTIVE = frozenset(r"\`*_{}[]()<>#+-.!|$~:=&@")


def plain(text: str) -> str:
    """`text` for places that read Markdown (labels, notices): every sign that Markdown or Streamlit acts on is escaped."""
    lines = ("".join("\\" + sign if sign in _ACTIVE else sign for sign in line.strip()) for line in text.splitlines())
    return "  \n".join(lines)


def counted(count: int, noun: str) -> str:
    """ "1 record", "2,000 records"."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def tell(kind: str, text: str) -> None:
    """Leave a notice ("success", "error" or "info") for the next run. `text` is shown as it is, never as Markdown."""
    st.session_state.setdefault(_KEY, []).append((kind, text))


def show_notices() -> None:
    """Draw and forget what was left.

    Their container is there in every run: were it not, a notice that goes would move all that stands below it, and with
    that close the popovers and expanders that somebody has open, and go back to the first tab.
    """
    with st.container():
        for kind, text in st.session_state.pop(_KEY, []):
            draw, icon = _DRAW[kind]
            draw(plain(text), icon=icon)


def attempt(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
    """Call a use-case; on an error leave a notice and return None."""
    try:
        return call(*args, **kwargs)
    except TouchstoneError as error:
        tell("error", error.message)
    except Exception as error:  # noqa: BLE001 - the boundary where unknown errors become a notice with an id
        tell("error", unknown(error))
    return None


@contextmanager
def guarded() -> Iterator[None]:
    """Around a part of a page's body: an error becomes a notice in place, and the rest of the page still draws."""
    try:
        yield
    except TouchstoneError as error:
        st.error(plain(error.message), icon=":material/error:")
    except Exception as error:
        if type(error).__module__.startswith("streamlit"):  # st.stop and st.rerun are control flow
            raise
        st.error(plain(unknown(error)), icon=":material/error:")


def unknown(error: BaseException) -> str:
    """Log the trace under a fresh id and return the sentence for the person."""
    number = secrets.token_hex(4)
    log.error("unexpected_error", error_id=number, exc_info=error)
    return f"Something went wrong here, and nothing was half saved. If it happens again, tell an admin this id: {number}."


def on_script_error(error: Exception) -> Any:
    """For st.App: draw the notice instead of the trace."""
    st.error(plain(unknown(error)), icon=":material/error:")
    return True
