"""A batch of answers on its way: the logits of every answer's next token, and a cache that grows with each token fed.

A chat model reads a prompt and its answer as one text, so prompts of a batch end together, padded on the left. A model of the
T5 family reads the prompt once, padded on the right, and its answers all begin with the token that its decoder starts with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from transformers import DynamicCache, EncoderDecoderCache
from transformers.modeling_outputs import BaseModelOutput

from trainer.model import Loaded, LoadedReader

Tokens = Sequence[int]


class Steps(Protocol):
    """What generation needs to know of a batch."""

    logits: torch.Tensor
    """[prompts, vocabulary]: of the next token."""

    def feed(self, choice: list[int]) -> None:
        """Goes one token further in every answer."""


class ChatSteps:
    """Answers of a chat model."""

    def __init__(self, loaded: Loaded, prompts: Sequence[Tokens]) -> None:
        self._model, width = loaded.model, max(len(prompt) for prompt in prompts)
        pad = loaded.format.tokenizer.pad_token_id or loaded.format.stop_id
        rows = [[pad] * (width - len(prompt)) + list(prompt) for prompt in prompts]
        self._cache = DynamicCache(config=loaded.model.config)
        self._mask = self._next = positions = None
        if len(prompts) > 1:
            told = [[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts]
            self._mask = torch.tensor(told, device=loaded.device)
            positions = (self._mask.cumsum(-1) - 1).clamp(min=0)
            self._next = positions[:, -1:] + 1
        self._forward(torch.tensor(rows, device=loaded.device), positions)

    def feed(self, choice: list[int]) -> None:
        """As in `Steps`."""
        tokens = torch.tensor(choice, device=self._model.device).unsqueeze(1)
        if self._mask is not None:
            self._mask = torch.cat([self._mask, torch.ones_like(self._mask[:, :1])], dim=1)
        self._forward(tokens, self._next)
        if self._next is not None:
            self._next = self._next + 1

    def _forward(self, tokens: torch.Tensor, positions: torch.Tensor | None) -> None:
        result = self._model(
            input_ids=tokens,
            attention_mask=self._mask,
            position_ids=positions,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
        )
        self.logits = result.logits[:, -1].float()


class WriterSteps:
    """Answers of a model of the T5 family: the prompts are read in the first pass alone."""

    def __init__(self, loaded: LoadedReader, prompts: Sequence[Tokens]) -> None:
        self._model, self._read = loaded.model, None
        self._cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
        tokens, present = laid(prompts, loaded)
        self._mask = present.long()
        start = int(loaded.model.config.decoder_start_token_id)
        self._forward(torch.full((len(prompts), 1), start, device=loaded.device), tokens)

    def feed(self, choice: list[int]) -> None:
        """As in `Steps`."""
        self._forward(torch.tensor(choice, device=self._model.device).unsqueeze(1))

    def _forward(self, said: torch.Tensor, source: torch.Tensor | None = None) -> None:
        result = self._model(
            input_ids=source,
            encoder_outputs=self._read,
            attention_mask=self._mask,
            decoder_input_ids=said,
            past_key_values=self._cache,
            use_cache=True,
        )
        self._read = BaseModelOutput(last_hidden_state=result.encoder_last_hidden_state)
        self.logits = result.logits[:, -1].float()


def laid(texts: Sequence[Tokens], loaded: LoadedReader) -> tuple[torch.Tensor, torch.Tensor]:
    """Texts side by side on the model's device, padded on the right, and which of their tokens are no padding."""
    width, pad = max(len(text) for text in texts), loaded.format.tokenizer.pad_token_id or 0
    tokens = torch.tensor([[*text, *[pad] * (width - len(text))] for text in texts])
    present = torch.tensor([[True] * len(text) + [False] * (width - len(text)) for text in texts])
    return tokens.to(loaded.device), present.to(loaded.device)
