"""Answers of the public data, untouched, and the seeded ways in which faults are planted into them."""

from __future__ import annotations

import functools
import json
import random
from collections.abc import Callable, Sequence

from backend.conversations import ASSISTANT, USER, Message
from tests.bench.cards.form import DATA, bank_questions, shop_utterances

Turns = tuple[Message, ...]
SEED = 7


@functools.cache
def instructions() -> tuple[Turns, ...]:
    """alpaca: 1,000 instructions with their answers."""
    rows = json.loads((DATA / "alpaca/alpaca_en_demo.json").read_text(encoding="utf-8"))
    pairs = ((f"{row['instruction']}\n{row['input']}".strip(), row["output"]) for row in rows)
    return tuple((Message(USER, asked), Message(ASSISTANT, said)) for asked, said in pairs if said.strip())


@functools.cache
def dialogues() -> tuple[Turns, ...]:
    """sgd: 680 dialogues of several turns."""
    lines = (DATA / "sgd/dialogues.jsonl").read_text(encoding="utf-8").splitlines()
    return tuple(tuple(Message(**turn) for turn in json.loads(line)["messages"]) for line in lines)


def questions_alone() -> tuple[Turns, ...]:
    """banking77 and bitext, as the questions of conversations without an answer."""
    return tuple((Message(USER, text),) for text in (*bank_questions(), *shop_utterances()))


def replaced(turns: Turns, answer: str) -> Turns:
    """The same conversation with another last answer."""
    return (*turns[:-1], Message(ASSISTANT, answer))


def planted(clean: Sequence[Turns], fault: Callable[[random.Random, str], str | None], most: int) -> list[tuple[Turns, Turns]]:
    """(untouched, with a fault in its last answer) of at most so many; a fault that finds no place is None."""
    draw = random.Random(SEED)
    found = []
    for turns in draw.sample(list(clean), len(clean)):
        spoiled = fault(draw, turns[-1].content)
        if spoiled is not None:
            found.append((turns, replaced(turns, spoiled)))
        if len(found) == most:
            break
    return found
