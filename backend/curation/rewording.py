"""Asks the engine's model for other wordings of a question, and keeps those that can pass for one. Knows no database.

Promised: numbers, masks and denials are as they were, and what is nearly the same or about something else is left out. Not
promised: that a small model writes anything useful. What it says is data, and nothing more: people look at it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from backend.conversations import USER
from backend.curation import guarded_words
from backend.curation.variations import Original, Proposal, reworded
from backend.errors import NotReady

ASKED = (
    "Reword the question of a customer below in {count} different ways, as other customers would write it. Keep its meaning. "
    "Keep every number, every name and everything in [BRACKETS] exactly as it is. Do not answer it. Write one wording "
    "a line and nothing else.\n\nThe question: {question}"
)
DECODING = {"max_new_tokens": 400, "temperature": 0.8, "top_p": 0.95}
_MARKER = re.compile(r"^\s*(?:[-*•]|\(?\d{1,2}[.):])\s+")
_QUOTES = "\"“”'`"


class Asked(Protocol):
    """An engine, as far as it is needed here."""

    def complete(self, *, model: str, messages: Sequence[dict[str, str]], decoding: dict[str, float]) -> str:
        """The whole answer."""


def by_model(
    originals: Sequence[Original],
    *,
    engine: Asked,
    model: str,
    each: int,
    seed: int,
    tell: Callable[[float, str], None] = lambda _share, _words: None,
) -> list[Proposal]:
    """Up to `each` wordings of every original's last question. Raises NotReady where the model wrote nothing of use."""
    made: list[Proposal] = []
    for place, original in enumerate(originals):
        tell(place / len(originals), f"{place} of {len(originals)} questions")
        question = next(message.content for message in reversed(original.messages) if message.role == USER)
        ask = [{"role": USER, "content": ASKED.format(count=each + 1, question=question)}]
        said = engine.complete(model=model, messages=ask, decoding={**DECODING, "seed": seed})
        found = list(wordings(question, said))
        made += [reworded(original, text) for text in found[:each]]
    if originals and not made:
        raise NotReady(f"{model} wrote no wording that keeps the questions' meaning. Choose another method, or a larger model.")
    return made


def wordings(question: str, said: str) -> Iterator[str]:
    """The lines of an answer that can pass for the question, each once."""
    seen: set[str] = set()
    for line in said.splitlines():
        text = _MARKER.sub("", line).strip().strip(_QUOTES).strip()
        echoes = question.casefold() in text.casefold()  # small models say the question again
        if text.casefold() not in seen and not echoes and text[-1:] != ":" and guarded_words.is_rewording(question, text):
            seen.add(text.casefold())
            yield text
