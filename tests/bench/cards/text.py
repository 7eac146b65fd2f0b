"""The card of the text checks: faults planted into untouched answers, and how often untouched texts are found fault with."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

from backend.conversations import USER
from backend.detectors.checks import Context
from backend.detectors.findings import Finding, apply
from backend.detectors.leftovers import VERSION, look
from backend.vocabulary import Check, FindingKind
from tests.bench.cards.answers import Turns, dialogues, instructions, planted, questions_alone, replaced
from tests.bench.cards.form import made, share

EACH = 150
WEAKNESS = (
    "The faults were planted by a script; real ones will be odder than these. Of answers cut at a random word {cut:.0%} are "
    "found: chats leave the last full stop out, so an answer is only called cut off where little else can be. Closings and "
    "notices are known in seven languages, signatures without a closing or a mark are not seen at all, and where somebody asks "
    "for code or for a letter, left-overs and closings are taken to be meant."
)

_TAILS = (
    "\n\nBest wishes,\nMarta Olsen\nSenior Advisor, Northgate Supplies",
    "\n\nYours sincerely\nThe service desk\nTel. 0800 555 01 01",
    "\nSent from my Galaxy",
    "\n\n-- \nJ. Moreau\nhttps://northgate.example",
    "\n\nCONFIDENTIAL: This message is intended only for the use of the addressee and may be privileged.",
    "\n\nIf you received this in error, please tell the sender and delete it. Please consider the environment before printing.",
    "\n\nViele Grüße\nJonas Weber",
    "\n\nCordialement,\nLe service client",
    "\n\nYou received this message because you opted in. Click here to unsubscribe.",
    "\n\n© 2025 Northgate Supplies. All rights reserved.",
    "\n\nThanks again,\nOla",
    "\n\nRegards\nPriya N.",
)
_BLANKS = (
    "{{customer}}", "{{ order.number }}", "[insert amount]", "[your reference]", "<ORDER_ID>", "{last_name}", "%EMAIL%", "XXXX",
    "XX/XX/XXXX", "[Date]", "TBD", "[Company Name]", "${total}", "[[product]]", "lorem ipsum dolor sit amet",
)  # fmt: skip


def card() -> dict[str, Any]:
    """The whole scorecard."""
    clean = [turns for turns in instructions() if not _found(turns) and len(turns[-1].content.split()) >= 12]
    details, right, raised, cut = [], 0, 0, 0.0
    for name, kind, fault, can_be_fixed in _FAULTS:
        pairs = planted(clean, fault, EACH)
        found = [_found(spoiled) for _, spoiled in pairs]
        kinds = {kind, FindingKind.ENCODING} if kind is FindingKind.MARKUP else {kind}  # the repair reads character codes too
        hits = sum(any(one.kind in kinds for one in findings) for findings in found)
        right += sum(one.kind in kinds for findings in found for one in findings)
        raised += sum(map(len, found))
        whole = sum(_mended(spoiled, f) == _plain(turns[-1].content) for (turns, spoiled), f in zip(pairs, found, strict=True))
        cut = hits / len(pairs) if kind is FindingKind.TRUNCATED else cut
        fixed = {"mended by the proposal": round(whole / len(pairs), 3)} if can_be_fixed else {}
        details.append({"what": name, "planted": len(pairs), "found": hits, "recall": round(hits / len(pairs), 3), **fixed})
    echoed = [replaced(turns, turns[0].content) for turns in clean[:EACH] if len(turns[0].content.split()) > 3]
    hits = sum(any(one.kind is FindingKind.ECHO for one in _found(turns)) for turns in echoed)
    details.append({"what": "the question as answer", "planted": len(echoed), "found": hits, "recall": hits / len(echoed)})
    planted_in, seen = (sum(row[key] for row in details) for key in ("planted", "found"))
    return made(
        detector="text checks",
        check=Check.TEXT,
        version=VERSION,
        data=(
            f"faults planted by a script into {planted_in} answers of alpaca in which nothing was found before; untouched "
            "alpaca, sgd, banking77 and bitext, whose false alarms were read while the rules were written"
        ),
        measures=[
            share("Planted faults that are found (recall)", seen, planted_in),
            share("Findings in these answers that are of the planted kind (precision)", right, raised),
            share("Untouched alpaca pairs with a finding (read: blanks in letters, two that break off)", *_raised("a")),
            share("False alarms on sgd dialogues", *_raised("s"), goal=0.01, at_most=True),
            share("False alarms on questions of banking77 and bitext", *_raised("q"), goal=0.01, at_most=True),
        ],
        details=details,
        weakness=WEAKNESS.format(cut=cut),
    )


def _raised(data: str) -> tuple[int, int]:
    texts = {"a": instructions, "s": dialogues, "q": questions_alone}[data]()
    return sum(bool(_found(turns)) for turns in texts), len(texts)


def _found(turns: Turns) -> tuple[Finding, ...]:
    return look([turns], Context())[0].findings


def _mended(turns: Turns, findings: tuple[Finding, ...]) -> str:
    last = len(turns) - 1
    assert turns[0].role == USER
    return _plain(apply(turns[last].content, [one for one in findings if one.message == last]))


def _plain(text: str) -> str:
    return " ".join(text.split())


def _markup(draw: random.Random, text: str) -> str:
    words = re.sub(r"\n+", "<br/>\n", text.replace("&", "&amp;")).split(" ")
    place = draw.randrange(1, len(words))
    dressed = " ".join(words[:place]) + "&nbsp;" + " ".join(words[place:])
    return f'<div style="font-size: 12px"><p>{dressed}</p></div>' if draw.random() < 0.5 else dressed


def _blank(draw: random.Random, text: str) -> str:
    words = text.split(" ")
    words[draw.randrange(len(words))] = draw.choice(_BLANKS)
    return " ".join(words)


def _tail(draw: random.Random, text: str) -> str:
    return text.rstrip() + draw.choice(_TAILS)


def _cut(draw: random.Random, text: str) -> str | None:
    words = text.split(" ")
    kept = " ".join(words[: draw.randrange(6, len(words) - 1)]) if len(words) > 12 else ""
    return kept if kept[-1:].isalpha() or kept[-1:] == "," else None


def _broken(draw: random.Random, text: str) -> str | None:
    words = text.split(" ")
    place = draw.randrange(1, len(words))
    spoiled = draw.choice(["doesnâ€™t", "cafÃ©", "wait\u200bing", "â€œnowâ€\x9d", "to\ufeffday", "piÃ±ata"])
    return " ".join([*words[:place], spoiled, *words[place:]])


Fault = Callable[[random.Random, str], str | None]
_FAULTS: tuple[tuple[str, FindingKind, Fault, bool], ...] = (
    ("tags and character codes", FindingKind.MARKUP, _markup, True),
    ("a blank nobody filled in", FindingKind.PLACEHOLDER, _blank, False),
    ("a signature, notice or footer", FindingKind.BOILERPLATE, _tail, True),
    ("cut at a random word", FindingKind.TRUNCATED, _cut, False),
    ("broken or invisible characters", FindingKind.ENCODING, _broken, False),
)
