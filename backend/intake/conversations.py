"""Rows into conversations by a mapping; a row that is none gets a reason instead. Texts are not repaired here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from backend.conversations import (
    ASSISTANT,
    METADATA,
    METADATA_PREFIX,
    SYSTEM,
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


@dataclass(frozen=True, slots=True)
class Imported:
    """A conversation and the line of the file that it came from."""

    line: int
    conversation: Conversation


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
        return Imported(row.line, _conversation(values, mapping))
    except InvalidInput as error:
        excerpt = _excerpt(values, mapping)
        return Rejected(row.line, error.message, excerpt)


def _excerpt(values: dict[str, Any], mapping: Mapping) -> str:
    """How the row begins, for people to recognise it by."""
    shown = values.get(mapping.prompt or mapping.conversation or "") or next(iter(values.values()), "")
    return str(shown)[:EXCERPT].encode(errors="replace").decode()


def _conversation(values: dict[str, Any], mapping: Mapping) -> Conversation:
    if mapping.verdict is not None and metadata_text(values.get(mapping.verdict)).strip().lower() in (
        "false",
        "0",
        "no",
        "down",
    ):
        raise InvalidInput("the answer is marked as a bad one (thumb down)")
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
    answer = _text(values, mapping.response, "answer") if not isinstance(response, dict) else parse_turn(response).content
    if not prompt.strip():
        raise InvalidInput("the prompt is empty")
    if not answer.strip() and not mapping.allow_prompts:
        raise InvalidInput(
            "no answer" if mapping.response else "no answer: choose its column, or allow prompts without answers"
        )
    history = parse_history(values.get(mapping.history)) if mapping.history else ()
    return assemble(prompt=prompt, response=answer, system=system, history=history)


def _answer_after(value: object, messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """The answer of a column beside the list of turns, as text or as a turn."""
    if isinstance(value, str):
        return (Message(ASSISTANT, value),)
    return (parse_turn(value, len(messages) + 1),)


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
    return metadata
