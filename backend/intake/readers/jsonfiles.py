"""JSON: a list of objects, an object that holds one such list, or an object on each line (JSONL).

In JSONL a broken line is rejected alone. A broken list cannot be taken up again after the fault, so the file is refused,
with the line. Numbers too long for a computer are kept as text.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any, TextIO

from backend.intake.readers.encodings import Encoding
from backend.intake.readers.rows import EXCERPT, Limits, Reading, Rejected, Row, Source, limited

EXTENSIONS = frozenset({"json", "jsonl", "ndjson"})
_SAMPLE_ROWS = 1000
_SAMPLE_LINES = 20
_LONGEST_NUMBER = 100
_TOO_DEEP = "is nested too deeply"


def _number(digits: str) -> int | str:
    return int(digits) if len(digits) <= _LONGEST_NUMBER else digits


_DECODER = json.JSONDecoder(parse_int=_number)


def looks_like(head: str) -> bool:
    """Whether a text begins as JSON lists and objects do."""
    return head.lstrip("\ufeff \t\r\n").startswith(("{", "["))


def read(source: Source, encoding: Encoding, limits: Limits) -> Reading:
    """Raises UnreadableFile for text that is no JSON, or holds no rows."""
    by_line = _is_by_line(source, encoding)

    def items() -> Iterator[Row | Rejected]:
        with encoding.open(source, newline="\n") as file:
            found = _lines(file) if by_line else _elements(file.read(), source)
            yield from limited(_checked(found, limits), source, limits)

    columns: dict[str, None] = {}
    sample = list(itertools.islice(items(), _SAMPLE_ROWS))
    for item in sample:
        if isinstance(item, Row):
            columns |= dict.fromkeys(item.values)
    if not columns:
        raise source.refuse("holds no JSON objects with fields." if sample else "holds an empty list.")
    return Reading("jsonl" if by_line else "json", encoding.name, tuple(columns), items)


_Found = tuple[int, Any, str]
"""The line, the value (or a Rejected), and the text that it was read from."""


def _checked(found: Iterator[_Found], limits: Limits) -> Iterator[Row | Rejected]:
    for line, value, text in found:
        if isinstance(value, Rejected):
            yield value
        elif not isinstance(value, dict):
            yield Rejected(line, "is not a JSON object", text[:EXCERPT])
        elif len(text) > limits.max_row_chars:
            reason = f"has {len(text):,} characters; at most {limits.max_row_chars:,} are taken"
            yield Rejected(line, reason, text[:EXCERPT])
        else:
            yield Row(line, {str(key).strip(): item for key, item in value.items()})


def _is_by_line(source: Source, encoding: Encoding) -> bool:
    """Whether lines are objects of their own: the name says so, or one of the first lines is a whole object."""
    with encoding.open(source, newline="\n") as file:
        lines = [line.strip() for _, line in zip(range(_SAMPLE_LINES), file, strict=False)]
    lines = [line for line in lines if line]
    if not lines or lines[0].lstrip("\ufeff").startswith("["):
        return False
    if source.name.lower().endswith(("jsonl", "ndjson")):
        return True
    if len(lines) == 1:
        return _record_alone(lines[0])
    return any(line.startswith("{") and not isinstance(_parse(line, 1), Rejected) for line in lines)


def _record_alone(line: str) -> bool:
    """One line that is an object but not a wrapper around a list of rows."""
    value = _parse(line, 1) if line.startswith("{") else None
    return isinstance(value, dict) and _wrapped(value) is None


def _parse(text: str, line: int) -> Any:
    try:
        return _DECODER.decode(text)
    except RecursionError:
        return Rejected(line, _TOO_DEEP, text[:EXCERPT])
    except json.JSONDecodeError as error:
        return Rejected(line, f"is not valid JSON: {error.msg} at character {error.pos + 1}", text[:EXCERPT])


def _lines(file: TextIO) -> Iterator[_Found]:
    for number, line in enumerate(file, start=1):
        if text := line.strip():
            yield number, _parse(text, number), text


def _elements(text: str, source: Source) -> Iterator[_Found]:
    """The elements of the list, one after another, so that only one of them is held as objects at a time."""
    start = _skip(text, 0, "\ufeff")
    if text.startswith("{", start):
        yield from _rows_of_object(text, start, source)
        return
    if not text.startswith("[", start):
        raise source.refuse("is not JSON: it begins neither with [ nor with {.")
    position, line, counted = _skip(text, start + 1), 1, 0
    if text.startswith("]", position):
        return
    while True:
        line, counted = line + text.count("\n", counted, position), position
        value, end = _decode_at(text, position, source, line)
        yield line, value, text[position:end]
        position = _skip(text, end)
        if text.startswith("]", position):
            break
        if not text.startswith(",", position):
            where = line + text.count("\n", counted, position)
            raise source.refuse(f"is broken at line {where}: a comma or ] is missing. Export it again.")
        position = _skip(text, position + 1)
    if _skip(text, position + 1) != len(text):
        raise source.refuse("goes on after the end of its list. Keep one list, or one object a line.")


def _skip(text: str, position: int, more: str = "") -> int:
    """The position of the next character that is not white space."""
    blank = " \t\r\n" + more
    while position < len(text) and text[position] in blank:
        position += 1
    return position


def _decode_at(text: str, position: int, source: Source, line: int) -> tuple[Any, int]:
    try:
        return _DECODER.raw_decode(text, position)
    except RecursionError as error:
        raise source.refuse(f"is nested too deeply at line {line}.") from error
    except json.JSONDecodeError as error:
        raise source.refuse(f"is broken at line {error.lineno}, column {error.colno}: {error.msg}.") from error


def _rows_of_object(text: str, start: int, source: Source) -> Iterator[_Found]:
    value, end = _decode_at(text, start, source, 1)
    if _skip(text, end) != len(text):
        raise source.refuse("holds several objects that span lines. Put them into one list, or one object a line.")
    rows = _wrapped(value)
    if rows is None:
        yield 1, value, text
        return
    for row in rows:
        yield 1, row, json.dumps(row, ensure_ascii=False)


def _wrapped(value: dict[str, Any]) -> list[Any] | None:
    """The one list of objects in a wrapper such as {"data": […]}; None when the object is itself a row.

    A conversation's own list of turns is no list of rows.
    """
    lists = [item for item in value.values() if isinstance(item, list) and item and isinstance(item[0], dict)]
    if len(lists) != 1 or {"role", "from"} & lists[0][0].keys():
        return None
    return lists[0]
