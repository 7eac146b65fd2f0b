"""Figures that are built once and shown often: the same figure of the same numbers is kept as JSON, in this process.

Building a figure takes Plotly ten times as long as sending it, and a page is drawn anew at every click of everybody.
Promised: what is shown is what would be built, because a figure is kept by the name of its builder and by everything that
was given to it. Not promised: that a figure can be changed after it was built; whoever wants another one builds it.
"""

from __future__ import annotations

import hashlib
import json
import pickle
import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import cache, wraps
from typing import Any, ParamSpec

MOST = 300
"""How many figures are kept, of some ten kilobytes each; those that nobody looked at for longest go first."""
_kept: OrderedDict[bytes, str] = OrderedDict()
_lock = threading.Lock()
Given = ParamSpec("Given")


def drawn(build: Callable[Given, Any]) -> Callable[Given, Any]:
    """Around a function that makes a Plotly figure of DataFrames and plain values."""

    @wraps(build)
    def found(*args: Given.args, **kwargs: Given.kwargs) -> Any:
        given = (build.__module__, build.__qualname__, args, sorted(kwargs.items()))
        key = hashlib.blake2b(pickle.dumps(given), digest_size=16).digest()
        with _lock:
            text = _kept.get(key)
            if text is not None:
                _kept.move_to_end(key)
        return _ready()(text if text is not None else _keep(key, build(*args, **kwargs).to_json()))

    return found


def _keep(key: bytes, text: str) -> str:
    with _lock:
        _kept[key] = text
        while len(_kept) > MOST:
            _kept.popitem(last=False)
    return text


@cache
def _ready() -> type:
    """A figure that is ready to be sent. Plotly is imported with the first one, not with the page."""
    from plotly.basedatatypes import BaseFigure

    class Ready(BaseFigure):  # type: ignore[misc]  # plotly has no types
        """What Streamlit takes for a figure: it asks for its dictionary, and builds nothing again."""

        def __init__(self, text: str) -> None:
            self._text = text

        def to_dict(self) -> Any:
            """A dictionary of the caller's own."""
            return json.loads(self._text)

    return Ready
