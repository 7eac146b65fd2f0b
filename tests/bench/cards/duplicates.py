"""Scorecard of the search for near duplicates: the bands of MinHash alone, against the exact method that misses nothing.

Up to `EXACT_UP_TO` different texts the product asks the exact method as well; the card says what is missed beyond that. The
utterances are also counted with small edits of their own, because real repeats in support are mostly slips and greetings.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from backend.conversations import Message
from backend.detectors import sketches
from backend.detectors.alike import EXACT_UP_TO, Alike, compare
from backend.detectors.duplicates import THRESHOLD, duplicate_key, near_pairs, similarity
from backend.vocabulary import Check
from tests.bench.cards.form import bank_questions, made, share, shop_utterances

_SEED = 11


def by_bands(texts: Sequence[str]) -> Alike:
    """What is found without the exact method."""
    held = np.array(texts, dtype=object)
    drawn = sketches.sketches([duplicate_key([Message("user", text)]) for text in texts], texts)
    return compare(drawn, lambda places: list(held[places]), fresh=np.ones(len(texts), dtype=bool), exact_up_to=0)


def measured(name: str, texts: Sequence[str]) -> list[dict[str, Any]]:
    """Recall of pairs and of records, and precision."""
    pairs = list(near_pairs(texts))
    found = by_bands(texts)
    later = {second for _, second, _ in pairs}
    told = np.flatnonzero(found.similarity >= THRESHOLD)
    right = sum(similarity(texts[int(place)], texts[int(found.nearest[place])]) >= THRESHOLD for place in told)
    linked = sum(bool(found.root[first] == found.root[second]) for first, second, _ in pairs)
    return [
        share(f"Pairs put into one cluster: {name}", linked, len(pairs), goal=0.98),
        share(f"Repeats found: {name}", sum(bool(found.similarity[one] >= THRESHOLD) for one in later), len(later), goal=0.98),
        share(f"Findings that are right: {name}", int(right), len(told), goal=1.0),
    ]


def edited(texts: Sequence[str]) -> list[str]:
    """The texts, and a copy of each with one slip, a greeting or another ending."""
    chance = random.Random(_SEED)
    return [*texts, *(_slip(text, chance) for text in texts)]


def _slip(text: str, chance: random.Random) -> str:
    kind, place = chance.randrange(4), chance.randrange(max(1, len(text)))
    if kind == 0:
        return text[:place] + text[place + 1 :]
    if kind == 1:
        return text[:place] + text[place : place + 1] + text[place:]
    return f"hi, {text}" if kind == 2 else f"{text.rstrip('.?! ')}!!"


def card() -> dict[str, Any]:
    """The whole scorecard."""
    shop, bank = shop_utterances(), bank_questions()
    return made(
        detector="near duplicates",
        check=Check.DUPLICATES,
        version=sketches.VERSION,
        data="bitext (6,480 utterances), banking77 (10,003 questions), 3,000 utterances of bitext with a small edit of each",
        measures=[
            *measured("utterances of a shop", shop),
            *measured("questions to a bank", bank),
            *measured("utterances and edits of them", edited(shop[:3000])),
        ],
        weakness=(
            f"Not good enough to find the same question in other words: what counts is the letters. Beyond {EXACT_UP_TO:,} "
            "different texts about one pair in a hundred at the threshold is missed; very short texts with one slip fall below "
            "it and are no near duplicates here. Answers are not compared."
        ),
    )
