"""A project's own number formats, such as order numbers, in a small language that cannot run away.

`#` is a digit, `@` a letter, `#+` a run of up to 24 digits; anything else stands for itself: "ORD-######", "INV/##-#+".
What a user typed is never a regular expression: it is taken apart here, sign by sign, and every part is bounded.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator

from backend.detectors.entities.spans import Entity, Span
from backend.errors import InvalidInput

_LONGEST = 40
_MOST = 50


def checked(pattern: str) -> str:
    """The pattern, trimmed. Raises InvalidInput for one that is too long, or so open that it would match nearly anything."""
    pattern = pattern.strip()
    if not 0 < len(pattern) <= _LONGEST or "\n" in pattern:
        raise InvalidInput(f"A number pattern has 1 to {_LONGEST} signs on one line.")
    if pattern.count("#") + pattern.count("@") == 0:
        raise InvalidInput(f"{pattern!r} has no place for a digit: write # for a digit, @ for a letter, as in ORD-######.")
    if "#" not in pattern:
        raise InvalidInput(f"{pattern!r} would match words: a number pattern has at least one #.")
    if pattern.count("#") < 4 and not any(sign.isalnum() for sign in pattern):
        raise InvalidInput(f"{pattern!r} would match prices and dates: use at least four #, or letters that stand before them.")
    if "#+#" in pattern or pattern.count("#+") > 2:
        raise InvalidInput(f"{pattern!r}: #+ already stands for all digits that follow each other; use it at most twice.")
    return pattern


@functools.lru_cache(maxsize=64)
def _compiled(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(rf"(?<!\w){_as_expression(pattern)}(?!\w)" for pattern in patterns), re.IGNORECASE)


def _as_expression(pattern: str) -> str:
    pieces = []
    for piece in re.findall(r"#\+|.", pattern):
        pieces.append({"#+": r"\d{1,24}+", "#": r"\d", "@": r"[^\W\d_]"}.get(piece) or re.escape(piece))
    return "".join(pieces)


def find(text: str, patterns: Iterable[str]) -> Iterator[Span]:
    """Numbers in the project's own formats."""
    wanted = tuple(patterns)[:_MOST]
    if wanted:
        for match in _compiled(wanted).finditer(text):
            yield Span(match.start(), match.end(), Entity.ORDER_NUMBER, 1.0)
