"""What the trainer leaves after an evaluation, read and checked: the report, and the responses line by line.

Reads files and knows no database. Promised: what comes out fits together (the labels that were asked for, one response a
label and row, the same rows for each) and can be stored anywhere: no NUL signs, no lone surrogates, no NaN. Anything else
raises IntegrityViolated with the line. Not promised: that the measures are right; the trainer's tests hold that.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.errors import IntegrityViolated
from backend.evaluation import probes
from trainer import contract

PROBES = "probes.jsonl"
"""What is asked beside the test questions, in an evaluation's folder."""
NEEDED = ("n", "loss", "perplexity", "bleu", "rouge_l", "exact_match")
_MEASURES = ("loss", "tokens", "complete", "exact_match", "rouge_l", "sentence_bleu", "seconds")
_AGAIN = "Nothing was stored; start the evaluation again."


@dataclass(frozen=True, slots=True)
class Answered:
    """One model's answer to one row."""

    label: str
    row_id: str
    reference: str
    text: str
    metrics: dict[str, float | None]


def read_report(folder: Path, labels: Sequence[str]) -> dict[str, Any]:
    """The report of an evaluation folder, with every label's measures in it."""
    try:
        report = contract.read_json(folder / contract.REPORT)
    except contract.ConfigError as error:
        raise IntegrityViolated(f"The evaluation left no readable report. {_AGAIN}") from error
    models = report.get("models")
    if not isinstance(models, dict):
        raise IntegrityViolated(f"The evaluation's report names no models. {_AGAIN}")
    for label in labels:
        measures = models.get(label)
        if not isinstance(measures, dict) or any(name not in measures for name in NEEDED):
            raise IntegrityViolated(f"The evaluation's report lacks a measure of {label}. {_AGAIN}")
        if not isinstance(measures["n"], int) or measures["n"] < 1:
            raise IntegrityViolated(f"The evaluation measured {label} on no row. {_AGAIN}")
    return dict(storable(report))


def read_responses(folder: Path, labels: Sequence[str], row_ids: Collection[str]) -> Iterator[Answered]:
    """Every response in the file's order. Complete and without doubles, or an error at the end."""
    seen: dict[str, set[str]] = {label: set() for label in labels}
    try:
        with (folder / contract.RESPONSES).open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                answered = _parse(line, number)
                if answered.label not in seen or answered.row_id not in row_ids:
                    raise IntegrityViolated(f"Line {number} of the responses answers a row that was not asked. {_AGAIN}")
                if answered.row_id in seen[answered.label]:
                    raise IntegrityViolated(f"Line {number} of the responses answers a row twice. {_AGAIN}")
                seen[answered.label].add(answered.row_id)
                yield answered
    except (OSError, UnicodeDecodeError) as error:
        raise IntegrityViolated(f"The evaluation left no readable responses. {_AGAIN}") from error
    if len({frozenset(rows) for rows in seen.values()}) > 1 or not any(seen.values()):
        raise IntegrityViolated(f"The models did not answer the same rows. {_AGAIN}")


def read_probes(folder: Path) -> tuple[tuple[probes.Probe, ...], dict[str, dict[str, str]]]:
    """The probes of an evaluation folder, and every label's answers by the probe's id; nothing for a folder without any."""
    if not (folder / PROBES).exists():
        return (), {}
    try:
        asked = probes.read(folder / PROBES)
        answers: dict[str, dict[str, str]] = {}
        lines = (folder / contract.PROBE_ANSWERS).read_text(encoding="utf-8").split("\n")
        for row in (json.loads(line) for line in lines if line):
            answers.setdefault(str(row["label"]), {})[str(row["id"])] = storable(str(row["text"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise IntegrityViolated(f"The evaluation left no readable answers to its probes. {_AGAIN}") from error
    if any(answers[label].keys() != {probe.id for probe in asked} for label in answers):
        raise IntegrityViolated(f"The models did not answer the same probes. {_AGAIN}")
    return asked, answers


def _parse(line: str, number: int) -> Answered:
    try:
        row = json.loads(line)
        label, row_id, reference, text = (row[name] for name in ("label", "id", "reference", "text"))
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityViolated(f"Line {number} of the responses cannot be read. {_AGAIN}") from error
    if not all(isinstance(value, str) for value in (label, row_id, reference, text)):
        raise IntegrityViolated(f"Line {number} of the responses holds something that is not text. {_AGAIN}")
    metrics = {name: _number(row[name]) for name in _MEASURES if name in row}
    return Answered(label, row_id, storable(reference), storable(text), metrics)


def storable(value: Any) -> Any:
    """The value without what a database refuses: NUL signs and lone surrogates become U+FFFD, NaN and infinity become None."""
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, dict):
        return {storable(key): storable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [storable(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _number(value: object) -> float | None:
    """Booleans as 1 and 0, so that a database can average them."""
    return float(value) if isinstance(value, bool | int | float) and math.isfinite(value) else None
