"""Puts new records into clusters with the records that are there: exact repeats and near duplicates.

Pure. A cluster only ever grows: records that were together stay together, whatever becomes of their text, so that a split
never tears apart what once looked alike.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from backend.detectors.duplicates import near_pairs, normalise

THRESHOLD = 0.8


@dataclass(frozen=True, slots=True)
class Known:
    """A stored record: its id, cluster ("" for none), duplicate key and customer's words."""

    record_id: int
    cluster: str
    key: str
    text: str


@dataclass(frozen=True, slots=True)
class Clusters:
    """The clusters of the new texts, in their order, and those of stored records whose cluster changes, by record id."""

    new: tuple[str, ...]
    changed: dict[int, str]


def cluster(known: Sequence[Known], texts: Sequence[str], *, threshold: float = THRESHOLD) -> Clusters:
    """A cluster is named after its first text; a record that is like no other has none ("")."""
    everything = [record.text for record in known] + list(texts)
    parent = list(range(len(everything)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    def join(first: int, second: int) -> None:
        one, two = sorted((root(first), root(second)))
        parent[two] = one

    first_of: dict[str, int] = {}
    for index, record in enumerate(known):
        if record.cluster:
            join(first_of.setdefault(record.cluster, index), index)
    for first, second, _ in near_pairs(everything, threshold=threshold, since=len(known)):
        join(first, second)
    roots = [root(index) for index in range(len(everything))]
    labels = _labels(roots, known, everything)
    changed = {
        record.record_id: labels[roots[index]]
        for index, record in enumerate(known)
        if labels.get(roots[index], "") != record.cluster
    }
    return Clusters(tuple(labels.get(place, "") for place in roots[len(known) :]), changed)


def _labels(roots: Sequence[int], known: Sequence[Known], texts: Sequence[str]) -> dict[int, str]:
    """A label for each root that has more than one member, or had one before: its first known label, else a new one."""
    sizes: dict[int, int] = {}
    labels: dict[int, str] = {}
    for index, place in enumerate(roots):
        sizes[place] = sizes.get(place, 0) + 1
        if index < len(known) and known[index].cluster:
            labels.setdefault(place, known[index].cluster)
    for place, size in sizes.items():
        if size > 1 and place not in labels:
            labels[place] = hashlib.sha256(normalise(texts[place]).encode()).hexdigest()[:16]
    return labels
