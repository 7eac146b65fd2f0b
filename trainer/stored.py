"""Many examples in memory-mapped files: five bytes a token instead of some forty-four as Python's numbers.

The files have no name, so they are gone with the process however it ends; the examples are made anew when a run goes on.
Not promised: that the rows' texts, which are read before, fit into memory.
"""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import overload

import numpy

from trainer.data import Example

STORED_FROM = 20_000
"""Rows from which on examples are kept so; fewer are faster as they are."""
CHUNK = 1_000
"""Rows that are in memory as examples at a time while a file is written."""


class Stored(Sequence[Example]):
    """Examples, each read back when it is asked for. Fill it with `add`, then read."""

    def __init__(self, folder: Path | None) -> None:
        # They stay open as long as this lives, and closing them removes them.
        self._tokens, self._trained = (tempfile.TemporaryFile(dir=folder) for _ in range(2))  # noqa: SIM115
        self._map: tuple[numpy.ndarray, numpy.ndarray] | None = None
        self._starts, self._weights, self._dropped = array("q", [0]), array("d"), array("l")
        self._ids: list[str] = []

    def add(self, example: Example) -> None:
        """Writes one to the end."""
        self._tokens.write(numpy.asarray(example.tokens, dtype=numpy.int32).tobytes())
        self._trained.write(numpy.asarray(example.trained, dtype=numpy.bool_).tobytes())
        self._starts.append(self._starts[-1] + len(example.tokens))
        self._weights.append(example.weight)
        self._dropped.append(example.dropped_turns)
        self._ids.append(example.id)
        self._map = None

    def __len__(self) -> int:
        return len(self._ids)

    @overload
    def __getitem__(self, at: int) -> Example: ...
    @overload
    def __getitem__(self, at: slice) -> list[Example]: ...
    def __getitem__(self, at: int | slice) -> Example | list[Example]:
        if isinstance(at, slice):
            return [self[place] for place in range(*at.indices(len(self)))]
        place = at + len(self) if at < 0 else at
        if not 0 <= place < len(self):
            raise IndexError(at)
        tokens, trained = self._mapped()
        part = slice(self._starts[place], self._starts[place + 1])
        said, marks = tuple(tokens[part].tolist()), tuple(trained[part].tolist())
        return Example(self._ids[place], said, marks, self._weights[place], self._dropped[place])

    def _mapped(self) -> tuple[numpy.ndarray, numpy.ndarray]:
        if self._map is None:
            self._tokens.flush()
            self._trained.flush()
            tokens = numpy.memmap(self._tokens, dtype=numpy.int32, mode="r")
            self._map = tokens, numpy.memmap(self._trained, dtype=numpy.bool_, mode="r")
        return self._map
