from __future__ import annotations

import dataclasses
import json
from typing import Any

from trainer import manual
from trainer.contract import OBJECTIVES, EvaluateConfig, TrainConfig
from trainer.rows import read_rows
from trainer.spaces import SearchConfig


def example(text: str) -> dict[str, Any]:
    """The first JSON object in a text."""
    found: dict[str, Any] = json.JSONDecoder().raw_decode(text[text.index("\n{") + 1 :])[0]
    return found


def test_the_examples_are_configs() -> None:
    assert TrainConfig.from_json(example(manual.of_runs())).epochs == 3
    assert len(EvaluateConfig.from_json(example(manual.EVALUATIONS)).models) == 2
    assert SearchConfig.from_json(example(manual.SEARCHES)).most_trials == 20


def test_every_field_is_explained() -> None:
    told = manual.of_runs()
    for spec in dataclasses.fields(TrainConfig):
        assert f"\n  {spec.name} (" in told


def test_rows_as_they_are_told_of_are_rows(tmp_path: Any) -> None:
    told = manual.of_runs()
    messages = json.JSONDecoder().raw_decode(told[told.index('\n[{"role"') + 1 :])[0]
    for objective in OBJECTIVES:
        line = next(
            line for line in told.splitlines() if "{" in line and objective in line.split("{")[0].replace(",", "").split()
        )
        shape = "{" + line.split("{", 1)[1].split("}")[0] + "}"
        shape = shape.replace('"…" or "messages": M', '"…"').replace("true or false", "true")
        row = json.loads(shape.replace(": M", ": " + json.dumps(messages)))
        for name in row.keys() & {"chosen", "rejected"}:
            row[name] = [{"role": "assistant", "content": name}]
        if "prompt" in row:
            row["prompt"] = messages[:1]
        for held in ("validation", "test"):
            (tmp_path / f"{held}.jsonl").touch()
        (tmp_path / "train.jsonl").write_text(json.dumps(row) + "\n")
        assert len(read_rows(tmp_path, objective)["train"]) == 1, objective
