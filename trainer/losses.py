"""How likely a model finds given answers: their negative log-likelihood, a row at a time or in batches of like length.

Loss and perplexity average over tokens, not rows: a long answer counts more than a short one. The token that ends an answer
counts as one of it. Bits per byte divide by the answer's bytes, so they compare between models with different tokenizers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from trainer.data import Example
from trainer.model import Loaded
from trainer.objectives import TrainedLogits, sum_by_row, token_log_probs
from trainer.picked import Picked, put
from trainer.rows import Row

_BATCH = 16


@dataclass(frozen=True, slots=True)
class RowLoss:
    """An answer's negative log-likelihood in nats, summed over its tokens, and its length in tokens and bytes."""

    total: float
    tokens: int
    size: int = 0


def perplexity(losses: Sequence[RowLoss]) -> float | None:
    """exp of the mean NLL per token over all tokens."""
    tokens = sum(loss.tokens for loss in losses)
    return math.exp(min(sum(loss.total for loss in losses) / tokens, 700.0)) if tokens else None


def bits_per_byte(losses: Sequence[RowLoss]) -> float | None:
    """Bits that the model needs to write the answers, a byte of their text."""
    size = sum(loss.size for loss in losses)
    return sum(loss.total for loss in losses) / math.log(2) / size if size else None


def row_losses(loaded: Loaded, rows: Sequence[Row]) -> list[RowLoss | None]:
    """The loss of every row's reference answer; None for rows that do not fit the model's context."""
    encoded = [loaded.format.encode(row, max_length=loaded.context) for row in rows]
    examples = {index: example.last_answer() for index, example in enumerate(encoded) if example is not None}
    told = dict(zip(examples, _totals(loaded, list(examples.values())), strict=True))
    return [
        RowLoss(told[index], examples[index].trained_count, len(row.reference.encode()))
        if index in told and examples[index].trained_count
        else None
        for index, row in enumerate(rows)
    ]


@torch.inference_mode()
def _totals(loaded: Loaded, examples: Sequence[Example]) -> list[float]:
    """The loss of each example's trained tokens. Padding comes after the text, which a causal model never looks at."""
    logits_of, found = TrainedLogits(loaded.model), [0.0] * len(examples)
    order = sorted(range(len(examples)), key=lambda index: examples[index].length)
    for start in range(0, len(order), _BATCH):
        chosen = order[start : start + _BATCH]
        width = max(examples[index].length for index in chosen)
        tokens, trained = torch.zeros(len(chosen), width, dtype=torch.long), torch.zeros(len(chosen), width, dtype=torch.bool)
        for place, index in enumerate(chosen):
            tokens[place, : examples[index].length] = torch.tensor(examples[index].tokens)
            trained[place, : examples[index].length] = torch.tensor(examples[index].trained)
        marked = trained[:, 1:]
        picked = Picked.of(tokens, marked, marked).to(loaded.device)
        if not picked:
            continue
        values = token_log_probs(logits_of, put(tokens, loaded.device), picked)
        for index, total in zip(chosen, sum_by_row(values, picked.rows, len(chosen)).tolist(), strict=True):
            found[index] = -total
    return found
