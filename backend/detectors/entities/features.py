"""What the tagger looks at in a word and its neighbours. Pure; the same in training and in use.

A word is described once (`describe`); the features of a place in the text come from the descriptions of the words around
it. Names are never features themselves, only frequent context words are: what was learnt must hold for other names.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from backend.detectors.entities import gazetteer

_APOSTROPHES = ("'", "’")
_MARKS = set(",.:;-'’\"()/#@&?!|<>=+")
CONTEXT_WORDS = 8000
"""How many of the commonest words may be features."""


@dataclass(frozen=True, slots=True, eq=False)
class Word:
    """A word as the tagger sees it. Compared by identity, which is fast: `describe` makes equal words once."""

    shape: str
    fine: str
    """Shape with every list that the word is in."""
    coarse: str
    """Shape with the few facts that matter most, for use in combinations."""
    name: str
    """The lower-cased word where it may be a feature, else empty."""
    features: tuple[str, ...]


NOTHING = Word("^", "^", "^", "^", ())
"""Before the first and after the last word."""


@functools.cache
def context_words() -> frozenset[str]:
    """The words that may be features, whatever the text."""
    return frozenset(gazetteer.sections()["common"][:CONTEXT_WORDS]) | frozenset(gazetteer.sections()["context"])


def shape(word: str, caseless: bool) -> str:
    """Digits by number, marks as themselves, words by their capitals."""
    if word[0] == "\n":
        return "nl" if len(word) == 1 else "nl2"
    if word.isdigit():
        return f"d{min(len(word), 6)}"
    if not word[0].isalnum():
        return word[0] if word[0] in _MARKS else "p"
    if not word.isalpha():
        return "'t" if word[-2:-1] in _APOSTROPHES or word[-3:-2] in _APOSTROPHES else "x"
    if max(word) >= "\u0370" and not "\u1e00" <= max(word) <= "\u1eff":
        return "n" if caseless or word.islower() else "N"
    if caseless:
        return "w1" if len(word) == 1 else "w"
    if word.islower():
        return "l"
    if word.isupper():
        return "I" if len(word) == 1 else "U"
    return "C" if word[0].isupper() and word[1:].islower() else "M"


@functools.lru_cache(maxsize=100_000)
def describe(word: str, caseless: bool, place: str = "", hidden: bool = False) -> Word:
    """The description of a word. `place` says whether it is part of a known place name; `hidden`: as if in no list."""
    form = shape(word, caseless)
    if not word[0].isalpha() or form == "'t":
        return Word(form, form, form, form, (f"s:{form}",))
    lower = word.lower()
    flags = "" if hidden else gazetteer.flags(lower) + place
    rank = gazetteer.rank(lower)
    named = ("n" if "F" in flags or "L" in flags else "") + ("t" if "T" in flags or "N" in flags else "")
    coarse = form + named + ("x" if "X" in flags else "") + ("s" if "S" in flags else "") + rank
    name = lower if lower in context_words() else ""
    features = [f"s:{form}", f"k:{form}{flags}{rank}", f"r:{form}{rank}", f"n:{min(len(word), 12)}{form}"]
    features += [f"f:{flag}{form}{rank}" for flag in flags]
    if name:
        features.append(f"w:{name}")
    if rank in "01":
        features += [f"e3:{lower[-3:]}", f"e2:{lower[-2:]}", f"a2:{lower[:2]}"]
        if len(lower) > 5:
            features += [f"e4:{lower[-4:]}", f"a3:{lower[:3]}"]
    return Word(form, form + flags + rank, coarse, name, tuple(features))


def before(previous: Word, word: Word) -> tuple[str, ...]:
    """Features of a word that come from the one before it."""
    found = [f"-k:{previous.coarse}", f"-kk:{previous.coarse}|{word.coarse}", f"-ff:{previous.fine}|{word.shape}"]
    if previous.name:
        found += [f"-w:{previous.name}", f"-wk:{previous.name}|{word.coarse}"]
    return tuple(found)


def after(word: Word, following: Word) -> tuple[str, ...]:
    """Features of a word that come from the one after it."""
    found = [f"+k:{following.coarse}", f"+kk:{word.coarse}|{following.coarse}", f"+ff:{word.shape}|{following.fine}"]
    if following.name:
        found += [f"+w:{following.name}", f"+wk:{word.coarse}|{following.name}"]
    return tuple(found)


def far_before(second: Word, first: Word, word: Word) -> tuple[str, ...]:
    """Features of a word from the two before it, the farther one first."""
    found = [f"=k:{second.coarse}|{first.coarse}|{word.shape}"]
    if second.name:
        found.append(f"=w:{second.name}|{word.shape}")
        if first.name:
            found.append(f"=ww:{second.name}|{first.name}|{word.shape}")
    return tuple(found)


def far_after(word: Word, first: Word, second: Word) -> tuple[str, ...]:
    """Features of a word from the two after it."""
    found = [f"*k:{word.shape}|{first.coarse}|{second.coarse}"]
    if second.name:
        found.append(f"*w:{word.shape}|{second.name}")
        if first.name:
            found.append(f"*ww:{word.shape}|{first.name}|{second.name}")
    return tuple(found)


def place_marks(text: str, starts: list[int]) -> list[str]:
    """For each token whether it is part of a known place name of several words."""
    found = gazetteer.places(text.lower())
    marks = [""] * len(starts)
    index = 0
    for start, end, letter in found:
        while index < len(starts) and starts[index] < start:
            index += 1
        while index < len(starts) and starts[index] < end:
            marks[index] = "2" + letter
            index += 1
    return marks


def of_sequence(words: list[Word]) -> list[list[str]]:
    """Every feature of every word, for training."""
    padded = [NOTHING, NOTHING, *words, NOTHING, NOTHING]
    return [
        [
            *word.features,
            *before(padded[i + 1], word),
            *after(word, padded[i + 3]),
            *far_before(padded[i], padded[i + 1], word),
            *far_after(word, padded[i + 3], padded[i + 4]),
        ]
        for i, word in enumerate(words)
    ]
