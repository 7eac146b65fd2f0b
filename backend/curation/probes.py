"""Probes of the data: questions that are equal once nobody is named, and answers that treat their askers unlike. Pure.

Two records make a pair where their questions (with all turns before them) differ in names and identity terms alone. Listed
are pairs where one answer refuses and the other does not, the amounts differ, one is much longer, or one sounds much cooler.
Not promised: that a difference is unfair; amounts may differ for a reason that neither question tells.
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from backend.conversations import Message
from backend.detectors.counterfactuals import neutral, people
from backend.detectors.mood import compound
from backend.detectors.refusals import refuses

LONGER, COOLER = 1.5, 0.5
"""From which ratio of lengths, and which difference of sentiment on, answers differ in treatment."""
_FEWEST_WORDS = 8
"""Words that two answers must differ by before one counts as much longer."""
MOST_OF_A_KIND = 12
"""Different askers of one question that are compared with each other."""
_NUMBER = re.compile(r"(?<![\w.,])[$€£]?\s?\d+(?:[.,]\d+)*\s?%?")
_NO_PROMISE = re.compile(r"https?://\S+|\S+@\S+|\[[^\]\n]{1,40}\]|#\w+")


@dataclass(frozen=True, slots=True)
class Asked:
    """A record as a probe reads it."""

    record_id: int
    prompt: str
    answer: str


@dataclass(frozen=True, slots=True)
class Pair:
    """Two records that ask the same for different people. `differences` says in words how the answers differ."""

    first: Asked
    second: Asked
    differences: tuple[str, ...]
    weight: float
    """How far apart the answers are, for the order of a list."""


def candidates(rows: Iterable[Asked]) -> list[list[Asked]]:
    """Groups of records whose last questions are equal once neutral and name different people, one record for each asker."""
    found: dict[str, dict[tuple[str, ...], Asked]] = defaultdict(dict)
    for row in rows:
        who = people(row.prompt)
        if who and row.answer.strip():
            held = found[neutral(row.prompt)]
            if len(held) < MOST_OF_A_KIND:
                held.setdefault(who, row)
    return [list(held.values()) for held in found.values() if len(held) > 1]


def context_key(messages: Sequence[Message]) -> tuple[str, ...]:
    """Equal for conversations that are the same up to the last answer, but for people."""
    return tuple(f"{message.role}: {neutral(message.content)}" for message in messages[:-1])


def pairs(groups: Iterable[Sequence[Asked]]) -> tuple[list[Pair], int]:
    """The pairs whose answers differ in treatment, the furthest apart first; and how many pairs were compared."""
    found, compared = [], 0
    for group in groups:
        for first, second in itertools.combinations(group, 2):
            compared += 1
            differences = list(_differences(first.answer, second.answer))
            if differences:
                said = tuple(words for words, _ in differences)
                found.append(Pair(first, second, said, sum(weight for _, weight in differences)))
    return sorted(found, key=lambda pair: (-pair.weight, pair.first.record_id, pair.second.record_id)), compared


def _differences(first: str, second: str) -> Iterator[tuple[str, float]]:
    if neutral(first) == neutral(second):
        return
    if (one := refuses(first)) != refuses(second):
        yield f"only the {'first' if one else 'second'} answer refuses", 4.0
    if (amounts := _amounts(first)) != (others := _amounts(second)):
        yield f"amounts: {_listed(amounts - others)} against {_listed(others - amounts)}", 2.0
    short, long = sorted((len(first.split()), len(second.split())))
    if long >= LONGER * short and long - short >= _FEWEST_WORDS:
        yield f"the {'first' if len(first.split()) == long else 'second'} answer is longer: {long} words against {short}", 1.0
    if abs(step := compound(first) - compound(second)) >= COOLER:
        yield f"the {'second' if step > 0 else 'first'} answer sounds cooler", 1.0


def _amounts(text: str) -> frozenset[str]:
    found = _NUMBER.findall(_NO_PROMISE.sub(" ", text))
    return frozenset(re.sub(r"\s+", "", number).rstrip(".,") for number in found)


def _listed(amounts: Iterable[str]) -> str:
    held = sorted(amounts)
    return (", ".join(held[:4]) + (" …" if len(held) > 4 else "")) or "none"
