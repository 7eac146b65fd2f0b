"""Models that answer, each kind in its own way: how a question is read, how an answer is written, how likely one is found.

A chat model continues the conversation as its chat template writes it. A model of the T5 family reads the conversation as it
did while it was trained (`lessons.translations`) and writes into a text of its own, so that question and answer have the
whole context each. A model that scores or sorts has no voice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch

from trainer.contract import Decoding
from trainer.lessons import Translation, translations
from trainer.losses import RowLoss, row_losses
from trainer.model import BadModel, Loaded, LoadedReader
from trainer.rows import Message, Row
from trainer.steps import ChatSteps, Steps, Tokens, WriterSteps, laid

_BATCH = 16
_LOGITS = 2**26
"""Logits that are held at once while answers are measured."""


class Voice(Protocol):
    """What generation and evaluation need of a model that answers."""

    stop_ids: frozenset[int]
    """Tokens that end an answer."""

    def read(self, messages: Sequence[Message], decoding: Decoding) -> tuple[int, ...]:
        """A question's tokens; oldest turns go first where they are too many."""

    def room(self, width: int, decoding: Decoding) -> int:
        """The most tokens that an answer may have beside questions of so many."""

    def begin(self, prompts: Sequence[Tokens]) -> Steps:
        """Answers to these questions, with nothing said yet."""

    def decode(self, tokens: Tokens) -> str:
        """Generated tokens as text."""

    def losses(self, rows: Sequence[Row]) -> list[RowLoss | None]:
        """The loss of every row's reference answer; None for rows that do not fit the model's context."""


def voice_of(loaded: Loaded | LoadedReader) -> Voice:
    """How this model answers. Raises BadModel where it does not."""
    if isinstance(loaded, Loaded):
        return _Chatter(loaded)
    if loaded.model.config.is_encoder_decoder and not (loaded.classes or loaded.heads):
        return _Writer(loaded)
    kind = "sorts texts into classes" if loaded.classes else "scores texts"
    raise BadModel(f"This model {kind} and writes no answers, so it can be neither asked nor served.")


def answer_losses(loaded: Loaded | LoadedReader, rows: Sequence[Row]) -> list[RowLoss | None]:
    """The loss of every row's reference answer; None for rows that do not fit the model's context."""
    return voice_of(loaded).losses(rows)


class _Chatter:
    """A chat model."""

    def __init__(self, loaded: Loaded) -> None:
        self._loaded, self.stop_ids = loaded, loaded.format.stop_ids

    def read(self, messages: Sequence[Message], decoding: Decoding) -> tuple[int, ...]:
        """A question may have what the answer leaves of the context, but at least half of it."""
        context = self._loaded.context
        return self._loaded.format.encode_prompt(messages, max_length=max(context // 2, context - decoding.max_new_tokens))

    def room(self, width: int, decoding: Decoding) -> int:
        """What the question leaves."""
        return min(decoding.max_new_tokens, self._loaded.context - width)

    def begin(self, prompts: Sequence[Tokens]) -> Steps:
        """As in `Voice`."""
        return ChatSteps(self._loaded, prompts)

    def decode(self, tokens: Tokens) -> str:
        """Without chat tokens."""
        return self._loaded.format.decode(tokens)

    def losses(self, rows: Sequence[Row]) -> list[RowLoss | None]:
        """As in `Voice`."""
        return row_losses(self._loaded, rows)


class _Writer:
    """A model of the T5 family."""

    def __init__(self, loaded: LoadedReader) -> None:
        self._loaded, tokenizer = loaded, loaded.format.tokenizer
        self._nothing: tuple[int, ...] = (tokenizer.eos_token_id,)
        told = loaded.model.generation_config.eos_token_id if loaded.model.generation_config else None
        self.stop_ids = frozenset(
            {tokenizer.eos_token_id, *(told if isinstance(told, list) else [] if told is None else [told])}
        )

    def read(self, messages: Sequence[Message], decoding: Decoding) -> tuple[int, ...]:
        """What is too long even without its oldest turns is cut at its end; an empty question is an end token."""
        return self._loaded.format.encode(messages, max_length=self._loaded.context, cut=True) or self._nothing

    def room(self, width: int, decoding: Decoding) -> int:
        """Answers have a context of their own."""
        return min(decoding.max_new_tokens, self._loaded.context)

    def begin(self, prompts: Sequence[Tokens]) -> Steps:
        """As in `Voice`."""
        return WriterSteps(self._loaded, prompts)

    def decode(self, tokens: Tokens) -> str:
        """As it was written: learned answers keep their spaces, so none is tidied away."""
        decode = self._loaded.format.tokenizer.decode
        return str(decode(list(tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def losses(self, rows: Sequence[Row]) -> list[RowLoss | None]:
        """As in `Voice`."""
        made = translations(rows, self._loaded.format, self._loaded.context)
        lessons = {index: lesson for index, lesson in enumerate(made) if lesson is not None}
        told = dict(zip(lessons, self._totals(list(lessons.values())), strict=True))
        return [
            RowLoss(told[index], len(lessons[index].target), len(row.reference.encode())) if index in told else None
            for index, row in enumerate(rows)
        ]

    @torch.inference_mode()
    def _totals(self, lessons: Sequence[Translation]) -> list[float]:
        """The loss of each answer, its end token among it."""
        found = [0.0] * len(lessons)
        start, vocabulary = int(self._loaded.model.config.decoder_start_token_id), self._loaded.model.config.vocab_size
        waiting = sorted(range(len(lessons)), key=lambda index: lessons[index].length, reverse=True)
        while waiting:
            many = max(1, min(_BATCH, _LOGITS // (lessons[waiting[0]].length * vocabulary)))
            chosen, waiting = waiting[:many], waiting[many:]
            source, read = laid([lessons[index].source or self._nothing for index in chosen], self._loaded)
            target, said = laid([lessons[index].target for index in chosen], self._loaded)
            before = torch.cat((torch.full_like(target[:, :1], start), target[:, :-1]), dim=1)
            logits = self._loaded.model(
                input_ids=source, attention_mask=read.long(), decoder_input_ids=before, use_cache=False
            ).logits
            each = torch.nn.functional.cross_entropy(logits.float().transpose(1, 2), target, reduction="none")
            for index, total in zip(chosen, (each * said).sum(dim=1).tolist(), strict=True):
                found[index] = total
        return found
