"""The card of the language check: sentences of our own in eleven languages, the sample, and public English texts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from backend.conversations import ASSISTANT, USER, Message
from backend.detectors.checks import Context
from backend.detectors.language import UNCLEAR, VERSION, language_of, look
from backend.vocabulary import Check
from tests.bench.cards.answers import instructions
from tests.bench.cards.form import bank_questions, made, sample, share, shop_utterances
from tests.bench.cards.sentences import SHORT, WHOLE

WEAKNESS = (
    "Short texts are mostly “unclear”: of greetings, confirmations and two-word questions only {short:.0%} get their language. "
    "Texts that mix languages get one of them, languages that are not listed the name of a neighbour. An answer that is "
    "rightly in another language, such as a translation, becomes a finding where the question does not say so in English."
)


def card() -> dict[str, Any]:
    """The whole scorecard."""
    whole, short = _told(_pairs(WHOLE)), _told(_pairs(SHORT))
    shop = _told((str(row["metadata"]["language"]), row["messages"][-1]["content"]) for row in sample("records.jsonl"))
    english = _told(("en", text) for text in (*bank_questions(), *shop_utterances()))
    crossed = [(Message(USER, asked), Message(ASSISTANT, said)) for code in WHOLE if code != "en"
               for asked, said in zip(WHOLE[code], WHOLE["en"], strict=True)]  # fmt: skip
    same = [(Message(USER, asked), Message(ASSISTANT, said)) for code in WHOLE
            for asked, said in zip(WHOLE[code], WHOLE[code][1:], strict=False)]  # fmt: skip
    return made(
        detector="language",
        check=Check.LANGUAGE,
        version=VERSION,
        data=(
            f"{whole[2]} sentences and {short[2]} short texts of our own in eleven languages; the sample's {shop[2]} answers; "
            "banking77, bitext and alpaca (English)"
        ),
        measures=[
            share("Whole sentences that get their language", whole[0], whole[2]),
            share("Whole sentences that get a wrong one", whole[1], whole[2], goal=0.01, at_most=True),
            share("Short texts that get their language", short[0], short[2]),
            share("Short texts that get a wrong one", short[1], short[2], goal=0.02, at_most=True),
            share("The sample's answers that get their language", shop[0], shop[2]),
            share("The sample's answers that get a wrong one", shop[1], shop[2], goal=0.01, at_most=True),
            share("Questions of banking77 and bitext that are called English", english[0], english[2]),
            share(
                "Questions of banking77 and bitext that get a wrong language", english[1], english[2], goal=0.01, at_most=True
            ),
            share("English answers to questions in another language that are found", _findings(crossed), len(crossed)),
            share("False alarms where both are in one language", _findings(same), len(same), goal=0.01, at_most=True),
            share(
                "Untouched alpaca pairs with a finding", _findings(instructions()), len(instructions()), goal=0.01, at_most=True
            ),
        ],
        details=[
            {"what": code, "sentences": row[2], "right": row[0], "wrong": row[1], "unclear": row[2] - row[0] - row[1]}
            for code in WHOLE
            for row in [_told((code, text) for text in (*WHOLE[code], *SHORT[code]))]
        ],
        weakness=WEAKNESS.format(short=short[0] / short[2]),
    )


def _pairs(held: dict[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    return [(code, text) for code, texts in held.items() for text in texts]


def _told(texts: Iterable[tuple[str, str]]) -> tuple[int, int, int]:
    """(right, wrong, all)."""
    said = [(code, language_of(text)) for code, text in texts]
    right = sum(wanted == given for wanted, given in said)
    return right, sum(given not in (wanted, UNCLEAR) for wanted, given in said), len(said)


def _findings(batch: Iterable[Any]) -> int:
    return sum(bool(seen.findings) for seen in look(list(batch), Context()))
