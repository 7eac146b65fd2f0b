"""Finds names, addresses, places, organisations, trades and nations with a small linear-chain CRF, read with numpy alone.

The model is trained on generated text (`backend.detectors.making`), also in lower case. A stretch where every word is
plainly nothing is skipped. The same text gives the same spans.

Not promised: names in scripts other than Latin, Greek and Cyrillic, or languages other than English around the names.
"""

from __future__ import annotations

import functools
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt

from backend.detectors.entities import features
from backend.detectors.entities.features import NOTHING, Word, describe, place_marks
from backend.detectors.entities.spans import Entity, Span
from backend.detectors.entities.tokens import Tokens, is_caseless, tokenise

_FILE = Path(__file__).parent / "data" / "tagger.npz"
_PLAIN = 4.0
"""A word whose own features say "nothing" by so much is looked at only beside a word that is less sure."""
_REACH = 4
"""Words on either side of an unsure one that are looked at with it."""
_LEANING = 0.0
"""Added to every label but "nothing": more finds, more false alarms."""

_REMEMBERED = 200_000

_Row = npt.NDArray[np.float32]


class Tagger:
    """A model in memory. Its caches grow with the vocabulary that it has seen, up to a bound."""

    def __init__(self, path: Path = _FILE) -> None:
        with np.load(path) as held:
            names = held["names"].tobytes().decode().split("\n")
            self.labels = held["labels"].tobytes().decode().split("\n")
            ends = np.cumsum(held["counts"])
            columns, values = held["columns"].tolist(), held["values"].astype(np.float32).tolist()
            self._transitions: _Row = held["transitions"]
        starts = [0, *ends[:-1].tolist()]
        self._weights = {
            name: list(zip(columns[start:end], values[start:end], strict=True))
            for name, start, end in zip(names, starts, ends.tolist(), strict=True)
        }
        self._nothing = self.labels.index("O")
        self._starts = [label.startswith("B-") for label in self.labels]
        self._entities = [None if label == "O" else Entity(label[2:]) for label in self.labels]
        self._of_word = functools.lru_cache(maxsize=60_000)(lambda word: self._sum(word.features))
        self._before = functools.lru_cache(maxsize=120_000)(lambda one, word: self._sum(features.before(one, word)))
        self._after = functools.lru_cache(maxsize=120_000)(lambda word, one: self._sum(features.after(word, one)))
        self._far_before = functools.lru_cache(maxsize=120_000)(
            lambda two, one, word: self._sum(features.far_before(two, one, word))
        )
        self._far_after = functools.lru_cache(maxsize=120_000)(
            lambda word, one, two: self._sum(features.far_after(word, one, two))
        )

        self._plain = (_Plain(self, False), _Plain(self, True))

    def is_plain(self, word: str, caseless: bool) -> bool:
        """Whether the word alone is surely nothing."""
        row = self._of_word(describe(word, caseless))
        return bool(row[self._nothing] - np.delete(row, self._nothing).max() > _PLAIN)

    def _sum(self, names: tuple[str, ...]) -> _Row:
        row = np.zeros(len(self.labels), np.float32)
        for name in names:
            for column, value in self._weights.get(name, ()):
                row[column] += value
        return row

    def find(self, text: str) -> list[Span]:
        """The spans in a text, by position; they do not overlap."""
        tokens = tokenise(text)
        caseless = is_caseless(text)
        marks = place_marks(text, tokens.starts)
        plain = self._plain[caseless]
        unsure = [i for i, word in enumerate(tokens.words) if marks[i] or not plain[word]]
        if not unsure:
            return []
        words = [describe(word, caseless, mark) for word, mark in zip(tokens.words, marks, strict=True)]
        padded = [NOTHING, NOTHING, *words, NOTHING, NOTHING]
        found: list[Span] = []
        for start, end in _windows(unsure, len(words)):
            scores = self._scores(padded[start : end + 4])
            if (scores.argmax(axis=1) == self._nothing).all():  # no word by itself is likelier something
                continue
            found += self._read(tokens, scores, start, self._best_path(scores))
        return found

    def _scores(self, padded: list[Word]) -> _Row:
        """A row for each word but the two at either end, which are only neighbours."""
        rows = [
            (
                self._of_word(word),
                self._before(one, word),
                self._after(word, following),
                self._far_before(two, one, word),
                self._far_after(word, following, last),
            )
            for two, one, word, following, last in zip(padded, padded[1:], padded[2:], padded[3:], padded[4:], strict=False)
        ]
        scores: _Row = np.array(rows).sum(axis=1)
        scores[:, self._nothing] -= _LEANING
        return scores

    def _best_path(self, scores: _Row) -> list[int]:
        """Viterbi."""
        best = scores[0]
        back = []
        for row in scores[1:]:
            through = best[:, None] + self._transitions
            came = through.argmax(axis=0)
            back.append(came)
            best = through[came, np.arange(len(row))] + row
        path = [int(best.argmax())]
        for came in reversed(back):
            path.append(int(came[path[-1]]))
        return path[::-1]

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


class _Plain(dict[str, bool]):
    """Whether words are plain, asked once each."""

    def __init__(self, tagger: Tagger, caseless: bool) -> None:
        self._tagger, self._caseless = tagger, caseless

    def __missing__(self, word: str) -> bool:
        if len(self) > _REMEMBERED:
            self.clear()
        plain = self[word] = self._tagger.is_plain(word, self._caseless)
        return plain


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
