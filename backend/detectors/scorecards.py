"""How good the detectors are on named data, as `make scorecards` measured it last.

A card says what was measured, on what, when, by which command, and in `weakness` what the detector is not good enough for;
its form is written down in `tests/bench/cards/form.py`. Only the figures of that run are known here, not those of a project's
own texts.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from backend.vocabulary import Check

FILE = Path(__file__).parent / "scorecards.json"


@functools.cache
def cards() -> tuple[dict[str, Any], ...]:
    """Every card, in the order of the families of checks."""
    return tuple(json.loads(FILE.read_text(encoding="utf-8")))


def card(check: Check) -> dict[str, Any] | None:
    """The card of one family; None where it was not measured."""
    return next((card for card in cards() if card["check"] == check.value), None)
