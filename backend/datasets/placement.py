"""Where each candidate of a snapshot goes: into train, validation or test, or out of it and why. Pure.

People's own records are split first, and by themselves: `splits.assign` knows nothing of the rest, so that growing or
mixing moves none of them. Synthetic and general records follow: they enter train alone, and not even that where something
that they hang together with, directly or through others, is in validation or test.

Weights and copies, which mitigations set, are for learning: they count in train alone, and a row that is left out of train
by 0 copies still stands in validation and test. Of general records a stated share of the train rows is drawn by seed; a
later snapshot of more rows keeps those that were drawn.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from backend.datasets import likeness, splits
from backend.datasets.candidates import Candidate, members
from backend.datasets.splits import Ratios
from backend.errors import InvalidInput
from backend.vocabulary import Split

NOT_COPIED = "left out of the train set by resampling"
BEYOND = "general talk, beyond the stated share"
MOST = 0.9
"""The largest share of general talk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class General:
    """How much general talk is mixed into train: `share` of all its rows, drawn by `seed`."""

    share: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.share <= MOST:
            raise InvalidInput(
                f"The share of general talk must be between 0 and {MOST}: it is mixed into what the project teaches."
            )

    def rows_for(self, others: int) -> int:
        """How many general rows make up the share beside so many others."""
        return round(others * self.share / (1 - self.share))


@dataclass(frozen=True, slots=True)
class Placement:
    """`split_of` holds what enters, `bundle_of` what it may not be parted from, `left_out` ids by reason; `told` is what
    the manifest tells of the mixture, nothing where there is no general record.
    """

    split_of: Mapping[int, Split]
    bundle_of: Mapping[int, str]
    left_out: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    told: Mapping[str, Any] = field(default_factory=dict)


def place(
    rows: Sequence[Candidate],
    lines: Mapping[int, int],
    *,
    seed: int,
    ratios: Ratios | None = None,
    general: General | None = None,
) -> Placement:
    """Every row's place. `lines` says how many lines each record gives."""
    tied = members(rows, likeness.tied(rows))
    own = [member for member, row in zip(tied, rows, strict=True) if not row.follows]
    split_of = splits.assign(own, seed=seed, ratios=ratios)
    bundle_of = {record_id: str(bundle[0]) for bundle in splits.bundles(own) for record_id in bundle}
    left: dict[str, list[int]] = defaultdict(list)
    by_id = {row.record_id: row for row in rows}
    for bundle in splits.bundles(tied) if len(own) < len(rows) else ():
        held_out = {split_of[key] for key in bundle if key in split_of} - {Split.TRAIN}
        first = next((bundle_of[key] for key in bundle if key in split_of), str(bundle[0]))
        for row in (by_id[key] for key in bundle if by_id[key].follows):
            if held_out:
                left[_because(row, split_of, held_out)].append(row.record_id)
            else:
                split_of[row.record_id], bundle_of[row.record_id] = Split.TRAIN, first
    for row in rows:
        if split_of.get(row.record_id) is Split.TRAIN and row.copies == 0:
            left[NOT_COPIED].append(row.record_id)
            del split_of[row.record_id]
    told = _mix(rows, lines, split_of, left, general or General())
    entered = {record_id: bundle_of[record_id] for record_id in split_of}
    return Placement(split_of, entered, {reason: tuple(sorted(ids)) for reason, ids in sorted(left.items())}, told)


def _because(row: Candidate, split_of: Mapping[int, Split], held_out: set[Split]) -> str:
    """Why a follower stays out: its original is held out, or something else that it hangs together with."""
    split = Split.TEST if Split.TEST in held_out else Split.VALIDATION
    if row.is_general:
        return f"general talk, and like a record of the {split.value} set"
    origins = {split_of.get(key) for key in row.made_of} & held_out
    if not origins:
        return f"synthetic, and like a record of the {split.value} set"
    return f"synthetic, and its original is in the {(Split.TEST if Split.TEST in origins else Split.VALIDATION).value} set"


def _mix(
    rows: Sequence[Candidate],
    lines: Mapping[int, int],
    split_of: dict[int, Split],
    left: dict[str, list[int]],
    general: General,
) -> dict[str, Any]:
    """Leave the general rows beyond the share out of `split_of`; what the manifest tells."""
    counted = {row.record_id: lines[row.record_id] * row.copies for row in rows if split_of.get(row.record_id) is Split.TRAIN}
    available = [row.record_id for row in rows if row.is_general and row.record_id in counted]
    if not any(row.is_general for row in rows):
        return {}
    room = general.rows_for(sum(counted.values()) - sum(counted[key] for key in available))
    taken = full = 0
    for key in sorted(available, key=lambda key: _order(general.seed, key)):
        if full or taken + counted[key] > room:
            full = 1  # the rest of the order too: a later, larger share holds all that this one holds
            left[BEYOND].append(key)
            del split_of[key]
        else:
            taken += counted[key]
    return {"general": asdict(general) | {"available": sum(counted[key] for key in available), "taken": taken}}


def _order(seed: int, record_id: int) -> str:
    return hashlib.sha256(f"general:{seed}:{record_id}".encode()).hexdigest()
