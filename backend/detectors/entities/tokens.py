"""Words, numbers, marks and line breaks of a text, with their places. Pure.

A token is a run of letters and digits (with the end of "isn't" or "we'll"), one other mark,
or white space that holds a line break; other white space is none.
"""

from __future__ import annotations

import re
import string
from typing import NamedTuple

_TOKEN = re.compile(r"[^\W_]+(?:['’](?:t|re|ve|ll|d|m|mon|all|clock)\b)?|[^\w\s]|_+|[^\S\n]*\n\s*", re.IGNORECASE)

_CAPITALS, _SMALL = string.ascii_uppercase.encode(), string.ascii_lowercase.encode()


class Tokens(NamedTuple):
    """The tokens of one text, as parallel lists."""

    words: list[str]
    starts: list[int]
    ends: list[int]


def words_of(text: str) -> list[str]:
    """The tokens alone."""
    words: list[str] = _TOKEN.findall(text)
    return [_breaks(word) if "\n" in word else word for word in words] if "\n" in text else words


def _breaks(word: str) -> str:
    return "\n\n" if word.count("\n") > 1 else "\n"


def tokenise(text: str) -> Tokens:
    """Cut a text into tokens; a line break becomes the word "\\n", several of them "\\n\\n"."""
    words, starts, ends = [], [], []
    for match in _TOKEN.finditer(text):
        word = match[0]
        if "\n" in word:
            word = _breaks(word)
        words.append(word)
        starts.append(match.start())
        ends.append(match.end())
    return Tokens(words, starts, ends)


def is_caseless(text: str) -> bool:
    """Whether capitals say nothing in this text: there are none, or (nearly) nothing else."""
    if text.isascii():
        signs = text.encode()
        capitals = len(signs) - len(signs.translate(None, _CAPITALS))
        return capitals == 0 or capitals > 0.7 * (capitals + len(signs) - len(signs.translate(None, _SMALL)))
    capitals = sum(map(str.isupper, text))
    return capitals == 0 or capitals > 0.7 * sum(map(str.isalpha, text))
