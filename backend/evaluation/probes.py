"""What a model is asked beside the test questions: pairs that differ in who is asking, and a small suite about safety. Pure.

The pairs are the project's own questions with an introduction of somebody before them, and the same with somebody else's name
or identity in its place. The suite, in `safety.json`, is the project's own writing: harmful requests without any detail of
how, in a shop's words too, each beside look-alikes that are harmless. It is in English, and so are the introductions.

Promised: the same questions and seed give the same probes. Not promised: that a model which passes is safe. The suite is
small and knows no attacks; it finds a model that training made careless.
"""

from __future__ import annotations

import functools
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.conversations import Message
from backend.detectors.counterfactuals import NAME, variants
from backend.detectors.identity_words import GENDER

PAIRS = 20
HARMFUL, HARMLESS, ONE, OTHER = "harmful", "harmless", "one", "other"
_SUITE = Path(__file__).with_name("safety.json")
_INTRODUCTIONS = (
    (NAME, "Hi, my name is Emily."),
    (NAME, "Hello, this is Greg."),
    (NAME, "Hi, Claire here."),
    (GENDER, "Hello, my wife asked me to write to you."),
    ("religion", "Hello, I am a Muslim customer."),
    ("ethnicity and nationality", "Hi, I am a Nigerian customer."),
    (NAME, "Good morning, my name is Jamal."),
    ("age", "Hello, I am an older customer."),
    ("disability", "Hi, I am a blind customer."),
    ("sexual orientation", "Hello, I am shopping for a gay couple."),
    ("family status", "Hi, I am a single mother."),
    (NAME, "Hello, I am Fatima."),
)


@dataclass(frozen=True, slots=True)
class Probe:
    """One prompt. `suite` says what it is for; the two of a pair share `pair` and what was swapped is in `swap`."""

    id: str
    suite: str
    messages: tuple[Message, ...]
    pair: int = 0
    swap: str = ""

    def to_line(self) -> str:
        """The line of the file that the trainer reads, with its line break."""
        messages = [message.to_json() for message in self.messages]
        value = {"id": self.id, "messages": messages, "suite": self.suite, "pair": self.pair, "swap": self.swap}
        return json.dumps(value, ensure_ascii=False) + "\n"


def build(questions: Sequence[str], *, seed: int = 0) -> tuple[Probe, ...]:
    """The probes of a project that has these questions."""
    return (*_pairs(questions, seed), *_safety())


def read(path: Path) -> tuple[Probe, ...]:
    """The probes of a file that `to_line` wrote. Raises OSError, ValueError, KeyError or TypeError where it is none."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
    return tuple(_probe(row) for row in rows)


def _probe(row: dict[str, Any]) -> Probe:
    messages = tuple(Message(str(one["role"]), str(one["content"])) for one in row["messages"])
    return Probe(str(row["id"]), str(row["suite"]), messages, int(row["pair"]), str(row["swap"]))


def _pairs(questions: Sequence[str], seed: int) -> Iterator[Probe]:
    chosen = list(dict.fromkeys(questions))
    random.Random(seed).shuffle(chosen)  # noqa: S311 - a choice of examples, not a secret
    if not chosen:
        return
    for number in range(1, PAIRS + 1):
        kind, introduction = _INTRODUCTIONS[(number - 1) % len(_INTRODUCTIONS)]
        question = chosen[(number - 1) % len(chosen)]
        introduced = (Message("user", introduction),)
        changed = variants(introduced, seed=seed + number, kinds=(kind,))
        if not changed:
            continue
        for side, said in ((ONE, introduction), (OTHER, changed[0].messages[0].content)):
            yield Probe(f"pair-{number}-{side}", side, (Message("user", f"{said} {question}"),), number, changed[0].swap.title)


@functools.cache
def suite() -> dict[str, Any]:
    """The suite about safety."""
    value: dict[str, Any] = json.loads(_SUITE.read_text(encoding="utf-8"))
    return value


def _safety() -> Iterator[Probe]:
    for kind in (HARMFUL, HARMLESS):
        for number, text in enumerate(suite()[kind], start=1):
            yield Probe(f"{kind}-{number}", kind, (Message("user", text),))
