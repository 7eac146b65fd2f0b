"""Reads a snapshot folder and turns conversations into tokens, with the assistant's answers marked as what is trained.

Answer spans are found by rendering the chat template on growing prefixes, so any Hugging Face fast tokenizer with a chat
template works, generation markers or not. A tokenizer without a template gets `DEFAULT_TEMPLATE`. Where a template rewrites
earlier turns (so that a prefix of the conversation is not a prefix of the text), only the last answer is trained.

Promised: every trained answer ends with a trained stop token; text that looks like a chat token in somebody's message does
not become one; the order of batches depends on nothing but seed, epoch and the rows' lengths.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DEFAULT_TEMPLATE = (
    "{% for message in messages %}{{ '### ' + message['role'] + '\n' + message['content'] }}"
    "{{ eos_token if message['role'] == 'assistant' else '' }}{{ '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '### assistant\n' }}{% endif %}"
)
"""Used where the tokenizer brings no chat template: a heading a turn, and the end-of-text token after an answer."""

ROLES = ("system", "user", "assistant")
_WINDOW = 16
"""Batches that are formed from one sorted window: larger pads less, smaller mixes more."""

Message = dict[str, str]


class BadData(ValueError):
    """A snapshot that cannot be trained on; the message names the file and line and says what is wrong."""


class BadTemplate(ValueError):
    """A tokenizer whose chat template cannot be trained with; the message says why."""


@dataclass(frozen=True, slots=True)
class Row:
    """One conversation of a split; the last message is the reference answer."""

    id: str
    messages: tuple[Message, ...]
    weight: float
    metadata: dict[str, str]

    @property
    def prompt(self) -> list[Message]:
        """The conversation without its reference answer."""
        return list(self.messages[:-1])

    @property
    def reference(self) -> str:
        """The reference answer."""
        return self.messages[-1]["content"]


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


def read_split(folder: Path, split: str) -> list[Row]:
    """The rows of one split, in file order. Raises BadData with file and line for the first bad one."""
    path = folder / f"{split}.jsonl"
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError as error:
        raise BadData(f"{path} is missing: a snapshot folder has train.jsonl, validation.jsonl and test.jsonl.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise BadData(f"{path} cannot be read as UTF-8 text: {error}") from error
    return [_row(line, f"{path.name} line {number}") for number, line in enumerate(lines, 1) if line.strip()]


def _row(line: str, place: str) -> Row:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadData(f"{place}: not JSON ({error}).") from error
    if not isinstance(value, dict) or not isinstance(value.get("messages"), list):
        raise BadData(f"{place}: needs an object with a list of messages.")
    messages = tuple(_message(message, place) for message in value["messages"])
    roles = [message["role"] for message in messages]
    if not roles or roles[-1] != "assistant":
        raise BadData(f"{place}: the last message must be the assistant's answer.")
    if "user" not in roles:
        raise BadData(f"{place}: there is no user message to answer.")
    weight = value.get("weight", 1.0)
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < float("inf"):
        raise BadData(f"{place}: weight must be a number of 0 or more; it is {weight!r}.")
    metadata = value.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise BadData(f"{place}: metadata must be an object.")
    return Row(str(value.get("id", place)), messages, float(weight), {str(key): str(text) for key, text in metadata.items()})


def _message(message: Any, place: str) -> Message:
    if not isinstance(message, dict) or message.get("role") not in ROLES or not isinstance(message.get("content"), str):
        raise BadData(f"{place}: a message needs a role ({', '.join(ROLES)}) and a text as content.")
    if message["role"] == "assistant" and not message["content"].strip():
        raise BadData(f"{place}: an assistant message is empty.")
    try:
        message["content"].encode()
    except UnicodeEncodeError as error:
        raise BadData(f"{place}: the text holds half a surrogate pair, which no tokenizer can read.") from error
    return {"role": message["role"], "content": message["content"]}


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
        messages, dropped = self._safe(row.messages), 0
        while True:
            example = self._encode_whole(row, messages, dropped)
            if len(example.tokens) <= max_length:
                return example
            shorter = drop_oldest_turn(messages)
            if shorter is None:
                return None
            messages, dropped = shorter, dropped + 1

    def _encode_whole(self, row: Row, messages: list[Message], dropped: int) -> Example:
        text, spans = self._spans(messages)
        encoded = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        tokens = encoded["input_ids"]
        trained = [False] * len(tokens)
        for start, end in spans:
            inside = [index for index, (left, right) in enumerate(encoded["offset_mapping"]) if left >= start and right <= end]
            stops = [index for index in inside if tokens[index] == self.stop_id]
            if not stops:
                raise BadTemplate("An answer's stop token is not among its trained tokens; check the chat template.")
            for index in inside:
                trained[index] = index <= stops[0]
        return Example(row.id, tuple(tokens), tuple(trained), row.weight, dropped)

    def _spans(self, messages: list[Message]) -> tuple[str, list[tuple[int, int]]]:
        """The conversation's text and the character spans of its answers."""
        try:
            text = self._render(messages)
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
        return text, spans

    def encode_prompt(self, messages: Sequence[Message], *, max_length: int) -> tuple[int, ...]:
        """The tokens that an answer is generated after; oldest turns go first when it is too long, then leading tokens."""
        kept = self._safe(messages)
        while True:
            try:
                text = self._render(kept, prompt=True)
            except Exception as error:
                raise self._template_error(error) from error
            tokens = self.tokenizer(text, add_special_tokens=False)["input_ids"]
            shorter = drop_oldest_turn(kept)
            if len(tokens) <= max_length or shorter is None:
                return tuple(tokens[-max_length:])
            kept = shorter

    def decode(self, tokens: Sequence[int]) -> str:
        """Generated tokens as text, without chat tokens."""
        return str(self.tokenizer.decode(list(tokens), skip_special_tokens=True))


def drop_oldest_turn(messages: Sequence[Message]) -> list[Message] | None:
    """Without the oldest question and its answer; system messages stay. None when only one exchange is left."""
    head = [message for message in messages if message["role"] == "system"]
    turns = [message for message in messages if message["role"] != "system"]
    starts = [index for index, message in enumerate(turns) if message["role"] == "user"]
    later = [index for index in starts if index > 0]
    return head + turns[later[0] :] if later else None


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
