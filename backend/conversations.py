"""Conversations as values, and the row shapes that carry them in and out of files.

Pure: no database, no file, no clock. Imports read rows into `Conversation`; exports turn them back with `to_row`. For
every conversation without a `fault`, ``from_row(to_row(c, shape), shape) == c`` in each of the four shapes: what a shape
has no field of its own for travels in extra columns (``history``, ``system``, ``id``, ``group``, ``metadata``).

Metadata is text to text, because every value may become a slice. Numbers, lists and nested objects from other people's
files are turned into text once, on the way in; from then on they are carried unchanged.

Not promised: that a `Conversation` makes sense. Ask `fault` before storing one.
"""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from backend.errors import InvalidInput

SYSTEM, USER, ASSISTANT = "system", "user", "assistant"

_ROLES = {
    SYSTEM: ("system", "developer"),
    USER: ("user", "human", "customer", "client"),
    ASSISTANT: ("assistant", "gpt", "chatgpt", "bot", "model", "agent"),
}
_ROLE_OF = {alias: role for role, aliases in _ROLES.items() for alias in aliases}


class Shape(StrEnum):
    """How a row carries a conversation."""

    OPENAI = "openai"
    """``messages``: a list of ``{"role", "content"}``."""
    SHAREGPT = "sharegpt"
    """``conversations``: a list of ``{"from": "human"|"gpt"|"system", "value"}``."""
    ALPACA = "alpaca"
    """``instruction``, ``input``, ``output``, and where needed ``system`` and ``history`` (pairs of earlier turns)."""
    PAIRS = "pairs"
    """One column for the prompt and one for the response; earlier turns as JSON text in ``history``. Exported as CSV."""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. `role` is "system", "user" or "assistant"."""

    role: str
    content: str

    def to_json(self) -> dict[str, str]:
        """The turn as OpenAI writes it."""
        return {"role": self.role, "content": self.content}


@dataclass(frozen=True, slots=True)
class Conversation:
    """Turns and what is known about them. Metadata is tidied at construction: stripped, and empty values left out.

    `external_id` is the id that the row had where it came from; conversations with the same `group` never end up in
    different splits.
    """

    messages: tuple[Message, ...]
    metadata: Mapping[str, str] = field(default_factory=dict)
    external_id: str | None = None
    group: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "metadata", tidy_metadata(self.metadata))
        object.__setattr__(self, "external_id", _label(self.external_id))
        object.__setattr__(self, "group", _label(self.group))

    @property
    def answer(self) -> str | None:
        """The assistant's reference answer, which is the last message; None for a prompt without one."""
        return self.messages[-1].content if self.messages and self.messages[-1].role == ASSISTANT else None

    @property
    def prompt(self) -> str:
        """The user's last message."""
        return next((m.content for m in reversed(self.messages) if m.role == USER), "")

    @property
    def system(self) -> str | None:
        """The system message, if there is one."""
        return self.messages[0].content if self.messages and self.messages[0].role == SYSTEM else None


def messages_from_json(value: Iterable[Mapping[str, str]]) -> tuple[Message, ...]:
    """Messages as they were stored by `Message.to_json`."""
    return tuple(Message(item["role"], item["content"]) for item in value)


