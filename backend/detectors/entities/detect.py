"""Personal data in a text: rules for what has a form, the tagger for what has none, and one answer where they overlap.

`find_entities` looks for everything. What a project treats as personal data is another question: see `privacy.py` beside
this package.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Sequence

from backend.detectors.entities import addresses, contacts, gazetteer, moments, numbers, references, tagger
from backend.detectors.entities.spans import Entity, Span, without_overlaps

VERSION = "3"
_LEAST = 0.5
_EDGES = ' \t\r\n,;:!?"“”()[]<>|*-–—>'
_WORD = re.compile(r"[^\W\d_]+")
_LETTER = re.compile(r"[^\W\d_]")
_DIGIT = re.compile(r"\d")
_NOBODY = frozenset(
    {
        "us", "uk", "eu", "usa", "uae", "atm", "pin", "app", "url", "faq", "pdf", "sms", "usb", "tv", "id", "ok", "okay",
        "hi", "hello", "hey", "thanks", "please", "regards", "cheers", "sir", "madam", "mr", "mrs", "ms", "dr", "bot", "agent",
        "user", "customer", "visa", "mastercard", "thankyou",
    }
)  # fmt: skip
"""Words that the tagger now and then takes for a name when they stand alone."""
_NUMBERED = frozenset(
    {"isbn", "issn", "ean", "sku", "upc", "gtin", "vin", "ref", "invoice", "ticket", "order", "model", "version"}
)
"""Words before a number that is no house's."""


def find_entities(
    text: str, *, patterns: Iterable[str] = (), allowed: frozenset[str] = frozenset(), whole_addresses: bool = False
) -> list[Span]:
    """All spans by position, without overlaps. `patterns`: the project's number formats; `allowed`: words (in lower case)
    that are nobody's name; `whole_addresses`: also where an address is a block of lines.
    """
    return find_in_many([text], patterns=patterns, allowed=allowed, whole_addresses=whole_addresses)[0]


def find_in_many(
    texts: Sequence[str], *, patterns: Iterable[str] = (), allowed: frozenset[str] = frozenset(), whole_addresses: bool = False
) -> list[list[Span]]:
    """What `find_entities` gives for each of the texts; many together take less time."""
    formats = tuple(patterns)
    tagged = tagger.default().find_many(texts)
    return [
        _one_answer(text, [*_by_rule(text, formats), *_plausible(text, spans)], allowed, whole_addresses)
        for text, spans in zip(texts, tagged, strict=True)
    ]


def _one_answer(text: str, spans: list[Span], allowed: frozenset[str], whole_addresses: bool) -> list[Span]:
    """The spans that stand, where those found overlap or continue each other."""
    found = [span for span in spans if span.score >= _LEAST and not _is_allowed(text, span, allowed)]
    if not found:
        return []
    codes = {(span.start, span.end) for span in found if span.entity is Entity.ZIP_CODE}
    found = [span for span in found if span.entity is not Entity.STREET_ADDRESS or (span.start, span.end) not in codes]
    found = without_overlaps(found)
    found = addresses.joined(text, without_overlaps([*found, *_again(text, found)]))
    return found if whole_addresses else list(addresses.by_line(text, found))


def _is_allowed(text: str, span: Span, allowed: frozenset[str]) -> bool:
    if not allowed:
        return False
    said = text[span.start : span.end].casefold()
    return said in allowed or all(word in allowed for word in said.split())


def _by_rule(text: str, patterns: Iterable[str]) -> Iterator[Span]:
    if "@" in text:
        yield from contacts.emails(text)
    if "." in text or "://" in text:
        yield from contacts.sites(text)
    digits = len(_DIGIT.findall(text))
    if digits or not text.isascii():
        yield from references.find(text, patterns)
        yield from contacts.ip_addresses(text)
        if digits >= contacts.SHORTEST_NUMBER:
            yield from contacts.phones(text)
            yield from numbers.cards(text)
        yield from numbers.ibans(text)
        yield from numbers.identities(text)
        yield from moments.dates(text)
        yield from moments.ages(text)
        yield from moments.postcodes(text)


def _plausible(text: str, spans: Iterable[Span]) -> Iterator[Span]:
    for span in spans:
        if (trimmed := _trimmed(text, span)) and _is_plausible(text, trimmed):
            yield trimmed


def _trimmed(text: str, span: Span) -> Span | None:
    """Without white space and marks at its ends; None where nothing is left."""
    start, end = span.start, span.end
    while start < end and text[start] in _EDGES:
        start += 1
    while start < end and text[end - 1] in _EDGES:
        end -= 1
    return span._replace(start=start, end=end) if start < end else None


def _is_plausible(text: str, span: Span) -> bool:
    found = text[span.start : span.end]
    words = [word.lower() for word in re.findall(r"[^\W\d_]+", found)]
    if not words:
        return False
    if span.entity in (Entity.PERSON, Entity.GPE, Entity.ORGANIZATION) and all(word in _NOBODY for word in words):
        return False
    if span.entity is Entity.PERSON:
        if len(found) < 2 or all(_is_foreign(word) for word in words):
            return False
        # The tagger learned from English: elsewhere it takes common words for names, unless a list knows them.
        if not _is_listed(text, span) and reads_foreign(text):
            return False
    if span.entity is Entity.STREET_ADDRESS:
        if words[0] in _NUMBERED:
            return False
        return any(map(str.isdigit, found)) or len(words) > 1 or "S" in gazetteer.flags(words[0])
    return True


def _is_foreign(word: str) -> bool:
    """Whether it is a frequent word of another language, and nobody's name."""
    flags = gazetteer.flags(word)
    return "X" in flags and "F" not in flags


def _is_listed(text: str, span: Span) -> bool:
    """Whether a word of the span is a given name, or a family name that is written as one."""
    for match in _WORD.finditer(text, span.start, span.end):
        flags = gazetteer.flags(match[0].lower())
        if "F" in flags or ("L" in flags and match[0][0].isupper()):
            return True
    return False


@functools.lru_cache(maxsize=16)
def reads_foreign(text: str) -> bool:
    """Whether a text is likely not English: by Spanish marks, or by words of other languages and words with accents among
    those that are no names: what is in lower case, and what begins a sentence.
    """
    if "¿" in text or "¡" in text:
        return True
    told = count = 0
    for match in _WORD.finditer(text):
        word = match[0].lower()
        count += 1
        if match[0][0].islower() or _begins(text, match.start()):
            told += not word.isascii() or ("X" in gazetteer.flags(word) and gazetteer.rank(word) in "01")
    return told * 3 >= count > 0 or (told >= 2 and told * 6 >= count)


def _begins(text: str, place: int) -> bool:
    """Whether a sentence begins there."""
    while place and text[place - 1] in " \"'“(":
        place -= 1
    return place == 0 or text[place - 1] in ".?!\n"


def _again(text: str, found: list[Span]) -> Iterator[Span]:
    """Other places where a name stands that was found once, in the same spelling."""
    names = {text[span.start : span.end]: span.score for span in found if span.entity is Entity.PERSON and span.score > 0.9}
    for name, score in list(names.items()):
        for part in name.split():
            if len(part) > 2 and part[0].isupper() and gazetteer.rank(part.lower()) in "01" and _LETTER.fullmatch(part[-1]):
                names.setdefault(part, score)
    for name, score in names.items():
        start = text.find(name)
        while start >= 0:
            end = start + len(name)
            free = (start == 0 or not text[start - 1].isalnum()) and (end == len(text) or not text[end].isalnum())
            if free:
                yield Span(start, end, Entity.PERSON, round(0.9 * score, 3))
            start = text.find(name, end)
