"""How one condition of a gate ends: what was asked, what was measured, what follows. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """How one check ended."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_ENOUGH = "not_enough"
    NOTHING = "nothing_to_check"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateCheck:
    """One condition against what was measured. `low` and `high` are a 95% interval where there is one."""

    name: str
    title: str
    needed: str
    measured: str
    outcome: Outcome
    sentence: str
    n: int = 0
    value: float | None = None
    low: float | None = None
    high: float | None = None
