"""Families of checks for tests: small, known, and of the form that processes can be sent."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from backend.conversations import Message
from backend.detectors.checks import Context, Seen
from backend.detectors.findings import Finding
from backend.vocabulary import DETECTED, FindingKind


@dataclass(frozen=True)
class Words:
    """Finds a word wherever it stands, and gives a slice to whoever has it."""

    word: str = "<br>"
    kind: FindingKind = FindingKind.MARKUP
    proposal: str | None = " "
    VERSION: str = "1"
    slow: float = 0.0
    """Seconds that each conversation takes."""
    fails_at: str = ""
    seen_by: str = ""
    """A folder in which each process that looks leaves its id."""
    SLICES: frozenset[str] = field(default=frozenset({DETECTED + "word"}))

    @property
    def KINDS(self) -> frozenset[FindingKind]:
        return frozenset({self.kind})

    def look(self, batch: Sequence[Sequence[Message]], context: Context) -> list[Seen]:
        if self.seen_by:
            (Path(self.seen_by) / str(os.getpid())).touch()
        return [self._one(messages) for messages in batch]

    def _one(self, messages: Sequence[Message]) -> Seen:
        time.sleep(self.slow)
        if self.fails_at and any(self.fails_at in message.content for message in messages):
            raise ValueError("a bug in a detector")
        found = tuple(
            Finding(
                kind=self.kind, message=place, start=match.start(), end=match.end(), score=0.9, detector="words",
                version=self.VERSION, proposal=self.proposal, why="A word of the test.",
            )
            for place, message in enumerate(messages)
            for match in re.finditer(re.escape(self.word), message.content)
        )  # fmt: skip
        return Seen(findings=found, slices=((DETECTED + "word", self.word),) if found else ())
