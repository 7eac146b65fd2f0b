"""Exact and near duplicates.

Exact: equal after case, width and white space are evened out. Near: Jaccard similarity of character shingles, computed
exactly. Candidates come from prefix filtering over the rarest shingles, which misses no pair at or above the threshold
(MinHash does, on short texts). The same texts give the same clusters in whatever order they come.

Not promised: speed beyond some ten thousand texts; `alike` is for those.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from backend.conversations import USER, Message
from backend.detectors.unions import Unions

VERSION = "1"
SHINGLE = 4
"""Characters in a shingle."""
THRESHOLD = 0.8
"""From this similarity on two texts are near duplicates."""


def normalise(text: str) -> str:
    """The text without differences of case, width and white space."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def duplicate_key(messages: Sequence[Message]) -> str:
    """Equal for conversations whose turns are equal once normalised; metadata does not count."""
    digest = hashlib.sha256()
    for message in messages:
        digest.update(f"{message.role}\x00{normalise(message.content)}\x01".encode(errors="surrogatepass"))
    return digest.hexdigest()


def customer_words(messages: Sequence[Message]) -> str:
    """What the customer says: the text by which near duplicates are found.

    Answers are left out: an FAQ's answer repeats word for word under quite different questions.
    """
    return "\n".join(message.content for message in messages if message.role == USER)


def similarity(first: str, second: str) -> float:
    """Jaccard similarity of the two texts' shingles, from 0 to 1."""
    a, b = shingles(first), shingles(second)
    return len(a & b) / len(a | b) if a or b else 1.0


def shingles(text: str) -> frozenset[str]:
    """The set of character 4-grams of the normalised text, padded so that short texts have some."""
    padded = f" {normalise(text)} "
    if padded.isspace():
        return frozenset()
    return frozenset(padded[i : i + SHINGLE] for i in range(max(1, len(padded) - SHINGLE + 1)))


def near_pairs(texts: Sequence[str], *, threshold: float = THRESHOLD, since: int = 0) -> Iterator[tuple[int, int, float]]:
    """Every pair (i < j) with similarity at or above `threshold`. Equal texts are paired with their first only.

    Pairs with j < `since` are left out: those of texts that were compared before.
    """
    first_of: dict[frozenset[str], int] = {}
    for index, text in enumerate(texts):
        first = first_of.setdefault(shingles(text), index)
        if first != index >= since:
            yield first, index, 1.0
    yield from _similar_sets(list(first_of.items()), threshold, since)


_IN_COMMON = 4
"""Shingles that two prefixes must share before the sets are compared: longer prefixes, but far fewer candidates."""
_SLACK = 1e-9
"""So that rounding never shortens a prefix."""


def _similar_sets(sets: list[tuple[frozenset[str], int]], threshold: float, since: int) -> Iterator[tuple[int, int, float]]:
    """Pairs of sets at or above the threshold: each, by growing size, meets smaller ones that share its rarest shingles.

    A set that shares `least` of n members shares k of the n - least + k rarest.
    """
    counts = Counter(itertools.chain.from_iterable(members for members, _ in sets))
    rarity = {shingle: rank for rank, shingle in enumerate(sorted(counts, key=lambda shingle: (counts[shingle], shingle)))}
    ranked = sorted((len(members), index, sorted(map(rarity.__getitem__, members))) for members, index in sets if members)
    whole = [frozenset(ranks) for _, _, ranks in ranked]
    postings: dict[int, list[int]] = defaultdict(list)
    for place, (size, index, ranks) in enumerate(ranked):
        least = math.ceil(threshold * size - _SLACK)
        needed = min(_IN_COMMON, least)
        seen = Counter(itertools.chain.from_iterable(postings[r] for r in ranks[: size - least + needed] if r in postings))
        for other in sorted(other for other, common in seen.items() if common >= needed):
            other_size, other_index, _ = ranked[other]
            if other_size < least or max(index, other_index) < since:
                continue
            shared = len(whole[place] & whole[other])
            value = shared / (size + other_size - shared)
            if value >= threshold:
                yield min(index, other_index), max(index, other_index), value
        # Only larger sets come to look here, and with those an even larger share must be common.
        least = math.ceil(2 * threshold / (1 + threshold) * size - _SLACK)
        for rank in ranks[: size - least + _IN_COMMON]:
            postings[rank].append(place)


def clusters(texts: Sequence[str], *, threshold: float = THRESHOLD) -> list[int]:
    """For each text the index of the first text in its cluster: texts linked by near pairs, directly or through others."""
    linked = Unions()
    for first, second, _ in near_pairs(texts, threshold=threshold):
        linked.join(first, second)
    return [linked.root(index) for index in range(len(texts))]
