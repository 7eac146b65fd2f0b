"""A record's text as one piece, and what may follow it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from backend.conversations import Message, fault
from backend.errors import InvalidInput

SPEAKERS = {"user": "Customer", "assistant": "Assistant", "system": "System"}

MOST_REASON = 2000
"""Characters of a reason, comment or flag."""


def as_text(messages: Sequence[Message]) -> str:
    """The whole conversation as text, each turn under its speaker's name; for differences and conflicts."""
    return "\n\n".join(f"{SPEAKERS.get(message.role, message.role)}: {message.content}" for message in messages)


def checked_edit(before: Sequence[Message], after: Sequence[Message], *, most_chars: int) -> tuple[Message, ...]:
    """`after` as it may be stored. Raises InvalidInput for a conversation that is none, is too long, or did not change."""
    if reason := fault(after):
        raise InvalidInput(f"This cannot be saved: {reason}.")
    for position, message in enumerate(after, start=1):
        if len(message.content) > most_chars:
            raise InvalidInput(f"Message {position} is longer than {most_chars:,} characters. Please shorten it.")
    if tuple(before) == tuple(after):
        raise InvalidInput("Nothing has changed, so there is nothing to save.")
    return tuple(after)


def checked_reason(reason: str, what: str) -> str:
    """The reason, stripped. Raises InvalidInput where it is missing or far too long; `what` names it to the person."""
    text = reason.strip()
    if not text:
        raise InvalidInput(f"Please give {what}; the people after you will need it.")
    if len(text) > MOST_REASON:
        raise InvalidInput(f"Please keep {what} under {MOST_REASON:,} characters.")
    if "\x00" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise InvalidInput(f"Please type {what} again: it contains characters that cannot be stored.")
    return text
