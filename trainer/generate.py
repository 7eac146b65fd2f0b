"""Answers: batched and streamed generation with a KV cache, greedy or sampled, the same for the same seed.

A batch holds prompts of like length, padded on the left. Every prompt samples from its own seeded generator, so an answer
does not depend on what it was batched with (up to rounding of the padded batch).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from transformers import DynamicCache

from trainer.contract import Decoding
from trainer.model import Loaded
from trainer.rows import Message

_BATCH = 32


@dataclass(frozen=True, slots=True)
class Answer:
    """One generated answer. `complete` is False when it ran into the token limit."""

    text: str
    prompt_tokens: int
    tokens: int
    complete: bool
    seconds: float


def generate(loaded: Loaded, prompts: Sequence[Sequence[Message]], decoding: Decoding, *, batch: int = _BATCH) -> list[Answer]:
    """One answer a prompt, in the prompts' order."""
    limit = prompt_limit(loaded, decoding)
    encoded = [loaded.format.encode_prompt(prompt, max_length=limit) for prompt in prompts]
    order = sorted(range(len(encoded)), key=lambda index: len(encoded[index]))
    answers: dict[int, Answer] = {}
    for start in range(0, len(order), batch):
        chosen = order[start : start + batch]
        started = time.monotonic()
        produced = _generate_batch(loaded, [encoded[index] for index in chosen], chosen, decoding)
        seconds = (time.monotonic() - started) / len(chosen)
        for index, tokens in zip(chosen, produced, strict=True):
            complete = bool(tokens) and tokens[-1] in loaded.format.stop_ids
            said = tokens[:-1] if complete else tokens
            answers[index] = Answer(loaded.format.decode(said), len(encoded[index]), len(tokens), complete, seconds)
    return [answers[index] for index in range(len(prompts))]


def prompt_limit(loaded: Loaded, decoding: Decoding) -> int:
    """How many tokens a prompt may have: what the answer leaves of the model's context, but at least half of it."""
    return max(loaded.context // 2, loaded.context - decoding.max_new_tokens)


@torch.inference_mode()
def _generate_batch(loaded: Loaded, prompts: list[tuple[int, ...]], numbers: list[int], decoding: Decoding) -> list[list[int]]:
    width = max(len(prompt) for prompt in prompts)
    pad = loaded.format.tokenizer.pad_token_id or loaded.format.stop_id
    rows = [[pad] * (width - len(prompt)) + list(prompt) for prompt in prompts]
    mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts], device=loaded.device)
    generators = [_generator(decoding, number) for number in numbers]
    produced: list[list[int]] = [[] for _ in prompts]
    open_rows, limit = set(range(len(prompts))), min(decoding.max_new_tokens, loaded.context - width)
    steps = _Steps(loaded, torch.tensor(rows, device=loaded.device), mask)
    while True:
        choice = _choose(steps.logits, decoding, generators)
        for row in tuple(open_rows):
            produced[row].append(choice[row])
            if choice[row] in loaded.format.stop_ids or len(produced[row]) == limit:
                open_rows.discard(row)
        if not open_rows:
            return produced
        steps.feed(choice)


@torch.inference_mode()
def stream(
    loaded: Loaded, prompt: Sequence[Message], decoding: Decoding, *, stop: Callable[[], bool] = lambda: False
) -> Iterator[str | Answer]:
    """Pieces of the answer as they are made, and last the whole `Answer`. Ends early when `stop()` says so."""
    started = time.monotonic()
    tokens = loaded.format.encode_prompt(prompt, max_length=prompt_limit(loaded, decoding))
    steps = _Steps(loaded, torch.tensor([tokens], device=loaded.device), None)
    generators, told, complete = [_generator(decoding, 0)], "", False
    produced: list[int] = []
    limit = min(decoding.max_new_tokens, loaded.context - len(tokens))
    while len(produced) < limit and not stop():
        if produced:
            steps.feed(produced[-1:])
        produced.extend(_choose(steps.logits, decoding, generators))
        if complete := produced[-1] in loaded.format.stop_ids:
            break
        text = loaded.format.decode(produced)
        # A character may need several tokens: until it is whole, its decoding ends in the replacement sign.
        if not text.endswith("\N{REPLACEMENT CHARACTER}") and len(text) > len(told):
            yield text[len(told) :]
            told = text
    text = loaded.format.decode(produced[:-1] if complete else produced)
    if len(text) > len(told):
        yield text[len(told) :]
    yield Answer(text, len(tokens), len(produced), complete, time.monotonic() - started)


class _Steps:
    """One batch on its way: the logits of the next token, and a cache that grows with every token fed."""

    def __init__(self, loaded: Loaded, tokens: torch.Tensor, mask: torch.Tensor | None) -> None:
        self._model, self._mask = loaded.model, mask
        self._cache = DynamicCache(config=loaded.model.config)
        positions = None if mask is None else (mask.cumsum(-1) - 1).clamp(min=0)
        self._next = None if positions is None else positions[:, -1:] + 1
        self._forward(tokens, positions)

    def feed(self, choice: list[int]) -> None:
        """Goes one token further in every row."""
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


def _generator(decoding: Decoding, number: int) -> torch.Generator:
    return torch.Generator().manual_seed((decoding.seed * 1_000_003 + number) % 2**63)


def _choose(logits: torch.Tensor, decoding: Decoding, generators: list[torch.Generator]) -> list[int]:
    """The next token of every row: the likeliest, or one drawn from the likeliest that make up `top_p`."""
    if decoding.temperature == 0:
        return [int(token) for token in logits.argmax(dim=-1).tolist()]
    shares = torch.softmax(logits / decoding.temperature, dim=-1).cpu()
    return [_draw(row, decoding.top_p, generator) for row, generator in zip(shares, generators, strict=True)]


def _draw(shares: torch.Tensor, top_p: float, generator: torch.Generator) -> int:
    ordered, tokens = shares.sort(descending=True, stable=True)
    before = ordered.cumsum(0) - ordered
    ordered = torch.where(before < top_p, ordered, torch.zeros_like(ordered))
    return int(tokens[torch.multinomial(ordered, 1, generator=generator)])
