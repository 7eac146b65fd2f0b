"""What the tagger's model says of each word of a text, by its neighbours. Pure, but for what it remembers.

A word counts only by its description, and its neighbours only by a part of theirs, so that few different neighbourhoods
come up however many words there are: each is worked out once, and found again for a thousand words at a time.

Promised: the scores are the sums that they were the first time, in the same order, so that they are equal to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from backend.detectors.entities import features
from backend.detectors.entities.features import NOTHING, Word, describe

PLAIN = 4.0
"""A word whose own features say "nothing" by so much is looked at only beside a word that is less sure."""
NEIGHBOURS = 2
"""Words on either side that count for a word."""
_MOST_WORDS, _MOST_ROWS = 200_000, 600_000
"""Where what is remembered of words is forgotten, and of neighbourhoods."""
_BITS = 20
_MASK = (1 << _BITS) - 1

Row = npt.NDArray[np.float32]
_Ints = npt.NDArray[np.int64]


class Weights:
    """The model: what each feature says for each label."""

    def __init__(self, held: Mapping[str, npt.NDArray[Any]]) -> None:
        names = held["names"].tobytes().decode().split("\n")
        self.labels = held["labels"].tobytes().decode().split("\n")
        self._place = {name: place for place, name in enumerate(names)}
        self._of = np.zeros((len(names), len(self.labels)), np.float32)
        self._of[np.repeat(np.arange(len(names)), held["counts"]), held["columns"]] = held["values"]

    def sum(self, names: Sequence[str]) -> Row:
        """What these features say together."""
        known = [self._place[name] for name in names if name in self._place]
        summed: Row = np.add.reduce(self._of[known], axis=0)  # row after row, in their order
        return summed


class Memory:
    """Words by number, and what was worked out of them. Number 0 is no word at all. It grows up to a bound: see `is_full`."""

    def __init__(self, weights: Weights) -> None:
        self._weights, self._nothing = weights, weights.labels.index("O")
        self._numbers: dict[Hashable, int] = {}
        self._own: Row = np.zeros((4096, len(weights.labels)), np.float32)
        self._unsure = np.zeros(4096, bool)
        self._parts: _Ints = np.zeros((4, 4096), np.int64)  # the numbers of what a word is to its neighbours
        self._kinds: tuple[dict[Hashable, int], ...] = ({}, {}, {}, {})
        self._words: tuple[list[Word], ...] = ([], [], [], [])  # a word of each kind, by the kind's number
        self.of = (_OnDemand(lambda word: self._number(describe(word, False))),
                   _OnDemand(lambda word: self._number(describe(word, True))))  # fmt: skip
        """The numbers of words, in texts with capitals and without."""
        self._of_marked: dict[tuple[str, bool, str], int] = {}
        near, around, far, form = self._words
        self._tables = tuple(
            _Table(lambda key, names=names: weights.sum(names(key)), len(weights.labels))  # type: ignore[misc]
            for names in (
                lambda key: features.before(near[key >> _BITS], around[key & _MASK]),
                lambda key: features.after(around[key & _MASK], near[key >> _BITS]),
                lambda key: features.far_before(far[key >> 2 * _BITS], far[key >> _BITS & _MASK], form[key & _MASK]),
                lambda key: features.far_after(form[key & _MASK], far[key >> _BITS & _MASK], far[key >> 2 * _BITS]),
            )
        )
        self._number(NOTHING)

    @property
    def is_full(self) -> bool:
        """Whether to begin anew."""
        words = sum(map(len, self.of)) + len(self._of_marked)
        return words > _MOST_WORDS or sum(table.count for table in self._tables) > _MOST_ROWS

    def marked(self, word: str, caseless: bool, mark: str) -> int:
        """The number of a word that is part of a place's name, which is never sure."""
        key = (word, caseless, mark)
        if key not in self._of_marked:
            self._of_marked[key] = self._number(describe(word, caseless, mark), mark)
            self._unsure[self._of_marked[key]] = True
        return self._of_marked[key]

    def unsure(self, numbers: _Ints) -> npt.NDArray[np.bool_]:
        """Which of the words might be something."""
        return self._unsure[numbers]

    def scores(self, numbers: _Ints, at: _Ints) -> Row:
        """A row for each of the places `at`. There are NEIGHBOURS on either side of each, zeros where there is no word."""
        near, around, far, form = self._parts
        two, one, word, following, last = (numbers[at + step] for step in (-2, -1, 0, 1, 2))
        summed: Row = self._own[word]
        shape = form[word]
        keys = (
            near[one] << _BITS | around[word],
            near[following] << _BITS | around[word],
            far[two] << 2 * _BITS | far[one] << _BITS | shape,
            far[last] << 2 * _BITS | far[following] << _BITS | shape,
        )
        for table, key in zip(self._tables, keys, strict=True):
            summed += table.rows(key)
        return summed

    def _number(self, word: Word, mark: str = "") -> int:
        """The number of words with this description."""
        described = (word.shape, word.fine, word.coarse, word.name, word.features, mark)
        number = self._numbers.get(described)
        if number is not None:
            return number
        number = self._numbers[described] = len(self._numbers)
        if number == len(self._own):
            self._own, self._unsure = (np.concatenate([one, np.zeros_like(one)]) for one in (self._own, self._unsure))
            self._parts = np.concatenate([self._parts, np.zeros_like(self._parts)], axis=1)
        if word is not NOTHING:
            row = self._own[number] = self._weights.sum(word.features)
            self._unsure[number] = not row[self._nothing] - np.delete(row, self._nothing).max() > PLAIN
        kinds = (
            (word.coarse, word.fine, word.name), (word.coarse, word.shape), (word.coarse, word.name), word.shape,
        )  # fmt: skip
        for place, (kind, known, words) in enumerate(zip(kinds, self._kinds, self._words, strict=True)):
            if kind not in known:
                known[kind] = len(words)
                words.append(word)
            self._parts[place, number] = known[kind]
        return number


