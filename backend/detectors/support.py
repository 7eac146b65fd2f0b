"""Answers that differ from what the FAQ base says about the same question. Pure; English.

For each answer the FAQs nearest to its question are looked up, by the share of the telling words of one of its sentences that
they hold, the rare ones counting more (IDF containment). Against these the answer's quantities are compared, its negations, the
things that it lists and the names that it gives; `why` says what differs. Where another FAQ that is as near agrees there is no
finding, and none where no FAQ is near enough, or for an answer that some FAQ gives in these words. The proposal is the FAQ's
answer.

Not promised: answers that leave something out, that differ in plain words alone, or that are in another language than the FAQs.
Where an FAQ is out of date, it is the right answers that are found.
"""

from __future__ import annotations

import functools
import math
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from backend.conversations import ASSISTANT, USER, Message
from backend.detectors.checks import Context, Seen
from backend.detectors.content import Quantity, content, listed, names, negated, overlap, quantities
from backend.detectors.findings import Finding
from backend.vocabulary import FindingKind

DETECTOR, VERSION = "faq-support", "1"
KINDS = frozenset({FindingKind.UNSUPPORTED})
SLICES: frozenset[str] = frozenset()
NEAR = 0.55
"""The least share of a question's telling words that an FAQ has to hold."""
SURELY_NEAR = 0.65
"""The same where nothing else speaks for it."""
CLOSE_BEHIND = 0.2
"""FAQs that hold this much less than the nearest one may still be the ones that are meant."""
_MOST_CANDIDATES = 5
_LONGEST = 2000
_SHOWN = 140
_SENTENCE = re.compile(r"[.!?\n]+")
_FAINT = 0.3
"""The same of an FAQ that holds nearly all of what the answer says: it is about this, however it was asked."""
_ALIKE = 0.7
_SEVERAL = 3
_SAME = 0.85
_HALF = 0.5
_OPPOSITES = tuple(
    (re.compile(one, re.IGNORECASE), re.compile(other, re.IGNORECASE))
    for one, other in (
        (r"\b(?:included|includes?|comes? with|at no cost|free)\b", r"\b(?:separately|extra|not included|for a fee)\b"),
        (r"\balways\b", r"\bnever\b"),
        (r"\b(?:unlimited|any number)\b", r"\b(?:at most|limited|up to)\b"),
    )
)


@dataclass(frozen=True, slots=True)
class Difference:
    """What an answer says otherwise than an FAQ, in words, and how sure that is."""

    why: str
    score: float


@dataclass(frozen=True)
class _Faq:
    """A question and its answer, taken apart as far as they are asked about: most answers are near no FAQ."""

    question: str
    answer: str

    @cached_property
    def asked(self) -> frozenset[str]:
        """The content words of the question."""
        return frozenset(content(self.question))

    @cached_property
    def parts(self) -> list[frozenset[str]]:
        """Those of each of its sentences that says something: a long mail asks in one of them."""
        found = [frozenset(content(part)) for part in _SENTENCE.split(self.question)]
        return [words for words in found if len(words) > 1] or [self.asked]

    @cached_property
    def said(self) -> frozenset[str]:
        """Those of the answer."""
        return frozenset(content(self.answer))

    @cached_property
    def words(self) -> frozenset[str]:
        """Those of both."""
        return self.asked | self.said

    @cached_property
    def plain(self) -> frozenset[str]:
        """Those of the answer that are no numbers."""
        return frozenset(word for word in self.said if not word.isdigit())

    @cached_property
    def counts(self) -> tuple[Quantity, ...]:
        """The answer's quantities."""
        return tuple(quantities(self.answer))

    @cached_property
    def negated(self) -> frozenset[str]:
        """What the answer negates or limits."""
        return frozenset(negated(self.answer))

    @cached_property
    def names(self) -> frozenset[str]:
        """Whom or what the answer names."""
        return frozenset(names(self.answer))

    @cached_property
    def lists(self) -> tuple[frozenset[str], ...]:
        """What it enumerates."""
        return tuple(listed(self.answer))


