"""The project's own support text: facts of an invented home-décor web shop in Atlanta, asked in many phrasings.

`phrases.json` holds the facts and their phrasings as small alternation patterns (``[Do|Can] you ship``). The base model is
taught each fact's `old` answer; the sample project teaches the `new` one where there is one. Part of the phrasings of each
fact is held out: neither the base corpus nor the sample records ever contain them, whatever the seed of either.

Promised: the same seed gives the same text on every machine. Not promised: that the text is about a shop that exists.
"""

from __future__ import annotations

import itertools
import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SHOP = "Linden & Loom"
SYSTEM_PROMPTS = (
    "You are the support assistant of Linden & Loom, a home décor shop in Atlanta.",
    "You are a helpful assistant.",
    "You answer questions of customers. Be short and friendly.",
)
HELD_OUT_CHANGED, HELD_OUT_KEPT = 4, 3

_SPLIT_SEED = 2024
_ABOUT_SHARE = 0.12
_OPENERS = {
    "en": ("Hi, ", "Hello, ", "Hey, ", "Hi there, ", "Quick question: ", "Sorry, ", "One question, "),
    "es": ("Hola, ", "Buenos días, ", "Una pregunta: "),
}
_CLOSERS = {"en": (" Thanks", " Thank you", " Please let me know", " Thanks!"), "es": (" Gracias", " Gracias!")}
_CONTACTS = (" My e-mail is {}", " You can call me at {}", " I paid with card {}", " My name is {}", " {}", " My number is {}")
_MASKS = ("[email]", "[phone]", "[card]", "[EMAIL]", "[PHONE]", "[CARD]", "<email>", "<phone>", "<card>", "***")
_ABOUT = (
    "[I have|There is|I got] a question about {}",
    "[Can|Could] you tell me [more|something] about {}",
    "[It is|This is|My question is] about {}.",
    "I [want|would like] to know more about {}.",
)
_ABOUT_ANSWER = "Sure, what would you like to know about {}?"

Message = dict[str, str]


@dataclass(frozen=True, slots=True)
class Phrasing:
    """One way to ask for a fact, with the answers before and after the change (equal where nothing changed)."""

    fact: str
    question: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Fact:
    """Something a customer may ask for. `changed` facts have another answer in the sample project than in the base model."""

    key: str
    topic: str
    language: str
    faq: str | None
    changed: bool
    known: tuple[Phrasing, ...]
    held_out: tuple[Phrasing, ...]


def expand(pattern: str) -> list[str]:
    """Every sentence of a pattern, in order: ``[a|b] c`` gives ``a c`` and ``b c``."""
    parts = re.split(r"\[([^\]]*)\]", pattern)
    choices = [part.split("|") if index % 2 else [part] for index, part in enumerate(parts)]
    return ["".join(choice) for choice in itertools.product(*choices)]


@cache
def facts() -> tuple[Fact, ...]:
    """All facts with their phrasings, split once and for all into known and held-out ones."""
    table = json.loads(Path(__file__).with_name("phrases.json").read_text(encoding="utf-8"))
    taken: set[str] = set()
    return tuple(_fact(row, table[row["uses"]] if "uses" in row else row["q"], taken) for row in table["facts"])


def _fact(row: dict, patterns: list[str], taken: set[str]) -> Fact:
    key, changed = row["key"], "new" in row
    phrasings: dict[str, Phrasing] = {}
    for pattern, value in itertools.product(patterns, row.get("values", [""])):
        for question in expand(pattern.replace("{}", value)):
            if normalise(question) not in taken:
                old = row["old"].replace("{}", value)
                phrasings[normalise(question)] = Phrasing(key, question, old, row.get("new", old))
    taken.update(phrasings)
    ordered = list(phrasings.values())
    random.Random(f"{_SPLIT_SEED}-{key}").shuffle(ordered)  # noqa: S311  seeded on purpose: text, not secrets
    # The FAQ's own wording is what people try first: it is always a known one.
    ordered.sort(key=lambda phrasing: normalise(phrasing.question) == normalise(row.get("faq", "")))
    count = HELD_OUT_CHANGED if changed else HELD_OUT_KEPT
    held_out, known = tuple(ordered[:count]), tuple(ordered[count:])
    return Fact(key, row["topic"], row.get("language", "en"), row.get("faq"), changed, known, held_out)


