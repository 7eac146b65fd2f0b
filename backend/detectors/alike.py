"""Which of up to a million texts are near duplicates: candidates by MinHash bands, verified by exact Jaccard, joined.

Pure. `compare` gives every text the most similar earlier one and the root of its cluster. Up to `EXACT_UP_TO` different
texts the exact method of `duplicates.near_pairs` is asked as well, which misses nothing; beyond it recall is what the card
of this detector says. Equal texts are settled first, by their hash. In a bucket that holds many texts (boilerplate) each is
compared with its neighbours in the order of their sketches and with the bucket's first, never with all.

Promised: the same texts give the same answer, in bounded memory: arrays, and never an object for a pair. Not promised: that
`nearest` is the very nearest where several are about as near; its similarity is exact.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.detectors.duplicates import THRESHOLD, near_pairs
from backend.detectors.sketches import BANDS, PERMUTATIONS, ROWS, Texts, jaccard

LEAST = 0.5
"""Pairs below this are not looked at: the lower end of the threshold explorer."""
EXACT_UP_TO = 20_000
WINDOW = 16
"""Neighbours that a text is compared with in one bucket."""
_SURE = 0.67
"""An estimate below this belongs to no pair at the threshold, but for one in a thousand."""
_BLOCK = 50_000
_VERIFIED = 8_000

Ints = NDArray[np.int64]


@dataclass(slots=True)
class Alike:
    """What is known of each text. `root` is the place of the first text of its cluster, `nearest` that of the most similar
    earlier one (-1 where nothing is alike): the first equal conversation where there is one, which `exact` then says.
    `looked` are those that were compared; the others are as they were before.
    """

    root: Ints
    nearest: Ints
    similarity: NDArray[np.float64]
    exact: NDArray[np.bool_]
    looked: NDArray[np.bool_]

    @classmethod
    def nothing(cls, count: int) -> Alike:
        """Before the first comparison."""
        none = np.zeros(count, dtype=bool)
        return cls(np.arange(count), np.full(count, -1), np.zeros(count), none, none.copy())


def compare(
    sketches: NDArray[Any],
    texts: Texts,
    *,
    fresh: NDArray[np.bool_],
    before: Alike | None = None,
    exact_up_to: int = EXACT_UP_TO,
    tell: Callable[[float], None] = lambda share: None,
) -> Alike:
    """Compare the `fresh` texts with each other and with the rest, which were compared with each other `before`."""
    search = _Search(sketches, texts, fresh, before)
    search.join_equal()
    if len(search.distinct) <= exact_up_to:
        search.ask_exactly()
    for band in range(BANDS):
        search.look_in(band)
        tell(0.8 * (band + 1) / BANDS)
    search.settle_best(lambda share: tell(0.8 + 0.2 * share))
    return search.found


class _Search:
    """One comparison. `best` holds, for every text, the most alike earlier one by estimate: matches, then the place."""

    def __init__(self, sketches: NDArray[Any], texts: Texts, fresh: NDArray[np.bool_], before: Alike | None) -> None:
        count = len(sketches)
        self.words, self.keys = sketches["words"], sketches["key"]
        self.digests = np.ascontiguousarray(sketches["digest"])
        self.texts = texts
        self.found = Alike.nothing(count) if before is None else copy.deepcopy(before)
        again = (self.found.nearest >= 0) & fresh[self.found.nearest]  # what it was near to has another text now
        self.fresh = self.found.looked = fresh | again
        self.found.nearest[self.fresh], self.found.similarity[self.fresh] = -1, 0.0
        self.distinct: Ints = np.arange(count)
        self.best: Ints = np.zeros(count, dtype=np.int64)
        self.refused: Ints = np.zeros(0, dtype=np.int64)
        self.refused_now: list[Ints] = []  # of this band, in which no pair comes twice

    def join_equal(self) -> None:
        """Texts with equal words go to the first of them; only that one is compared with others."""
        for hashes in (self.words, self.keys):
            _, firsts, inverse = np.unique(hashes, return_index=True, return_inverse=True)
            first = firsts[inverse]
            later = np.flatnonzero(first != np.arange(len(first)))
            self.found.nearest[later], self.found.similarity[later] = first[later], 1.0
            self._join(first[later], later)
            if hashes is self.words:
                self.distinct = np.flatnonzero(first == np.arange(len(first)))
        self.found.exact = first != np.arange(len(first))

    def ask_exactly(self) -> None:
        """Every pair at the threshold, by prefix filtering."""
        is_fresh = self.fresh[self.distinct]
        if not is_fresh.any():
            return
        order = np.concatenate([self.distinct[~is_fresh], self.distinct[is_fresh]])
        pairs = list(near_pairs(self.texts(order), threshold=THRESHOLD, since=int((~is_fresh).sum())))
        if pairs:
            found = np.array([pair[:2] for pair in pairs], dtype=np.int64)
            values = np.array([pair[2] for pair in pairs])
            self._note(order[found].min(axis=1), order[found].max(axis=1), values)

    def look_in(self, band: int) -> None:
        """Compare the texts whose digests agree in this band."""
        for first, second in self._candidates(band):
            for begin in range(0, len(first), _BLOCK):
                self._weigh(first[begin : begin + _BLOCK], second[begin : begin + _BLOCK])
        self.refused = np.unique(np.concatenate([self.refused, *self.refused_now]))
        self.refused_now = []

    def settle_best(self, tell: Callable[[float], None]) -> None:
        """The exact similarity of every text to the one that looked nearest."""
        later = np.flatnonzero(self.best)
        later = later[(self.best[later] >> 32) / PERMUTATIONS >= LEAST]
        for begin in range(0, len(later), _VERIFIED):
            second = later[begin : begin + _VERIFIED]
            first = np.iinfo(np.uint32).max - (self.best[second] & 0xFFFFFFFF)
            open_ = self.found.nearest[second] != first
            self._note(first[open_], second[open_], jaccard(first[open_], second[open_], self.texts))
            tell(begin / len(later))

    def _candidates(self, band: int) -> Iterator[tuple[Ints, Ints]]:
        """Pairs (earlier, later) that share this band's bucket, one of them fresh."""
        keys = self._buckets(band)
        places = self.distinct
        is_fresh = self.fresh[places]
        if is_fresh.sum() * 4 < len(places):
            met = np.isin(keys, np.unique(keys[is_fresh]))
            keys, places = keys[met], places[met]
        order = np.lexsort((self._buckets((band + 1) % BANDS, places), keys))
        keys, places = keys[order], places[order]
        for distance in range(1, WINDOW + 1):
            same = np.flatnonzero(keys[distance:] == keys[:-distance])
            if not len(same):
                return
            yield from self._pairs(places[same], places[same + distance])
        starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
        sizes = np.diff(np.concatenate([starts, [len(keys)]]))
        far = np.arange(len(keys)) - np.repeat(starts, sizes) > WINDOW
        yield from self._pairs(places[np.repeat(starts, sizes)[far]], places[far])

    def _pairs(self, one: Ints, other: Ints) -> Iterator[tuple[Ints, Ints]]:
        wanted = self.fresh[one] | self.fresh[other]
        if wanted.any():
            yield np.minimum(one[wanted], other[wanted]), np.maximum(one[wanted], other[wanted])

    def _buckets(self, band: int, places: Ints | None = None) -> NDArray[np.uint64]:
        rows = self.digests[self.distinct if places is None else places, band * ROWS : (band + 1) * ROWS]
        wide = np.zeros((len(rows), 8), dtype=np.uint8)
        wide[:, :ROWS] = rows
        return wide.view(np.uint64).ravel()

    def _weigh(self, first: Ints, second: Ints) -> None:
        """Remember the best by estimate; verify what looks like a near duplicate that is not in the same cluster yet."""
        equal = self.digests[first] == self.digests[second]
        matches = np.add.reduce(equal.view(np.uint8), axis=1, dtype=np.uint8).astype(np.int64)
        np.maximum.at(self.best, second, (matches << 32) | (np.iinfo(np.uint32).max - first))
        strong = np.flatnonzero(matches >= _SURE * PERMUTATIONS)
        strong = strong[np.argsort(-matches[strong], kind="stable")]
        first, second = first[strong], second[strong]
        for begin in range(0, len(first), _VERIFIED):
            one, other = first[begin : begin + _VERIFIED], second[begin : begin + _VERIFIED]
            apart = self.found.root[one] != self.found.root[other]
            apart &= ~_among(self.refused, one << 32 | other)
            one, other = one[apart], other[apart]
            if len(one):
                self._note(one, other, jaccard(one, other, self.texts))

    def _note(self, first: Ints, second: Ints, values: NDArray[np.float64]) -> None:
        """Take in verified pairs: join those at the threshold, keep the nearest of each, and remember the others."""
        near = values >= THRESHOLD
        self._join(first[near], second[near])
        self.refused_now.append(first[~near] << 32 | second[~near])
        order = np.lexsort((-first, values))  # of several for one text the last counts: the nearest, then the earliest
        first, second, values = first[order], second[order], values[order]
        better = (values >= LEAST) & (values > self.found.similarity[second])
        self.found.nearest[second[better]] = first[better]
        self.found.similarity[second[better]] = values[better]

    def _join(self, first: Ints, second: Ints) -> None:
        self.found.root = joined(self.found.root, first, second)


def _among(held: Ints, values: Ints) -> NDArray[np.bool_]:
    """Which of the values are among those held, which are sorted."""
    if not len(held):
        return np.zeros(len(values), dtype=bool)
    return held[np.minimum(np.searchsorted(held, values), len(held) - 1)] == values


def joined(root: Ints, first: Ints, second: Ints) -> Ints:
    """`root` once each of `first` is in one cluster with its `second`; a root is the earliest place of its cluster."""
    root = root.copy()
    while True:
        one, other = root[first], root[second]
        apart = one != other
        if not apart.any():
            return root
        np.minimum.at(root, np.maximum(one, other)[apart], np.minimum(one, other)[apart])
        while not np.array_equal(shorter := root[root], root):
            root = shorter
