"""Turns conversations into tokens, with the assistant's answers marked as what is trained, and rows into batches.

Answer spans are found by rendering the chat template on growing prefixes, so any Hugging Face fast tokenizer with a chat
template works, generation markers or not. A tokenizer without a template gets `DEFAULT_TEMPLATE`. Where a template rewrites
earlier turns (so that a prefix of the conversation is not a prefix of the text), only the last answer is trained.

Promised: every trained answer ends with a trained stop token; text that looks like a chat token in somebody's message does
not become one; the order of batches depends on nothing but seed, epoch and the rows' lengths.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from trainer.rows import Message, Row

DEFAULT_TEMPLATE = (
    "{% for message in messages %}{{ '### ' + message['role'] + '\n' + message['content'] }}"
    "{{ eos_token if message['role'] == 'assistant' else '' }}{{ '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '### assistant\n' }}{% endif %}"
)
"""Used where the tokenizer brings no chat template: a heading a turn, and the end-of-text token after an answer."""

_WINDOW = 16
"""Batches that are formed from one sorted window: larger pads less, smaller mixes more."""


_T = TypeVar("_T")


class BadTemplate(ValueError):
    """A tokenizer whose chat template cannot be trained with; the message says why."""


@dataclass(frozen=True, slots=True)
class Example:
    """A conversation as tokens; `trained[i]` says whether token i is one that the model must learn to say."""

    id: str
    tokens: tuple[int, ...]
    trained: tuple[bool, ...]
    weight: float
    dropped_turns: int = 0

    @property
    def trained_count(self) -> int:
        """How many tokens carry loss. The first token of a text is predicted from nothing and never counts."""
        return sum(self.trained[1:])

    @property
    def length(self) -> int:
        """Tokens of the whole text, which batches of like length go by."""
        return len(self.tokens)

    @property
    def token_count(self) -> int:
        """Tokens that the model reads for it."""
        return len(self.tokens)

    def last_answer(self) -> Example:
        """The same text with nothing but its last answer trained, at weight 1."""
        end = max((index + 1 for index, trained in enumerate(self.trained) if trained), default=0)
        start = end
        while start > 0 and self.trained[start - 1]:
            start -= 1
        trained = tuple(start <= index < end for index in range(len(self.tokens)))
        return replace(self, trained=trained, weight=1.0)


@dataclass(frozen=True, slots=True)
class _Read:
    """A conversation as the chat template writes it, and as tokens with their characters."""

    messages: list[Message]
    text: str
    tokens: list[int]
    offsets: list[tuple[int, int]]


class ChatFormat:
    """How one tokenizer writes conversations: rendering, encoding, truncation and the tokens that end an answer."""

    def __init__(self, tokenizer: Any, *, stop_ids: Sequence[int] = ()) -> None:
        if not getattr(tokenizer, "is_fast", False):
            raise BadTemplate("The model's tokenizer is of the slow kind; a fast one (tokenizer.json) is needed.")
        self.tokenizer = tokenizer
        self.template = tokenizer.chat_template or DEFAULT_TEMPLATE
        if self.template is DEFAULT_TEMPLATE and tokenizer.eos_token is None:
            raise BadTemplate("The tokenizer has neither a chat template nor an end-of-text token.")
        self._special = sorted((str(token) for token in tokenizer.get_added_vocab()), key=len, reverse=True)
        self._special_ids = set(tokenizer.all_special_ids) | set(tokenizer.get_added_vocab().values())
        self.stop_id = self._find_stop()
        self.stop_ids = frozenset({self.stop_id, *stop_ids, *([tokenizer.eos_token_id] if tokenizer.eos_token_id else [])})

    @property
    def signature(self) -> str:
        """What decides the tokens of a text: texts of formats with the same one have the same tokens."""
        return f"{_signature(self.tokenizer)}\n{self.template}"

    def _find_stop(self) -> int:
        probe = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Yes"}]
        before, after = self._render(probe[:1], prompt=True), self._render(probe)
        if not after.startswith(before):
            before = self._render(probe[:1])
        closing = after[len(before) :].rpartition(probe[-1]["content"])[2]
        for token in self.tokenizer(closing, add_special_tokens=False)["input_ids"]:
            if token in self._special_ids:
                return int(token)
        raise BadTemplate("The model's chat template ends an answer with no stop token, so it would never learn to stop.")

    def _render(self, messages: Sequence[Message], *, prompt: bool = False) -> str:
        text = self.tokenizer.apply_chat_template(
            list(messages), chat_template=self.template, tokenize=False, add_generation_prompt=prompt
        )
        return str(text)

    def defuse(self, text: str) -> str:
        """The text with look-alikes of chat tokens broken by a space, so that they stay text."""
        for token in self._special:
            if len(token) > 1 and not token.isspace() and token in text:
                text = text.replace(token, f"{token[0]} {token[1:]}")
        return text

    def _safe(self, messages: Sequence[Message]) -> list[Message]:
        return [{**message, "content": self.defuse(message["content"])} for message in messages]

    def _template_error(self, error: Exception) -> BadTemplate:
        return BadTemplate(f"The model's chat template refuses this conversation: {error}")

    def encode(self, row: Row, *, max_length: int) -> Example | None:
        """The row as tokens, without its oldest turns where it is too long; None where even the last exchange is."""

        def fits(read: _Read) -> bool:
            return len(read.tokens) <= max_length

        read, dropped = _first_that_fits(self._safe(row.messages), self._read, fits)
        return self._example(row, read, dropped) if fits(read) else None

    def encode_answers(self, row: Row, answers: Sequence[str], *, max_length: int) -> tuple[Example, ...] | None:
        """One example an answer, after the same prompt, with only that answer trained. Oldest turns go first where the longest
        is too long; None where even the last exchange is."""
        said = [{"role": "assistant", "content": self.defuse(answer)} for answer in answers]

        def read_all(prompt: list[Message]) -> list[_Read]:
            return [self._read([*prompt, answer]) for answer in said]

        def fits(reads: list[_Read]) -> bool:
            return max(len(read.tokens) for read in reads) <= max_length

        reads, dropped = _first_that_fits(self._safe(row.prompt), read_all, fits)
        return tuple(self._example(row, read, dropped).last_answer() for read in reads) if fits(reads) else None

    def _read(self, messages: list[Message]) -> _Read:
        try:
            text = self._render(messages)
        except Exception as error:  # a template is a program of the model's author and may raise anything
            raise self._template_error(error) from error
        encoded = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        return _Read(messages, text, encoded["input_ids"], encoded["offset_mapping"])

    def _example(self, row: Row, read: _Read, dropped: int) -> Example:
        trained = [False] * len(read.tokens)
        for start, end in self._spans(read):
            inside = [index for index, (left, right) in enumerate(read.offsets) if left >= start and right <= end]
            stops = [index for index in inside if read.tokens[index] == self.stop_id]
            if not stops:
                raise BadTemplate("An answer's stop token is not among its trained tokens; check the chat template.")
            for index in inside:
                trained[index] = index <= stops[0]
        return Example(row.id, tuple(read.tokens), tuple(trained), row.weight, dropped)

    def _spans(self, read: _Read) -> list[tuple[int, int]]:
        """The character spans of the conversation's answers."""
        messages, text = read.messages, read.text
        try:
            spans = []
            for index, message in enumerate(messages):
                if message["role"] != "assistant" or not any(turn["role"] == "user" for turn in messages[:index]):
                    continue
                after = self._render(messages[: index + 1])
                before = self._render(messages[:index], prompt=True)
                if not after.startswith(before):
                    before = self._render(messages[:index])
                if after.startswith(before) and text.startswith(after):
                    spans.append((len(before), len(after)))
        except Exception as error:  # a template is a program of the model's author and may raise anything
            raise self._template_error(error) from error
        if not spans or spans[-1][1] < len(text.rstrip()):
            raise BadTemplate("The last answer cannot be found in what the chat template writes.")
        return spans

    def render(self, messages: Sequence[Message]) -> str:
        """The conversation as the chat template writes it."""
        try:
            return self._render(self._safe(messages))
        except Exception as error:  # a template is a program of the model's author and may raise anything
            raise self._template_error(error) from error

    def encode_prompt(self, messages: Sequence[Message], *, max_length: int) -> tuple[int, ...]:
        """The tokens that an answer is generated after; oldest turns go first when it is too long, then leading tokens."""

        def read(kept: list[Message]) -> list[int]:
            try:
                text = self._render(kept, prompt=True)
            except Exception as error:
                raise self._template_error(error) from error
            return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

        tokens, _ = _first_that_fits(self._safe(messages), read, lambda tokens: len(tokens) <= max_length)
        return tuple(tokens[-max_length:])

    def decode(self, tokens: Sequence[int]) -> str:
        """Generated tokens as text, without chat tokens."""
        return str(self.tokenizer.decode(list(tokens), skip_special_tokens=True))


