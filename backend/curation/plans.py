"""What a mitigation would do, worked out from the records: the plan as a value, and its report before and after. Pure.

The records are those that can be trained on now. A row counts by its weight times its copies, before and after. Not promised:
anything about records that are approved later; they count 1, until a mitigation is applied anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from backend.conversations import USER, Message
from backend.curation import weights
from backend.curation.labels import labelled
from backend.curation.observed import Row
from backend.curation.weights import HIGHEST, LOWEST, Resampling
from backend.detectors.counterfactuals import KINDS, Variant, variants
from backend.detectors.identity import groups
from backend.errors import InvalidInput, NotReady
from backend.vocabulary import MitigationKind

MOST_SLICES = 60
"""Values by which records are told apart; more are names of things, and each cell would hold next to nothing."""
MOST_VARIANTS = 2000
SWAPS = KINDS
"""What counterfactuals can swap."""


@dataclass(frozen=True, slots=True)
class Counted:
    """A record with what it counts now."""

    row: Row
    weight: float = 1.0
    copies: int = 1

    @property
    def counts(self) -> float:
        """How much it counts in training."""
        return self.weight * self.copies


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a person chose. What a kind does not need is left as it is."""

    kind: MitigationKind
    slice_by: str = ""
    outcome: str = ""
    lowest: float = LOWEST
    highest: float = HIGHEST
    how: Resampling = Resampling.OVER
    shares: Mapping[str, float] = field(default_factory=dict)
    swaps: tuple[str, ...] = KINDS
    each: int = 1
    most: int = 200
    seed: int = 0

    def to_json(self) -> dict[str, Any]:
        """As a mitigation stores it."""
        return {**asdict(self), "kind": self.kind.value, "how": self.how.value, "swaps": list(self.swaps)}


def shares_of(text: str) -> dict[str, float]:
    """Target shares as they are typed: "mail=40, phone=60". Nothing typed is no target. Raises InvalidInput."""
    found = {}
    for part in filter(str.strip, text.split(",")):
        name, _, number = part.rpartition("=")
        try:
            share = float(number)
        except ValueError:
            share = -1.0
        if not name.strip() or not 0 <= share < float("inf"):
            raise InvalidInput("Write target shares as group=number, separated by commas, such as mail=40, phone=60.")
        found[name.strip()] = share
    return found


@dataclass(frozen=True, slots=True)
class Planned:
    """What the plan would set, by record id, and the report before and after."""

    values: Mapping[int, float]
    """The weights, or the copies, that would change."""
    before: dict[str, Any]
    after: dict[str, Any]


def planned(plan: Plan, records: Sequence[Counted]) -> Planned:
    """Reweighing or resampling of these records. Raises NotReady where there are none, InvalidInput for a plan that is none."""
    if not records:
        raise NotReady("No record is approved yet, so there is nothing to weigh. Approve some first.")
    slices = labelled(plan.slice_by, [held.row for held in records])
    _check_size(slices)
    if plan.kind is MitigationKind.REWEIGHING:
        return _reweighed(plan, records, slices)
    if plan.kind is MitigationKind.RESAMPLING:
        return _resampled(plan, records, slices)
    raise InvalidInput("Choose reweighing or resampling.")


def _check_size(labels: Sequence[str]) -> None:
    if (found := len(set(labels))) < 2:
        raise InvalidInput("All records have the same value there, so there is nothing to even out. Choose another.")
    elif found > MOST_SLICES:
        raise InvalidInput(f"That has {found:,} different values; at most {MOST_SLICES} can be evened out. Choose another.")


