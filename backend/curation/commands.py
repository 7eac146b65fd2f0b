"""The commands of curation: `clean`, and `detect-pii`, which opens no database: texts come in as lines, spans go out so."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TextIO

from backend.access.actors import SYSTEM
from backend.access.queries import project_id_of
from backend.curation.bar import Bar
from backend.curation.checking import Crew, run_checks
from backend.curation.cleaning import ask, due, named
from backend.detectors.entities.detect import find_entities
from backend.detectors.entities.references import checked
from backend.detectors.entities.spans import Entity
from backend.errors import InvalidInput, TouchstoneError
from backend.jobs.crew import helpers
from backend.jobs.processes import leaving_on_sigterm
from backend.runtime import Runtime
from backend.store.curation import CheckRun
from backend.vocabulary import Check

_SAID_AS = {Entity.DATE_OF_BIRTH: Entity.DATE_TIME}
"""Entities that only the product tells apart."""


def register(subparsers: Any) -> None:
    """Add the parsers."""
    clean = subparsers.add_parser(
        "clean",
        help="run the checks over what they have not seen yet; a run that was killed goes on",
        description=f"Checks: {', '.join(Check)}. Without --project: the runs that people started on the page.",
    )
    clean.add_argument("--project", help="the project's short name")
    clean.add_argument("--checks", default="", metavar="A,B", help="only these; all without it")
    clean.add_argument("--workers", type=int, metavar="N", help="processes that look at records; one for each CPU without it")
    clean.add_argument(
        "--on", choices=("here", "ray"), default="here",
        help="where records are looked at: on this machine, or on the Ray cluster that RAY_ADDRESS names",
    )  # fmt: skip
    clean.set_defaults(handler=_clean)
    detect = subparsers.add_parser(
        "detect-pii", help='find personal data: {"text": …} a line in, {"spans": [{start, end, type, score}]} a line out'
    )
    detect.add_argument("--pattern", action="append", default=[], help="a number format of your own, such as ORD-######")
    detect.add_argument("--allow", action="append", default=[], help="a word that is nobody's name")
    detect.set_defaults(handler=_detect, needs_house=False)


def _clean(arguments: argparse.Namespace, house: Runtime) -> dict[str, Any] | list[dict[str, Any]]:
    checks = named(arguments.checks.split(","))
    if arguments.on == "ray" and not arguments.project:
        raise InvalidInput("Name the project whose records the cluster is to look at: --project NAME --on ray.")
    if arguments.workers is not None and arguments.workers < 1:
        raise InvalidInput("At least one process has to look: --workers 1.")
    workers = helpers(arguments.workers or house.settings.clean_workers)
    with leaving_on_sigterm():  # ends the other processes; the next one goes on
        return _clean_with(arguments, house, checks, workers)


def _clean_with(
    arguments: argparse.Namespace, house: Runtime, checks: Sequence[Check], workers: int
) -> dict[str, Any] | list[dict[str, Any]]:
    if arguments.project:
        with house.database.writing() as session:
            project_id = project_id_of(session, arguments.project)
            run = ask(session=session, actor=SYSTEM, project_id=project_id, checks=checks)
        return _run(house, run.id or 0, workers, crew=_crew(arguments.on, house))
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


def _crew(where: str, house: Runtime) -> Crew | None:
    if where == "here":
        return None
    from backend.curation.on_ray import look_on_ray  # brings Arrow, and then Ray

    return look_on_ray(house.settings.data)


def _run(house: Runtime, run_id: int, workers: int, crew: Crew | None = None) -> dict[str, Any]:
    started = time.monotonic()
    bar = Bar(sys.stderr)
    try:
        run = run_checks(house.database, run_id=run_id, workers=workers, crew=crew, tell=bar.tell)
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


def _detect(arguments: argparse.Namespace, _house: None) -> None:
    patterns = tuple(checked(pattern) for pattern in arguments.pattern)
    allowed = frozenset(word.casefold() for word in arguments.allow)
    sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")  # type: ignore[union-attr]
    sys.stdout.reconfigure(encoding="utf-8", line_buffering=False)  # type: ignore[union-attr]
    if bad := write_spans(sys.stdin, sys.stdout, patterns, allowed):
        more = f" and {len(bad) - 10} more" if len(bad) > 10 else ""
        raise InvalidInput(f"Lines that could not be read: {', '.join(map(str, bad[:10]))}{more}. The others are done.")


def write_spans(
    lines: Iterable[str], out: TextIO, patterns: tuple[str, ...] = (), allowed: frozenset[str] = frozenset()
) -> list[int]:
    """Write one line of JSON for each line; returns the numbers of those that could not be read."""
    bad = []
    for number, told in enumerate(_spans(lines, patterns, allowed), start=1):
        if "error" in told:
            bad.append(number)
        out.write(json.dumps(told, ensure_ascii=False) + "\n")
    out.flush()
    return bad


def _spans(lines: Iterable[str], patterns: tuple[str, ...], allowed: frozenset[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        text, error = _text(line)
        if error:
            yield {"error": error}
            continue
        yield {
            "spans": [
                {"start": span.start, "end": span.end, "type": str(_SAID_AS.get(span.entity, span.entity)), "score": span.score}
                for span in find_entities(text, patterns=patterns, allowed=allowed)
            ]
        }


def _text(line: str) -> tuple[str, str]:
    """The text of a line, or what is wrong with it."""
    try:
        line.encode()
        held = json.loads(line)
    except UnicodeEncodeError:
        return "", "This line is not UTF-8."
    except (ValueError, RecursionError):
        return "", "This line is not JSON."
    if not isinstance(held, dict) or not isinstance(held.get("text"), str):
        return "", 'This line is no object with a "text".'
    return held["text"], ""
