"""The card of quality: answers that do not fit their question, planted and by shuffling, and how often real ones are found."""

from __future__ import annotations

import json
import random
from typing import Any

from backend.conversations import Message
from backend.detectors.checks import Context
from backend.detectors.quality import VERSION, look, reading_ease
from backend.vocabulary import Check, FindingKind
from tests.bench.cards.form import DATA, SAMPLE, figure, made, mistakes, sample, share

Pair = tuple[str, str]
WEAKNESS = (
    "It finds answers that brush people off or are plainly about something else, and by design little more: most answers that "
    "miss the question without such a sign pass, above all short ones, and creative or recommending answers are found at times "
    "although they are right. Length and reading ease are formulas, not judgements, and all but length is for English."
)


def instructions() -> list[Pair]:
    """The Alpaca demo: instructions with their outputs."""
    rows = json.loads((DATA / "alpaca/alpaca_en_demo.json").read_text(encoding="utf-8"))
    return [(f"{row['instruction']}\n{row['input']}", row["output"]) for row in rows if isinstance(row["output"], str)]


def dialogue_turns(most: int) -> list[Pair]:
    """The first turns of schema-guided dialogues, with their answers."""
    pairs: list[Pair] = []
    for line in (DATA / "sgd/dialogues.jsonl").read_text(encoding="utf-8").splitlines():
        said = [message["content"] for message in json.loads(line)["messages"]]
        pairs += zip(said[::2], said[1::2], strict=False)
    return pairs[:most]


def shuffled(pairs: list[Pair]) -> list[Pair]:
    """Each question with the answer to another one."""
    answers = [answer for _, answer in pairs]
    random.Random(0).shuffle(answers)
    return [(question, answer) for (question, _), answer in zip(pairs, answers, strict=True)]


def found(pairs: list[Pair], kind: FindingKind = FindingKind.UNANSWERED, context: Context | None = None) -> int:
    """In how many of the pairs something of the kind is found."""
    talks = [[Message("user", question), Message("assistant", answer)] for question, answer in pairs if answer.strip()]
    return sum(any(one.kind is kind for one in seen.findings) for seen in look(talks, context or Context()))


def card() -> dict[str, Any]:
    """The whole scorecard."""
    corrected = {
        row["key"]: row["answer"] for row in json.loads((SAMPLE / "mistakes.json").read_text(encoding="utf-8"))["faqs"]
    }
    faqs = Context(faqs=tuple((row["question"], corrected.get(row["key"], row["answer"])) for row in sample("faqs.jsonl")))
    last = {row["id"]: tuple(one["content"] for one in row["messages"][-2:]) for row in sample("records.jsonl")}
    rude, wrong = ([last[name] for name in mistakes(kind)] for kind in ("unhelpful", "wrong_answer"))
    fine = [pair for name, pair in last.items() if pair not in rude and pair not in wrong]
    fine += [(row["prompt"], row["answer"]) for row in sample("heldout.jsonl")]
    alpaca, turns = instructions(), dialogue_turns(3000)
    ease = [reading_ease(answer) for _, answer in alpaca if len(answer.split()) >= 40]
    return made(
        detector="quality of answers",
        check=Check.QUALITY,
        version=VERSION,
        data="the sample project (360 records, 200 held-out questions); the Alpaca demo; 3,000 turns of SGD dialogues",
        measures=[
            share("Planted unhelpful answers found", found(rude, context=faqs), len(rude)),
            share("Planted wrong answers found as not about the question", found(wrong, context=faqs), len(wrong)),
            share("Alpaca: answers of other questions found", found(shuffled(alpaca)), len(alpaca)),
            share("Dialogues: answers of other turns found", found(shuffled(turns)), len(turns)),
            share("False alarms on the sample's other answers", found(fine, context=faqs), len(fine), goal=0.01, at_most=True),
            share("False alarms on Alpaca's own answers", found(alpaca), len(alpaca), goal=0.02, at_most=True),
            share("False alarms on the dialogues' own answers", found(turns), len(turns), goal=0.01, at_most=True),
            share("Alpaca's answers marked for their length", found(alpaca, FindingKind.LENGTH), len(alpaca)),
            share("Alpaca's answers marked as hard to read", found(alpaca, FindingKind.READABILITY), len(alpaca)),
            figure("Median reading ease of Alpaca's answers", sorted(ease)[len(ease) // 2], len(ease), unit="points"),
        ],
        weakness=WEAKNESS,
    )  # fmt: skip
