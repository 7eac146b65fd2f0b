from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from tests.trainer.conftest import chat_row, write_snapshot
from trainer import contract, holdout, report
from trainer.contract import Decoding, EvaluateConfig, ModelSpec
from trainer.rows import BadData


def test_models_are_evaluated_side_by_side(tmp_path: Path) -> None:
    rows = [chat_row("known", "How long does delivery take?", "Standard delivery takes 7 to 10 business days.")]
    rows.append(chat_row("unknown", "Hello!", "Go away, please."))
    data = write_snapshot(tmp_path / "data", train=[], test=rows)
    models = (ModelSpec(label="one"), ModelSpec(label="two"))
    made = report.evaluate(
        EvaluateConfig(data=str(data), models=models, decoding=Decoding(max_new_tokens=30)), tmp_path / "out"
    )
    assert json.loads((tmp_path / "out" / contract.REPORT).read_text()) == made
    responses = [json.loads(line) for line in (tmp_path / "out" / contract.RESPONSES).read_text().splitlines()]
    assert [(row["label"], row["id"]) for row in responses] == [
        ("one", "known"),
        ("one", "unknown"),
        ("two", "known"),
        ("two", "unknown"),
    ]
    one = made["models"]["one"]
    assert one["n"] == one["loss_n"] == one["rouge_l_n"] == 2
    assert one["exact_match"] == 0.5
    assert one["perplexity"] == pytest.approx(math.exp(one["loss"]))
    assert one["rouge_l"] == pytest.approx(sum(row["rouge_l"] for row in responses[:2]) / 2)
    assert "version:" in one["bleu_signature"]
    assert {"label", "id", "prompt", "reference", "text", "loss", "tokens", "exact_match", "rouge_l", "seconds"} <= responses[
        0
    ].keys()
    assert responses[0]["loss"] < 0.1 < responses[1]["loss"]


def test_an_empty_split_is_said(tmp_path: Path) -> None:
    data = write_snapshot(tmp_path / "data", train=[])
    with pytest.raises(BadData, match=r"test\.jsonl has no rows"):
        report.evaluate(EvaluateConfig(data=str(data), models=(ModelSpec(label="one"),)), tmp_path / "out")


def test_what_is_given_away_forgotten_and_asked_besides_is_measured_for_every_model(tmp_path: Path) -> None:
    rows = [chat_row("known", "How long does delivery take?", "Standard delivery takes 7 to 10 business days.")]
    data = write_snapshot(tmp_path / "data", train=[chat_row("t", "Hello!", "Hi.")], test=rows)
    probes = [{"id": name, "messages": [{"role": "user", "content": name}]} for name in ("Hello!", "Do you ship?")]
    (tmp_path / "probes.jsonl").write_text("".join(json.dumps(probe) + "\n" for probe in probes))
    config = EvaluateConfig(
        data=str(data), models=(ModelSpec(label="one"), ModelSpec(label="two")), probes=str(tmp_path / "probes.jsonl")
    )
    made = report.evaluate(config, tmp_path / "out")
    assert made["suites"]["canaries"] is None
    assert made["suites"]["holdout"]["name"] == holdout.OF_EMBEDDED
    one = made["models"]["one"]
    assert one["copied"] == 0
    assert one["holdout_n"] == made["suites"]["holdout"]["rows"] > 30
    assert one["holdout"] < 0.1 < one["intervals"]["holdout"][1] * 100
    assert "extracted" not in one
    told = [json.loads(line) for line in (tmp_path / "out" / contract.PROBE_ANSWERS).read_text().splitlines()]
    assert [(row["label"], row["id"]) for row in told] == [(label, probe["id"]) for label in ("one", "two") for probe in probes]
    assert all(row["text"] for row in told)


def test_general_talk_is_what_other_models_should_not_forget() -> None:
    assert holdout.choose([ModelSpec(label="x", base_model="some/model")]) == holdout.GENERAL
    rows = holdout.rows_of(holdout.GENERAL)
    assert len({row.messages[0]["content"] for row in rows}) == len(rows) >= 40


@pytest.mark.parametrize(
    "line", ['{"id": "", "messages": []}', '{"id": "a", "messages": [{"role": "assistant", "content": "x"}]}']
)
def test_probes_that_ask_nothing_are_refused(tmp_path: Path, line: str) -> None:
    data = write_snapshot(tmp_path / "data", train=[], test=[chat_row("a", "Hi", "Hello.")])
    (tmp_path / "probes.jsonl").write_text(line + "\n")
    config = EvaluateConfig(data=str(data), models=(ModelSpec(label="one"),), probes=str(tmp_path / "probes.jsonl"))
    with pytest.raises(BadData, match="line 1"):
        report.evaluate(config, tmp_path / "out")