def content_hash(messages: Sequence[Message]) -> str:
    """SHA-256 over roles and texts exactly as they are; metadata does not count."""
    text = json.dumps([[m.role, m.content] for m in messages], ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def fault(messages: Sequence[Message], *, answer: bool = True) -> str | None:
    """Why these turns cannot be a record, in words, or None. With `answer=False` a prompt without an answer is fine."""
    for position, message in enumerate(messages, start=1):
        if message.role not in _ROLES:
            return f"message {position} has the role {message.role!r}; known are system, user and assistant"
        if message.role == SYSTEM and position > 1:
            return f"message {position} is a system message; only the first may be"
        if not message.content.strip():
            return f"message {position} ({message.role}) is empty"
        if problem := _unstorable(message.content):
            return f"message {position} ({message.role}) {problem}"
    turns = [message.role for message in messages if message.role != SYSTEM]
    if not turns:
        return "there is no message of the user"
    if turns[0] != USER:
        return "the assistant speaks first; a conversation must begin with the user"
    skip = len(messages) - len(turns)
    for position, (before, after) in enumerate(itertools.pairwise(turns), start=1 + skip):
        if before == after:
            return f"messages {position} and {position + 1} are both from the {before}; turns must alternate"
    if answer and turns[-1] != ASSISTANT:
        return "no answer: the conversation does not end with the assistant"
    return None


def join_turns(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Joins neighbouring messages of one speaker with a line break, as chats sent in pieces need."""
    joined: list[Message] = []
    for message in messages:
        if joined and joined[-1].role == message.role:
            joined[-1] = Message(message.role, f"{joined[-1].content}\n{message.content}")
        else:
            joined.append(message)
    return tuple(joined)


def _unstorable(text: str) -> str | None:
    if "\x00" in text:
        return "contains a NUL character"
    if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
        return "contains bytes or half characters that are not valid text"
    return None


def _label(value: object) -> str | None:
    text = metadata_text(value).strip()
    if problem := _unstorable(text):
        raise InvalidInput(f"An id or group {problem}.")
    return text or None


def metadata_text(value: object) -> str:
    """Any JSON value as the text it is kept as; nothing known (null, NaN, empty) becomes the empty text."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list) and all(item is None or isinstance(item, str | int | float) for item in value):
        return ", ".join(text for item in value if (text := metadata_text(item).strip()))
    if isinstance(value, list | dict):
        try:
            return json.dumps(value, ensure_ascii=False, sort_keys=True) if value else ""
        except RecursionError as error:
            raise InvalidInput("the metadata is nested too deeply") from error
    return str(value)


def tidy_metadata(metadata: Mapping[str, Any]) -> dict[str, str]:
    """Keys and values as stripped text, sorted by key, without empty ones. Raises InvalidInput for unstorable text."""
    tidied = {}
    for key, value in metadata.items():
        name, text = str(key).strip(), metadata_text(value).strip()
        if problem := _unstorable(name) or _unstorable(text):
            raise InvalidInput(f"The metadata {name[:40]!r} {problem}.")
        if name and text:
            tidied[name] = text
    return dict(sorted(tidied.items()))


def parse_turns(value: object) -> tuple[Message, ...]:
    """A list of turns in OpenAI's or ShareGPT's keys. Raises InvalidInput, with the reason, for anything else."""
    if isinstance(value, str):
        value = _parse_json(value, "the conversation")
    if not isinstance(value, list):
        raise InvalidInput("the conversation is not a list of messages")
    return tuple(parse_turn(item, position) for position, item in enumerate(value, start=1))


def parse_turn(item: object, position: int = 1) -> Message:
    """One turn as an object with role/content or from/value. Raises InvalidInput with the reason."""
    if not isinstance(item, dict):
        raise InvalidInput(f"message {position} is not an object")
    role = item.get("role", item.get("from"))
    content = item.get("content", item.get("value"))
    if not isinstance(role, str) or role.strip().lower() not in _ROLE_OF:
        raise InvalidInput(f"message {position} has the role {str(role)[:40]!r}; known are system, user and assistant")
    return Message(_ROLE_OF[role.strip().lower()], _content(content, position))


def _content(value: object, position: int) -> str:
    """The text of a message; OpenAI also writes it as a list of parts, of which only text can be carried."""
    if isinstance(value, list) and value and all(isinstance(part, dict) and part.get("type") == "text" for part in value):
        texts = [part.get("text") for part in value]
        if all(isinstance(text, str) for text in texts):
            return "".join(texts)
    if not isinstance(value, str):
        kind = "missing" if value is None else "not text"
        raise InvalidInput(f"the content of message {position} is {kind}")
    return value


def parse_history(value: object) -> tuple[Message, ...]:
    """Earlier turns: Alpaca's list of [user, assistant] pairs, or a list of messages, or either as JSON text."""
    if value is None or value == "" or value == []:
        return ()
    if isinstance(value, str):
        value = _parse_json(value, "the history")
    if not isinstance(value, list):
        raise InvalidInput("the history is not a list")
    if not all(isinstance(item, list) for item in value):
        return parse_turns(value)
    messages = []
    for pair in value:
        if len(pair) != 2 or not all(isinstance(text, str) for text in pair):
            raise InvalidInput("the history must hold pairs of two texts: the user's and the assistant's")
        messages += [Message(USER, pair[0]), Message(ASSISTANT, pair[1])]
    return tuple(messages)


def _parse_json(text: str, what: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{what} is not valid JSON") from error


def assemble(*, prompt: str, response: str, system: str = "", history: Sequence[Message] = ()) -> tuple[Message, ...]:
    """Turns from their parts; an empty system text or response is left out. Raises InvalidInput for what is not text."""
    for name, part in (("prompt", prompt), ("response", response), ("system text", system)):
        if not isinstance(part, str):
            raise InvalidInput(f"the {name} is {'missing' if part is None else 'not text'}")
    opening = (Message(SYSTEM, system),) if system.strip() else ()
    closing = (Message(ASSISTANT, response),) if response.strip() else ()
    return (*opening, *history, Message(USER, prompt), *closing)


# --- rows -------------------------------------------------------------------------------------------------------------

METADATA = "metadata"
METADATA_PREFIX = "metadata."
"""In CSV each metadata key has a column of its own under this prefix."""

CSV_COLUMNS = ("id", "group", "system", "history", "prompt", "response")


def to_row(conversation: Conversation, shape: Shape) -> dict[str, Any]:
    """The conversation as a JSON-ready row (for PAIRS: as flat text columns). Raises InvalidInput if it has a fault."""
    if reason := fault(conversation.messages, answer=False):
        raise InvalidInput(f"This conversation cannot be exported: {reason}.")
    if shape is Shape.PAIRS:
        return _pairs_row(conversation)
    row: dict[str, Any] = {"id": conversation.external_id} if conversation.external_id else {}
    if shape is Shape.OPENAI:
        row["messages"] = [message.to_json() for message in conversation.messages]
    elif shape is Shape.SHAREGPT:
        names = {SYSTEM: "system", USER: "human", ASSISTANT: "gpt"}
        row["conversations"] = [{"from": names[m.role], "value": m.content} for m in conversation.messages]
    else:
        earlier = _earlier(conversation)
        row |= {"instruction": conversation.prompt, "input": "", "output": conversation.answer or ""}
        if conversation.system is not None:
            row["system"] = conversation.system
        if earlier:
            row["history"] = [[earlier[i].content, earlier[i + 1].content] for i in range(0, len(earlier), 2)]
    if conversation.group:
        row["group"] = conversation.group
    if conversation.metadata:
        row[METADATA] = dict(conversation.metadata)
    return row


def _earlier(conversation: Conversation) -> tuple[Message, ...]:
    """The turns between the system message and the last prompt."""
    start = 0 if conversation.system is None else 1
    stop = len(conversation.messages) - (1 if conversation.answer is None else 2)
    return conversation.messages[start:stop]


def _pairs_row(conversation: Conversation) -> dict[str, str]:
    earlier = [message.to_json() for message in _earlier(conversation)]
    row = {
        "id": conversation.external_id or "",
        "group": conversation.group or "",
        "system": conversation.system or "",
        "history": json.dumps(earlier, ensure_ascii=False) if earlier else "",
        "prompt": conversation.prompt,
        "response": conversation.answer or "",
    }
    return row | {METADATA_PREFIX + key: value for key, value in conversation.metadata.items()}


def from_row(row: Mapping[str, Any], shape: Shape) -> Conversation:
    """The conversation in a row that `to_row` made (files of others go through the import's column mapping).

    Raises InvalidInput with the reason, also for a conversation with a fault; an answer may be missing.
    """
    if shape in (Shape.OPENAI, Shape.SHAREGPT):
        messages = parse_turns(row.get("messages" if shape is Shape.OPENAI else "conversations"))
    else:
        prompt, response = ("instruction", "output") if shape is Shape.ALPACA else ("prompt", "response")
        messages = assemble(
            prompt=row.get(prompt, ""),
            response=row.get(response, ""),
            system=row.get("system", ""),
            history=parse_history(row.get("history")),
        )
    if reason := fault(messages, answer=False):
        raise InvalidInput(reason)
    metadata = row.get(METADATA) or {}
    if not isinstance(metadata, dict):
        raise InvalidInput("the metadata is not an object")
    if shape is Shape.PAIRS:
        metadata = {k.removeprefix(METADATA_PREFIX): v for k, v in row.items() if k.startswith(METADATA_PREFIX)}
    return Conversation(messages, metadata, row.get("id"), row.get("group"))


# --- files ------------------------------------------------------------------------------------------------------------

_DANGEROUS = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
_ESCAPED = re.compile(r"'+[=+\-@\t\r\n＝＋－＠]")


def escape_cell(text: str) -> str:
    """Puts an apostrophe before text that a spreadsheet would run as a formula; `unescape_cell` takes it away."""
    return f"'{text}" if _DANGEROUS.match(text) else text


def unescape_cell(text: str) -> str:
    """Undoes `escape_cell`. Only for files that `to_csv` wrote: others may mean their apostrophes."""
    return text[1:] if _ESCAPED.match(text) else text


def to_jsonl(conversations: Iterable[Conversation], shape: Shape) -> Iterator[str]:
    """Lines of a JSONL file in this shape, each with its line break."""
    for conversation in conversations:
        yield json.dumps(to_row(conversation, shape), ensure_ascii=False) + "\n"


def to_csv(conversations: Iterable[Conversation], *, keys: Iterable[str] | None = None) -> Iterator[str]:
    """Lines of a CSV file, header first, with cells escaped for spreadsheets; importing it again undoes that.

    `keys` are all metadata keys that occur, as the header comes before the first row; without them all conversations are
    held at once to find them. Encode as UTF-8 and write without newline translation (``newline=""``).
    """
    if keys is None:
        conversations = list(conversations)
        keys = {key for conversation in conversations for key in conversation.metadata}
    columns = [*CSV_COLUMNS, *(METADATA_PREFIX + key for key in sorted(keys))]
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    rows = (to_row(conversation, Shape.PAIRS) for conversation in conversations)
    writer.writerow(columns)
    yield _drain(buffer)
    for row in rows:
        writer.writerow([escape_cell(row.get(column, "")) for column in columns])
        yield _drain(buffer)


def _drain(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text
