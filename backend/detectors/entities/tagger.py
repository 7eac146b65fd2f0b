"""Finds names, addresses, places, organisations, trades and nations with a small linear-chain CRF, read with numpy alone.

The model is trained on generated text (`backend.detectors.making`), also in lower case. A stretch where every word is
plainly nothing is skipped. The same text gives the same spans.

Not promised: names in scripts other than Latin, Greek and Cyrillic, or languages other than English around the names.
"""

from __future__ import annotations

import functools
import itertools
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from backend.detectors.entities import features, gazetteer
from backend.detectors.entities.features import NOTHING, Word, describe, place_marks
from backend.detectors.entities.spans import Entity, Span
from backend.detectors.entities.tokens import Tokens, is_caseless, tokenise, words_of

_FILE = Path(__file__).parent / "data" / "tagger.npz"
_PLAIN = 4.0
"""A word whose own features say "nothing" by so much is looked at only beside a word that is less sure."""
_REACH = 4
"""Words on either side of an unsure one that are looked at with it."""
_LEANING = 0.0
"""Added to every label but "nothing": more finds, more false alarms."""

_TOGETHER = 256
"""Stretches that are decided together."""
_MOST_WORDS, _MOST_ROWS = 200_000, 600_000
"""Where what is remembered of words is forgotten, and of neighbourhoods."""
_BITS = 20
_MASK = (1 << _BITS) - 1

_Row = npt.NDArray[np.float32]


class Tagger:
    """A model in memory. What it remembers of words and their neighbours grows with what it has seen, up to a bound."""

    def __init__(self, path: Path = _FILE) -> None:
        with np.load(path) as held:
            names = held["names"].tobytes().decode().split("\n")
            self.labels = held["labels"].tobytes().decode().split("\n")
            ends = np.cumsum(held["counts"])
            columns, values = held["columns"].tolist(), held["values"].astype(np.float32).tolist()
            self._onto: _Row = np.ascontiguousarray(held["transitions"].T)
        starts = [0, *ends[:-1].tolist()]
        self._weights = {
            name: list(zip(columns[start:end], values[start:end], strict=True))
            for name, start, end in zip(names, starts, ends.tolist(), strict=True)
        }
        self._nothing = self.labels.index("O")
        self._starts = [label.startswith("B-") for label in self.labels]
        self._entities = [None if label == "O" else Entity(label[2:]) for label in self.labels]
        self._lock = threading.Lock()
        self._memory = _Memory(self._sum, len(self.labels), self._nothing)

    def _sum(self, names: tuple[str, ...]) -> _Row:
        row = np.zeros(len(self.labels), np.float32)
        for name in names:
            for column, value in self._weights.get(name, ()):
                row[column] += value
        return row

    def find(self, text: str) -> list[Span]:
        """The spans in a text, by position; they do not overlap."""
        return self.find_many([text])[0]

    def find_many(self, texts: Sequence[str]) -> list[list[Span]]:
        """What `find` gives for each of the texts; many together take a fraction of the time."""
        found: list[list[Span]] = [[] for _ in texts]
        with self._lock:
            if self._memory.is_full:
                self._memory = _Memory(self._sum, len(self.labels), self._nothing)
            windows = [window for place, text in enumerate(texts) for window in self._unsure(place, text)]
            for start in range(0, len(windows), _TOGETHER):
                for window, scores, path in self._decided(windows[start : start + _TOGETHER]):
                    tokens = tokenise(texts[window.text])
                    found[window.text] += self._read(tokens, scores, window.start, path)
        return found

    def _unsure(self, place: int, text: str) -> Iterator[_Window]:
        """The stretches of a text in which a word might be something."""
        memory, caseless = self._memory, is_caseless(text)
        numbers, plain = memory.numbers[caseless], memory.plain
        held = [numbers[word] for word in words_of(text)]
        marked = _marked(text)
        for i, (word, mark) in marked.items():
            held[i] = memory.marked(word, caseless, mark)
        unsure = [i for i, number in enumerate(held) if not plain[number]]
        if marked:
            unsure = sorted({*unsure, *marked})
        if not unsure:
            return
        padded = [0, 0, *held, 0, 0]
        for start, end in _windows(unsure, len(held)):
            yield _Window(place, start, padded[start : end + 4])

    def _decided(self, windows: list[_Window]) -> Iterator[tuple[_Window, _Row, list[int]]]:
        """Those of the windows that hold something, with their scores and best paths."""
        if not windows:
            return
        scores = self._memory.scores([window.words for window in windows])
        scores[:, self._nothing] -= _LEANING
        ends = np.cumsum([len(window.words) - 4 for window in windows])
        begins = np.concatenate(([0], ends[:-1]))
        likelier = np.add.reduceat(scores.argmax(axis=1) != self._nothing, begins)
        some = [place for place in range(len(windows)) if likelier[place]]  # in the others no word by itself is something
        some.sort(key=lambda place: begins[place] - ends[place])
        if not some:
            return
        parts = [scores[begins[place] : ends[place]] for place in some]
        paths = zip(some, parts, best_paths(parts, self._onto), strict=True)
        for place, part, path in sorted(paths, key=lambda one: one[0]):
            if any(label != self._nothing for label in path):
                yield windows[place], part, path

    def _read(self, tokens: Tokens, scores: _Row, first: int, path: list[int]) -> list[Span]:
        """Spans from a path of labels."""
        found: list[Span] = []
        place = 0
        while place < len(path):
            entity = self._entities[path[place]]
            if entity is None:
                place += 1
                continue
            end = place + 1
            while end < len(path) and self._entities[path[end]] is entity and not self._starts[path[end]]:
                end += 1
            margin = float(np.mean([scores[i, path[i]] - scores[i, self._nothing] for i in range(place, end)]))
            score = 1 / (1 + math.exp(-min(30.0, max(-30.0, 0.5 * margin))))
            found.append(Span(tokens.starts[first + place], tokens.ends[first + end - 1], entity, round(score, 3)))
            place = end
        return found


