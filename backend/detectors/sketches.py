"""Short sketches of texts by which near duplicates among a million are found, and the exact similarity of chosen pairs.

A sketch is a MinHash digest of the text's shingles (those of `duplicates.shingles`), a byte for each of 126 permutations,
with a hash of what the customer says and one of the whole conversation. Pure; arrays in and out.

Promised: the same text always has the same sketch; `jaccard` is `duplicates.similarity` but for two different shingles
that share 47 bits of hash, which no project is large enough to meet. Not promised: that sketches of another VERSION compare.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rensa import RMinHash

from backend.conversations import messages_from_json
from backend.detectors.duplicates import SHINGLE, customer_words, duplicate_key, normalise

VERSION = "1"
BANDS, ROWS = 21, 6
PERMUTATIONS = BANDS * ROWS
"""Two texts are compared when all six bytes of a band are equal: .998 of the pairs at similarity .8, one in 700 at .2."""
SKETCH = np.dtype([("key", "<u8"), ("words", "<u8"), ("digest", "u1", (PERMUTATIONS,))])
_SEED = 20
_FACTORS = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93], dtype=np.uint64)
_MIX = np.uint64(0xFF51AFD7ED558CCD)
_KEPT = np.uint64(17)
"""Bits of a shingle's hash that make room for the number of its set: 47 are left."""
_SETS_AT_ONCE = 1 << 17
_CHARACTERS_AT_ONCE = 2_000_000

Texts = Callable[[NDArray[np.int64]], Sequence[str]]
"""Gives the texts of these places, in their order."""


def sketches(keys: Sequence[str], texts: Sequence[str]) -> NDArray[Any]:
    """A sketch for each text; `keys` are the `duplicates.duplicate_key` of the conversations that they are from."""
    made = np.zeros(len(texts), dtype=SKETCH)
    made["key"] = np.fromiter((int(key[:16], 16) for key in keys), dtype=np.uint64, count=len(texts))
    plain = [normalise(text) for text in texts]
    made["words"] = np.fromiter(map(_hash, plain), dtype=np.uint64, count=len(texts))
    for part in _parts(plain):
        hashes, offsets = _shingle_hashes(plain[part])
        matrix = RMinHash.digest_matrix_from_flat_token_hashes(hashes, offsets.astype(np.uint64), PERMUTATIONS, _SEED)
        count = (len(offsets) - 1) * PERMUTATIONS
        rows = np.fromiter(chain.from_iterable(matrix.to_rows()), dtype=np.uint32, count=count)
        made["digest"][part] = rows.astype(np.uint8).reshape(-1, PERMUTATIONS)
    return made


def sketches_of_stored(conversations: Sequence[str]) -> NDArray[Any]:
    """A sketch for each conversation, given as the JSON of its messages; made to run in other processes."""
    turns = [messages_from_json(json.loads(messages)) for messages in conversations]
    return sketches([duplicate_key(one) for one in turns], [customer_words(one) for one in turns])


def jaccard(first: NDArray[np.int64], second: NDArray[np.int64], texts: Texts) -> NDArray[np.float64]:
    """The exact similarity of each pair of places."""
    places, inverse = np.unique(np.concatenate([first, second]), return_inverse=True)
    if len(places) > _SETS_AT_ONCE:
        return _in_halves(first, second, texts)
    plain = [normalise(text) for text in texts(places)]
    if sum(map(len, plain)) > _CHARACTERS_AT_ONCE and len(first) > 1:
        return _in_halves(first, second, texts)
    hashes, offsets = _shingle_hashes(plain)
    owner = np.repeat(np.arange(len(places), dtype=np.uint64), np.diff(offsets))
    members = (owner << np.uint64(47)) | (hashes >> _KEPT)
    members.sort()
    members = members[np.diff(members, prepend=~members[:1]) != 0]
    sizes = np.bincount((members >> np.uint64(47)).astype(np.int64), minlength=len(places))
    starts = np.concatenate([[0], np.cumsum(sizes)])
    members &= np.uint64((1 << 47) - 1)
    one, other = inverse[: len(first)], inverse[len(first) :]
    shared = _shared(members, starts, sizes, one, other)
    union = sizes[one] + sizes[other] - shared
    return np.where(union > 0, shared / np.maximum(union, 1), 1.0)


