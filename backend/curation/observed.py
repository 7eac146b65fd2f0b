"""What is observed about each record for an audit of the data: how it can be cut, and what is measured. Pure.

A cut is a key (a metadata column, something detected, or a group of people that the question mentions) with the records of
each of its values; a record may have several values of "mentions". A measure is a number for each record, NaN where it has
none. Not promised: keys with more than `MOST_VALUES` values, or hardly two records to a value; they name things rather than
groups, and are listed apart.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from backend.detectors.abuse import abusive
from backend.detectors.identity import groups
from backend.detectors.mood import compound
from backend.detectors.refusals import refuses

MENTIONS = "mentions · "
"""What the name of a cut begins with that says whom the question mentions."""
MOST_VALUES = 60
MOST_KEYS = 60
_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Row:
    """One record as the audit reads it."""

    record_id: int
    prompt: str
    answer: str
    slices: Mapping[str, str]
    verdict: bool | None
    """Approved, rejected, or not decided yet."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A number for each record. `share`: it is 1 or 0."""

    key: str
    title: str
    share: bool
    values: np.ndarray


@dataclass(frozen=True, slots=True)
class Observed:
    """All of it."""

    record_ids: np.ndarray
    cuts: Mapping[str, Mapping[str, np.ndarray]]
    """Key → value → whether each record has it."""
    measures: tuple[Measure, ...]
    left_out: tuple[str, ...]
    """Keys with too many values."""


WORDS, REFUSED, ASKED_BADLY, ANSWERED_BADLY = "words", "refused", "question_flagged", "answer_flagged"
MOOD, TONE, APPROVED = "customer_sentiment", "answer_sentiment", "approved"
TITLES = {
    WORDS: "Length of the answer (words)",
    REFUSED: "Answers that refuse or know nothing",
    ANSWERED_BADLY: "Answers flagged as abusive",
    ASKED_BADLY: "Questions flagged as abusive",
    MOOD: "Sentiment of the question (−1 to 1)",
    TONE: "Sentiment of the answer (−1 to 1)",
    APPROVED: "Approved, of those decided",
}
"""The measures, and what they are called."""
SHARES = (REFUSED, ANSWERED_BADLY, ASKED_BADLY, APPROVED)


def observe(rows: Iterable[Row], step: Callable[[int], None] = lambda done: None) -> Observed:
    """Look at every record once; `step` is told how many are done."""
    ids: list[int] = []
    values: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    found: dict[str, list[float]] = {key: [] for key in TITLES}
    for batch in _batches(rows):
        for place, row in enumerate(batch, start=len(ids)):
            for key, value in _cut_values(row):
                values[key][value].append(place)
        ids += [row.record_id for row in batch]
        for key, numbers in _measured(batch).items():
            found[key] += numbers
        step(len(ids))
    kept, left_out = _usable(values, len(ids))
    measures = (Measure(key, TITLES[key], key in SHARES, np.array(found[key], dtype=float)) for key in TITLES)
    return Observed(
        record_ids=np.array(ids, dtype=np.int64),
        cuts={key: {value: _mask(places, len(ids)) for value, places in of.items()} for key, of in kept.items()},
        measures=tuple(one for one in measures if not np.isnan(one.values).all()),
        left_out=left_out,
    )


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    held = iter(rows)
    while batch := list(islice(held, _BATCH)):
        yield batch


def _cut_values(row: Row) -> Iterator[tuple[str, str]]:
    yield from ((key, str(value)) for key, value in row.slices.items() if value not in (None, ""))
    yield from ((MENTIONS + group, value) for group, held in groups(row.prompt).items() for value in held)


def _measured(batch: Sequence[Row]) -> dict[str, list[float]]:
    answers = [row.answer for row in batch]
    there = [bool(answer.strip()) for answer in answers]
    return {
        WORDS: [float(len(answer.split())) if has else np.nan for answer, has in zip(answers, there, strict=True)],
        REFUSED: [float(refuses(answer)) if has else np.nan for answer, has in zip(answers, there, strict=True)],
        ANSWERED_BADLY: [float(bad) if has else np.nan for bad, has in zip(abusive(answers), there, strict=True)],
        ASKED_BADLY: [float(bad) for bad in abusive([row.prompt for row in batch])],
        MOOD: [compound(row.prompt) for row in batch],
        TONE: [compound(answer) if has else np.nan for answer, has in zip(answers, there, strict=True)],
        APPROVED: [np.nan if row.verdict is None else float(row.verdict) for row in batch],
    }


def _usable(values: Mapping[str, Mapping[str, list[int]]], n: int) -> tuple[dict[str, dict[str, list[int]]], tuple[str, ...]]:
    """The keys that cut the records into parts, the most widely known first; and those with too many values."""
    many = {key for key, of in values.items() if len(of) > MOST_VALUES or _names_things(of)}
    cutting = {
        key: dict(sorted(of.items(), key=lambda item: (-len(item[1]), item[0])))
        for key, of in values.items()
        if key not in many and any(0 < len(places) < n for places in of.values())
    }
    known = Counter({key: sum(map(len, of.values())) for key, of in cutting.items()})
    order = [key for key, _ in sorted(known.items(), key=lambda item: (item[0].startswith(MENTIONS), -item[1], item[0]))]
    return {key: cutting[key] for key in order[:MOST_KEYS]}, tuple(sorted(many | set(order[MOST_KEYS:])))


def _names_things(of: Mapping[str, list[int]]) -> bool:
    """Whether most values have but one record, as ids do."""
    return len(of) > 2 and 2 * len(of) > sum(map(len, of.values()))


def _mask(places: Sequence[int], n: int) -> np.ndarray:
    made = np.zeros(n, dtype=bool)
    made[list(places)] = True
    return made
