"""The command line: `python -m backend …`. JSON on stdout, errors as one sentence on stderr, exit code 1 for an error.

Each stage brings its own commands in `commands.py`: `register(subparsers)` adds parsers whose `handler` takes
(arguments, runtime) and returns what is printed as JSON. A parser with `needs_house=False` works without a runtime: no
settings are read, no database is opened and no folder made.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from backend.errors import TouchstoneError

COMMANDS = (
    "backend.access.commands",
    "backend.intake.commands",
    "backend.curation.commands",
    "backend.review.commands",
    "backend.datasets.commands",
    "backend.training.commands",
    "backend.evaluation.commands",
    "backend.wiring",
    "backend.loop",
)


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    root = argparse.ArgumentParser(
        prog="python -m backend", description="Touchstone's command line. Settings come from the environment; see `status`."
    )
    subparsers = root.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in COMMANDS:
        if importlib.util.find_spec(name) is not None:
            importlib.import_module(name).register(subparsers)
    return root


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    from backend import runtime
    from backend.logs import configure

    parsed = parser().parse_args(arguments)
    try:
        house = None
        if getattr(parsed, "needs_house", True):
            house = runtime.start(os.environ)
            configure(house.settings.log_format)
        outcome: Any = parsed.handler(parsed, house)
    except TouchstoneError as error:
        print(f"error: {error.message}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("error: Stopped by the keyboard.", file=sys.stderr)
        return 130
    if outcome is not None:
        print(json.dumps(outcome, ensure_ascii=False, indent=2, default=str))
    return 0


if __name__ == "__main__":
    sys.exit(main())
