"""One label for each record, by which mitigations tell records apart: a slice of the data, or what became of the answer. Pure.

A label is written as text: "slice:channel" is the value of that slice, "mentions:gender" whom the question mentions,
"answer:refuses", "answer:length" (shorter or longer than the median) and "answer:sentiment" are about the answer.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from backend.curation.observed import Row
from backend.detectors.identity import mentioned
from backend.detectors.identity_words import GROUPS
from backend.detectors.refusals import refuses
from backend.detectors.sentiment import sentiment_of
from backend.errors import InvalidInput

SLICE, OF_PEOPLE = "slice:", "mentions:"
REFUSES, LENGTH, SENTIMENT = "answer:refuses", "answer:length", "answer:sentiment"
NO_VALUE = "(none)"
"""The label of a record that does not have the slice."""


@dataclass(frozen=True, slots=True)
class Label:
    """A way to label records, and what it is called."""

    key: str
    title: str


def of_people() -> list[Label]:
    """Labels by whom the question mentions."""
    return [Label(OF_PEOPLE + group, f"{group} (mentioned in the question)") for group in GROUPS]


def of_answers() -> list[Label]:
    """Labels by what became of the answer."""
    return [
        Label(REFUSES, "Whether the answer refuses"),
        Label(LENGTH, "Whether the answer is short or long"),
        Label(SENTIMENT, "How the answer sounds"),
    ]


def labelled(key: str, rows: Sequence[Row]) -> list[str]:
    """The label of each row. Raises InvalidInput for a key that is none."""
    if key.startswith(SLICE) and len(key) > len(SLICE):
        name = key.removeprefix(SLICE)
        return [str(row.slices.get(name) or NO_VALUE) for row in rows]
    if key.startswith(OF_PEOPLE) and key.removeprefix(OF_PEOPLE) in GROUPS:
        return [mentioned(row.prompt, key.removeprefix(OF_PEOPLE)) for row in rows]
    if key == REFUSES:
        return ["refuses" if refuses(row.answer) else "answers" for row in rows]
    if key == LENGTH:
        words = [len(row.answer.split()) for row in rows]
        middle = statistics.median(words) if words else 0
        return [f"more than {middle:g} words" if count > middle else f"up to {middle:g} words" for count in words]
    if key == SENTIMENT:
        return [sentiment_of(row.answer) for row in rows]
    raise InvalidInput("Choose by what the records are told apart.")