def _shared(
    members: NDArray[np.uint64],
    starts: NDArray[np.int64],
    sizes: NDArray[np.int64],
    one: NDArray[np.int64],
    other: NDArray[np.int64],
) -> NDArray[np.int64]:
    """How many members the two sets of each pair have in common: those that stand twice once both are put together."""
    total = np.zeros(len(one), dtype=np.int64)
    step = max(1, _CHARACTERS_AT_ONCE * len(one) // max(1, int((sizes[one] + sizes[other]).sum())))
    for begin in range(0, len(one), min(step, _SETS_AT_ONCE)):
        part = slice(begin, begin + min(step, _SETS_AT_ONCE))
        both = np.concatenate([_expanded(members, starts, sizes, side[part]) for side in (one, other)])
        both.sort()
        twice = both[1:][both[1:] == both[:-1]] >> np.uint64(47)
        total[part] = np.bincount(twice.astype(np.int64), minlength=len(one[part]))
    return total


def _expanded(
    members: NDArray[np.uint64], starts: NDArray[np.int64], sizes: NDArray[np.int64], sets: NDArray[np.int64]
) -> NDArray[np.uint64]:
    """The members of each of the sets, marked with the place in `sets`."""
    counts = sizes[sets]
    ends = np.cumsum(counts)
    places = np.arange(int(ends[-1]) if len(ends) else 0) + np.repeat(starts[sets] - (ends - counts), counts)
    owner = np.repeat(np.arange(len(sets), dtype=np.uint64), counts)
    return (owner << np.uint64(47)) | members[places]


def _in_halves(first: NDArray[np.int64], second: NDArray[np.int64], texts: Texts) -> NDArray[np.float64]:
    middle = len(first) // 2
    return np.concatenate([jaccard(first[:middle], second[:middle], texts), jaccard(first[middle:], second[middle:], texts)])


def _shingle_hashes(plain: Sequence[str]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """A hash for every shingle of every normalised text, one after the other, and where each text's begin (and the end)."""
    padded = [f" {text} " if text else "" for text in plain]
    codes = np.frombuffer("".join(padded).encode("utf-32-le", errors="surrogatepass"), dtype=np.uint32)
    codes = np.concatenate([codes, np.zeros(SHINGLE, dtype=np.uint32)])
    lengths = np.fromiter(map(len, padded), dtype=np.int64, count=len(padded))
    ends = np.cumsum(lengths)
    counts = np.where(lengths > 0, np.maximum(1, lengths - SHINGLE + 1), 0)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    places = np.arange(int(offsets[-1])) + np.repeat((ends - lengths) - offsets[:-1], counts)
    limits = np.repeat(ends, counts)
    hashes = np.zeros(len(places), dtype=np.uint64)
    for place, factor in enumerate(_FACTORS):
        code = codes[places + place].astype(np.uint64) + np.uint64(1)
        hashes += np.where(places + place < limits, code, np.uint64(0)) * factor
    hashes ^= hashes >> np.uint64(32)
    hashes *= _MIX
    hashes ^= hashes >> np.uint64(29)
    return hashes, offsets


def _parts(plain: Sequence[str]) -> list[slice]:
    """The texts in stretches of bounded length; a single text may be longer."""
    parts, begin, length = [], 0, 0
    for place, text in enumerate(plain):
        if length and length + len(text) > _CHARACTERS_AT_ONCE:
            parts.append(slice(begin, place))
            begin, length = place, 0
        length += len(text) + 2
    return [*parts, slice(begin, len(plain))] if len(plain) > begin else parts


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest(), "little")
