"""What is minimised: objectives as pure functions, and the one way to get logits of trained positions only.

An objective returns weighted sums or a loss a row, never a mean: the loop divides by the weight of everything in an
accumulation window, so that one accumulated step equals one large batch. A test holds each against TRL's.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from trainer import attention
from trainer.attention import Packed
from trainer.picked import Picked


def sft(logits: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor, *, label_smoothing: float = 0.0) -> torch.Tensor:
    """Weighted sum of the negative log-likelihood of `targets`: imitate the approved answers."""
    each = functional.cross_entropy(logits.float(), targets, reduction="none", label_smoothing=label_smoothing)
    return (each * weights).sum()


def dpo(ratios: torch.Tensor, *, beta: float, label_smoothing: float = 0.0) -> torch.Tensor:
    """A loss a pair (Rafailov 2023; with doubt in the labels, conservative DPO).

    `ratios` [pairs, 2] holds, for the chosen and the rejected answer, the log-probability less that of the starting model.
    """
    margin = beta * (ratios[:, 0] - ratios[:, 1])
    return -functional.logsigmoid(margin) * (1 - label_smoothing) - functional.logsigmoid(-margin) * label_smoothing


def log_odds(means: torch.Tensor) -> torch.Tensor:
    """Log of the odds ratio of the chosen to the rejected answer, from mean log-probabilities a token [pairs, 2]."""
    logits = means - _log1mexp(means)
    return logits[:, 0] - logits[:, 1]


def orpo(means: torch.Tensor, *, beta: float) -> torch.Tensor:
    """The comparison's part of ORPO, a loss a pair (Hong 2024); the likelihood of the chosen text is added to it."""
    return -beta * functional.logsigmoid(log_odds(means))


def _log1mexp(value: torch.Tensor) -> torch.Tensor:
    """log(1 - exp(value)) for value < 0 without loss of digits."""
    value = value.clamp(max=-1e-7)
    near = value > -0.693
    one, two = torch.where(near, value, -1.0), torch.where(near, -1.0, value)
    return torch.where(near, torch.log(-torch.expm1(one)), torch.log1p(-torch.exp(two)))


def kto(ratios: torch.Tensor, desirable: torch.Tensor, kl: torch.Tensor, *, beta: float) -> torch.Tensor:
    """A loss a row (Ethayarajh 2024): `ratios` as in `dpo`, `kl` how far the model has strayed from where it started."""
    sign = torch.where(desirable, 1.0, -1.0)
    return 1 - torch.sigmoid(beta * sign * (ratios - kl))


def reward(scores: torch.Tensor) -> torch.Tensor:
    """A loss a pair (Bradley-Terry): `scores` [pairs, 2] of the chosen and the rejected answer."""
    return -functional.logsigmoid(scores[:, 0] - scores[:, 1])


def classification(logits: torch.Tensor, labels: torch.Tensor, *, label_smoothing: float = 0.0) -> torch.Tensor:
    """A loss a row: the negative log-likelihood of its class."""
    return functional.cross_entropy(logits.float(), labels, reduction="none", label_smoothing=label_smoothing)


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

    def __call__(self, tokens: torch.Tensor, places: torch.Tensor, packed: Packed | None = None) -> torch.Tensor:
        """Logits [n, vocabulary] of what comes after n places, which are counted text after text through `tokens`."""
        apart = attention.inputs(self._model, packed, tokens.device)
        if self.direct:
            hidden = self._decoder(input_ids=tokens, use_cache=False, **apart).last_hidden_state
            return self._head(hidden.flatten(0, 1).index_select(0, places))
        return self._model(input_ids=tokens, use_cache=False, **apart).logits.flatten(0, 1).index_select(0, places)


def _parts(model: Any) -> tuple[Any, Any]:
    try:
        return model.get_decoder(), model.get_output_embeddings()
    except (AttributeError, NotImplementedError):
        return None, None


def token_log_probs(logits_of: TrainedLogits, tokens: torch.Tensor, picked: Picked) -> torch.Tensor:
    """Log-probabilities [n] of the picked tokens."""
    return -functional.cross_entropy(logits_of(tokens, picked.places).float(), picked.targets, reduction="none")


def sum_by_row(values: torch.Tensor, rows: torch.Tensor, count: int) -> torch.Tensor:
    """The values of each row added up [count]."""
    return torch.zeros(count, dtype=values.dtype, device=values.device).index_add(0, rows, values)
