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
OTHERS = ("identity",)
"""Cards of detectors that belong to no family of checks: the words of the bias audit."""


@functools.cache
def _held() -> tuple[dict[str, Any], ...]:
    return tuple(json.loads(FILE.read_text(encoding="utf-8")))


def cards() -> tuple[dict[str, Any], ...]:
    """The cards of the families of checks, in their order."""
    return tuple(card for card in _held() if card["check"] not in OTHERS)


def card(check: Check | str) -> dict[str, Any] | None:
    """The card of one family, or of one of `OTHERS`; None where it was not measured."""
    return next((card for card in _held() if card["check"] == str(check)), None)
