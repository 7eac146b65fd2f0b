"""What every reader takes and gives: a source with limits in, rows and rejected rows out."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from backend.errors import UnreadableFile

EXCERPT = 200
"""Characters of a rejected row that are kept to recognise it by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a file may hold. More bytes or rows refuse the file; a row that is too long is rejected alone."""

    max_bytes: int = 512 * 1024 * 1024
    max_rows: int = 2_000_000
    max_row_chars: int = 1_000_000


class Row(NamedTuple):
    """One row: `line` is where it begins in the file, counted from 1."""

    line: int
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that could not be taken, why, and how it begins."""

    line: int
    reason: str
    excerpt: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """A file on disk, or its bytes, with the name to call it by."""

    content: Path | bytes
    name: str

    def open(self) -> BinaryIO:
        """A fresh stream from the beginning."""
        return io.BytesIO(self.content) if isinstance(self.content, bytes) else self.content.open("rb")

    def size(self) -> int:
        """Bytes in all."""
        return len(self.content) if isinstance(self.content, bytes) else self.content.stat().st_size

    def refuse(self, problem: str) -> UnreadableFile:
        """The error that refuses this file; `problem` continues a sentence that begins with the file's name."""
        return UnreadableFile(f"“{self.name[:80]}” {problem}")


@dataclass(frozen=True, slots=True)
class Reading:
    """A file that was recognised. Each iteration reads it again from the beginning, one row at a time.

    `columns` are those of the header, or the keys of the first thousand JSON rows. Iterating raises UnreadableFile where
    the rest of a file turns out broken or too long, so keep nothing before the end was reached.
    """

    format: str
    """csv, tsv, json or jsonl."""
    detail: str
    """Encoding and separator, in words."""
    columns: tuple[str, ...]
    items: Callable[[], Iterator[Row | Rejected]]

    def __iter__(self) -> Iterator[Row | Rejected]:
        return self.items()

    def head(self, count: int = 20) -> list[Row]:
        """The first rows that can be read."""
        rows = (item for item in self if isinstance(item, Row))
        return list(itertools.islice(rows, count))


def limited(items: Iterable[Row | Rejected], source: Source, limits: Limits) -> Iterator[Row | Rejected]:
    """Passes the items on and refuses the file when there are more than it may hold."""
    for count, item in enumerate(items, start=1):
        if count > limits.max_rows:
            raise source.refuse(f"has more than {limits.max_rows:,} rows. Split it into smaller files.")
        yield item
