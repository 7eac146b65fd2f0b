"""What a task's lead chose beyond its rubric: who takes part, what is mixed in, in which order items come.

Pure. A task keeps it as JSON (`TaskOptions.to_json`); what is missing there has its default, so that old tasks stay
readable. Contradictions are refused at construction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from backend.errors import InvalidInput
from backend.vocabulary import ItemOrder

MOST_SHARE = 0.5
"""Gold and repeats together never take more than this share of a rater's items."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOptions:
    """The choices of one task."""

    raters: tuple[int, ...] = ()
    """Accounts that may take part; none named: everybody in the project."""
    excluded: tuple[int, ...] = ()
    """Accounts that are paused in this task, whoever else may take part."""
    show_reference: bool = False
    gold_share: float = 0.0
    """Which share of a rater's items are gold ones in disguise."""
    repeat_share: float = 0.0
    """Which share of a rater's items are ones that they answered before."""
    calibration_pass: float | None = None
    """How much of the calibration round must be right before real items are given; None: there is no round."""
    order: ItemOrder = ItemOrder.GIVEN
    dispute_at: float = 0.5
    """Raters disagree when their answers, on the mean over pairs of them, are at least this far apart (1: opposite ends)."""
    drawn: int | None = None
    """From how many questions the items were drawn."""
    identical: int = 0
    """Pairs left out because both versions gave the same answer; they count as ties."""
    source: Mapping[str, Any] = field(default_factory=dict)
    """How the items were chosen, so that more can be added the same way."""

    def __post_init__(self) -> None:
        for name, share in (("gold", self.gold_share), ("hidden repeats", self.repeat_share)):
            if not 0 <= share <= MOST_SHARE:
                raise InvalidInput(f"The share of {name} must be between 0% and {MOST_SHARE:.0%}.")
        if self.gold_share + self.repeat_share > MOST_SHARE:
            raise InvalidInput(f"Gold and hidden repeats together must be at most {MOST_SHARE:.0%} of the items.")
        if self.calibration_pass is not None and not 0 < self.calibration_pass <= 1:
            raise InvalidInput("The share that must be right in the calibration round is above 0% and at most 100%.")
        if not 0 < self.dispute_at <= 1:
            raise InvalidInput("The distance at which raters disagree is above 0 and at most 1.")

    def to_json(self) -> dict[str, Any]:
        """As tasks store it."""
        return {
            **asdict(self),
            "raters": list(self.raters),
            "excluded": list(self.excluded),
            "order": str(self.order),
            "source": dict(self.source),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> TaskOptions:
        """What `to_json` made; unknown keys are left out. Raises InvalidInput for values that cannot be."""
        known = {one.name for one in fields(cls)}
        given = {key: item for key, item in value.items() if key in known}
        for name in {"raters", "excluded"} & set(given):
            given[name] = tuple(given[name])
        if "order" in given:
            if given["order"] not in set(ItemOrder):
                raise InvalidInput(f"Items cannot be ordered by {str(given['order'])[:40]!r}.")
            given["order"] = ItemOrder(given["order"])
        return cls(**given)
