"""Masking a text: which spans go, and what stands in their place. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from backend.conversations import Message
from backend.errors import Conflict

_AROUND = 30


@dataclass(frozen=True, slots=True)
class Span:
    """A span of one message, and its stand-in."""

    message: int
    start: int
    end: int
    replacement: str


def masked(messages: Sequence[Message], spans: Iterable[Span]) -> tuple[Message, ...]:
    """The messages with every span replaced; of spans that overlap, the one that begins first. Raises Conflict for spans
    that do not fit the text, and replaces nothing then.
    """
    contents = [message.content for message in messages]
    given = list(spans)
    for span in given:
        if not (0 <= span.message < len(contents) and 0 <= span.start < span.end <= len(contents[span.message])):
            raise Conflict("The text has changed since this was found. Look at the record again.")
    for span in reversed(chosen(given)):
        text = contents[span.message]
        contents[span.message] = text[: span.start] + span.replacement + text[span.end :]
    return tuple(Message(message.role, content) for message, content in zip(messages, contents, strict=True))


def chosen(spans: Iterable[Span]) -> list[Span]:
    """By place, without those that overlap one that begins before them; of two that begin alike the longer one stays."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.message, span.start, -span.end)):
        if not kept or kept[-1].message != span.message or kept[-1].end <= span.start:
            kept.append(span)
    return kept


def snippet(text: str, start: int, end: int) -> str:
    """The span with a few words around it, for lists."""
    before, after = text[max(0, start - _AROUND) : start], text[end : end + _AROUND]
    return ("…" if start > _AROUND else "") + before + text[start:end] + after + ("…" if end + _AROUND < len(text) else "")
