"""What may go to the model, and what is said when it may not. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from backend.errors import InvalidInput

MAX_CHARS = 4_000
"""The longest message that a visitor may send."""
CONTEXT_TURNS = 8
"""Earlier turns that the model sees; older ones stay stored but are not sent."""

DISCLOSURE = "You are talking to an AI. It can be wrong; ask for a person whenever you like."


def checked_message(text: str) -> str:
    """The message without control characters and outer blanks. Raises InvalidInput when empty or too long."""
    cleaned = "".join(sign for sign in text if sign in "\n\t" or ord(sign) >= 32).strip()
    if not cleaned:
        raise InvalidInput("The message is empty. Type a question first.")
    if len(cleaned) > MAX_CHARS:
        raise InvalidInput(f"The message has {len(cleaned):,} characters; {MAX_CHARS:,} is the most. Please shorten it.")
    return cleaned


def context(turns: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """The newest turns for the model: at most `CONTEXT_TURNS`, beginning with a user's; a system turn comes first and stays.

    A user's turn that was never answered (the engine was away) is left out when another one follows it.
    """
    system = [turn for turn in turns if turn["role"] == "system"]
    others = [turn for turn in turns if turn["role"] != "system"]
    answered = [
        turn for turn, after in zip(others, [*others[1:], None], strict=True) if after is None or after["role"] != turn["role"]
    ]
    recent = answered[-CONTEXT_TURNS:]
    while recent and recent[0]["role"] != "user":
        recent.pop(0)
    return [{"role": turn["role"], "content": turn["content"]} for turn in [*system, *recent]]
