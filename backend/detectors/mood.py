"""How a text sounds, from −1 (bad) to 1 (good): the compound score of VADER's word list. Pure; loaded at the first use.

It knows English words, emphasis and negation nearby. Not promised: irony, other languages (most of their words count as
nothing), or that a polite complaint sounds bad.
"""

from __future__ import annotations

import functools
from typing import Any

NAME, VERSION = "vaderSentiment", "3.3.2"
LONGEST = 2000
"""Characters that are read; the word list takes time for every one."""


@functools.cache
def _analyser() -> Any:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    return SentimentIntensityAnalyzer()


def compound(text: str) -> float:
    """The score of one text."""
    return float(_analyser().polarity_scores(text[:LONGEST])["compound"])