class TextFormat:
    """How a tokenizer reads a text that is to be judged: by its chat template, or plain where it has none (encoders)."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self._chat = ChatFormat(tokenizer) if tokenizer.chat_template else None

    @property
    def signature(self) -> str:
        """As in `ChatFormat`."""
        return self._chat.signature if self._chat else _signature(self.tokenizer)

    def encode(self, messages: Sequence[Message], *, max_length: int, cut: bool) -> tuple[int, ...] | None:
        """The tokens, without the oldest turns where they are too many; what is too long still is cut at its end, or None."""

        def read(kept: list[Message]) -> tuple[list[Message], tuple[int, ...]]:
            return kept, self._tokens(kept)

        (kept, tokens), _ = _first_that_fits(list(messages), read, lambda found: len(found[1]) <= max_length)
        if len(tokens) <= max_length:
            return tokens
        return self._tokens(kept, max_length) if cut else None

    def _tokens(self, messages: Sequence[Message], max_length: int | None = None) -> tuple[int, ...]:
        text = self._chat.render(messages) if self._chat else "\n".join(message["content"] for message in messages)
        limit = {"truncation": True, "max_length": max_length} if max_length else {}
        return tuple(self.tokenizer(text, add_special_tokens=self._chat is None, **limit)["input_ids"])


def _signature(tokenizer: Any) -> str:
    """A tokenizer's own files, but for how it was last told to cut and fill texts."""
    fast = getattr(tokenizer, "backend_tokenizer", None)
    told = json.loads(fast.to_str()) if fast is not None else tokenizer.get_vocab()
    return json.dumps({name: value for name, value in told.items() if name not in ("truncation", "padding")}, sort_keys=True)


