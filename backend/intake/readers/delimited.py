"""CSV and its relatives: any usual separator, quoted line breaks, a header in the first row.

A quote that is never closed costs its own line, not the rest of the file. Not promised: files without a header, or with
other quotes than the double one.
"""

from __future__ import annotations

import csv
import itertools
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from backend.intake.readers.encodings import Encoding
from backend.intake.readers.rows import EXCERPT, Limits, Reading, Rejected, Row, Source, limited

EXTENSIONS = frozenset({"csv", "tsv", "tab", "txt"})
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_SAMPLE_ROWS = 200
_SAMPLE_CHARS = 256 * 1024
_MOST_OPEN_QUOTES = 100
_FIELD_LIMIT = 2**31 - 1
"""The csv module's own limit is one for the whole process, and 128 KiB; rows are measured here instead."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How cells are told apart."""

    separator: str = ","
    backslash: bool = False
    """Quotes inside quotes are written \\" instead of doubled."""

    def parse(self, lines: Iterable[str]) -> Iterator[list[str]]:
        """The cells of each record."""
        csv.field_size_limit(_FIELD_LIMIT)
        escape = "\\" if self.backslash else None
        return csv.reader(lines, delimiter=self.separator, doublequote=not self.backslash, escapechar=escape)


def read(source: Source, encoding: Encoding, limits: Limits) -> Reading:
    """Raises UnreadableFile when there is no header with rows under it."""
    with encoding.open(source, newline="") as file:
        first = file.readline(1000)
        declared = first.strip().lower()
        skip = 1 if declared.startswith("sep=") and len(declared) == 5 else 0
        lines = list(_sample(file if skip else itertools.chain([first], file)))
    dialect = Dialect(declared[4]) if skip else sniff(lines)
    header = next((cells for cells in dialect.parse(lines) if any(cell.strip() for cell in cells)), [])
    columns = columns_of(header)

    def items() -> Iterator[Row | Rejected]:
        with encoding.open(source, newline="") as file:
            yield from limited(_rows(file, dialect, columns, limits, skip, source), source, limits)

    if next(items(), None) is None:
        raise source.refuse("has a header but no rows.")
    name = "tsv" if dialect.separator == "\t" else "csv"
    words = _SEPARATORS.get(dialect.separator, repr(dialect.separator))
    return Reading(name, f"{encoding.name}, separated by {words}", columns, items)


def _sample(lines: Iterable[str]) -> Iterator[str]:
    size = 0
    for line in itertools.islice(lines, 4 * _SAMPLE_ROWS):
        yield line
        size += len(line)
        if size > _SAMPLE_CHARS:
            return


def sniff(lines: list[str]) -> Dialect:
    """The dialect under which most rows are as wide as the header; the wider one where several fit."""
    backslashes = (False, True) if any('\\"' in line for line in lines) else (False,)
    best, best_score = Dialect(), (0.0, 1)
    for backslash, separator in itertools.product(backslashes, _SEPARATORS):
        dialect = Dialect(separator, backslash)
        try:
            records = [cells for cells in itertools.islice(dialect.parse(lines), _SAMPLE_ROWS) if cells]
        except csv.Error:
            continue
        width = len(records[0]) if records else 0
        # The last record may be cut off by the end of the sample.
        body = records[1:-1] if len(records) > 2 else records[1:]
        fitting = sum(len(cells) == width for cells in body) / len(body) if body else 1.0
        if width > 1 and (fitting, width) > best_score:
            best, best_score = dialect, (fitting, width)
    return best


def columns_of(header: list[str]) -> tuple[str, ...]:
    """The header's names, made different from each other; cells without a name get one by their place."""
    names = [cell.strip().lstrip("\ufeff") or f"column {place}" for place, cell in enumerate(header, start=1)]
    seen: Counter[str] = Counter()
    columns = []
    for name in names:
        seen[name] += 1
        columns.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return tuple(columns)


def _rows(
    file: Iterator[str], dialect: Dialect, columns: tuple[str, ...], limits: Limits, skip: int, source: Source
) -> Iterator[Row | Rejected]:
    records = _records(file, dialect, limits, skip, source)
    header_seen = False
    for line, cells in records:
        if isinstance(cells, Rejected):
            yield cells
            continue
        if not any(cell.strip() for cell in cells):
            continue
        if not header_seen:
            header_seen = True
            continue
        yield _row(line, cells, columns, limits)


def _row(line: int, cells: list[str], columns: tuple[str, ...], limits: Limits) -> Row | Rejected:
    while len(cells) > len(columns) and not cells[-1].strip():
        cells.pop()
    if len(cells) != len(columns):
        reason = f"has {len(cells)} cells, but the header has {len(columns)}"
        return Rejected(line, reason, " | ".join(cells)[:EXCERPT])
    if (size := sum(map(len, cells))) > limits.max_row_chars:
        return Rejected(line, f"has {size:,} characters; at most {limits.max_row_chars:,} are taken", cells[0][:EXCERPT])
    return Row(line, dict(zip(columns, cells, strict=True)))


@dataclass(slots=True)
class _Feed:
    """Gives lines to the csv module and remembers those of the record that it is in.

    The module asks for another line within a record only when a quote is open. When none is left then, or the record has
    grown too long, the quote was never closed: `open_quote` is set and the lines are given back by `give_back`.
    """

    lines: Iterator[str]
    longest: int
    line: int = 0
    taken: list[str] = field(default_factory=list)
    waiting: deque[str] = field(default_factory=deque)
    size: int = 0
    open_quote: bool = False

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        line = None if self.size > self.longest else self.waiting.popleft() if self.waiting else next(self.lines, None)
        if line is None:
            self.open_quote = bool(self.taken)
            raise StopIteration
        self.taken.append(line)
        self.size += len(line)
        self.line += 1
        return line

    def next_record(self) -> None:
        self.taken, self.size, self.open_quote = [], 0, False

    def give_back(self) -> str:
        """Puts back all lines of the record but its first, which is returned."""
        first, *rest = self.taken
        self.waiting.extendleft(reversed(rest))
        self.line -= len(rest)
        return first


def _records(
    file: Iterator[str], dialect: Dialect, limits: Limits, skip: int, source: Source
) -> Iterator[tuple[int, list[str] | Rejected]]:
    feed = _Feed(itertools.islice(file, skip, None), limits.max_row_chars, line=skip)
    parsed, open_quotes = dialect.parse(feed), 0
    while True:
        feed.next_record()
        reason = "cannot be taken apart into cells"
        try:
            cells = next(parsed)
        except StopIteration:
            if not feed.taken:
                return
        except csv.Error:
            pass
        else:
            if not feed.open_quote:
                yield feed.line - len(feed.taken) + 1, cells
                continue
            reason = "opens a quote that is never closed"
        open_quotes += 1
        if open_quotes > _MOST_OPEN_QUOTES:
            raise source.refuse(f"has more than {_MOST_OPEN_QUOTES} rows with broken quotes. Export it again as CSV.")
        excerpt = feed.give_back()[:EXCERPT]
        yield feed.line, Rejected(feed.line, reason, excerpt.rstrip("\r\n"))
        parsed = dialect.parse(feed)
