"""Rows into conversations by a mapping; a row that is none gets a reason instead. Texts are not repaired here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from backend.conversations import (
    ASSISTANT,
    METADATA,
    METADATA_PREFIX,
    SYSTEM,
    USER,
    Conversation,
    Message,
    Shape,
    assemble,
    fault,
    join_turns,
    metadata_text,
    parse_history,
    parse_turn,
    parse_turns,
    unescape_cell,
)
from backend.errors import InvalidInput
from backend.intake.mapping import Mapping
from backend.intake.readers.rows import EXCERPT, Rejected, Row
from backend.vocabulary import DETECTED, Thumb

_UP = frozenset(
    {
        "true", "1", "1.0", "yes", "y", "up", "good", "like", "liked", "positive", "helpful", "\U0001f44d", "ja", "oui",
        "si", "sí",
    }
)  # fmt: skip
_DOWN = frozenset(
    {
        "false", "0", "0.0", "-1", "-1.0", "no", "n", "down", "bad", "dislike", "disliked", "negative", "unhelpful",
        "\U0001f44e", "nein", "non",
    }
)  # fmt: skip
_GOOD, _BAD = 0.75, 0.25
"""Where a rating lies between the lowest mark and the highest: from here on it is a thumb up, up to here a thumb down."""


class Label(NamedTuple):
    """A judgement that came with a row: a verdict on the answer, or the answer that it was preferred to."""

    answer: str
    rejected: str = ""
    thumb: Thumb | None = None


@dataclass(frozen=True, slots=True)
class Imported:
    """A conversation, the line of the file that it came from, and the judgement on its answer if there is one."""

    line: int
    conversation: Conversation
    label: Label | None = None


def convert_all(items: Iterable[Row | Rejected], mapping: Mapping) -> Iterator[Imported | Rejected]:
    """Every row as a conversation or with the reason why it is none; rejected rows pass through."""
    for item in items:
        yield item if isinstance(item, Rejected) else convert(item, mapping)


def convert(row: Row, mapping: Mapping) -> Imported | Rejected:
    """One row as a conversation, or the reason why it is none."""
    values = row.values
    if mapping.escaped:
        values = {name: unescape_cell(value) if isinstance(value, str) else value for name, value in values.items()}
    try:
        conversation = _conversation(values, mapping)
        return Imported(row.line, conversation, _label(values, mapping, conversation))
    except InvalidInput as error:
        excerpt = _excerpt(values, mapping)
        return Rejected(row.line, error.message, excerpt)


def _excerpt(values: dict[str, Any], mapping: Mapping) -> str:
    """How the row begins, for people to recognise it by."""
    shown = values.get(mapping.prompt or mapping.conversation or "") or next(iter(values.values()), "")
    return str(shown)[:EXCERPT].encode(errors="replace").decode()


def _conversation(values: dict[str, Any], mapping: Mapping) -> Conversation:
    messages = _messages(values, mapping)
    if mapping.join_turns:
        messages = join_turns(messages)
    if reason := fault(messages, answer=not mapping.allow_prompts):
        raise InvalidInput(reason)
    return Conversation(
        messages,
        _metadata(values, mapping),
        values.get(mapping.id) if mapping.id else None,
        values.get(mapping.group) if mapping.group else None,
    )


def _label(values: dict[str, Any], mapping: Mapping, conversation: Conversation) -> Label | None:
    """The judgement on the answer; None where the row holds none, or there is no answer to judge."""
    if conversation.answer is None:
        return None
    if mapping.rejected is not None:
        other = _other_answer(values.get(mapping.rejected), conversation.messages)
        return Label(conversation.answer, other) if other.strip() and other != conversation.answer else None
    thumb = thumb_of(values.get(mapping.verdict), mapping.best) if mapping.verdict is not None else None
    return Label(conversation.answer, thumb=thumb) if thumb else None


def _other_answer(value: object, messages: tuple[Message, ...]) -> str:
    """The rejected answer: a text, a turn, the turns after the prompt, or the whole conversation once more."""
    if value is None:
        return ""
    turns = _answer_after(value, messages[:-1])
    if len(turns) != 1 or turns[0].role != ASSISTANT:
        raise InvalidInput("the rejected answer does not answer the same prompt")
    if reason := fault((Message(USER, "?"), *turns)) if turns[0].content.strip() else None:
        raise InvalidInput(f"the rejected answer cannot be taken: {reason}")
    return turns[0].content


def thumb_of(value: object, best: int) -> Thumb | None:
    """What a verdict says; `best` is the highest mark of a rating, 0 for yes and no. None for what says neither.

    The lowest mark is 1. Marks in the middle are no verdict.
    """
    text = metadata_text(value).strip().lower()
    if best <= 1:
        return Thumb.UP if text in _UP else Thumb.DOWN if text in _DOWN else None
    try:
        share = (float(text.replace(",", ".").partition("/")[0]) - 1) / (best - 1)
    except ValueError:
        return None
    return Thumb.UP if share >= _GOOD else Thumb.DOWN if share <= _BAD else None


def _messages(values: dict[str, Any], mapping: Mapping) -> tuple[Message, ...]:
    system = _text(values, mapping.system, "system text")
    if mapping.shape in (Shape.OPENAI, Shape.SHAREGPT):
        messages = parse_turns(values.get(mapping.conversation or ""))
        if system.strip() and (not messages or messages[0].role != SYSTEM):
            messages = (Message(SYSTEM, system), *messages)
        return (*messages, *_answer_after(values.get(mapping.response), messages)) if mapping.response else messages
    prompt = _text(values, mapping.prompt, "prompt")
    context = _text(values, mapping.context, "context")
    if context.strip():
        prompt = f"{prompt}\n{context}" if prompt.strip() else context
    response = values.get(mapping.response or "")
    is_turns = isinstance(response, dict | list)
    answer = _only_answer(response) if is_turns else _text(values, mapping.response, "answer")
    if not prompt.strip():
        raise InvalidInput("the prompt is empty")
    if not answer.strip() and not mapping.allow_prompts:
        raise InvalidInput(
            "no answer" if mapping.response else "no answer: choose its column, or allow prompts without answers"
        )
    history = parse_history(values.get(mapping.history)) if mapping.history else ()
    return assemble(prompt=prompt, response=answer, system=system, history=history)


def _answer_after(value: object, messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """The answer of a column beside the list of turns: as text, as a turn, as turns, or with the whole list before it."""
    if isinstance(value, str):
        return (Message(ASSISTANT, value),)
    if isinstance(value, list):
        turns = parse_turns(value)
        return turns[len(messages) :] if turns[: len(messages)] == messages else turns
    return (parse_turn(value, len(messages) + 1),)


def _only_answer(value: object) -> str:
    """The text of an answer that is given as a turn, or as a list of one."""
    turns = _answer_after(value, ())
    if len(turns) != 1:
        raise InvalidInput("the answer is a list of several messages")
    return turns[0].content


def _text(values: dict[str, Any], column: str | None, what: str) -> str:
    value = values.get(column) if column is not None else None
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidInput(f"the {what} is not text")
    return value


def _metadata(values: dict[str, Any], mapping: Mapping) -> dict[str, Any]:
    """Metadata columns by name; an object gives one key for each field, and our own column names lose their prefix."""
    metadata: dict[str, Any] = {}
    for column in mapping.metadata:
        value = values.get(column)
        if isinstance(value, dict):
            prefix = "" if column == METADATA else f"{column}."
            metadata |= {f"{prefix}{key}": item for key, item in value.items()}
        else:
            metadata[column.removeprefix(METADATA_PREFIX)] = value
    # what checks gave is worked out anew, never taken from files
    return {name: value for name, value in metadata.items() if not name.strip().startswith(DETECTED.strip())}
