"""How good the detectors are on named data, as `make scorecards` measured it last."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "scorecards.json"


@functools.cache
def personal_data() -> dict[str, Any]:
    """The scorecard of the personal-data detector; its form is that of `tests/bench/scorecards.py`."""
    card: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return card
