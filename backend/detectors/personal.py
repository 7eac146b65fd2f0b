"""Personal data in a text, as findings with a mask as their proposal.

What counts as personal data is said by `privacy.PrivacyRules`; how it is found, and what is not promised, by the modules
of `entities`. The same text and rules give the same findings.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from backend.conversations import Message
from backend.detectors.checks import Context, Seen
from backend.detectors.entities.detect import VERSION, find_in_many
from backend.detectors.entities.spans import Span
from backend.detectors.findings import Finding, apply
from backend.detectors.privacy import DEFAULT, KIND_OF, PrivacyRules
from backend.vocabulary import PERSONAL_FINDINGS, FindingKind

__all__ = [
    "DETECTOR",
    "KINDS",
    "MASKS",
    "SLICES",
    "VERSION",
    "Search",
    "find_in_conversations",
    "find_in_messages",
    "find_in_texts",
    "find_personal",
    "look",
    "mask",
    "without_stand_ins",
]

DETECTOR = "personal-data"
KINDS = PERSONAL_FINDINGS
SLICES: frozenset[str] = frozenset()
MASKS = {
    FindingKind.EMAIL: "[EMAIL]",
    FindingKind.PHONE: "[PHONE]",
    FindingKind.CARD: "[CARD]",
    FindingKind.NAME: "[NAME]",
    FindingKind.ADDRESS: "[ADDRESS]",
    FindingKind.PLACE: "[PLACE]",
    FindingKind.ORGANISATION: "[ORGANISATION]",
    FindingKind.OCCUPATION: "[JOB]",
    FindingKind.NATIONALITY: "[NATIONALITY]",
    FindingKind.ACCOUNT: "[ACCOUNT]",
    FindingKind.IDENTITY: "[ID]",
    FindingKind.IP_ADDRESS: "[IP]",
    FindingKind.WEB_ADDRESS: "[LINK]",
    FindingKind.DATE: "[DATE]",
    FindingKind.BIRTH_DATE: "[BIRTH DATE]",
    FindingKind.AGE: "[AGE]",
    FindingKind.POSTCODE: "[POSTCODE]",
    FindingKind.REFERENCE: "[NUMBER]",
}
_REMEMBERED, _REMEMBERED_CHARACTERS = 10_000, 1000
"""Texts that a search remembers, and how long each may be."""
_MASK = re.compile("|".join(re.escape(word) for word in MASKS.values()))


def find_personal(text: str, *, message: int = 0, rules: PrivacyRules = DEFAULT) -> list[Finding]:
    """All findings in `text`, by position; they do not overlap."""
    return [replace(finding, message=message) for finding in find_in_texts([text], rules)[0]]


def find_in_texts(texts: Sequence[str], rules: PrivacyRules = DEFAULT) -> list[list[Finding]]:
    """The findings of each text, as of a first message; many texts together take less time."""
    spans = find_in_many(texts, patterns=rules.patterns, allowed=rules.allowed, whole_addresses=True)
    return [_findings(text, found, rules) for text, found in zip(texts, spans, strict=True)]


def _findings(text: str, spans: list[Span], rules: PrivacyRules) -> list[Finding]:
    return [
        Finding(
            kind=kind,
            start=span.start,
            end=span.end,
            score=span.score,
            detector=DETECTOR,
            version=VERSION,
            proposal=MASKS[kind],
        )
        for span in _outside_masks(text, spans)
        if (kind := KIND_OF[span.entity]) in rules.kinds
    ]


def _outside_masks(text: str, spans: list[Span]) -> list[Span]:
    """Without spans that touch a mask: what was masked is not found again."""
    masks = [match.span() for match in _MASK.finditer(text)] if "[" in text else []
    return [span for span in spans if all(span.end <= start or end <= span.start for start, end in masks)]


def find_in_messages(
    messages: Sequence[Message], rules: PrivacyRules = DEFAULT, stand_ins: Collection[str] = ()
) -> list[Finding]:
    """The findings of every message, each with its message's index. What is made of `stand_ins` alone, which took the place
    of what was found before, is none.
    """
    return without_stand_ins(messages, find_in_conversations([messages], rules)[0], stand_ins)


def find_in_conversations(conversations: Sequence[Sequence[Message]], rules: PrivacyRules = DEFAULT) -> list[list[Finding]]:
    """The findings of each conversation. A text that stands in several is looked at once."""
    return Search(rules)(conversations)


class Search:
    """`find_in_conversations` by the same rules again and again. What it found in texts of late it remembers, because answers
    repeat: of a support team's every fourth was given before. It is not for several threads.
    """

    def __init__(self, rules: PrivacyRules = DEFAULT) -> None:
        self._rules = rules
        self._known: dict[str, list[Finding]] = {}

    def __call__(self, conversations: Sequence[Sequence[Message]]) -> list[list[Finding]]:
        """The findings of each conversation."""
        texts = dict.fromkeys(message.content for messages in conversations for message in messages)
        new = [text for text in texts if text not in self._known]
        found = {text: self._known.pop(text) for text in texts if text in self._known}  # goes to the end: it is of late again
        found |= zip(new, find_in_texts(new, self._rules), strict=True)
        self._known |= {text: findings for text, findings in found.items() if len(text) <= _REMEMBERED_CHARACTERS}
        for text in list(itertools.islice(self._known, max(0, len(self._known) - _REMEMBERED))):
            del self._known[text]
        return [
            [replace(f, message=index) for index, message in enumerate(messages) for f in found[message.content]]
            for messages in conversations
        ]


def without_stand_ins(messages: Sequence[Message], found: Iterable[Finding], stand_ins: Collection[str]) -> list[Finding]:
    """What is more than stand-ins."""
    return [f for f in found if not (stand_ins and _is_made_up(messages[f.message].content, f, stand_ins))]


def look(batch: Sequence[Sequence[Message]], context: Context) -> list[Seen]:
    """As `backend.detectors.checks` asks for it. It knows of no stand-ins; who stores the findings leaves those out."""
    return [Seen(findings=tuple(found)) for found in find_in_conversations(batch, context.rules)]


def _is_made_up(text: str, finding: Finding, stand_ins: Collection[str]) -> bool:
    """Whether every letter and digit of the finding belongs to a stand-in that stands there as a whole. "Ann" in "Annabel", or
    beside a surname that nobody replaced, hides nothing.
    """
    held = bytearray(finding.end - finding.start)
    for said in filter(None, stand_ins):
        start = text.find(said, max(0, finding.start - len(said) + 1))
        while 0 <= start < finding.end:
            end = start + len(said)
            if not _goes_on(text, start) and not _goes_on(text, end):
                for place in range(max(start, finding.start), min(end, finding.end)):
                    held[place - finding.start] = 1
            start = text.find(said, start + 1)
    return all(held[place] or not text[finding.start + place].isalnum() for place in range(len(held)))


def _goes_on(text: str, place: int) -> bool:
    """Whether a word or number goes on across this place."""
    return 0 < place < len(text) and text[place - 1].isalnum() and text[place].isalnum()


def mask(text: str, findings: Iterable[Finding] | None = None, rules: PrivacyRules = DEFAULT) -> str:
    """The text with personal data replaced by [EMAIL], [PHONE], [NAME] …: the given findings, else all there are.

    Masking twice changes nothing more: taking a span away can lay bare another one, so it goes on until none is left.
    """
    if findings is not None:
        return apply(text, [finding for finding in findings if finding.kind in PERSONAL_FINDINGS])
    while found := find_personal(text, rules=rules):
        text = apply(text, found)
    return text
