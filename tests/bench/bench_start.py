"""How long the web process takes to answer, and what it weighs (`make bench-start`). Prints one JSON object.

Cold means a fresh process and a fresh data folder; the files are in the system's cache after the first of three starts.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import psutil

from tests.stack import stack


def measure() -> dict[str, object]:
    """One start."""
    with tempfile.TemporaryDirectory() as folder, stack(Path(folder)) as running:
        running.start("web")
        seconds = running.wait_for("web")
        process = psutil.Process(running.processes["web"].pid)
        maps = {Path(region.path).name for region in process.memory_maps()}
        return {
            "seconds": round(seconds, 2),
            "rss_mb": round(process.memory_info().rss / 1e6),
            "torch": any("torch" in name for name in maps),
        }


if __name__ == "__main__":
    starts = [measure() for _ in range(3)]
    print(json.dumps({"goal": {"seconds": 4, "rss_mb": 250, "torch": False}, "starts": starts}, indent=2))
