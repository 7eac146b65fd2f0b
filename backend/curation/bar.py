"""How far something is, told on a terminal or in a log."""

from __future__ import annotations

import time
from typing import TextIO

_WIDTH = 30


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
