"""A program that test_checking kills: it works at a run, slowly, with children."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from backend.curation import checking
from backend.store.database import Database
from backend.vocabulary import Check
from tests.backend.curation.families import Words

if __name__ == "__main__":
    url, run, folder = sys.argv[1:]
    checking.BATCH, checking.FEWEST_FOR_POOL = 5, 1
    slow = {Check.TEXT: Words(slow=0.02, seen_by=folder)}
    checking.run_checks(Database(url), run_id=int(run), workers=2, families=slow)
