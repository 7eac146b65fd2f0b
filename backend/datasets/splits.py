"""Which row goes into train, validation or test.

Rows that share any key (conversation, near-duplicate cluster, equal question, equal text) hang together, through others
too, and such a bundle is never parted: nothing of the test set is seen in training. The draw depends on the seed and the
rows' ids alone, not on their order or texts, and is a place on a line from 0 to 1 of which the test set takes the low end:
a later snapshot of more rows keeps nearly every row where it was, and none goes from test to train while its bundle and
the ratios stay.

Not promised: exact ratios where bundles are large. With two bundles validation stays empty, with one the test set too.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from backend.detectors.unions import Unions
from backend.errors import InvalidInput
from backend.vocabulary import Split


@dataclass(frozen=True, slots=True)
class Ratios:
    """Shares of the rows. They add up to 1, and train's is above 0."""

    train: float = 0.8
    validation: float = 0.1
    test: float = 0.1

    def __post_init__(self) -> None:
        shares = (self.train, self.validation, self.test)
        if not all(0 <= share <= 1 for share in shares) or abs(sum(shares) - 1) > 1e-6:
            raise InvalidInput("The shares of train, validation and test must be between 0 and 1 and add up to 1.")
        if self.train <= 0:
            raise InvalidInput("The share of train must be above 0: there would be nothing to learn from.")

    def to_json(self) -> dict[str, float]:
        """A JSON-ready dict."""
        return {"train": self.train, "validation": self.validation, "test": self.test}


@dataclass(frozen=True, slots=True)
class Member:
    """A row to be placed, and the keys that tie it to others. Empty keys tie nothing."""

    id: int
    keys: tuple[str, ...] = ()


def bundles(members: Sequence[Member]) -> list[list[int]]:
    """Ids that hang together through shared keys, each bundle sorted, bundles by their lowest id."""
    linked = Unions()
    first_with: dict[str, int] = {}
    for member in members:
        for key in member.keys:
            if key:
                linked.join(first_with.setdefault(key, member.id), member.id)
    gathered: dict[int, list[int]] = defaultdict(list)
    for node in sorted({member.id for member in members}):
        gathered[linked.root(node)].append(node)
    return [gathered[lowest] for lowest in sorted(gathered)]


def place(seed: int, bundle: Sequence[int]) -> str:
    """A bundle's place on the line, as hex digits. Its lowest id stands for it, so that it stays when rows join."""
    return hashlib.sha256(f"{seed}:{min(bundle)}".encode()).hexdigest()


def assign(members: Sequence[Member], *, seed: int, ratios: Ratios | None = None) -> dict[int, Split]:
    """The split of every row by its id. With three or more bundles no split whose share is above 0 stays empty."""
    shares = ratios or Ratios()
    waiting = sorted(bundles(members), key=lambda bundle: place(seed, bundle))
    total = len(members)
    split_of: dict[int, Split] = {}
    for split, share in ((Split.TEST, shares.test), (Split.VALIDATION, shares.validation)):
        if share <= 0:
            continue
        others = 2 if split is Split.TEST and shares.validation > 0 and len(waiting) > 2 else 1
        taken = _take(waiting, room=max(1, round(share * total)), leave=others)
        split_of |= {node: split for bundle in taken for node in bundle}
        waiting = [bundle for bundle in waiting if bundle[0] not in split_of]
    return split_of | {node: Split.TRAIN for bundle in waiting for node in bundle}


def _take(waiting: Iterable[list[int]], *, room: int, leave: int) -> list[list[int]]:
    """Bundles from the low end that fit into `room` rows, or the smallest where none fits; at least `leave` remain."""
    available = list(waiting)
    most = len(available) - leave
    taken: list[list[int]] = []
    for bundle in available:
        if room <= 0 or len(taken) >= most:
            break
        if len(bundle) <= room:
            taken.append(bundle)
            room -= len(bundle)
    if not taken and most > 0:
        taken.append(min(available, key=len))
    return taken
