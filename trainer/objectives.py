"""What is minimised: objectives as pure functions of logits, and the one way to get logits of trained positions only.

An objective returns a weighted sum in nats, never a mean: the loop divides by the weight of all trained tokens of an
accumulation window, so that one accumulated step equals one large batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from trainer.data import Example


@dataclass(frozen=True, slots=True)
class Batch:
    """Right-padded tokens, and for every next-token prediction its weight (0 where nothing is trained)."""

    tokens: torch.Tensor
    weights: torch.Tensor
    token_count: int

    @property
    def weight(self) -> float:
        """The sum of weights that the objective's sum is to be divided by."""
        return float(self.weights.sum())


def collate(examples: Sequence[Example], *, pad_id: int) -> Batch:
    """Examples side by side on the CPU. Padding is on the right, where causal attention never looks back at it."""
    width = max(len(example.tokens) for example in examples)
    tokens = torch.full((len(examples), width), pad_id, dtype=torch.long)
    weights = torch.zeros((len(examples), width))
    for index, example in enumerate(examples):
        length = len(example.tokens)
        tokens[index, :length] = torch.tensor(example.tokens)
        weights[index, :length] = torch.tensor(example.trained) * example.weight
    return Batch(tokens, weights[:, 1:].contiguous(), sum(len(example.tokens) for example in examples))


def sft(logits: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Weighted sum of the negative log-likelihood of `targets`: imitate the approved answers."""
    return (torch.nn.functional.cross_entropy(logits.float(), targets, reduction="none") * weights).sum()


class TrainedLogits:
    """Logits at the trained positions of a batch, without computing those of any other position where the model allows it.

    Some models scale or cap their logits after the head. Whether decoder and head alone give this model's logits is tried
    once on a few tokens; where they do not, the model's own forward pass is used.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        inner = model.get_base_model() if hasattr(model, "get_base_model") else model
        self._decoder, self._head = _parts(inner)
        self.direct = self._decoder is not None and self._same_logits()

    @torch.no_grad()
    def _same_logits(self) -> bool:
        training = self._model.training
        self._model.eval()
        device = next(self._model.parameters()).device
        tokens = torch.arange(1, 9, device=device).unsqueeze(0) % int(self._model.config.vocab_size)
        whole = self._model(input_ids=tokens, use_cache=False).logits
        direct = self._head(self._decoder(input_ids=tokens, use_cache=False).last_hidden_state)
        self._model.train(training)
        return whole.shape == direct.shape and torch.allclose(whole.float(), direct.float(), rtol=1e-3, atol=1e-3)

    def __call__(self, tokens: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
        """Logits [n, vocabulary] that predict the n tokens `tokens[:, 1:][chosen]`."""
        if self.direct:
            hidden = self._decoder(input_ids=tokens, use_cache=False).last_hidden_state
            return self._head(hidden[:, :-1][chosen])
        return self._model(input_ids=tokens, use_cache=False).logits[:, :-1][chosen]


def _parts(model: Any) -> tuple[Any, Any]:
    try:
        return model.get_decoder(), model.get_output_embeddings()
    except (AttributeError, NotImplementedError):
        return None, None


def batch_loss(logits_of: TrainedLogits, batch: Batch, *, device: torch.device) -> torch.Tensor:
    """The SFT sum of one batch on the device."""
    tokens, weights = batch.tokens.to(device, non_blocking=True), batch.weights.to(device, non_blocking=True)
    chosen = weights > 0
    return sft(logits_of(tokens, chosen), tokens[:, 1:][chosen], weights[chosen])
