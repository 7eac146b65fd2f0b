"""A project's brand voice: words that its answers must not hold, words of which they need one, how long they may be. Pure.

Only what the assistant says is looked at. Forbidden words and the greatest length hold for each of its turns; required words,
such as a sign-off, for the last one, which is the answer that is taught. A word is found as it stands, in any case, not in
other forms: list "guarantee" and "guarantees". Not promised: words in scripts that write no spaces between words; counting
there counts sentences.
"""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from backend.conversations import ASSISTANT, Message
from backend.detectors.checks import Context, Seen, Voice
from backend.detectors.findings import Finding
from backend.vocabulary import FindingKind

DETECTOR, VERSION = "voice", "1"
KINDS = frozenset({FindingKind.VOICE})
SLICES: frozenset[str] = frozenset()
_WORD = re.compile(r"\w+")
_COUNTED = re.compile(r"\S+")

Phrase = tuple[re.Pattern[str], str]
"""What a forbidden phrase looks like, and what to say instead."""


def look(batch: Sequence[Sequence[Message]], context: Context) -> list[Seen]:
    """What does not sound like the project, in each conversation."""
    return [Seen(findings=tuple(_in_conversation(messages, context.voice))) for messages in batch]


def find_in_answer(text: str, voice: Voice, *, message: int = 0, last: bool = True) -> list[Finding]:
    """What is wrong with one answer; required words only count where it is the `last` one of its conversation."""
    found = [*_forbidden(text, voice, message), *_too_long(text, voice, message)]
    if last and voice.required and not any(_pattern(word).search(text) for word in voice.required):
        wanted = ", ".join(f"“{word}”" for word in voice.required)
        found.append(_finding(message, 0, len(text), f"The answer holds none of: {wanted}."))
    return found


def _in_conversation(messages: Sequence[Message], voice: Voice) -> Iterator[Finding]:
    if voice == Voice():
        return
    for place, message in enumerate(messages):
        if message.role == ASSISTANT:
            yield from find_in_answer(message.content, voice, message=place, last=place == len(messages) - 1)


def _forbidden(text: str, voice: Voice, message: int) -> Iterator[Finding]:
    by_first_word, others = _phrases(voice.forbidden)
    end = 0
    for token in _WORD.finditer(text):
        if token.start() < end:
            continue
        for pattern, instead in by_first_word.get(token[0].lower(), ()):
            if match := pattern.match(text, token.start()):
                end = match.end()
                yield _forbidden_finding(message, match, instead)
                break
    for pattern, instead in others:
        for match in pattern.finditer(text):
            yield _forbidden_finding(message, match, instead)


def _forbidden_finding(message: int, match: re.Match[str], instead: str) -> Finding:
    said = match[0]
    if not instead:
        return _finding(message, *match.span(), f"Answers of this project do not say “{said}”.")
    better = _in_case_of(said, instead)
    why = f"Answers of this project say “{better}”, not “{said}”."
    return _finding(message, *match.span(), why, proposal=better)


def _too_long(text: str, voice: Voice, message: int) -> Iterator[Finding]:
    if not voice.longest or len(text) < 2 * voice.longest:  # the shortest words, with their spaces, fit
        return
    words = list(_COUNTED.finditer(text))
    if len(words) > voice.longest:
        why = f"The answer has {len(words):,} words; at most {voice.longest:,} are wanted."
        yield _finding(message, words[voice.longest].start(), len(text), why)


@functools.lru_cache(maxsize=8)
def _phrases(forbidden: tuple[tuple[str, str], ...]) -> tuple[dict[str, list[Phrase]], list[Phrase]]:
    """Phrases by their first word, the longest first, so that a text is gone through once however many there are; and those
    that begin with no word, such as "!!".
    """
    by_first_word: dict[str, list[Phrase]] = defaultdict(list)
    others: list[Phrase] = []
    for phrase, instead in sorted(forbidden, key=lambda pair: -len(pair[0])):
        first = _WORD.match(phrase)
        (by_first_word[first[0].lower()] if first else others).append((_pattern(phrase), instead))
    return dict(by_first_word), others


@functools.lru_cache(maxsize=4096)
def _pattern(phrase: str) -> re.Pattern[str]:
    """The phrase as whole words, with any white space between them and either kind of apostrophe."""
    said = r"\s+".join(re.escape(word) for word in phrase.split())
    said = re.sub("['’]", "['’]", said)
    before = r"(?<!\w)" if phrase[:1].isalnum() else ""
    after = r"(?!\w)" if phrase[-1:].isalnum() else ""
    return re.compile(before + said + after, re.IGNORECASE)


def _in_case_of(said: str, instead: str) -> str:
    """`instead`, written large where `said` was."""
    if said.isupper() and len(said) > 1:
        return instead.upper()
    return instead[:1].upper() + instead[1:] if said[:1].isupper() else instead


def _finding(message: int, start: int, end: int, why: str, proposal: str | None = None) -> Finding:
    return Finding(
        kind=FindingKind.VOICE, message=message, start=start, end=end, score=1.0,
        detector=DETECTOR, version=VERSION, proposal=proposal, why=why,
    )  # fmt: skip