def _marked(text: str) -> dict[int, tuple[str, str]]:
    """The words that are part of a known place name of several words, by their place."""
    if not gazetteer.places(text.lower()):
        return {}
    tokens = tokenise(text)
    marks = place_marks(text, tokens.starts)
    return {i: (tokens.words[i], mark) for i, mark in enumerate(marks) if mark}


class _Window(NamedTuple):
    """A stretch of a text: which text, its first word's place, and its words by number, with two neighbours on either side."""

    text: int
    start: int
    words: list[int]


def best_paths(scores: Sequence[_Row], onto: _Row) -> list[list[int]]:
    """Viterbi on several sequences at a time, the longest first. `onto[b, a]` is the transition from label a to label b."""
    lengths = [len(one) for one in scores]
    count, longest = len(scores), lengths[0]
    best = np.zeros((longest, onto.shape[0], count), np.float32)  # sequences lie side by side: that is the fast way to add
    for place, one in enumerate(scores):
        best[: len(one), :, place] = one
    going = [count] * longest  # how many sequences have a word at this place
    for place in range(longest):
        while lengths[going[place] - 1] <= place:
            going[place] -= 1
        if place + 1 < longest:
            going[place + 1] = going[place]
    steps = np.ascontiguousarray(onto.T)[:, :, None]  # by the label from which the step is, then by the one to which
    for place in range(1, longest):
        many = going[place]
        through = np.ascontiguousarray(best[place - 1, :, :many])[:, None, :] + steps
        best[place, :, :many] += np.maximum.reduce(through, axis=0)
    # which label led to a place is asked only of those that were chosen, on the way back
    paths = np.zeros((longest, count), np.int64)
    for place in range(longest - 1, -1, -1):
        many, later = going[place], going[place + 1] if place + 1 < longest else 0
        paths[place, later:many] = best[place, :, later:many].argmax(axis=0)  # sequences that end here
        if later:
            paths[place, :later] = (best[place, :, :later] + onto[paths[place + 1, :later]].T).argmax(axis=0)
    return [paths[:length, place].tolist() for place, length in enumerate(lengths)]


