"""The card of support by the FAQs: planted wrong answers, right answers with a number changed, and false alarms."""

from __future__ import annotations

import json
import random
import re
from typing import Any

from backend.conversations import Message
from backend.detectors import quality
from backend.detectors.checks import Context
from backend.detectors.content import quantities
from backend.detectors.support import VERSION, look
from backend.vocabulary import Check
from tests.bench.cards.form import SAMPLE, made, mistakes, sample, share

WEAKNESS = (
    "It compares with the FAQs alone, in English: where they hold nothing near a question it says nothing, answers that evade "
    "the question or only leave something out pass, and where an FAQ is out of date the right answers are found. It was made "
    "with this sample at hand, so expect it to find less, and to err more, in texts of your own: look at each finding."
)


def conversation(question: str, answer: str) -> list[Message]:
    """A question with its answer."""
    return [Message("user", question), Message("assistant", answer)]


def with_another_number(answer: str, generator: random.Random) -> str | None:
    """The answer with its first quantity multiplied; None where it has none that can be."""
    for one in quantities(answer):
        number = re.search(r"\d+", one.said)
        if number and one.unit:
            other = one.said.replace(number[0], str(int(number[0]) * generator.randint(2, 5)), 1)
            return re.sub(rf"(?<![\w.]){re.escape(one.said)}", other, answer, count=1)
    return None


def card() -> dict[str, Any]:
    """The whole scorecard."""
    corrected = {
        row["key"]: row["answer"] for row in json.loads((SAMPLE / "mistakes.json").read_text(encoding="utf-8"))["faqs"]
    }
    rows = sample("faqs.jsonl")
    facts = {row["key"] for row in rows}
    right = Context(faqs=tuple((row["question"], corrected.get(row["key"], row["answer"])) for row in rows))
    shipped = Context(faqs=tuple((row["question"], row["answer"]) for row in rows))
    planted = mistakes("wrong_answer")
    records = {row["id"]: [Message(**message) for message in row["messages"]] for row in sample("records.jsonl")}
    wrong = [records[name] for name in planted]
    fine = [messages for name, messages in records.items() if name not in planted]
    held = [row for row in sample("heldout.jsonl") if row["language"] == "en"]
    rest = [conversation(row["prompt"], row["answer"]) for row in held]
    generator = random.Random(0)
    known = [(row["prompt"], with_another_number(row["answer"], generator)) for row in held if row["fact"] in facts]
    changed = [conversation(prompt, answer) for prompt, answer in known if answer]

    def found(conversations: list[list[Message]], context: Context = right) -> int:
        return sum(bool(seen.findings) for seen in look(conversations, context))

    seen = zip(look(wrong, right), quality.look(wrong, right), strict=True)
    either = sum(bool(one.findings or two.findings) for one, two in seen)
    return made(
        detector="support by the FAQs",
        check=Check.SUPPORT,
        version=VERSION,
        data="the sample project: its 360 records with 15 planted wrong answers, its 200 held-out questions, its 30 FAQs",
        measures=[
            share("Planted wrong answers that are found", found(wrong), len(wrong)),
            share("The same, with what “Quality of answers” finds in them", either, len(wrong)),
            share("Held-out answers with a number changed that are found", found(changed), len(changed)),
            share("False alarms on the other records", found(fine), len(fine), goal=0.01, at_most=True),
            share("False alarms on held-out right answers", found(rest), len(rest), goal=0.01, at_most=True),
            share("Right answers found while three FAQs are out of date", found(fine, shipped), len(fine)),
        ],
        weakness=WEAKNESS,
    )
