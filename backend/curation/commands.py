"""The commands of curation: `clean`, and `detect-pii`, which opens no database: texts come in as lines, spans go out so."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

from backend.curation import clean_commands
from backend.detectors.entities.detect import find_entities
from backend.detectors.entities.references import checked
from backend.detectors.entities.spans import Entity
from backend.errors import InvalidInput

_SAID_AS = {Entity.DATE_OF_BIRTH: Entity.DATE_TIME}
"""Entities that only the product tells apart."""


def register(subparsers: Any) -> None:
    """Add the parsers."""
    clean_commands.register(subparsers)
    detect = subparsers.add_parser(
        "detect-pii", help='find personal data: {"text": …} a line in, {"spans": [{start, end, type, score}]} a line out'
    )
    detect.add_argument("--pattern", action="append", default=[], help="a number format of your own, such as ORD-######")
    detect.add_argument("--allow", action="append", default=[], help="a word that is nobody's name")
    detect.set_defaults(handler=_detect, needs_house=False)


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
