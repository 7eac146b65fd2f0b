"""Finds names, addresses, places, organisations, trades and nations with a small linear-chain CRF, read with numpy alone.

The model is trained on generated text (`backend.detectors.making`), also in lower case. A stretch where every word is
plainly nothing is skipped. The same text gives the same spans.

Not promised: names in scripts other than Latin, Greek and Cyrillic, or languages other than English around the names.
"""

from __future__ import annotations

import functools
import math
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from backend.detectors.entities import gazetteer
from backend.detectors.entities.features import place_marks
from backend.detectors.entities.scoring import NEIGHBOURS, Memory, Row, Weights
from backend.detectors.entities.spans import Entity, Span
from backend.detectors.entities.tokens import Tokens, is_caseless, tokenise, words_of

_FILE = Path(__file__).parent / "data" / "tagger.npz"
_REACH = 4
"""Words on either side of an unsure one that are looked at with it."""
_GAP = [0] * max(_REACH, NEIGHBOURS)
"""Between two texts, so that neither is the other's neighbour."""
_TOGETHER = 8192
"""Words that are decided together."""

_Ints = npt.NDArray[np.int64]


class Tagger:
    """A model in memory. What it remembers of words and their neighbours grows with what it has seen, up to a bound."""

    def __init__(self, path: Path = _FILE) -> None:
        with np.load(path) as held:
            self._weights = Weights(held)
            self._onto: Row = np.ascontiguousarray(held["transitions"].T)
        self.labels = self._weights.labels
        self._nothing = self.labels.index("O")
        self._starts = [label.startswith("B-") for label in self.labels]
        self._entities = [None if label == "O" else Entity(label[2:]) for label in self.labels]
        self._lock = threading.Lock()
        self._memory = Memory(self._weights)

    def find(self, text: str) -> list[Span]:
        """The spans in a text, by position; they do not overlap."""
        return self.find_many([text])[0]

    def find_many(self, texts: Sequence[str]) -> list[list[Span]]:
        """What `find` gives for each of the texts; many together take a fraction of the time."""
        found: list[list[Span]] = [[] for _ in texts]
        with self._lock:
            if self._memory.is_full:
                self._memory = Memory(self._weights)
            row, begins = list(_GAP), []
            for place, text in enumerate(texts):
                begins.append(len(row))
                row += self._numbers(text)
                row += _GAP
                if len(row) >= _TOGETHER or place + 1 == len(texts):
                    first = place + 1 - len(begins)
                    for at, number, scores, path in self._decided(np.array(row), np.array(begins)):
                        tokens = tokenise(texts[first + number])
                        found[first + number] += self._read(tokens, scores, at, path)
                    row, begins = list(_GAP), []
        return found

    def _numbers(self, text: str) -> list[int]:
        """The numbers of a text's words."""
        caseless = is_caseless(text)
        of = self._memory.of[caseless]
        numbers = [of[word] for word in words_of(text)]
        for i, (word, mark) in _marked(text).items():
            numbers[i] = self._memory.marked(word, caseless, mark)
        return numbers

    def _decided(self, row: _Ints, begins: _Ints) -> Iterator[tuple[int, int, Row, list[int]]]:
        """Those of the stretches in which a word might be something that hold something: the first word's place in its text,
        the text's place, the scores and the best path.
        """
        at = _looked_at(row, self._memory.unsure(row))
        if not len(at):
            return
        scores = self._memory.scores(row, at)
        starts = np.flatnonzero(np.diff(at, prepend=-1) > 1)
        ends = np.append(starts[1:], len(at))
        likelier = np.add.reduceat(scores.argmax(axis=1) != self._nothing, starts)
        some = np.flatnonzero(likelier)  # in the others no word by itself is something
        if not len(some):
            return
        some = some[np.argsort(starts[some] - ends[some], kind="stable")]
        parts = [scores[start:end] for start, end in zip(starts[some].tolist(), ends[some].tolist(), strict=True)]
        paths = zip(some.tolist(), parts, best_paths(parts, self._onto), strict=True)
        for stretch, part, path in sorted(paths, key=lambda one: one[0]):
            if any(label != self._nothing for label in path):
                place = int(at[starts[stretch]])
                text = int(np.searchsorted(begins, place, side="right")) - 1
                yield place - int(begins[text]), text, part, path

    def _read(self, tokens: Tokens, scores: Row, first: int, path: list[int]) -> list[Span]:
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


def _looked_at(row: _Ints, unsure: npt.NDArray[np.bool_]) -> _Ints:
    """The places of the unsure words, and of those within reach of one, in the same text."""
    wanted = unsure.copy()
    for step in range(1, _REACH + 1):
        wanted[step:] |= unsure[:-step]
        wanted[:-step] |= unsure[step:]
    return np.flatnonzero(wanted & (row > 0))


def best_paths(scores: Sequence[Row], onto: Row) -> list[list[int]]:
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


@functools.cache
def default() -> Tagger:
    """The model that ships with the project, read on first use."""
    return Tagger()
