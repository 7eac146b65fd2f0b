"""A cheap look before a costly pattern: whether a text holds any of the words without which the pattern finds nothing. Pure.

Promised: a text in which a pattern that ignores case matches one of the signs, as `re` sees case, holds that sign.
"""

from __future__ import annotations

from collections.abc import Iterable

_I_TWICE = {0x130: "i", 0x131: "i"}
"""Letters that `re` takes for an i and `casefold` does not."""


def evened(text: str) -> str:
    """The text as signs are looked for in it."""
    return text.lower() if text.isascii() else text.translate(_I_TWICE).casefold()


def holds_any(plain: str, signs: Iterable[str]) -> bool:
    """Whether one of the signs, in lower case, stands in a text that was evened."""
    for sign in signs:  # noqa: SIM110 - `any` takes half as long again, and this is asked a dozen times of every text
        if sign in plain:
            return True
    return False
