"""Answers: batched and streamed generation with a KV cache, greedy or sampled, the same for the same seed.

Chat models and models of the T5 family answer alike (see `voices`). A batch holds prompts of like length. Every prompt samples
from its own seeded generator, so an answer does not depend on what it was batched with (up to rounding of the padded batch).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from trainer.contract import Decoding
from trainer.model import Loaded, LoadedReader
from trainer.rows import Message
from trainer.voices import Voice, voice_of

_BATCH = 32


@dataclass(frozen=True, slots=True)
class Answer:
    """One generated answer. `complete` is False when it ran into the token limit."""

    text: str
    prompt_tokens: int
    tokens: int
    complete: bool
    seconds: float


def generate(
    loaded: Loaded | LoadedReader, prompts: Sequence[Sequence[Message]], decoding: Decoding, *, batch: int = _BATCH
) -> list[Answer]:
    """One answer a prompt, in the prompts' order. Raises BadModel for a model that does not answer."""
    voice = voice_of(loaded)
    encoded = [voice.read(prompt, decoding) for prompt in prompts]
    order = sorted(range(len(encoded)), key=lambda index: len(encoded[index]))
    answers: dict[int, Answer] = {}
    for start in range(0, len(order), batch):
        chosen = order[start : start + batch]
        started = time.monotonic()
        produced = _generate_batch(voice, [encoded[index] for index in chosen], chosen, decoding)
        seconds = (time.monotonic() - started) / len(chosen)
        for index, tokens in zip(chosen, produced, strict=True):
            complete = bool(tokens) and tokens[-1] in voice.stop_ids
            said = tokens[:-1] if complete else tokens
            answers[index] = Answer(voice.decode(said), len(encoded[index]), len(tokens), complete, seconds)
    return [answers[index] for index in range(len(prompts))]


@torch.inference_mode()
def _generate_batch(voice: Voice, prompts: list[tuple[int, ...]], numbers: list[int], decoding: Decoding) -> list[list[int]]:
    generators = [_generator(decoding, number) for number in numbers]
    produced: list[list[int]] = [[] for _ in prompts]
    open_rows, limit = set(range(len(prompts))), voice.room(max(len(prompt) for prompt in prompts), decoding)
    steps = voice.begin(prompts)
    while True:
        choice = _choose(steps.logits, decoding, generators)
        for row in tuple(open_rows):
            produced[row].append(choice[row])
            if choice[row] in voice.stop_ids or len(produced[row]) == limit:
                open_rows.discard(row)
        if not open_rows:
            return produced
        steps.feed(choice)


@torch.inference_mode()
def stream(
    loaded: Loaded | LoadedReader, prompt: Sequence[Message], decoding: Decoding, *, stop: Callable[[], bool] = lambda: False
) -> Iterator[str | Answer]:
    """Pieces of the answer as they are made, and last the whole `Answer`. Ends early when `stop()` says so."""
    started, voice = time.monotonic(), voice_of(loaded)
    tokens = voice.read(prompt, decoding)
    steps = voice.begin([tokens])
    generators, told, complete = [_generator(decoding, 0)], "", False
    produced: list[int] = []
    limit = voice.room(len(tokens), decoding)
    while len(produced) < limit and not stop():
        if produced:
            steps.feed(produced[-1:])
        produced.extend(_choose(steps.logits, decoding, generators))
        if complete := produced[-1] in voice.stop_ids:
            break
        text = voice.decode(produced)
        # A character may need several tokens: until it is whole, its decoding ends in the replacement sign.
        if not text.endswith("\N{REPLACEMENT CHARACTER}") and len(text) > len(told):
            yield text[len(told) :]
            told = text
    text = voice.decode(produced[:-1] if complete else produced)
    if len(text) > len(told):
        yield text[len(told) :]
    yield Answer(text, len(tokens), len(produced), complete, time.monotonic() - started)


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
