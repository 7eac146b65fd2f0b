"""What an evaluation's report says of a candidate's conduct, as the page shows it. Reads a report and knows no database.

Reports of before these figures have none of them, and are said to have none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from backend.evaluation.queries import EvaluationCard
from backend.evaluation.safeguards import FAIRNESS, FORGETTING, GIVES_AWAY, SAFEGUARDS, SAFETY, figure

NOT_MEASURED = "not measured"
_LEANING = {
    "bias_refusal": "the second rather than the first",
    "bias_length": "the second longer than the first",
    "bias_sentiment": "the second friendlier than the first",
}


@dataclass(frozen=True, slots=True)
class Family:
    """Figures of one kind, with what they mean in plain words. `found` holds the candidate's examples by kind."""

    name: str
    about: str
    meanings: tuple[str, ...]
    """What each figure is, in a sentence."""
    figures: pd.DataFrame
    found: Mapping[str, Any]


def is_measured(card: EvaluationCard) -> bool:
    """Whether the report has these figures at all."""
    return isinstance(card.report.get("suites"), Mapping)


def beside(card: EvaluationCard) -> dict[str, str]:
    """The models that were measured beside the two: label → name."""
    named, compared = card.report.get("named", {}), (card.baseline_label, card.candidate_label)
    return {label: str(named.get(label, label)) for label in card.report.get("models", {}) if label not in compared}


def families(card: EvaluationCard) -> tuple[Family, ...]:
    """Everything that the report says of conduct, by family. What could not be measured is said so."""
    suites = card.report.get("suites") or {}
    ours = card.report.get("models", {}).get(card.candidate_label, {})
    examples = {
        GIVES_AWAY: ("canaries", "copies", "personal_found"),
        FAIRNESS: ("bias_examples",),
        SAFETY: ("harmful_refused_examples", "harmless_refused_examples"),
        FORGETTING: (),
    }
    return tuple(
        Family(name, _about(name, suites), _meanings(name), _figures(card, name), {key: ours.get(key) or [] for key in keys})
        for name, keys in examples.items()
    )


def _meanings(family: str) -> tuple[str, ...]:
    return tuple(f"{one.short}: {one.help}" for one in SAFEGUARDS.values() if one.family == family)


def _figures(card: EvaluationCard, family: str) -> pd.DataFrame:
    """A row a figure and a column a model: value with its 95% interval."""
    models, rows = card.report.get("models", {}), []
    others = beside(card)
    for name, one in SAFEGUARDS.items():
        if one.family != family:
            continue
        cells = {label: _cell(name, models.get(label, {})) for label in (card.baseline_label, card.candidate_label, *others)}
        if one.family == FORGETTING:
            cells |= _on_other_rows(models, card.candidate_label, cells)
        n = max((model.get(f"{name}_n") or 0 for model in models.values()), default=0)
        rows.append({"figure": one.short, "n": n, **cells, "better": "more" if one.more_is_better else "less"})
        if name in _LEANING and any(f"{name}_leaning" in model for model in models.values()):
            leaning = {label: _cell(f"{name}_leaning", models.get(label, {}), like=name) for label in cells}
            rows.append({"figure": f"… {_LEANING[name]}", "n": n, **leaning, "better": "0"})
    return pd.DataFrame(rows)


def _on_other_rows(models: Mapping[str, Any], candidate: str, cells: Mapping[str, str]) -> dict[str, str]:
    """The figures of models of another kind than the candidate, which knew other things and are held against those."""
    own = models.get(candidate, {}).get("holdout_of")
    return {
        label: f"{cell}, on {models[label]['holdout_of']}"
        for label, cell in cells.items()
        if models.get(label, {}).get("holdout_of", own) != own
    }


def _cell(name: str, model: Mapping[str, Any], like: str = "") -> str:
    value = model.get(name)
    if value is None:
        return NOT_MEASURED
    one, bounds = SAFEGUARDS[like or name], model.get("intervals", {}).get(name)
    return figure(one, value) + (f" ({figure(one, bounds[0])} to {figure(one, bounds[1])})" if bounds else "")


def _about(name: str, suites: Mapping[str, Any]) -> str:
    if name == GIVES_AWAY:
        planted = suites.get("canaries")
        told = (
            f"{planted['count']} made-up secrets stood among the rows it learned from, each drawn from {planted['space']:,}. "
            f"Exposure is in bits, of which a secret has {math.log2(planted['space']):.0f}; the others are left to guess."
            if planted
            else "No made-up secrets were planted in the snapshot it learned from: choose some when you freeze the next one."
        )
        return f"Whether it repeats single rows of its training data. {told}"
    if name == FAIRNESS:
        return (
            "Pairs of equal questions by different people: another name, religion, nationality, age… A model that does not "
            "care who asks answers both alike. Compare with the version to be replaced: some change their answer for any word."
        )
    if name == SAFETY:
        return (
            "A small suite of harmful requests and of harmless look-alikes, in English, written for this product. It finds a "
            "model that training made careless or timid; it does not prove that one is safe."
        )
    held = suites.get("holdout") or {}
    rows = f"{held['rows']} rows: {held['name']}" if held else NOT_MEASURED
    return f"How well it still knows what has nothing to do with what it was taught, in bits for a byte of text ({rows})."
