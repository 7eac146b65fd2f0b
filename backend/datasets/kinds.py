"""What a snapshot can hold: approved answers, or what people said about answers. Pure.

The choices are kept in the manifest, so that a snapshot says how its labels were made of people's answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from backend.errors import InvalidInput
from backend.vocabulary import SnapshotKind

HELP: Mapping[SnapshotKind, str] = {
    SnapshotKind.SFT: "Approved answers, to be imitated.",
    SnapshotKind.PREFERENCES: "Pairs of answers of which people preferred one: comparisons, rankings, imports, edits.",
    SnapshotKind.THUMBS: "Single answers that people found good or bad: ratings, and thumbs from the chat and from imports.",
    SnapshotKind.LABELS: "Texts with a class, such as an intent: from the records' metadata, or from what people chose.",
}
"""What each kind holds, in a sentence."""
NEEDS: Mapping[SnapshotKind, str] = {
    SnapshotKind.SFT: "Approve some records on the review page.",
    SnapshotKind.PREFERENCES: "Make a comparison task of an evaluation's answers and let people compare, or take edits in.",
    SnapshotKind.THUMBS: "Make a rating task of an evaluation's answers and let people rate, or let them chat.",
    SnapshotKind.LABELS: "Import records with a metadata column that names a class, and approve them; or let people choose the "
    "class in a rating task, by a question with one choice of several.",
}
"""What has to be done first where there is nothing to freeze."""
MEAN = ""
"""Stands for the mean of all questions of a rubric."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelling:
    """How labels are made of what people said. What does not belong to the kind is ignored."""

    kind: SnapshotKind = SnapshotKind.SFT
    edits: bool = False
    """Preferences: an approved text that an expert wrote counts as preferred to the imported one that it took the place of."""
    question: str = MEAN
    """Thumbs: the question of the rubric that decides; empty: the mean of all of them. Labels: the question with one choice of
    several whose answers are the classes; empty: the metadata is."""
    up_from: float = 0.7
    """Thumbs: a rating from here on (0 the worst, 1 the best) is a thumb up."""
    down_to: float = 0.4
    """Thumbs: a rating up to here is a thumb down. What lies between is left out."""
    label: str = ""
    """Labels: the metadata key that holds the class."""
    whole: bool = False
    """Labels from answers: what was sorted is the question with its answer; else the question alone."""

    def __post_init__(self) -> None:
        if not 0 <= self.down_to < self.up_from <= 1:
            raise InvalidInput("The rating of a thumb up must be above that of a thumb down, both between 0 and 1.")
        if self.kind is SnapshotKind.LABELS and bool(self.label.strip()) == bool(self.question.strip()):
            raise InvalidInput("Say which metadata holds the class, or which question of a rating task; one of them.")

    def to_json(self) -> dict[str, Any]:
        """What the manifest tells: the choices that matter for the kind."""
        names = {
            SnapshotKind.SFT: (),
            SnapshotKind.PREFERENCES: ("edits",),
            SnapshotKind.THUMBS: ("question", "up_from", "down_to"),
            SnapshotKind.LABELS: ("question", "whole") if self.question else ("label",),
        }[self.kind]
        return {name: value for name, value in asdict(self).items() if name in names}


def kind_of(manifest: Mapping[str, Any]) -> SnapshotKind:
    """The kind of a snapshot; those of old have none in their manifest and hold approved answers."""
    return SnapshotKind(manifest.get("kind", SnapshotKind.SFT))
