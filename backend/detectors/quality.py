"""Answers that are worth a look for what they are like: very short or long, hard to read, not about the question. Pure.

Each is only found where it is extreme, because plain short answers ("Yes, within 3 days.") are right most of the time:

- length: one or two words without a number, or more than `LONGEST` words
- readability: Flesch reading ease (Flesch 1948: 206.835 − 1.015 words per sentence − 84.6 syllables per word) below `HARD` in
  English answers of `LEAST_WORDS` words or more; syllables are counted by groups of vowels
- unanswered: the answer brushes the customer off; or it has no content word in common with the question, and something else
  says that it is about another thing: both name a thing, and not the same one; an FAQ near the question has no word of it; it
  apologises although nobody complained; or it is so long that some word should have met

Not promised: whether an answer is right, or an answer in other words than the question's where none of these signs is there.
Other languages than English are looked at for length alone.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence, Set

from backend.conversations import ASSISTANT, Message
from backend.detectors.checks import Context, Seen
from backend.detectors.content import content, quantities
from backend.detectors.findings import Finding
from backend.detectors.language import language_of
from backend.detectors.mood import compound
from backend.detectors.of_late import of_late
from backend.detectors.support import Base, base_of, turns
from backend.vocabulary import FindingKind

DETECTOR, VERSION = "quality", "1"
KINDS = frozenset({FindingKind.LENGTH, FindingKind.READABILITY, FindingKind.UNANSWERED})
SLICES: frozenset[str] = frozenset()
SHORTEST, LONGEST = 3, 400
"""Words of an answer."""
HARD, LEAST_WORDS = 10.0, 40
MANY_WORDS = 25
"""Content words of an answer of which one should be the question's."""
_FEW_WORDS = 3
_BRUSH_OFF = re.compile(
    r"^\W*(?:no idea|i have no idea|i (?:do not|don't) (?:know|care)|not now|not my (?:problem|job|department)|"
    r"(?:that|this)(?: is|'s) not my (?:problem|job|department)|google it|look it up|figure it out|"
    r"(?:just )?(?:read|check|look at|see) (?:the|our) (?:website|site|faqs?|manual)|i (?:have )?already told you|"
    r"as i (?:already )?said|why do (?:people|you) (?:always|keep)|how should i know|whatever|so what|"
    r"none of your business|stop asking)\b",
    re.IGNORECASE,
)  # fmt: skip
_BRUSH_OFF_WORDS = 14
"""An answer that goes on after such a beginning may help after all."""
_ASKS = re.compile(r"\b(?:is|are|do|does|can|could|what|which|how|when|where)\b", re.IGNORECASE)
_APOLOGY = re.compile(r"\b(?:sorry to hear|sorry (?:about|for) (?:that|this|the)|apologi[sz]e|apologies)\b", re.IGNORECASE)
_THING = re.compile(r"\b[Tt]he [A-Z][a-z]+ [a-z]{3,}")
"""A thing that is named: "the Ansley rug"."""
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_END = re.compile(r"[.!?:;]+(?:\s|$)|\n+")
_DENSE = re.compile("[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_COURTESY = re.compile(
    r"\b(?:hi|hello|hey|welcome|bye|goodbye|thanks|thank you|yes|no|sure|of course|ok|okay)\b", re.IGNORECASE
)


def look(batch: Sequence[Sequence[Message]], context: Context) -> list[Seen]:
    """As `backend.detectors.checks` asks for it."""
    base = base_of(context.faqs) if context.faqs else None
    return [Seen(findings=tuple(_findings(messages, base))) for messages in batch]


def _findings(messages: Sequence[Message], base: Base | None) -> Iterator[Finding]:
    for place, message in enumerate(messages):
        if message.role != ASSISTANT:
            continue
        if why := odd_length(message.content):
            yield _finding(FindingKind.LENGTH, place, message, 0.6, why)
        if why := hard_to_read(message.content):
            yield _finding(FindingKind.READABILITY, place, message, 0.6, why)
    for place, question, answer in turns(messages):
        found = unanswered(question, answer, base)
        if found:
            yield _finding(FindingKind.UNANSWERED, place, messages[place], *found)


