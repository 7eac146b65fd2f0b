"""The command `clean`. It acts as the system; a person's runs are started on the page, and run here by the worker."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from typing import Any, TextIO

from backend.access.actors import SYSTEM
from backend.access.queries import project_id_of
from backend.curation.checking import run_checks
from backend.curation.cleaning import ask, due, named
from backend.errors import InvalidInput, TouchstoneError
from backend.jobs.crew import helpers
from backend.runtime import Runtime
from backend.store.curation import CheckRun
from backend.vocabulary import Check

_WIDTH = 30


def register(subparsers: Any) -> None:
    """Add the parser."""
    clean = subparsers.add_parser(
        "clean",
        help="run the checks over what they have not seen yet; a run that was killed goes on",
        description=f"Checks: {', '.join(Check)}. Without --project: the runs that people started on the page.",
    )
    clean.add_argument("--project", help="the project's short name")
    clean.add_argument("--checks", default="", metavar="A,B", help="only these; all without it")
    clean.add_argument("--workers", type=int, metavar="N", help="processes that look at records; one for each CPU without it")
    clean.set_defaults(handler=_clean)


def _clean(arguments: argparse.Namespace, house: Runtime) -> dict[str, Any] | list[dict[str, Any]]:
    checks = named(arguments.checks.split(","))
    if arguments.workers is not None and arguments.workers < 1:
        raise InvalidInput("At least one process has to look: --workers 1.")
    workers = helpers(arguments.workers or house.settings.clean_workers)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # ends the other processes; the next one goes on
    if arguments.project:
        with house.database.writing() as session:
            project_id = project_id_of(session, arguments.project)
            run = ask(session=session, actor=SYSTEM, project_id=project_id, checks=checks)
        return _run(house, run.id or 0, workers)
    os.nice(10)  # the worker's chore: people and jobs come first
    with house.database.reading() as session:
        waiting = due(session)
    done = []
    for run_id in waiting:
        try:
            done.append(_run(house, run_id, workers))
        except TouchstoneError as error:  # one project's trouble is not the next one's
            done.append({"run": run_id, "error": error.message})
    return done


def _run(house: Runtime, run_id: int, workers: int) -> dict[str, Any]:
    started = time.monotonic()
    bar = Bar(sys.stderr)
    try:
        run = run_checks(house.database, run_id=run_id, workers=workers, tell=bar.tell)
    finally:
        bar.end()
    return summary(run, seconds=time.monotonic() - started)


def summary(run: CheckRun, *, seconds: float) -> dict[str, Any]:
    """A run as the command prints it."""
    return {
        "run": run.id,
        "project": run.project_id,
        "status": run.status.value,
        "checks": run.checks,
        "records": run.done,
        "findings": dict(sorted(run.found.items())),
        "seconds": round(seconds, 2),
    }


class Bar:
    """A bar that is drawn anew where people look on, else a line now and then."""

    def __init__(self, out: TextIO, *, every: float = 5.0) -> None:
        self._out, self._alive, self._every = out, out.isatty(), 0.1 if out.isatty() else every
        self._step, self._drawn, self._since, self._from = "", 0.0, time.monotonic(), 0

    def tell(self, step: str, done: int, total: int) -> None:
        """How far a step is."""
        at = time.monotonic()
        if step != self._step:
            self.end()
            self._step, self._since, self._from, self._drawn = step, at, done, 0.0
        if at - self._drawn < self._every and done < total:
            return
        self._drawn = at
        share = done / total if total else 1.0
        speed = (done - self._from) / max(at - self._since, 1e-9)
        pace = f", {speed:,.0f}/s" if done > self._from and total != 100 else ""
        line = f"{step}: {done:,} of {total:,}{pace}"
        if self._alive:
            filled = round(_WIDTH * share)
            self._out.write(f"\r\x1b[2K[{'█' * filled}{'·' * (_WIDTH - filled)}] {line}")
        else:
            self._out.write(line + "\n")
        self._out.flush()

    def end(self) -> None:
        """Leave the line."""
        if self._alive and self._step:
            self._out.write("\n")
        self._step = ""
