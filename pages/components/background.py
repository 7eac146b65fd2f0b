"""Work that takes longer than a click: it runs in a thread of the web process, and the page looks how far it is.

The thread never touches Streamlit: it fills a plain object that the session holds. Leaving the page, or closing the
browser, changes nothing for the work; stopping the web process ends it, and what it did in its transaction is undone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from backend.errors import TouchstoneError
from pages.components.notices import plain, unknown

POLL_SECONDS = 0.5


@dataclass
class Work:
    """How far something is. Exactly one of `result` and `error` is set once `finished`."""

    what: str
    share: float = 0.0
    words: str = "Starting"
    result: Any = None
    error: str = ""
    finished: bool = False
    seen: bool = False
    """Whether the page has drawn the end."""

    def tell(self, share: float, words: str) -> None:
        """Called by the work."""
        self.share, self.words = share, words


def begin(key: str, what: str, call: Callable[[Callable[[float, str], None]], Any]) -> bool:
    """Start `call` unless earlier work under this key still goes on; returns whether it was started."""
    running = st.session_state.get(key)
    if running is not None and not running.finished:
        return False
    work = Work(what)
    st.session_state[key] = work
    threading.Thread(target=_run, args=(work, call), name=f"work {key}", daemon=True).start()
    return True


def _run(work: Work, call: Callable[[Callable[[float, str], None]], Any]) -> None:
    try:
        work.result = call(work.tell)
    except TouchstoneError as error:
        work.error = error.message
    except Exception as error:  # noqa: BLE001 - the boundary of the thread: the page shows a notice with an id
        work.error = unknown(error)
    finally:
        work.finished = True


def show_progress(key: str) -> Work | None:
    """Draw a bar while the work goes on; afterwards return it, and its error, if it has one, is drawn."""
    work: Work | None = st.session_state.get(key)
    if work is None:
        return None
    if not work.finished:
        _bar(key)
        return None
    if work.error:
        st.error(plain(work.error), icon=":material/error:")
    return work


@st.fragment(run_every=POLL_SECONDS)
def _bar(key: str) -> None:
    work: Work | None = st.session_state.get(key)
    if work is None or work.finished:
        st.rerun()
        return
    st.progress(min(1.0, work.share), text=plain(f"{work.what}: {work.words}"))


def forget(key: str) -> None:
    """Forget finished work."""
    work: Work | None = st.session_state.get(key)
    if work is not None and work.finished:
        del st.session_state[key]