def _reweighed(plan: Plan, records: Sequence[Counted], slices: Sequence[str]) -> Planned:
    if plan.slice_by == plan.outcome:
        raise InvalidInput("Choose two different things: the groups, and what should not hang on them.")
    outcomes = labelled(plan.outcome, [held.row for held in records])
    _check_size(outcomes)
    copies = [held.copies for held in records]
    found = weights.reweigh(slices, outcomes, copies, lowest=plan.lowest, highest=plan.highest)
    cells = list(zip(slices, outcomes, strict=True))
    new = [found.weights.get(cell, 1.0) for cell in cells]  # rows that resampling left out weigh nothing anyway
    after = report(slices, outcomes, [weight * held.copies for weight, held in zip(new, records, strict=True)])
    sizes = Counter(cells)
    after["cells"] = [
        {"slice": name, "outcome": outcome, "rows": sizes[name, outcome], "weight": weight}
        for (name, outcome), weight in sorted(found.weights.items())
    ]
    after["cut"] = found.cut
    after["missing"] = len(set(slices)) * len(set(outcomes)) - len(found.weights)
    values = {held.row.record_id: weight for held, weight in zip(records, new, strict=True) if weight != held.weight}
    return Planned(values, report(slices, outcomes, [held.counts for held in records]), after)


def _resampled(plan: Plan, records: Sequence[Counted], slices: Sequence[str]) -> Planned:
    copies = weights.resample(slices, how=plan.how, seed=plan.seed, shares=plan.shares)
    before = report(slices, None, [held.counts for held in records])
    after = report(slices, None, [held.weight * count for held, count in zip(records, copies, strict=True)])
    before["rows"], after["rows"] = sum(held.copies for held in records), sum(copies)
    after["dropped"] = sum(count == 0 for count in copies)
    after["most_copies"] = max(copies)
    values = {held.row.record_id: count for held, count in zip(records, copies, strict=True) if count != held.copies}
    return Planned(values, before, after)


def report(slices: Sequence[str], outcomes: Sequence[str] | None, counts: Sequence[float]) -> dict[str, Any]:
    """Each slice's rows and share of all, the shares of outcomes within it, and the widest gap between slices."""
    cells = weights.table(slices, outcomes or [""] * len(slices), counts)
    rows = Counter(slices)
    total = sum(counts) or 1.0
    found = []
    for name, size in rows.most_common():
        inside = {outcome: count for (held, outcome), count in cells.items() if held == name}
        whole = sum(inside.values())
        shares = {outcome: count / whole if whole else 0.0 for outcome, count in sorted(inside.items())}
        found.append({"slice": name, "records": size, "share": whole / total, "outcomes": shares if outcomes else {}})
    return {"slices": found, "gap": weights.gap(cells) if outcomes else None}


# --- counterfactuals ---


@dataclass(frozen=True, slots=True)
class Made:
    """A variant of a record."""

    record_id: int
    original: tuple[Message, ...]
    variant: Variant


def made(plan: Plan, conversations: Sequence[tuple[int, tuple[Message, ...]]]) -> list[Made]:
    """The variants of these conversations, up to the plan's limit."""
    if not plan.swaps or not set(plan.swaps) <= set(KINDS):
        raise InvalidInput("Choose what to swap.")
    if not 1 <= plan.most <= MOST_VARIANTS:
        raise InvalidInput(f"Between 1 and {MOST_VARIANTS:,} variants can be made at a time.")
    found = []
    for record_id, messages in conversations:
        for variant in variants(messages, seed=plan.seed, kinds=plan.swaps, each=plan.each):
            found.append(Made(record_id, messages, variant))
            if len(found) == plan.most:
                return found
    return found


def mention_counts(conversations: Sequence[Sequence[Message]]) -> Counter[tuple[str, str]]:
    """(group, value) → in how many conversations the customer mentions it."""
    found: Counter[tuple[str, str]] = Counter()
    for messages in conversations:
        said = "\n".join(message.content for message in messages if message.role == USER)
        found.update((group, value) for group, values in groups(said).items() for value in values)
    return found


def mention_report(counts: Mapping[tuple[str, str], int]) -> dict[str, Any]:
    """The counts as a report."""
    ordered = sorted(counts.items(), key=lambda item: (item[0][0], -item[1], item[0][1]))
    return {"mentions": [{"group": group, "value": value, "records": count} for (group, value), count in ordered]}
