"""Losses of given answers: what they are of, and that batches change nothing."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from tests.trainer.conftest import chat_row, shop_rows, write_snapshot
from trainer import losses
from trainer.losses import RowLoss
from trainer.model import Loaded
from trainer.rows import read_split


def test_perplexity_averages_over_tokens() -> None:
    assert losses.perplexity([RowLoss(2.0, 1), RowLoss(10.0, 20)]) == pytest.approx(1.771, abs=5e-4)
    assert losses.perplexity([]) is None


def test_a_row_loss_is_that_of_its_last_answer(mini: Loaded, tmp_path: Path) -> None:
    messages = [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi there"},
        {"role": "user", "content": "Is it big?"},
        {"role": "assistant", "content": "No, small."},
    ]
    write_snapshot(tmp_path, train=[chat_row("a", "", "x") | {"messages": messages, "weight": 3.0}])
    (loss,) = losses.row_losses(mini, read_split(tmp_path, "train"))
    assert loss is not None
    prompt = mini.format.encode_prompt(messages[:3], max_length=500)
    answer = mini.format.tokenizer("No, small.<|end|>")["input_ids"]
    logits = mini.model(input_ids=torch.tensor([[*prompt, *answer]])).logits[0].log_softmax(-1)
    expected = -sum(logits[len(prompt) - 1 + at, token].item() for at, token in enumerate(answer))
    assert loss.tokens == len(answer)
    assert loss.total == pytest.approx(expected, abs=1e-3)


def test_rows_of_all_lengths_together_have_the_losses_that_they_have_alone(mini: Loaded, tmp_path: Path) -> None:
    write_snapshot(
        tmp_path, train=[*shop_rows(("zip_30303", "warranty", "store_hours"), 7), chat_row("long", "Hi", "a b " * 90)]
    )
    rows = read_split(tmp_path, "train")
    together = losses.row_losses(mini, rows)
    alone = [losses.row_losses(mini, [row])[0] for row in rows]
    assert [one.total for one in together if one] == pytest.approx([one.total for one in alone if one], rel=1e-4, abs=1e-4)
    assert len([one for one in together if one]) == len(rows) > 16


def test_bits_per_byte_are_of_the_text_whatever_the_tokens() -> None:
    assert losses.bits_per_byte([RowLoss(8 * math.log(2), 3, 4), RowLoss(0.0, 1, 4)]) == pytest.approx(1.0)
    assert losses.bits_per_byte([]) is None
