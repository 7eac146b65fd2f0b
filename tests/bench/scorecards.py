"""How good every detector is on named data (`make scorecards`, or of some: `make scorecards ONLY=text,abuse`).

Each family of checks has a module in `tests/bench/cards`, called as the family, with `card()`. Prints the cards as JSON and
stores them for the product; cards that were not asked for stay as they were.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import sys
from typing import Any

from backend.detectors.scorecards import FILE, OTHERS
from backend.vocabulary import Check
from tests.bench.cards.form import DATA

NAMES = (*(check.value for check in Check), *OTHERS)


def measure(name: str) -> dict[str, Any]:
    """The card of a family, or of another detector, measured now."""
    card: dict[str, Any] = importlib.import_module(f"tests.bench.cards.{name}").card()
    return card


def keep(measured: list[dict[str, Any]]) -> None:
    """Put these cards in the place of the older ones, all in the order of the families."""
    held = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else []
    known = {card["check"]: card for card in [*held, *measured]}
    ordered = [known[name] for name in NAMES if name in known]
    FILE.write_text(json.dumps(ordered, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def main() -> None:
    """Measure, print, store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="families, separated by commas; all of them without")
    wanted = [name.strip() for name in parser.parse_args().only.split(",") if name.strip()] or list(NAMES)
    if unknown := set(wanted) - set(NAMES):
        sys.exit(f"There is no such card: {', '.join(sorted(unknown))}.")
    if not DATA.is_dir():
        sys.exit(f"{DATA} is not here; the detectors are measured on it.")
    measured = []
    for name in wanted:
        if importlib.util.find_spec(f"tests.bench.cards.{name}") is None:
            print(f"{name}: there is no card", file=sys.stderr)
            continue
        measured.append(measure(name))
        keep(measured)
    print(json.dumps(measured, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
