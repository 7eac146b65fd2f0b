"""Addresses in one piece, or line by line. Pure.

Written in a sentence, an address is one span, with its town and country. As a block, with a line for each part, it is found
line by line unless the caller wants it whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from backend.detectors.entities import gazetteer
from backend.detectors.entities.spans import Entity, Span

_GAP = re.compile(r"[\s,]{1,6}")
_PLACE_AND_CODE = re.compile(r"([^\d,]+?)[ ,]+(\d[\d -]*\d)")
_INDENT = re.compile(r"[^\w#(]*")
_PARTS = (Entity.GPE, Entity.ZIP_CODE, Entity.STREET_ADDRESS)


def joined(text: str, spans: list[Span]) -> list[Span]:
    """Streets with a number and what follows them directly, town, country and postal code, become one span."""
    found: list[Span] = []
    for span in spans:
        before = found[-1] if found else None
        if (
            before is not None
            and before.entity is Entity.STREET_ADDRESS
            and span.entity in _PARTS
            and any(map(str.isdigit, text[before.start : before.end]))
            and _GAP.fullmatch(text, before.end, span.start)
        ):
            found[-1] = before._replace(end=span.end, score=max(before.score, span.score))
        else:
            found.append(span)
    return found


def by_line(text: str, spans: list[Span]) -> Iterator[Span]:
    """Blocks are taken apart; a block that stands after a word and a colon, as in a form, stays whole."""
    for span in spans:
        if span.entity is Entity.STREET_ADDRESS and "\n" in text[span.start : span.end] and _begins_block(text, span.start):
            yield from _lines(text, span)
        else:
            yield span


def _begins_block(text: str, start: int) -> bool:
    above, _, before = text[:start].rpartition("\n")
    return not any(map(str.isalnum, before)) and not above.rstrip().endswith(":")


def _lines(text: str, span: Span) -> Iterator[Span]:
    position = span.start
    for line in text[span.start : span.end].split("\n"):
        indent = _INDENT.match(line)
        start = position + (indent.end() if indent else 0)
        end = position + len(line.rstrip(" ,"))
        position += len(line) + 1
        if start >= end:
            continue
        pair = _PLACE_AND_CODE.fullmatch(text, start, end)
        if pair and not any("S" in gazetteer.flags(word) for word in re.findall(r"[^\W\d_]+", pair[1].lower())):
            yield Span(*pair.span(1), Entity.GPE, span.score)
            yield Span(*pair.span(2), Entity.STREET_ADDRESS, span.score)
        else:
            entity = Entity.STREET_ADDRESS if any(map(str.isdigit, text[start:end])) else Entity.GPE
            yield Span(start, end, entity, span.score)
