"""How a task's items are chosen, as a value: which records, whose answers, how many. Pure.

A task keeps it as JSON beside its options, so that more items can be added in the same way later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from backend.errors import InvalidInput
from backend.review.filters import RecordFilter
from backend.vocabulary import FindingKind, RecordStatus

LARGEST_SEED = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What a task asks about. `contestants` are keys of `pool_queries.contestants`; a task to review records has none."""

    records: RecordFilter = RecordFilter()
    """Only these records, or answers to their questions."""
    evaluation_id: int | None = None
    """Only answers given in this evaluation; None: everybody's newest to each question."""
    contestants: tuple[str, ...] = ()
    pairs_per_question: int | None = 1
    """Of a comparison of more than two: how many pairs each question is asked with; None: every pair."""
    ranked: int = 3
    """How many answers a ranking shows."""
    size: int | None = None
    """How many questions (or records); None: all."""
    seed: int = 0
    stratify: str = ""
    """The metadata key whose values the sample is drawn by; empty: none."""
    equal: bool = False
    """Equally many of each value, instead of by its share."""

    def __post_init__(self) -> None:
        if self.size is not None and self.size < 1:
            raise InvalidInput("The sample must have at least one question.")
        if self.pairs_per_question is not None and self.pairs_per_question < 1:
            raise InvalidInput("Each question is asked with at least one pair.")
        if not 0 <= self.seed <= LARGEST_SEED:
            raise InvalidInput(f"The seed is a number from 0 to {LARGEST_SEED}.")

    def to_json(self) -> dict[str, Any]:
        """As tasks store it."""
        return {
            **asdict(self),
            "contestants": list(self.contestants),
            "records": {**asdict(self.records), "statuses": list(self.records.statuses)},
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Selection:
        """What `to_json` made; what is missing or unknown is left out. Raises InvalidInput for values that cannot be."""
        given = _known(cls, value)
        chosen = _known(RecordFilter, given.pop("records", {}))
        try:
            chosen["statuses"] = tuple(RecordStatus(status) for status in chosen.get("statuses", ()))
            chosen["finding"] = FindingKind(chosen["finding"]) if chosen.get("finding") else None
        except ValueError as error:
            raise InvalidInput("The way in which the items were chosen names a status or finding that is not known.") from error
        given["contestants"] = tuple(given.get("contestants", ()))
        return cls(records=RecordFilter(**chosen), **given)


def _known(kind: type[Any], value: Mapping[str, Any]) -> dict[str, Any]:
    names = {one.name for one in fields(kind)}
    return {key: item for key, item in value.items() if key in names}
