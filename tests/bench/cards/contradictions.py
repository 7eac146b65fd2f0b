"""Scorecard of the search for contradictions: planted denials and amounts that differ, and the sample shop's own answers.

Planted: the shop's FAQ answers with one fact turned, asked in the words of real questions. False alarms: pairs of records of
the sample with the same question of which neither is a planted mistake, and true rewordings of answers.
"""

from __future__ import annotations

import itertools
import re
from typing import Any

from backend.detectors.contradictions import VERSION, disagree, same_question, stands_alone
from backend.vocabulary import Check
from tests.bench.cards.form import made, mistakes, sample, share

REWORDED = (
    ("How long do I have to return it?", "Return it within 60 days.", "You have sixty days to send it back."),
    ("When are you open?", "We are open Tuesday to Saturday from 10 am to 7 pm.", "From 10 am to 7 pm, Tuesday to Saturday."),
    ("What does express cost?", "Express delivery costs $19.", "It is $19.00 for express."),
    ("Can I cancel my order?", "You can cancel within 2 hours.", "Yes, cancelling is possible for two hours."),
    ("Do you ship to Canada?", "Yes, within 12 business days.", "We do ship to Canada; it takes 12 days."),
    ("Is there a warranty?", "Furniture has a five-year warranty.", "Yes, our furniture is under warranty for 5 years."),
    ("Do I need an appointment?", "No, just come by.", "No appointment is needed."),
    ("Can you wrap it?", "Yes, we wrap gifts for $4.", "Gift wrap costs $4; choose it at checkout."),
    ("How tall is the lamp?", "The lamp is 58 inches tall.", "It stands 58 inches high and needs an LED bulb."),
    ("Can I pick up my order?", "Orders are ready for pickup after 4 hours.", "Pickup is possible; you need not book a time."),
    ("Is assembly included?", "Our team assembles furniture for $49.", "Assembly costs $49 in metro Atlanta."),
    ("Do gift cards expire?", "Gift cards never expire.", "They don't, use yours whenever you like."),
)  # fmt: skip
"""Question, answer, the same answer in other words; written for this card."""

_NUMBER = re.compile(r"\b(\d+|two|three|five|one)\b(?=[\w\s-]{0,12}\b(?:day|hour|year|percent|week|inch|month))|(?<=\$)\d+")


def turned(answer: str) -> str | None:
    """The answer with its first amount changed, or what it says denied; None where neither can be done."""
    if _NUMBER.search(answer):
        return _NUMBER.sub("17", answer, count=1)
    changed = re.sub(r"\b(can|will|do|is|are)\b(?! not)", r"\1 not", answer, count=1)
    return changed if changed != answer else None


def planted() -> list[tuple[str, str, str]]:
    """Question, right answer, turned answer, from the sample's FAQs."""
    rows = [(row["question"], row["answer"]) for row in sample("faqs.jsonl")]
    return [(question, answer, wrong) for question, answer in rows if (wrong := turned(answer))]


def questions() -> list[tuple[str, str, str]]:
    """Id, last question and answer of the sample's records that can be understood alone."""
    found = []
    for row in sample("records.jsonl"):
        asked = [turn["content"] for turn in row["messages"] if turn["role"] == "user"]
        if asked and stands_alone(asked[-1]):
            found.append((row["id"], asked[-1], row["messages"][-1]["content"]))
    return found


def card() -> dict[str, Any]:
    """The whole scorecard."""
    rows = planted()
    wrong = mistakes("wrong_answer")
    pairs = [pair for pair in itertools.combinations(questions(), 2) if same_question(pair[0][1], pair[1][1])]
    differing = [pair for pair in pairs if pair[0][2] != pair[1][2]]
    right = [pair for pair in pairs if pair[0][0] not in wrong and pair[1][0] not in wrong]
    met = {one[0] for pair in differing for one in pair if one[0] in wrong}
    caught = {one[0] for pair in differing for one in pair if one[0] in wrong and disagree(pair[0][1], pair[0][2], pair[1][2])}
    return made(
        detector="contradictions",
        check=Check.CONTRADICTIONS,
        version=VERSION,
        data="the sample shop: its FAQ answers with one fact turned, its 360 records; twelve reworded answers",
        measures=[
            share("Turned facts found", sum(disagree(*row) is not None for row in rows), len(rows), goal=0.8),
            share("Planted wrong answers found, where the same question is asked twice", len(caught), len(met), goal=0.8),
            share("Alarms on right answers to the same question", sum(bool(disagree(a[1], a[2], b[2])) for a, b in right),
                  len(right), goal=0.01, at_most=True),
            share("Alarms on other wordings", sum(disagree(*row) is not None for row in REWORDED), len(REWORDED), goal=0.1,
                  at_most=True),
        ],
        weakness=(
            "Not good enough to call answers consistent: only amounts with a unit, times, days, yes and no, and plain denials "
            "are compared, in English and a little Spanish, and only where the same question was asked in nearly the same "
            "words. Another colour, name or place passes."
        ),
    )  # fmt: skip
