"""Which figures are kept, and how each is worked out from what was judged. Pure: judgements in, plain values out.

A figure has a name and a subject: "models" of all tasks (no subject) or of one ("task:7"), "quality" of one task, "slices"
of one measure and version. "index" lists what there is to cut; "work" holds answers by hour and rater, for dashboards and
forecasts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from backend.evaluation.judgements import Judged
from backend.evaluation.leaderboard import comparison_figures
from backend.evaluation.quality import quality_figure
from backend.evaluation.ratings import rating_figures, weekly_agreement
from backend.evaluation.slicing import Measure, coded, judged_measures, slice_figure
from backend.rubrics import Question

MODELS, INDEX, SLICES, AGREEMENT, PROGRESS, WORK = "models", "index", "slices", "agreement", "progress", "work"
QUALITY = "quality"
COUNTED = (PROGRESS, WORK)
"""Figures that the database counts; the others are made from judgements."""


@dataclass(frozen=True)
class Material:
    """Everything that figures are made from. `questions` of the project's tasks, and of each task."""

    judged: Judged
    questions: Sequence[Question]
    by_task: Mapping[int, Sequence[Question]]
    measured: Sequence[Measure] = ()
    """Measures that no person made: scores, lengths, what was detected."""


def subject_of(task_id: int | None) -> str:
    """Of "models" for one task, or for all."""
    return "" if task_id is None else f"task:{task_id}"


def slice_subject(measure: str, version: str) -> str:
    """Of "slices": short, whatever a version is called."""
    return f"{measure[:80]}|{hashlib.sha256(version.encode()).hexdigest()[:16]}"


def worked_out(material: Material, name: str, subject: str) -> dict[str, Any] | None:
    """One figure; None where there is nothing of the kind."""
    return next(iter(_of(material, name, subject)), (None, None, None))[2]


def all_figures(material: Material) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every figure that is made from judgements with its name and subject, one after the other."""
    for name in (AGREEMENT, MODELS, INDEX, SLICES, QUALITY):
        yield from _of(material, name, None)


def _of(material: Material, name: str, subject: str | None) -> Iterator[tuple[str, str, dict[str, Any]]]:
    if name == AGREEMENT:
        yield name, "", {"weeks": records(weekly_agreement(material.judged))}
    elif name == MODELS:
        yield from _models(material, subject)
    elif name == QUALITY:
        for task, questions in material.by_task.items():
            if subject in (None, subject_of(task)):
                yield QUALITY, subject_of(task), quality_figure(material.judged.of_task(task), questions)
    elif name == INDEX:
        yield name, "", _index(material)
    elif name == SLICES:
        yield from _slices(material, subject)


def _models(material: Material, subject: str | None) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for task, questions in [(None, material.questions), *material.by_task.items()]:
        if subject in (None, subject_of(task)):
            judged = material.judged if task is None else material.judged.of_task(task)
            yield MODELS, subject_of(task), {**comparison_figures(judged), **rating_figures(judged, questions)}


def _measures(material: Material) -> Iterator[Measure]:
    yield from judged_measures(material.judged, material.questions)
    yield from material.measured


def _index(material: Material) -> dict[str, Any]:
    found: dict[str, dict[str, Any]] = {}
    for one in _measures(material):
        entry = found.setdefault(one.key, {"key": one.key, "title": one.title, "shares": one.shares, "versions": []})
        entry["versions"].append(one.version)
    return {"measures": list(found.values())}


def _slices(material: Material, subject: str | None) -> Iterator[tuple[str, str, dict[str, Any]]]:
    codes = coded(material.judged.responses)
    for one in _measures(material):
        if subject in (None, slice_subject(one.key, one.version)):
            yield SLICES, slice_subject(one.key, one.version), slice_figure(one, material.judged, codes)


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """A table as plain values."""
    return [dict(zip(frame.columns, row, strict=True)) for row in frame.astype(object).itertuples(index=False, name=None)]
