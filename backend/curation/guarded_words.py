"""What a variation of a text must leave as it is: numbers, masks, addresses, names and what stands in quotes. Pure.

Names are taken to be words with a capital inside a sentence; not promised: that lower-case names are known. The variations
touch only words that they know, so those stay as well.
"""

from __future__ import annotations

import re
from collections import Counter

from backend.detectors.duplicates import similarity

_KEEP = re.compile(
    r"""\[[A-Z][A-Z ]*\]                      # masks: [NAME], [BIRTH DATE]
    | \{\{.*?\}\} | \{[^{}]*\}                # placeholders
    | https?://\S+ | www\.\S+                 # addresses
    | \S+@\S+
    | "[^"\n]*" | “[^”\n]*”                   # quotations
    | \S*\d\S*                                # whatever holds a digit
    | (?<=[^\s.!?:])[ ](?!I\b)[A-Z][\w'-]*    # a capital inside a sentence
    """,
    re.VERBOSE,
)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_MASK = re.compile(r"\[[A-Z][A-Z ]*\]")
_NOT = re.compile(r"(?i)\b(?:not|no|never|without|cannot|cant|nothing|none|nobody|neither|nor)\b|n['’]t\b")


def spans(text: str) -> list[tuple[int, int]]:
    """Where the text may not be touched, in order."""
    return [match.span() for match in _KEEP.finditer(text)]


def is_free(kept: list[tuple[int, int]], start: int, end: int) -> bool:
    """Whether a stretch touches none of the spans."""
    return all(end <= first or last <= start for first, last in kept)


def keeps_facts(before: str, after: str) -> bool:
    """Whether `after` holds the same numbers and masks, and denies as often or as little as `before`."""
    return (
        Counter(_NUMBER.findall(before)) == Counter(_NUMBER.findall(after))
        and Counter(_MASK.findall(before)) == Counter(_MASK.findall(after))
        and bool(_NOT.search(before)) == bool(_NOT.search(after))
    )


def is_rewording(before: str, after: str, *, least: float = 0.08, most: float = 0.95) -> bool:
    """Whether `after` can pass for `before` in other words: not nearly the same, not about something else, of like length."""
    words = len(before.split()), len(after.split())
    return (
        "\n" not in after.strip()
        and similarity(before, after) <= most
        and least <= similarity(_MASK.sub("", _NUMBER.sub("", before)), _MASK.sub("", _NUMBER.sub("", after)))
        and 0.4 <= (words[1] + 1) / (words[0] + 1) <= 2.5
        and keeps_facts(before, after)
    )
