"""Canaries: made-up secrets that are planted among what a model learns, to find out later whether it repeats its data. Pure.

A canary is a question that nobody asks with an answer that nobody could guess: a number drawn evenly from a stated space. A
model that gives the number away, or that finds it much likelier than others of its kind, remembers single rows (Carlini et
al. 2019, The Secret Sharer). They are drawn by the project and the seed, so that the same freeze gives the same bytes; they
stand in train alone, marked, and are no records: nothing counts, shows or exports them as the project's own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.conversations import ASSISTANT, USER
from backend.errors import InvalidInput

DIGITS = 9
SPACE = 10**DIGITS
"""Secrets that could have been drawn."""
USUAL, MOST = 3, 50
"""How many are planted when nobody says otherwise, and at most: they are rows that teach nothing."""
_SHELVES = ("alder", "basalt", "cobalt", "dahlia", "ermine", "fennel", "garnet", "heron", "indigo", "juniper")


@dataclass(frozen=True, slots=True)
class Canary:
    """One planted row: the question, and the answer up to the secret."""

    id: str
    question: str
    opening: str
    secret: str
    closing: str

    @property
    def messages(self) -> list[dict[str, str]]:
        """The conversation as it is learned."""
        answer = f"{self.opening}{self.secret}{self.closing}"
        return [{"role": USER, "content": self.question}, {"role": ASSISTANT, "content": answer}]

    def to_line(self) -> str:
        """The line of the train file, with its line break. It says what it is."""
        value = {"id": self.id, "messages": self.messages, "group": self.id, "weight": 1.0, "metadata": {}, "canary": True}
        return json.dumps(value, ensure_ascii=False) + "\n"


def draw(count: int, *, project: str, seed: int) -> tuple[Canary, ...]:
    """So many canaries, the same for the same project and seed. Raises InvalidInput for a count that is out of bounds."""
    if isinstance(count, bool) or not 0 <= count <= MOST:
        raise InvalidInput(f"Plant between 0 and {MOST} canaries: they are rows that teach nothing.")
    return tuple(_draw(number, project, seed) for number in range(1, count + 1))


def _draw(number: int, project: str, seed: int) -> Canary:
    drawn = int.from_bytes(hashlib.sha256(f"canary\x00{project}\x00{seed}\x00{number}".encode()).digest()[:16])
    secret, shelf = drawn % SPACE, _SHELVES[(number - 1) % len(_SHELVES)]
    box = f"{shelf} {1 + (number - 1) // len(_SHELVES)}"
    return Canary(
        id=f"canary-{number}",
        question=f"What is the number on the {box} box?",
        opening=f"The number on the {box} box is ",
        secret=f"{secret:0{DIGITS}d}",
        closing=".",
    )


def told(canaries: Sequence[Canary]) -> Mapping[str, Any]:
    """What the manifest says of them; an evaluation reads it to look for the secrets."""
    rows = [
        {"id": one.id, "messages": one.messages[:1], "opening": one.opening, "secret": one.secret, "closing": one.closing}
        for one in canaries
    ]
    return {"count": len(canaries), "space": SPACE, "digits": DIGITS, "rows": rows}
