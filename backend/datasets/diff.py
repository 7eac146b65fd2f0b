"""How two snapshots differ: rows added, removed, changed in text, moved between splits. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from backend.vocabulary import Split


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record stands in a snapshot, and with which text."""

    split: Split
    content_hash: str


@dataclass(frozen=True, slots=True)
class Difference:
    """Record ids, sorted. A record can be both changed and moved; `leaked` went from test to train."""

    added: tuple[int, ...]
    removed: tuple[int, ...]
    changed: tuple[int, ...]
    moved: tuple[int, ...]
    leaked: tuple[int, ...]
    unchanged: int

    @property
    def is_empty(self) -> bool:
        """Whether the two hold the same rows in the same splits."""
        return not (self.added or self.removed or self.changed or self.moved)


def compare(before: Mapping[int, Place], after: Mapping[int, Place]) -> Difference:
    """The difference from `before` to `after`, by record id."""
    both = sorted(before.keys() & after.keys())
    return Difference(
        added=tuple(sorted(after.keys() - before.keys())),
        removed=tuple(sorted(before.keys() - after.keys())),
        changed=tuple(key for key in both if before[key].content_hash != after[key].content_hash),
        moved=tuple(key for key in both if before[key].split != after[key].split),
        leaked=tuple(key for key in both if (before[key].split, after[key].split) == (Split.TEST, Split.TRAIN)),
        unchanged=sum(before[key] == after[key] for key in both),
    )
