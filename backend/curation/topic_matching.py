"""Which of a new clustering's topics are old ones, so that names and merges of people are kept. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment  # type: ignore[import-untyped]

SAME = 0.25
"""Of the texts of two topics together, the least share that both must hold to be one."""
INSIDE = 0.6
"""The share of a new topic's texts that makes it a part of what people merged."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What a new topic is: an old one (its id) or a new one (None), and the topic that it is merged into, by id."""

    old: int | None = None
    merged_into: int | None = None


def fates(before: np.ndarray, after: np.ndarray, *, count: int, merged: Mapping[int, int | None]) -> list[Fate]:
    """What becomes of the new topics 0…count-1.

    `before` and `after` label the same texts with old topics' ids (0 for none) and new topics (negative for none). `merged`
    gives for every old topic the one that it was merged into. A topic into which others were merged lives on as long as one
    of them is found again; a new one that lies inside it joins it.
    """
    old = sorted(merged)
    shared = np.array([[((before == topic) & (after == place)).sum() for topic in old] for place in range(count)]).reshape(
        count, len(old)
    )
    sizes = np.array([(after == place).sum() for place in range(count)])
    held = np.array([(before == topic).sum() for topic in old])
    either = sizes[:, None] + held[None, :] - shared
    alike = np.divide(shared, either, out=np.zeros(shared.shape), where=either > 0)
    pairs = zip(*linear_sum_assignment(-alike), strict=True)
    chosen = {int(place): old[column] for place, column in pairs if alike[place, column] >= SAME}
    _keep_roots(chosen, merged, sizes)
    found = set(chosen.values())
    result = []
    for place in range(count):
        topic = chosen.get(place)
        into = merged[topic] if topic is not None else _surrounding(shared[place], sizes[place], old, merged)
        result.append(Fate(topic, into if into in found else None))
    return result


def _keep_roots(chosen: dict[int, int], merged: Mapping[int, int | None], sizes: np.ndarray) -> None:
    """Where a topic was not found again but one that was merged into it was, the largest of those takes its place."""
    found = set(chosen.values())
    for place in sorted(chosen, key=lambda place: -int(sizes[place])):
        root = merged[chosen[place]]
        if root is not None and root not in found:
            chosen[place] = root
            found.add(root)


def _surrounding(shared: np.ndarray, size: int, old: list[int], merged: Mapping[int, int | None]) -> int | None:
    """The topic made by merging in which most of a new one's texts were."""
    for root in sorted({into for into in merged.values() if into is not None}):
        inside = sum(int(shared[column]) for column, topic in enumerate(old) if topic == root or merged[topic] == root)
        if size and inside >= INSIDE * size:
            return root
    return None