class _OnDemand(dict[str, int]):
    """Numbers that are worked out when they are first asked for."""

    def __init__(self, make: Callable[[str], int]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, key: str) -> int:
        number = self[key] = self._make(key)
        return number


class _Table:
    """Rows by number, worked out when first asked for: a hash table in arrays, so that thousands are found in a few steps."""

    _FACTOR = np.uint64(0x9E3779B97F4A7C15)

    def __init__(self, make: Callable[[int], Row], width: int) -> None:
        self._make, self.count = make, 0
        self._rows: Row = np.zeros((1024, width), np.float32)
        self._clear(12)

    def rows(self, keys: _Ints) -> Row:
        """The row of each key."""
        slots = self._slots(keys)
        missing = keys[self._held[slots] != keys]
        if len(missing):
            self._add(np.unique(missing))
            slots = self._slots(keys)
        return self._rows[self._row[slots]]

    def _clear(self, bits: int) -> None:
        self._shift, self._last = np.uint64(64 - bits), (1 << bits) - 1
        self._held: _Ints = np.full(1 << bits, -1)
        self._row: _Ints = np.zeros(1 << bits, np.int64)

    def _slots(self, keys: _Ints) -> _Ints:
        """Where each key is, or would be."""
        slots = (keys.view(np.uint64) * self._FACTOR >> self._shift).view(np.int64)
        held = self._held[slots]
        left = np.flatnonzero((held != keys) & (held >= 0))
        while len(left):
            slots[left] = (slots[left] + 1) & self._last
            held = self._held[slots[left]]
            left = left[(held != keys[left]) & (held >= 0)]
        return slots

    def _add(self, keys: _Ints) -> None:
        """Keys that are not there yet."""
        count = self.count + len(keys)
        if count > len(self._rows):
            self._rows = np.concatenate([self._rows, np.zeros((max(count, len(self._rows)), self._rows.shape[1]), np.float32)])
        for row, key in enumerate(keys.tolist(), self.count):
            self._rows[row] = self._make(key)
        if 2 * count > self._last:
            used = np.flatnonzero(self._held >= 0)
            held, rows = self._held[used], self._row[used]
            self._clear((4 * count).bit_length())
            self._put(held, rows)
        self._put(keys, np.arange(self.count, count))
        self.count = count

    def _put(self, keys: _Ints, rows: _Ints) -> None:
        while len(keys):
            slots = self._slots(keys)
            self._held[slots] = keys  # of those that would have the same place the last gets it
            left = self._held[slots] != keys
            self._row[slots[~left]] = rows[~left]
            keys, rows = keys[left], rows[left]
