from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch

from tests.trainer.conftest import chat_row, write_snapshot
from trainer import contract, report
from trainer.contract import Decoding, EvaluateConfig, ModelSpec
from trainer.model import Loaded
from trainer.report import RowLoss
from trainer.rows import BadData, read_split


def test_perplexity_averages_over_tokens() -> None:
    assert report.perplexity([RowLoss(2.0, 1), RowLoss(10.0, 20)]) == pytest.approx(1.771, abs=5e-4)
    assert report.perplexity([]) is None


def test_texts_are_compared_as_stated() -> None:
    same = report.compare_texts("Yes,  we SHIP.\n", "yes, we ship.")
    assert same["exact_match"]
    assert same["rouge_l"] == 1.0
    # "refunds were processed" against "the refund is processing" share no whole word: no stemmer is used.
    assert report.compare_texts("refunds were processed", "the refund is processing")["rouge_l"] == 0
    # Longest common subsequence "a c": precision 2/3, recall 2/4.
    assert report.compare_texts("a b c", "a x c y")["rouge_l"] == pytest.approx(2 * (2 / 3) * (1 / 2) / (2 / 3 + 1 / 2))
    assert report.compare_texts("mañana días", "mañana horas")["rouge_l"] == 0.5
    assert report.compare_texts("", "yes")["rouge_l"] == 0


def test_a_row_loss_is_that_of_its_last_answer(mini: Loaded, tmp_path: Path) -> None:
    messages = [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi there"},
        {"role": "user", "content": "Is it big?"},
        {"role": "assistant", "content": "No, small."},
    ]
    write_snapshot(tmp_path, train=[chat_row("a", "", "x") | {"messages": messages, "weight": 3.0}])
    (loss,) = report.row_losses(mini, read_split(tmp_path, "train"))
    assert loss is not None
    prompt = mini.format.encode_prompt(messages[:3], max_length=500)
    answer = mini.format.tokenizer("No, small.<|end|>")["input_ids"]
    logits = mini.model(input_ids=torch.tensor([[*prompt, *answer]])).logits[0].log_softmax(-1)
    expected = -sum(float(logits[len(prompt) - 1 + at, token]) for at, token in enumerate(answer))
    assert loss.tokens == len(answer)
    assert loss.total == pytest.approx(expected, abs=1e-3)


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
