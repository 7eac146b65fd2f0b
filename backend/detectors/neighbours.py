"""Clusters of records: exact repeats and near duplicates, and what a cluster is called.

Pure. A cluster only ever grows: records that were together stay together, whatever becomes of their text, so that a split
never tears apart what once looked alike.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from backend.detectors.duplicates import THRESHOLD, near_pairs, normalise
from backend.detectors.unions import Unions


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
    linked = Unions()
    first_of: dict[str, int] = {}
    for index, record in enumerate(known):
        if record.cluster:
            linked.join(first_of.setdefault(record.cluster, index), index)
    for first, second, _ in near_pairs(everything, threshold=threshold, since=len(known)):
        linked.join(first, second)
    roots = [linked.root(index) for index in range(len(everything))]
    labels = cluster_names(roots, [record.cluster for record in known], lambda place: everything[place])
    changed = {
        record.record_id: labels[roots[index]]
        for index, record in enumerate(known)
        if labels.get(roots[index], "") != record.cluster
    }
    return Clusters(tuple(labels.get(place, "") for place in roots[len(known) :]), changed)


def cluster_names(roots: Iterable[int], held: Sequence[str], text_of: Callable[[int], str]) -> dict[int, str]:
    """A name for each root that has more than one member, or had one before: the first that a member holds, else a new one.

    `held` are the names that the first places have ("" for none); a new name comes from the text of the root.
    """
    sizes: dict[int, int] = {}
    names: dict[int, str] = {}
    for index, root in enumerate(roots):
        sizes[root] = sizes.get(root, 0) + 1
        if index < len(held) and held[index]:
            names.setdefault(root, held[index])
    for root, size in sizes.items():
        if size > 1 and root not in names:
            names[root] = hashlib.sha256(normalise(text_of(root)).encode(errors="surrogatepass")).hexdigest()[:16]
    return names
