"""What was said of texts of late is not worked out again, because answers repeat: of a support team's every fourth was given
before. For pure functions alone. Not promised: that long texts are remembered; they take too much memory.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

LONGEST, MOST = 1000, 8192
"""Characters of a text that is remembered, and texts."""

More = ParamSpec("More")
Said = TypeVar("Said")


def of_late(function: Callable[Concatenate[str, More], Said]) -> Callable[Concatenate[str, More], Said]:
    """The same function of a text and a few plain values, which remembers what it gave."""
    held = functools.lru_cache(maxsize=MOST)(function)

    @functools.wraps(function)
    def asked(text: str, *more: More.args, **named: More.kwargs) -> Said:
        if len(text) > LONGEST:
            return function(text, *more, **named)
        return held(text, *more, **named)  # type: ignore[arg-type]  # these are plain values

    return asked
