"""The sentiment of the customer's turns as a slice: negative, neutral or positive, by VADER. Pure; loaded at the first use.

VADER (Hutto and Gilbert 2014) adds up a lexicon of words made for social media, with rules for negations, capitals and
exclamation marks; its compound score from .05 on is positive, from -.05 down negative. It knows English alone, so texts that
are not surely English get no slice, and neither do texts that are too short for their language to be told.

Not promised: irony, and complaints in calm words ("my order has not arrived" is neutral). It never says that a record is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence

from backend.conversations import Message
from backend.detectors.checks import Context, Seen
from backend.detectors.language import guess_all, language_of, spoken
from backend.detectors.mood import compound
from backend.vocabulary import DETECTED, FindingKind

VERSION = "1"
KINDS: frozenset[FindingKind] = frozenset()
SLICE = DETECTED + "sentiment"
SLICES = frozenset({SLICE})
NEGATIVE, NEUTRAL, POSITIVE = "negative", "neutral", "positive"
BOUND = 0.05
_SURE_ENOUGH = 0.6
"""A wrong slice costs less than a wrong finding, and short complaints are what this is for."""


def sentiment_of(text: str) -> str:
    """What an English text sounds like."""
    score = compound(text)
    return POSITIVE if score >= BOUND else NEGATIVE if score <= -BOUND else NEUTRAL


def look(batch: Sequence[Sequence[Message]], context: Context) -> list[Seen]:
    """As `backend.detectors.checks` asks for it: a slice for conversations in English, nothing for others."""
    said = [spoken(messages) for messages in batch]
    guess_all(said)
    return [_seen(text) for text in said]


def _seen(said: str) -> Seen:
    if language_of(said, sure=_SURE_ENOUGH) != "en":
        return Seen()
    return Seen(slices=((SLICE, sentiment_of(said)),))
