"""The stress run in small: real processes, killed and late ones, on both databases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.bench.stress import Load, storm

ROUGH: dict[str, Any] = {"clients": 5, "items": 20, "lease_seconds": 2, "kill_every": 0.2, "most_kills": 4, "longest": 100}
SMALL = Load(overlap=3, **ROUGH)
ADAPTIVE = Load(overlap=2, overlap_max=4, **ROUGH)


@pytest.mark.parametrize("load", [SMALL, ADAPTIVE], ids=["fixed", "adaptive"])
def test_killed_and_late_raters_lose_nothing_and_no_item_gets_more_answers_than_it_may(
    database_url: str, load: Load, tmp_path: Path
) -> None:
    found = storm(database_url, load, tmp_path)
    assert found["items_finished"] == load.items
    assert found["most_answers_per_item"] <= found["most_slots_per_item"] <= found["most_answers_allowed"]
    assert found["acknowledged_lost"] == found["duplicates"] == found["clients_failed"] == 0
    assert found["answers"] >= load.items * load.overlap
    assert found["killed"] > 0
