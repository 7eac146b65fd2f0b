"""What a detector found, as a value. The same text, detector and version always give the same findings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from backend.vocabulary import FindingKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A span of one message. `start` and `end` count characters of `Message.content`."""

    kind: FindingKind
    message: int = 0
    """Index of the message in its conversation, counted from 0."""
    start: int
    end: int
    score: float
    """How sure the detector is, from 0 to 1; not a calibrated probability."""
    detector: str
    version: str
    proposal: str | None = None
    """What would stand in place of the span; None where a person has to decide."""
    why: str = ""
    """In words, what is wrong, where the kind does not say it all. Stored as `detail["why"]`."""


def apply(text: str, findings: Iterable[Finding]) -> str:
    """The text with every span that has a proposal replaced. Where spans overlap, the one that begins first counts."""
    pieces: list[str] = []
    position = 0
    for finding in sorted(findings, key=lambda f: (f.start, -f.end)):
        if finding.proposal is None or finding.start < position:
            continue
        pieces += [text[position : finding.start], finding.proposal]
        position = finding.end
    return "".join(pieces) + text[position:]
