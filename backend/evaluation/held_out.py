"""Held-out questions: what no snapshot holds, answered by models and scored apart for changed and unchanged facts.

Files only. `write` makes a folder that `python -m trainer evaluate` reads, `scores` reads what that leaves in it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backend.conversations import Message
from backend.vocabulary import Split
from trainer import contract


def write(folder: Path, questions: Sequence[dict[str, Any]], config: contract.EvaluateConfig) -> None:
    """The questions (id, prompt, answer) as a test split, and the trainer's config beside it."""
    folder.mkdir(parents=True)
    with (folder / f"{Split.TEST}.jsonl").open("w", encoding="utf-8") as file:
        for row in questions:
            turns = [Message("user", row["prompt"]).to_json(), Message("assistant", row["answer"]).to_json()]
            line = {"id": row["id"], "messages": turns, "group": row["id"], "weight": 1.0, "metadata": {}}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
    (folder / contract.CONFIG).write_text(json.dumps(config.to_json()), encoding="utf-8")


def scores(folder: Path, questions: Sequence[dict[str, Any]], label: str) -> dict[str, Any]:
    """A model's exact match and ROUGE-L over all questions, and its exact match where facts changed and where not."""
    changed = {row["id"]: row["changed"] for row in questions}
    text = (folder / contract.RESPONSES).read_text(encoding="utf-8")
    lines = (json.loads(line) for line in text.split("\n") if line)  # texts may hold what splitlines takes for an end
    answered = [row for row in lines if row["label"] == label]
    parts = {part: [row for row in answered if changed[row["id"]] is part] for part in (True, False)}
    return {
        "n": len(answered),
        "exact_match": _mean("exact_match", answered),
        "rouge_l": _mean("rouge_l", answered),
        "exact_match_changed_facts": _mean("exact_match", parts[True]),
        "exact_match_unchanged_facts": _mean("exact_match", parts[False]),
    }


def _mean(name: str, rows: Sequence[dict[str, Any]]) -> float | None:
    return round(sum(float(row[name]) for row in rows) / len(rows), 4) if rows else None