@of_late
def odd_length(answer: str) -> str:
    """What is odd about the answer's length, or ""."""
    words = len(_WORD.findall(answer))
    if words > LONGEST:
        return f"{words} words; few customers read more than {LONGEST}."
    short = 0 < words < SHORTEST and not quantities(answer) and not answer.rstrip().endswith("?")
    if short and not _DENSE.search(answer) and not _COURTESY.search(answer):
        return "One or two words only."
    return ""


@of_late
def hard_to_read(answer: str) -> str:
    """Why an English answer is very hard to read, or ""."""
    if len(answer) < 2 * LEAST_WORDS - 1 or len(_WORD.findall(answer)) < LEAST_WORDS:
        return ""
    ease = reading_ease(answer)
    if ease >= HARD or language_of(answer) != "en":
        return ""
    return f"Reading ease {ease:.0f} (60 is plain English, below {HARD:.0f} is for specialists)."


def reading_ease(text: str) -> float:
    """Flesch's formula; lines and list items count as sentences. 100 and more is very easy, 0 and less very hard."""
    words = _WORD.findall(text)
    sentences = sum(1 for part in _END.split(text) if _WORD.search(part))
    if not words:
        return 100.0
    return 206.835 - 1.015 * len(words) / max(1, sentences) - 84.6 * sum(map(syllables, words)) / len(words)


@functools.lru_cache(maxsize=65_536)
def syllables(word: str) -> int:
    """Groups of vowels, without a silent e at the end."""
    low = word.casefold()
    silent = low.endswith("e") and not low.endswith(("le", "ee", "ye"))
    return max(1, len(re.findall(r"[aeiouyàâäéèêëïîôöùûü]+", low)) - silent)


def unanswered(question: str, answer: str, base: Base | None) -> tuple[float, str] | None:
    """(score, why) where the answer does not seem to be about the question."""
    if _BRUSH_OFF.match(answer) and len(_WORD.findall(answer)) <= _BRUSH_OFF_WORDS:
        return 0.8, "The answer brushes the customer off."
    asked, said = set(content(question)), _words_of(answer)
    if not asked or _meet(asked, said):
        return None
    if _APOLOGY.search(answer) and _only_asks(question):
        return 0.7, "The answer apologises, but the customer only asked something."
    if len(said) < _FEW_WORDS:
        return None
    ours, theirs = _THING.search(question), _THING.search(answer)
    if ours and theirs:
        return 0.7, f"The question is about {ours[0]}, the answer about {theirs[0]}."
    near = base.near(question) if base and len(asked) > 1 else []
    if near and not any(_meet(faq.words, said) for faq in near):
        return 0.7, f"The answer has no word of the question, nor of the FAQ nearest to it: “{near[0].answer[:140]}”"
    if len(asked) > _FEW_WORDS and len(said) >= MANY_WORDS and language_of(question) == language_of(answer) == "en":
        return 0.5, "Not one word of the question is in this long answer."
    return None


@of_late
def _words_of(answer: str) -> frozenset[str]:
    return frozenset(content(answer))


def _meet(words: Set[str], others: Set[str]) -> bool:
    """Whether any word is in both, in any form: five letters at the beginning are enough."""
    return bool(words & others) or bool({word[:5] for word in words if len(word) >= 5} & {word[:5] for word in others})


def _only_asks(question: str) -> bool:
    """Whether this is a question, and nothing in it sounds like a complaint."""
    asks = question.rstrip().endswith("?") or _ASKS.search(question)
    return bool(asks) and compound(re.sub(r"^\W*sorry\b", "", question, flags=re.IGNORECASE)) >= 0


def _finding(kind: FindingKind, place: int, message: Message, score: float, why: str) -> Finding:
    return Finding(
        kind=kind, message=place, start=0, end=len(message.content), score=score, detector=DETECTOR, version=VERSION, why=why
    )