class Base:
    """An FAQ base that can be asked which of its entries a question is about."""

    def __init__(self, faqs: Sequence[tuple[str, str]]) -> None:
        self.faqs = tuple(_Faq(question, answer) for question, answer in faqs)
        self._holding: dict[str, list[int]] = defaultdict(list)
        for number, faq in enumerate(self.faqs):
            for word in faq.words:
                self._holding[word].append(number)
        self._said_anywhere = {(one.value, one.unit) for faq in self.faqs for one in faq.counts}

    def weight(self, word: str) -> float:
        """How telling a word is: the fewer FAQs hold it, the more."""
        return math.log(1 + (len(self.faqs) + 1) / (max(1, len(self._holding.get(word, ()))) + 0.5))

    def near(self, question: str) -> list[_Faq]:
        """The FAQs that a question is surely about, the nearest first."""
        return [faq for share, faq in self.candidates(_Faq(question, "")) if share >= SURELY_NEAR]

    def candidates(self, mine: _Faq) -> list[tuple[float, _Faq]]:
        """(share of the question's words, FAQ) of those that the question and its answer may be about, the nearest first."""
        held: dict[int, float] = dict.fromkeys(sorted({n for word in mine.words for n in self._holding.get(word, ())}), 0.0)
        about: dict[int, float] = {}
        for words in mine.parts:
            for number, share in self._shares(words).items():
                held[number] = max(held[number], share)
                if self._is_about(number, words):
                    about[number] = max(about.get(number, 0.0), share)
        least = max(NEAR, max(about.values(), default=0.0) - CLOSE_BEHIND)
        near = [
            (share, self.faqs[number])
            for number, share in held.items()
            if (about.get(number, 0.0) >= least)
            or (share >= _FAINT and overlap(mine.plain, self.faqs[number].words) >= _ALIKE)
            or _gives_the_answer(mine, self.faqs[number])
        ]
        return sorted(near, key=lambda pair: -pair[0])[:_MOST_CANDIDATES]

    def _shares(self, words: frozenset[str]) -> dict[int, float]:
        """FAQ → the share of these words that it holds."""
        total, found = sum(map(self.weight, sorted(words))), defaultdict[int, float](float)
        for word in sorted(words):  # in one order in every process: sums in another one differ in their last digits
            for number in self._holding.get(word, ()):
                found[number] += self.weight(word) / total
        return found

    def _is_about(self, number: int, words: frozenset[str]) -> bool:
        """A word that only the FAQ's answer holds as well says little, unless there are several."""
        faq = self.faqs[number]
        return bool(words & faq.asked) or len(words & faq.said) >= _SEVERAL

    def says_somewhere(self, quantity: Quantity) -> bool:
        """Whether any FAQ gives this quantity."""
        return (quantity.value, quantity.unit) in self._said_anywhere


@functools.lru_cache(maxsize=4)
def base_of(faqs: tuple[tuple[str, str], ...]) -> Base:
    """The base of these FAQs; made once for all batches of a run."""
    return Base(faqs)


def look(batch: Sequence[Sequence[Message]], context: Context) -> list[Seen]:
    """As `backend.detectors.checks` asks for it: at most one finding an answer."""
    if not context.faqs:
        return [Seen() for _ in batch]
    base = base_of(context.faqs)
    return [Seen(findings=tuple(_findings(messages, base))) for messages in batch]


def turns(messages: Sequence[Message]) -> Iterator[tuple[int, str, str]]:
    """(place of the answer, question, answer) of each question that was answered."""
    for place in range(1, len(messages)):
        if messages[place - 1].role == USER and messages[place].role == ASSISTANT:
            yield place, messages[place - 1].content[:_LONGEST], messages[place].content[:_LONGEST]


def _findings(messages: Sequence[Message], base: Base) -> Iterator[Finding]:
    for place, question, answer in turns(messages):
        found = unsupported(_Faq(question, answer), base)
        if found:
            difference, faq = found
            yield Finding(
                kind=FindingKind.UNSUPPORTED, message=place, start=0, end=len(messages[place].content), score=difference.score,
                detector=DETECTOR, version=VERSION, proposal=faq.answer, why=difference.why,
            )  # fmt: skip


def unsupported(mine: _Faq, base: Base) -> tuple[Difference, _Faq] | None:
    """What differs from the FAQ that is meant; None where another one that is as close agrees."""
    near = base.candidates(mine)
    if not near:
        return None
    meant = max(near, key=lambda pair: pair[0] + overlap(pair[1].said, mine.said))[1]
    difference = _difference(mine, meant, base)
    if difference is None or any(_says_the_same(mine, faq) for faq in base.faqs):
        return None
    shared = len(mine.said & meant.said)
    if any(len(mine.said & faq.said) >= max(1, shared) and _difference(mine, faq, base) is None for _, faq in near):
        return None
    return difference, meant


