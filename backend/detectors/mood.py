"""How a text sounds, from −1 (bad) to 1 (good): the compound score of VADER's word list. Pure; loaded at the first use.

It knows English words, emphasis and negation nearby. Not promised: irony, other languages (most of their words count as
nothing), or that a polite complaint sounds bad.
"""

from __future__ import annotations

import functools
import string
from typing import Any, NamedTuple

NAME, VERSION = "vaderSentiment", "3.3.2"
LONGEST = 2000
"""Characters that are read; the word list takes time for every one."""


_EMOTICON = 2
"""Signs, marks at the ends not counted, up to which a word may be an emoticon."""
_BEFORE, _AFTER = 3, 3
"""Words on either side of one of the list's that have a say in how it sounds, itself counted in `_AFTER`."""


class _Near(NamedTuple):
    """Some of a text's words, as the analyser reads them."""

    words_and_emoticons: list[str]
    is_cap_diff: bool


@functools.cache
def _analyser() -> Any:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    return SentimentIntensityAnalyzer()


@functools.cache
def _boosters() -> Any:
    from vaderSentiment.vaderSentiment import BOOSTER_DICT

    return BOOSTER_DICT


def compound(text: str) -> float:
    """The score of one text."""
    text = text[:LONGEST]
    return float(_analyser().polarity_scores(text)["compound"]) if not text.isascii() else _of_plain(text)


def _of_plain(text: str) -> float:
    """What `polarity_scores` gives for a text without emoji, worked out only around the words that are on the list: the
    analyser asks each word of a text about all of its neighbours, and most words are on no list.
    """
    read = [_read(token) for token in text.split()]
    held = [place for place, word in enumerate(read) if word.counts]
    if not held:
        return 0.0
    words = [word.said for word in read]
    capitals = sum(map(str.isupper, words))
    has_both_cases = 0 < capitals < len(words)
    sentiments: list[float] = [0] * len(words)
    for place in held:
        if read[place].lowered == "kind" and place + 1 < len(read) and read[place + 1].lowered == "of":
            continue
        begin = max(0, place - _BEFORE)
        sentiments[place] = _valence(tuple(words[begin : place + _AFTER]), place - begin, has_both_cases)
    if any(word.lowered == "but" for word in read):
        sentiments = _analyser()._but_check(words, sentiments)
    return float(_analyser().score_valence(sentiments, text.strip())["compound"])


class _Word(NamedTuple):
    said: str
    """Without marks at its ends, unless it is all but marks and so may be an emoticon."""
    lowered: str
    counts: bool
    """Whether it is on the list, and not there to strengthen or weaken others."""


@functools.lru_cache(maxsize=65_536)
def _read(token: str) -> _Word:
    plain = token.strip(string.punctuation)
    said = token if len(plain) <= _EMOTICON else plain
    lowered = said.lower()
    return _Word(said, lowered, lowered in _analyser().lexicon and lowered not in _boosters())


@functools.lru_cache(maxsize=65_536)
def _valence(words: tuple[str, ...], place: int, has_both_cases: bool) -> float:
    """How the word at this place sounds among its neighbours."""
    return float(_analyser().sentiment_valence(0, _Near(list(words), has_both_cases), words[place], place, [])[0])