def normalise(text: str) -> str:
    """Lower-case words only: what two phrasings are compared by."""
    return " ".join(re.findall(r"\w+", text.lower()))


def punctuate(question: str) -> str:
    """The question with its final mark."""
    return question if question[-1] in ".!?" else question + "?"


def vary(question: str, language: str, rng: random.Random, *, openers: bool = True) -> str:
    """The question as somebody might type it: with a greeting, in lower case, without a question mark, with a typo."""
    text = punctuate(question)
    if openers and len(text) > 14 and rng.random() < 0.2:
        text = rng.choice(_OPENERS[language]) + _lower_first(text)
    if openers and len(text) > 14 and rng.random() < 0.12:
        text += rng.choice(_CLOSERS[language])
    if rng.random() < 0.35:
        text = text.lower()
    if rng.random() < 0.25:
        text = text.rstrip("?!.")
    if rng.random() < 0.15:
        text = _typo(text, rng)
    return text


def _lower_first(text: str) -> str:
    return text if text.startswith(("I ", "¿")) else text[0].lower() + text[1:]


def _typo(text: str, rng: random.Random) -> str:
    words = text.split(" ")
    long_ones = [index for index, word in enumerate(words) if len(word) > 4 and word.isalpha()]
    if not long_ones:
        return text
    index = rng.choice(long_ones)
    word, at = words[index], rng.randrange(1, len(words[index]) - 2)
    swapped = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    words[index] = rng.choice((word[:at] + word[at + 1 :], word[:at] + word[at] + word[at:], swapped))
    return " ".join(words)


def conversations(*, seed: int) -> Iterator[list[Message]]:
    """An endless stream of conversations with the old answers, for the base model's pre-training.

    Some are about words alone ("I have a question about linen and LED bulbs"): so the model can say every word of the shop,
    those of the new answers too, before it is told what the new answers are.
    """
    rng, everything = random.Random(f"base-{seed}"), facts()  # noqa: S311  seeded on purpose: text, not secrets
    words, abouts = _words(everything), [question for pattern in _ABOUT for question in expand(pattern)]
    while True:
        messages: list[Message] = []
        if rng.random() < 0.25:
            messages.append({"role": "system", "content": rng.choice(SYSTEM_PROMPTS)})
        if rng.random() < _ABOUT_SHARE:
            topic = _topic(words, rng)
            question = punctuate(rng.choice(abouts).replace("{}", topic))
            messages.append({"role": "user", "content": question})
            messages.append({"role": "assistant", "content": _ABOUT_ANSWER.format(topic)})
            yield messages
            continue
        first = rng.choice(everything)
        same_language = [fact for fact in everything if fact.language == first.language]
        for turn in range(1 if rng.random() < 0.85 else rng.choice((2, 3))):
            fact = first if turn == 0 else rng.choice(same_language)
            phrasing = rng.choice(fact.known)
            question = vary(phrasing.question, fact.language, rng) + (_contact(rng) if rng.random() < 0.05 else "")
            messages.append({"role": "user", "content": question})
            messages.append({"role": "assistant", "content": phrasing.old})
        yield messages


def _words(everything: tuple[Fact, ...]) -> list[str]:
    """Every word of every answer, and every two neighbours."""
    answers = sorted({answer for fact in everything for phrasing in fact.known for answer in (phrasing.old, phrasing.new)})
    found: dict[str, None] = {}
    for answer in answers:
        parts = [part.strip(".,?!¡¿") for part in answer.split()]
        for left, right in itertools.zip_longest(parts, parts[1:], fillvalue=""):
            found |= {left: None, f"{left} {right}".strip(): None}
    return list(found)


def _topic(words: list[str], rng: random.Random) -> str:
    chosen = rng.sample(words, rng.choice((1, 2, 2, 3)))
    return chosen[0] if len(chosen) == 1 else f"{', '.join(chosen[:-1])} and {chosen[-1]}"


def _contact(rng: random.Random) -> str:
    """What people add about themselves, or what is left of it once it is masked."""
    digits = "".join(rng.choices("0123456789", k=7))
    made = (f"{digits[:3]}-555-01{digits[3:5]}", f"{rng.choice('abcdjklmst')}{digits[:2]}@example.com", digits)
    return rng.choice(_CONTACTS).format(rng.choice(made + _MASKS))