def _gives_the_answer(mine: _Faq, faq: _Faq) -> bool:
    """Whether an answer is worded as an FAQ's and speaks of the same things by name; its quantities may differ."""
    fewest, most = sorted((len(mine.plain), len(faq.plain)))
    return (
        fewest >= _SEVERAL
        and fewest >= _ALIKE * most
        and len(mine.plain & faq.plain) >= _ALIKE * most
        and mine.names == faq.names
        and {one.value for one in mine.counts if not one.unit} == {one.value for one in faq.counts if not one.unit}
    )


def _says_the_same(mine: _Faq, faq: _Faq) -> bool:
    """Whether an answer is that of an FAQ, nearly word for word: then it is known, though to another question perhaps."""
    return (
        min(overlap(mine.said, faq.said), overlap(faq.said, mine.said)) >= _SAME
        and [(one.value, one.unit) for one in mine.counts] == [(one.value, one.unit) for one in faq.counts]
        and mine.negated == faq.negated
    )


def _difference(mine: _Faq, faq: _Faq, base: Base) -> Difference | None:
    return (
        _other_quantity(mine, faq)
        or _other_negation(mine, faq)
        or _other_list(mine, faq)
        or _opposite(mine, faq)
        or _other_name(mine, faq)
        or _unknown_quantity(mine, faq, base)
    )


def _other_quantity(mine: _Faq, faq: _Faq) -> Difference | None:
    """A quantity of which the FAQ gives another value. What the question itself says counts as agreed."""
    asked = {(one.value, one.unit) for one in quantities(mine.question)}
    theirs: dict[str, list[Quantity]] = defaultdict(list)
    for one in faq.counts:
        theirs[one.unit].append(one)
    for one in mine.counts:
        others = theirs.get(one.unit, []) if one.unit else []
        if others and (one.value, one.unit) not in asked and all(one.value != other.value for other in others):
            return Difference(f"The answer says {one.said}; the FAQ says {' and '.join(o.said for o in others)}.", 0.9)
    return None


def _unknown_quantity(mine: _Faq, faq: _Faq, base: Base) -> Difference | None:
    """A price, share or time that no FAQ gives at all, in an answer that otherwise speaks of what this one does."""
    if overlap(mine.plain, faq.words) < _HALF:
        return None
    asked = {one.value for one in quantities(mine.question)}
    for one in mine.counts:
        if one.unit in ("$", "%", "days") and one.value not in asked and not base.says_somewhere(one):
            return Difference(f"The answer says {one.said}; the FAQ says nothing of it: “{_short(faq.answer)}”", 0.5)
    return None


def _other_negation(mine: _Faq, faq: _Faq) -> Difference | None:
    """Something that both speak of, or that was asked about, is negated or limited in one of them alone."""
    asked = mine.asked | faq.asked
    if not faq.negated and mine.negated & (faq.said | asked):
        return Difference(f"The answer negates or limits what the FAQ does not: “{_short(faq.answer)}”", 0.7)
    if not mine.negated and faq.negated & (mine.said | asked):
        return Difference(f"The FAQ negates or limits what the answer does not: “{_short(faq.answer)}”", 0.7)
    return None


def _other_list(mine: _Faq, faq: _Faq) -> Difference | None:
    """Both list things of one sentence, and have none in common."""
    shared = mine.said & faq.said
    for ours in mine.lists:
        for theirs in faq.lists:
            if len(shared) >= 2 and not ours & faq.said and not theirs & mine.said:
                return Difference(f"The answer lists other things than the FAQ: “{_short(faq.answer)}”", 0.7)
    return None


def _opposite(mine: _Faq, faq: _Faq) -> Difference | None:
    """Words that exclude each other, such as "separately" and "comes with"."""
    for pair in _OPPOSITES:
        for one, other in (pair, pair[::-1]):
            if (
                one.search(mine.answer)
                and other.search(faq.answer)
                and not (one.search(faq.answer) or other.search(mine.answer))
            ):
                return Difference(f"The answer says the opposite of the FAQ: “{_short(faq.answer)}”", 0.6)
    return None


def _other_name(mine: _Faq, faq: _Faq) -> Difference | None:
    """Both name something, and neither's names occur in the other, nor in the question."""
    known = faq.words | mine.asked
    ours = {name for name in mine.names if not set(content(name)) <= known}
    theirs = {name for name in faq.names if not set(content(name)) <= mine.words}
    if ours and theirs and (len(ours) == len(mine.names) or overlap(mine.said, faq.said) >= _HALF):
        named = ", ".join(sorted(ours))
        return Difference(f"The answer names {named}; the FAQ names {', '.join(sorted(theirs))}.", 0.6)
    return None


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
