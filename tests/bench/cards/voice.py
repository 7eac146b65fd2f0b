"""The card of the brand voice: forbidden words planted into untouched answers, as listed and in other forms."""

from __future__ import annotations

import random
from typing import Any

from backend.detectors.checks import Context, Voice
from backend.detectors.findings import Finding
from backend.detectors.voice import VERSION, look
from backend.vocabulary import Check
from tests.bench.cards.answers import Turns, dialogues, instructions, planted
from tests.bench.cards.form import made, share

WEAKNESS = (
    "It looks words up and understands nothing: other forms of a listed word (“{form}”) and words for the same thing are not "
    "found, and a listed word that is quoted or denied is. Spelled out in full, what is listed is always found; what "
    "nobody listed never is."
)
FORBIDDEN = (
    ("guarantee", "promise"), ("refund", "repayment"), ("cheap", "good value"), ("no worries", "of course"),
    ("at this time", "now"), ("can't", "cannot"), ("customer", "guest"),
)  # fmt: skip
_FORMS = ("guaranteed", "refunds", "cheaper", "refunding", "customers", "cheapest", "guarantees", "customer-facing")
_SAID = ("as listed", "Capitalised", "IN CAPITALS", "in quotation marks", "over two lines", "in another form")


def card() -> dict[str, Any]:
    """The whole scorecard."""
    rules = Voice(forbidden=FORBIDDEN)
    phrases = {phrase for phrase, _ in FORBIDDEN}
    clean = [turns for turns in dialogues() if not any(phrase in _all(turns) for phrase in phrases)]
    details = []
    for said in _SAID:
        pairs = planted(clean, lambda draw, text, said=said: _with(draw, text, said), 200)  # type: ignore[misc]
        hits = sum(bool(_found(spoiled, rules)) for _, spoiled in pairs)
        details.append({"what": said, "planted": len(pairs), "found": hits, "recall": round(hits / len(pairs), 3)})
    listed, other = details[:-1], details[-1]
    limit = Voice(longest=100)
    long = [turns for turns in instructions() if len(turns[-1].content.split()) > limit.longest]
    short = [turns for turns in instructions() if len(turns[-1].content.split()) <= limit.longest]
    return made(
        detector="brand voice",
        check=Check.VOICE,
        version=VERSION,
        data=f"words planted by a script (seeded) into {len(clean)} dialogues of sgd that hold none of them; alpaca",
        measures=[
            share("Forbidden words that are found", sum(row["found"] for row in listed), sum(row["planted"] for row in listed)),
            share("Other forms of them that are found", other["found"], other["planted"]),
            share("False alarms on untouched dialogues", sum(bool(_found(turns, rules)) for turns in clean), len(clean),
                  goal=0.01, at_most=True),
            share("Answers over the greatest length that are found", sum(_is_long(turns, limit) for turns in long), len(long)),
            share("False alarms on answers within it", sum(_is_long(turns, limit) for turns in short), len(short)),
        ],
        details=details,
        weakness=WEAKNESS.format(form=_FORMS[0]),
    )  # fmt: skip


def _with(draw: random.Random, text: str, said: str) -> str:
    phrase = draw.choice(_FORMS if said == _SAID[-1] else [phrase for phrase, _ in FORBIDDEN])
    shown = {
        "Capitalised": phrase.capitalize(), "IN CAPITALS": phrase.upper(), "in quotation marks": f"“{phrase}”",
        "over two lines": phrase.replace(" ", "\n"),
    }.get(said, phrase)  # fmt: skip
    words = text.split(" ")
    words.insert(draw.randrange(len(words) + 1), shown)
    return " ".join(words)


def _all(turns: Turns) -> str:
    return " ".join(turn.content for turn in turns).lower()


def _found(turns: Turns, rules: Voice) -> tuple[Finding, ...]:
    return look([turns], Context(voice=rules))[0].findings


def _is_long(turns: Turns, limit: Voice) -> bool:
    return any(one.message == len(turns) - 1 for one in _found(turns, limit))
