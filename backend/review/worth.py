"""Which open items teach most, and why, in words for the person who gets them. Pure: texts, labels and counts in.

Nothing here names a version: what is said stands on an item that is judged blind. Every order keeps the given one among
equals. Not promised: that what teaches a model most is what its customers need most.
"""

from __future__ import annotations

import heapq
import itertools
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

FEWEST_LABELS = 30
LONGEST_WHY = 200
LONGEST_TEXT = 2000
"""Characters of a text that are looked at."""
_WORD = re.compile(r"\w+")

Slice = tuple[str, str]
"""A metadata key and one of its values."""


@dataclass(frozen=True, slots=True)
class Place:
    """An item at its new place, and why it stands there; empty where nothing speaks for it."""

    item_id: int
    why: str = ""


def by_disagreement(texts: Mapping[int, Sequence[str]]) -> list[Place]:
    """Items whose responses differ most first. `texts` are those of one question, by item."""
    apart = {item_id: _apart(given) for item_id, given in texts.items()}
    ranked = sorted(apart, key=lambda item_id: -apart[item_id])
    return [Place(item_id, f"The answers differ here by {apart[item_id]:.0%}" if apart[item_id] else "") for item_id in ranked]


def by_uncertainty(texts: Mapping[int, Sequence[str]], labelled: Sequence[tuple[str, bool]]) -> list[Place] | None:
    """Items on which a quality model, trained on what was labelled so far, is least sure; None: too few labels yet.

    With one text, unsure is near 50%; with several, where the best two are judged alike.
    """
    kinds = {label for _, label in labelled}
    if len(labelled) < FEWEST_LABELS or len(kinds) < 2 or not texts:
        return None
    from sklearn.feature_extraction.text import TfidfVectorizer  # heavy, and most processes never need it
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(
        TfidfVectorizer(max_features=20_000, sublinear_tf=True, token_pattern=_WORD.pattern),
        LogisticRegression(class_weight="balanced", max_iter=300),
    )
    known = [(text[:LONGEST_TEXT], label) for text, label in labelled]
    if not any(_WORD.search(text) for text, _ in known):
        return None
    model.fit([text for text, _ in known], [label for _, label in known])
    flat = [(item_id, text[:LONGEST_TEXT]) for item_id, given in texts.items() for text in given]
    good = model.predict_proba([text for _, text in flat])[:, list(model.classes_).index(True)]
    chances: dict[int, list[float]] = defaultdict(list)
    for (item_id, _), chance in zip(flat, good, strict=True):
        chances[item_id].append(float(chance))
    ranked = sorted(texts, key=lambda item_id: _sureness(chances[item_id]))
    return [Place(item_id, _unsure(chances[item_id])) for item_id in ranked]


def by_thin_slices(slices: Mapping[int, Mapping[str, str]], approved: Mapping[Slice, int]) -> list[Place]:
    """Items from the slices with fewest approved records first; each one taken counts, so that thin slices take turns.

    `approved` names the slices that count, also those at 0; others say nothing.
    """
    waiting: dict[Slice, list[int]] = defaultdict(list)
    rest: list[int] = []
    for item_id, metadata in slices.items():
        known = [pair for pair in metadata.items() if pair in approved]
        if known:
            waiting[min(known, key=lambda pair: (approved[pair], pair))].append(item_id)
        else:
            rest.append(item_id)
    queues = {pair: iter(items) for pair, items in waiting.items()}
    heap = [(approved[pair], pair) for pair in waiting]
    heapq.heapify(heap)
    found: list[Place] = []
    while heap:
        count, pair = heapq.heappop(heap)
        following = next(queues[pair], None)
        if following is not None:
            found.append(Place(following, _thin(pair, approved[pair])))
            heapq.heappush(heap, (count + 1, pair))
    return found + [Place(item_id) for item_id in rest]


def _apart(texts: Sequence[str]) -> float:
    """The mean distance of the texts' words and pairs of words, 0 (the same) to 1 (none in common)."""
    grams = [_grams(text) for text in texts]
    pairs = list(itertools.combinations(grams, 2))
    if not pairs:
        return 0.0
    return sum(1 - 2 * len(one & other) / max(1, len(one) + len(other)) for one, other in pairs if one != other) / len(pairs)


def _grams(text: str) -> frozenset[tuple[str, ...]]:
    words = _WORD.findall(text[:LONGEST_TEXT].casefold())
    return frozenset([(word,) for word in words] + list(itertools.pairwise(words)))


def _sureness(chances: Sequence[float]) -> float:
    if len(chances) == 1:
        return abs(2 * chances[0] - 1)
    best, second = sorted(chances, reverse=True)[:2] if chances else (1.0, 0.0)
    return best - second


def _unsure(chances: Sequence[float]) -> str:
    if len(chances) == 1:
        return f"The quality model is unsure here: {chances[0]:.0%} good"
    return "The quality model finds these answers nearly alike" if chances and _sureness(chances) < 0.1 else ""


def _thin(pair: Slice, count: int) -> str:
    name = f"{pair[0]} = {pair[1]}"[:120]
    records = "No approved record" if not count else f"Only {count:,} approved {'record' if count == 1 else 'records'}"
    return f"{records} in {name}"[:LONGEST_WHY]