def shorter(messages: Sequence[Message]) -> list[list[Message]]:
    """Without the oldest question and its answer, without the two oldest, and so on until one exchange is left; system
    messages stay."""
    head = [message for message in messages if message["role"] == "system"]
    turns = [message for message in messages if message["role"] != "system"]
    return [head + turns[start:] for start, message in enumerate(turns) if start > 0 and message["role"] == "user"]


def _first_that_fits(
    messages: list[Message], read: Callable[[list[Message]], _T], fits: Callable[[_T], bool]
) -> tuple[_T, int]:
    """What is read of the conversation without as few of its oldest turns as make it fit, and how many those are; of the last
    exchange where nothing fits. A text grows shorter with every turn that goes, so the place is found by halving.
    """
    found = read(messages)
    if fits(found) or not (choices := shorter(messages)):
        return found, 0
    low, high = 0, len(choices) - 1
    found, dropped = read(choices[high]), len(choices)
    if not fits(found):
        return found, dropped
    while low < high:
        middle = (low + high) // 2
        if fits(made := read(choices[middle])):
            found, dropped, high = made, middle + 1, middle
        else:
            low = middle + 1
    return found, dropped


def batches(lengths: Sequence[int], *, batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    """Row numbers in batches of like length, in an order that only the seed and the epoch decide."""
    rng = random.Random(f"{seed}-{epoch}")  # noqa: S311  an order, not a secret
    order = list(range(len(lengths)))
    rng.shuffle(order)
    out: list[list[int]] = []
    for window in _slices(order, batch_size * _WINDOW):
        out.extend(_slices(sorted(window, key=lambda index: lengths[index]), batch_size))
    rng.shuffle(out)
    return out


def _slices(items: list[int], size: int) -> Iterator[list[int]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def in_order(keys: Sequence[float], *, batch_size: int) -> list[list[int]]:
    """Row numbers in batches from the lowest key to the highest; equal ones stay in their order."""
    return list(_slices(sorted(range(len(keys)), key=lambda index: keys[index]), batch_size))
