"""The card of the spelling check: slips planted into untouched answers, and words of untouched ones that are called wrong."""

from __future__ import annotations

import random
import re
import time
from typing import Any

from backend.detectors.checks import Context
from backend.detectors.findings import Finding
from backend.detectors.spelling import VERSION, look
from backend.vocabulary import Check
from tests.bench.cards.answers import SEED, Turns, dialogues, instructions, replaced
from tests.bench.cards.form import figure, made, share

WEAKNESS = (
    "Only answers in English are read, and only words without a capital; about {missed:.0%} of random slips are missed, most "
    "of them in short words and where the slip is a word itself (“form” for “from”). In sgd, whose agents do mistype, "
    "about one proposal in ten is wrong: names in lower case, and slips that are nearer to another word. Read proposals before "
    "you accept them."
)
_WORD = re.compile(r"(?<![\w'’.-])[a-z]{5,14}(?![\w'’-])")
_BESIDE = {
    "a": "s",
    "e": "r",
    "i": "o",
    "o": "p",
    "t": "y",
    "n": "m",
    "s": "d",
    "r": "t",
    "l": "k",
    "c": "v",
    "u": "i",
    "d": "f",
}
_SLIPS = ("two letters swapped", "a letter missing", "a letter twice", "a neighbouring key")


def card() -> dict[str, Any]:
    """The whole scorecard."""
    begun, untouched = time.perf_counter(), _look(instructions())
    seconds = time.perf_counter() - begun
    characters = sum(len(turns[-1].content) for turns in instructions())
    draw = random.Random(SEED)
    details = [_measured(name, draw) for name in _SLIPS]
    slips, found, meant, raised = (sum(row[key] for row in details) for key in ("planted", "found", "meant", "raised"))
    words = sum(len(_WORD.findall(turns[-1].content)) for turns in instructions())
    talks = _look(dialogues())
    return made(
        detector="spelling",
        check=Check.SPELLING,
        version=VERSION,
        data=(
            f"{slips} slips planted by a script (seeded) into answers of alpaca; untouched alpaca and sgd, whose false alarms "
            "were read while the rules were written"
        ),
        measures=[
            share("Planted slips that are found (recall)", found, slips),
            share("Of those found, the word that was meant is proposed", meant, found),
            share("Findings in these answers that are the planted slip (precision)", found, raised),
            share(
                "Untouched alpaca answers with a finding", sum(map(bool, untouched)), len(untouched), goal=0.01, at_most=True
            ),
            share("Words of untouched alpaca answers that are called wrong", sum(map(len, untouched)), words),
            share("Untouched sgd dialogues with a finding; most of these are real slips", sum(map(bool, talks)), len(talks)),
            figure("Characters a second, the first time", characters / seconds, characters, unit="characters/s"),
        ],
        details=[{key: row[key] for key in ("what", "planted", "found", "meant")} for row in details],
        weakness=WEAKNESS.format(missed=1 - found / slips),
    )


def _measured(name: str, draw: random.Random) -> dict[str, Any]:
    """One slip of this kind in each answer that has a place for it."""
    spoiled, places = [], []
    for turns in instructions():
        text = turns[-1].content
        matches = list(_WORD.finditer(text))
        if not matches:
            continue
        match = draw.choice(matches)
        slip = _slip(name, match[0], draw)
        if slip != match[0]:
            spoiled.append(replaced(turns, text[: match.start()] + slip + text[match.end() :]))
            places.append((match.start(), match[0]))
    findings = _look(spoiled)
    hits = [[one for one in found if one.start == start] for found, (start, _) in zip(findings, places, strict=True)]
    meant = sum(bool(found) and found[0].proposal == word for found, (_, word) in zip(hits, places, strict=True))
    return {
        "what": name,
        "planted": len(places),
        "found": sum(map(bool, hits)),
        "meant": meant,
        "raised": sum(map(len, findings)),
    }


def _slip(name: str, word: str, draw: random.Random) -> str:
    place = draw.randrange(1, len(word) - 1)
    if name == _SLIPS[0]:
        return word[:place] + word[place + 1] + word[place] + word[place + 2 :]
    if name == _SLIPS[1]:
        return word[:place] + word[place + 1 :]
    if name == _SLIPS[2]:
        return word[:place] + word[place] + word[place:]
    return word[:place] + _BESIDE.get(word[place], word[place]) + word[place + 1 :]


def _look(batch: Any) -> list[tuple[Finding, ...]]:
    held: list[Turns] = list(batch)
    return [seen.findings for seen in look(held, Context())]
