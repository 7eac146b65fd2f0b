"""What the fields of the task builder mean: a selection, a rubric, options. It draws nothing and saves nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backend.review.selections import Selection
from backend.rubrics import NO_QUESTIONS, Rubric
from backend.task_options import TaskOptions
from backend.vocabulary import ItemOrder, TaskKind
from pages.components.record_filters import filter_of
from pages.components.rubric_builder import built

KINDS = {
    TaskKind.RATE: ("Rate answers", "Each answer by itself, on the questions that you write."),
    TaskKind.COMPARE: ("Compare two answers", "Side by side and blind: left, right, a tie, or both bad."),
    TaskKind.RANK: ("Rank answers", "Three to five answers to one question, blind, from best to worst."),
    TaskKind.LABEL: ("Review records", "Chosen records, edited and approved by experts on the review page."),
}
PAIRINGS = {
    "current": "One version against another",
    "reference": "A version against the reference answer",
    "robin": "Several versions, each against each",
}
SAMPLES = {"all": "All that fit", "random": "A random sample", "strata": "A stratified sample"}
SHARES = {"share": "By its share", "equal": "Equally many of each"}
ORDERS = {
    ItemOrder.GIVEN: "As drawn",
    ItemOrder.DISAGREEMENT: "Where versions disagree most",
    ItemOrder.UNCERTAINTY: "Where the quality model is least sure",
    ItemOrder.THIN_SLICES: "Thin slices first",
}
EVERYBODY = 0
"""In place of an evaluation: everybody's newest answers."""


@dataclass(frozen=True, slots=True)
class Choices:
    """The builder's fields by name, as people left them."""

    fields: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.fields[name]

    @property
    def kind(self) -> TaskKind:
        """What the task asks for."""
        return TaskKind(self.fields.get("kind") or TaskKind.RATE)

    @property
    def contestants(self) -> tuple[str, ...]:
        """Whose answers are judged."""
        if self.kind is TaskKind.LABEL:
            return ()
        if self.kind is not TaskKind.COMPARE:
            return tuple(self.fields.get(f"{self.kind}-who") or ())
        pairing = self.fields.get("pairing") or "current"
        if pairing == "robin":
            return tuple(self.fields.get("robin-who") or ())
        other = "reference" if pairing == "reference" else self.fields.get("against")
        return tuple(one for one in (other, self.fields.get("candidate")) if one)

    @property
    def selection(self) -> Selection:
        """Which items. Raises InvalidInput."""
        sample = self.fields.get("sample") or "all"
        where = {name.removeprefix("where-"): one for name, one in self.fields.items() if name.startswith("where-")}
        stratify = (self.fields.get("stratify") or "") if sample == "strata" else ""
        judged = self.kind is not TaskKind.LABEL
        return Selection(
            records=filter_of(where),
            evaluation_id=(self.fields.get("evaluation") or None) if judged else None,
            contestants=self.contestants,
            pairs_per_question=(self.fields.get("each", 1) or None) if self.fields.get("pairing") == "robin" else 1,
            ranked=self.fields.get("ranked", 3),
            size=None if sample == "all" else self.fields.get("size", 100),
            seed=self.fields.get("seed", 0),
            stratify=stratify,
            equal=self.fields.get("shares") == "equal",
        )

    @property
    def rubric(self) -> Rubric | None:
        """The questions; None while something is wrong with them."""
        if self.kind is TaskKind.LABEL:
            return NO_QUESTIONS
        return built(self.kind, {name.removeprefix("q-"): one for name, one in self.fields.items() if name.startswith("q-")})

    @property
    def overlap(self) -> int:
        """How many raters answer each item to begin with."""
        return 1 if self.kind is TaskKind.LABEL else self.fields.get("overlap", 2)

    @property
    def overlap_max(self) -> int | None:
        """Up to how many, where they disagree; None: no more."""
        grows = self.kind is not TaskKind.LABEL and self.fields.get("grow")
        return self.fields.get("up_to", 5) if grows else None

    @property
    def lease_seconds(self) -> int:
        """How long an item is held."""
        return int(self.fields.get("minutes", 15) * 60)

    def options(self, before: TaskOptions = TaskOptions()) -> TaskOptions:  # noqa: B008 - frozen
        """Who takes part and what is mixed in; the rest as it was `before`. Raises InvalidInput."""
        judged = self.kind is not TaskKind.LABEL
        calibrated = judged and self.fields.get("calibrate")
        return TaskOptions(
            raters=tuple(self.fields.get("raters") or ()),
            excluded=before.excluded,
            show_reference=judged and bool(self.fields.get("reference")),
            gold_share=self.fields.get("gold", 0) / 100 if judged else 0.0,
            repeat_share=self.fields.get("repeats", 0) / 100 if judged else 0.0,
            calibration_pass=self.fields.get("pass", 80) / 100 if calibrated else None,
            order=ItemOrder(self.fields.get("order") or ItemOrder.GIVEN),
            dispute_at=self.fields.get("dispute", 50) / 100,
            drawn=before.drawn,
            identical=before.identical,
            source=before.source,
        )


def fields_of_options(options: TaskOptions, *, overlap: int, overlap_max: int | None, lease_seconds: int) -> dict[str, Any]:
    """The fields that stand for these options, for changing them later."""
    return {
        "overlap": overlap,
        "grow": overlap_max is not None,
        "up_to": overlap_max or 5,
        "raters": list(options.raters),
        "reference": options.show_reference,
        "gold": round(options.gold_share * 100),
        "repeats": round(options.repeat_share * 100),
        "calibrate": options.calibration_pass is not None,
        "pass": round((options.calibration_pass or 0.8) * 100),
        "order": options.order,
        "dispute": round(options.dispute_at * 100),
        "minutes": max(1, lease_seconds // 60),
    }