class _Memory:
    """Words by number, and the scores of each word and of each neighbourhood, worked out once. Number 0 is no word at all."""

    def __init__(self, summed: Callable[[tuple[str, ...]], _Row], labels: int, nothing: int) -> None:
        self._summed, self._nothing = summed, nothing
        self._words: list[Word] = [NOTHING]
        self._of_marked: dict[tuple[str, bool, str], int] = {}
        self._rows: _Row = np.zeros((4096, labels), np.float32)
        self._count = 0
        self.plain: list[bool] = [False]
        """Whether the word with this number is surely nothing."""
        self.numbers = (_OnDemand(lambda word: self._new(describe(word, False))),
                        _OnDemand(lambda word: self._new(describe(word, True))))  # fmt: skip
        """The numbers of words, in texts with capitals and without."""
        words = self._words
        self._tables = (
            _OnDemand(lambda key: self._row(words[key].features)),
            _OnDemand(lambda key: self._row(features.before(words[key >> _BITS], words[key & _MASK]))),
            _OnDemand(lambda key: self._row(features.after(words[key >> _BITS], words[key & _MASK]))),
            _OnDemand(lambda key: self._row(features.far_before(*self._three(key)))),
            _OnDemand(lambda key: self._row(features.far_after(*self._three(key)))),
        )

    @property
    def is_full(self) -> bool:
        """Whether to begin anew."""
        return len(self._words) > _MOST_WORDS or self._count > _MOST_ROWS

    def marked(self, word: str, caseless: bool, mark: str) -> int:
        """The number of a word that is part of a place's name."""
        key = (word, caseless, mark)
        if key not in self._of_marked:
            self._of_marked[key] = self._new(describe(word, caseless, mark))
        return self._of_marked[key]

    def scores(self, sequences: Sequence[list[int]]) -> _Row:
        """A row for each word but the two at either end of each sequence, which are only neighbours."""
        flat = np.array(list(itertools.chain.from_iterable(sequences)), np.int64)
        ends = np.cumsum([len(one) for one in sequences])
        inner = np.ones(len(flat), bool)
        for edge in (-2, -1):
            inner[ends + edge] = False
            inner[np.concatenate(([0], ends[:-1])) + edge + 2] = False
        at = np.flatnonzero(inner)
        two, one, word, following, last = (flat[at + step] for step in (-2, -1, 0, 1, 2))
        keys = (
            word,
            one << _BITS | word,
            word << _BITS | following,
            two << 2 * _BITS | one << _BITS | word,
            word << 2 * _BITS | following << _BITS | last,
        )
        rows = [np.array([table[key] for key in held.tolist()]) for table, held in zip(self._tables, keys, strict=True)]
        summed: _Row = self._rows[rows[0]]
        for more in rows[1:]:
            summed += self._rows[more]
        return summed

    def _new(self, word: Word) -> int:
        self._words.append(word)
        row = self._summed(word.features)
        self.plain.append(bool(row[self._nothing] - np.delete(row, self._nothing).max() > _PLAIN))
        return len(self._words) - 1

    def _row(self, names: tuple[str, ...]) -> int:
        if self._count == len(self._rows):
            self._rows = np.concatenate([self._rows, np.zeros_like(self._rows)])
        self._rows[self._count] = self._summed(names)
        self._count += 1
        return self._count - 1

    def _three(self, key: int) -> tuple[Word, Word, Word]:
        return self._words[key >> 2 * _BITS], self._words[key >> _BITS & _MASK], self._words[key & _MASK]


class _OnDemand(dict[Any, int]):
    """Numbers that are worked out when they are first asked for."""

    def __init__(self, make: Callable[[Any], int]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, key: Any) -> int:
        number = self[key] = self._make(key)
        return number


def _windows(unsure: list[int], length: int) -> list[tuple[int, int]]:
    """From where to where to look, around the unsure words."""
    windows: list[tuple[int, int]] = []
    for place in unsure:
        start, end = max(0, place - _REACH), min(length, place + _REACH + 1)
        if windows and start <= windows[-1][1]:
            windows[-1] = (windows[-1][0], end)
        else:
            windows.append((start, end))
    return windows


@functools.cache
def default() -> Tagger:
    """The model that ships with the project, read on first use."""
    return Tagger()
