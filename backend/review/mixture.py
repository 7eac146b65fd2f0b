"""Where among a rater's items gold and hidden repeats come. Pure: the same seed gives the same places.

Promised: over any number of items each kind has its share, but for two; where the next one comes cannot be told from where
the last one came. The places are those of one rater's own sequence of items, counted from 0.
"""

from __future__ import annotations

import hashlib
import math

from backend.vocabulary import ItemPurpose

LEAST = 0.001
"""Shares below one in a thousand are none."""


def plan(
    *, seed: int, account_id: int, gold_share: float, repeat_share: float, start: int, count: int
) -> tuple[ItemPurpose, ...]:
    """What the rater's items number `start` to `start + count - 1` are: work, gold or a repeat."""
    found = [ItemPurpose.WORK] * count
    share = gold_share + repeat_share
    if share < LEAST:
        return tuple(found)
    number = max(0, math.floor(start * share) - 1)
    while (first := math.floor(number / share)) < start + count:
        place = first + int(chance(seed, account_id, "place", number) * (math.floor((number + 1) / share) - first))
        if start <= place < start + count:
            found[place - start] = _kind(seed, account_id, number, gold_share / share)
        number += 1
    return tuple(found)


def _kind(seed: int, account_id: int, number: int, gold: float) -> ItemPurpose:
    """Gold for its share of all copies, spread evenly from a drawn beginning."""
    begin = chance(seed, account_id, "kind", 0)
    is_gold = math.floor((number + 1) * gold + begin) > math.floor(number * gold + begin)
    return ItemPurpose.GOLD if is_gold else ItemPurpose.REPEAT


def chance(seed: int, account_id: int, word: str, number: int) -> float:
    """A number from 0 to 1 (never 1) that follows from these."""
    digest = hashlib.sha256(f"{seed}/{account_id}/{word}/{number}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48
