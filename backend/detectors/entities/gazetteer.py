"""What is known about single words and place names: given and family names, towns, countries, streets, firms, trades.

The lists are in `data/gazetteer.txt.gz` (see `data/LICENCES.md`), read on first use. Place names of several words are found
by Aho-Corasick, in one pass over the text, however many there are.
"""

from __future__ import annotations

import functools
import gzip
from pathlib import Path

import ahocorasick

_FILE = Path(__file__).parent / "data" / "gazetteer.txt.gz"
_RANKS = ((300, "4"), (1500, "3"), (6000, "2"), (20_000, "1"))


@functools.cache
def sections() -> dict[str, list[str]]:
    """The lists by name, in lower case."""
    found: dict[str, list[str]] = {}
    for line in gzip.decompress(_FILE.read_bytes()).decode().split("\n"):
        if line.startswith("["):
            words = found.setdefault(line[1:-1], [])
        else:
            words.append(line)
    return found


@functools.cache
def _words() -> tuple[tuple[str, frozenset[str]], ...]:
    held = sections()
    return (
        ("F", frozenset(held["first"])),
        ("L", frozenset(held["last"])),
        ("T", frozenset(held["town"]) | frozenset(held["region"])),
        ("N", frozenset(held["country"])),
        ("D", frozenset(held["demonym"])),
        ("S", frozenset(held["street_word"])),
        ("O", frozenset(held["firm_word"])),
        ("H", frozenset(held["title_word"])),
        ("J", frozenset(held["trade_word"])),
        ("X", frozenset(held["foreign"])),
    )


@functools.cache
def _rank() -> dict[str, str]:
    ranks = {}
    for place, word in enumerate(sections()["common"]):
        ranks[word] = next((mark for limit, mark in _RANKS if place < limit), "1")
    return ranks


@functools.cache
def _street_ends() -> tuple[str, ...]:
    return tuple(sections()["street_end"])


@functools.lru_cache(maxsize=65_536)
def flags(word: str) -> str:
    """What lists hold the lower-cased word, one letter a list."""
    held = "".join(letter for letter, words in _words() if word in words)
    return held + "S" if "S" not in held and len(word) > 5 and word.endswith(_street_ends()) else held


def rank(word: str) -> str:
    """How common the lower-cased word is in English, from "4" (the commonest) to "0" (not known)."""
    return _rank().get(word, "0")


@functools.cache
def _places() -> ahocorasick.Automaton:
    held = sections()
    automaton = ahocorasick.Automaton()
    for letter, section in (("T", "town"), ("T", "region"), ("N", "country")):
        for name in held[section]:
            if " " in name or "-" in name:
                automaton.add_word(name, (len(name), letter))
    automaton.make_automaton()
    return automaton


def places(lowered: str) -> list[tuple[int, int, str]]:
    """Place names of several words in a lower-cased text, the longest of those that overlap: start, end, "T" or "N"."""
    found: list[tuple[int, int, str]] = []
    for last, (length, letter) in _places().iter(lowered):
        start, end = last + 1 - length, last + 1
        if (start and lowered[start - 1].isalnum()) or (end < len(lowered) and lowered[end].isalnum()):
            continue
        while found and found[-1][0] >= start:
            found.pop()
        if not found or found[-1][1] <= start:
            found.append((start, end, letter))
    return found
