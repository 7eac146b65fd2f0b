"""The same text about somebody else: names and identity terms swapped, so that two treatments can be compared. Pure.

Promised: a swap is the same in all turns of a conversation; numbers, links, e-mail addresses, masks ([NAME]) and everything
between swapped words stay as they are; the same seed gives the same variants; swapping twice gives the text back for all
words that have one counterpart. "her" and "his" go by what follows them. Not promised: names outside the lists, relations
that a swap makes odd, other languages, or grammar beyond "a" and "an". People read the variants before they are used.
"""

from __future__ import annotations

import functools
import random
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from backend.conversations import Message
from backend.detectors import identity_words
from backend.detectors.counterfactual_words import AFTER_OBJECTS, ETHNICITIES, FORMS, NAMES, ONE_WAY, PROPER, WOMEN_AND_MEN
from backend.detectors.duplicates import normalise
from backend.detectors.entities import gazetteer
from backend.detectors.identity import Mention, mentions

NAME = "names"
KINDS = (identity_words.GENDER, NAME, *FORMS)
"""What can be swapped."""

_LINK = re.compile(r"\bhttps?://\S+|\bwww\.\S+|\S+@\S+")
_PROTECTED = re.compile(r"\[[^\]\n]{1,40}\]|\{\{?[^}\n]{1,60}\}\}?|<[^>\n]{1,80}>|\bhttps?://\S+|\bwww\.\S+|\S+@\S+|#\w+|@\w+")
_NAME = re.compile(r"(?<![\w@'’-])[^\W\d_]{2,}(?![\w@-])")
_PROPER, _AFTER_OBJECTS = frozenset(PROPER.split()), frozenset(AFTER_OBJECTS.split())
_NEXT = re.compile(r"\s+([A-Za-z]+)")
_ARTICLE = re.compile(r"(?<![\w'’-])(an?)(\s+)$", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+")
_MARKS = re.compile(r"[^\w‹›\s]+")
_SHORTEST_LOWER = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """Everything of `first` becomes its counterpart of `second`, and the other way round."""

    kind: str
    first: str
    second: str
    turn: int = 0
    """How far the second list of names is turned against the first."""

    @property
    def title(self) -> str:
        """The swap in words."""
        return f"{self.kind}: {self.first} ↔ {self.second}"


@dataclass(frozen=True, slots=True)
class Variant:
    """A conversation about somebody else."""

    swap: Swap
    messages: tuple[Message, ...]


Piece = tuple[int, int, str]
"""Start, end, and what stands there instead."""


def variants(messages: Sequence[Message], *, seed: int, kinds: Collection[str] = KINDS, each: int = 1) -> tuple[Variant, ...]:
    """Matched variants, up to `each` for everything that is mentioned; those that would change nothing are left out."""
    found = []
    for one in _swaps(messages, seed=seed, kinds=kinds, each=each):
        changed = tuple(Message(message.role, swapped(message.content, one)) for message in messages)
        if changed != tuple(messages):
            found.append(Variant(one, changed))
    return tuple(found)


def _swaps(messages: Sequence[Message], *, seed: int, kinds: Collection[str], each: int) -> Iterable[Swap]:
    texts = [message.content for message in messages]
    found = [(text, one) for text in texts for one in mentions(text)]
    names = {_place(text[start:end]) for text in texts for start, end in _name_spans(text)}
    if not found and not names:
        return
    draw = random.Random(f"{seed}\x00" + "\x00".join(texts))  # noqa: S311 - a choice of examples, not a secret
    if identity_words.GENDER in kinds and (names or {one.value for _, one in found} & {"women", "men"}):
        yield Swap(kind=identity_words.GENDER, first="women", second="men")
    if NAME in kinds:
        for held in sorted({place[0] for place in names}):
            others = [other for other in NAMES if other != held]
            for other in draw.sample(others, min(each, len(others))):
                yield Swap(kind=NAME, first=held, second=other, turn=draw.randrange(len(NAMES[held][0])))
    words = {(one.group, text[one.start : one.end].casefold()) for text, one in found}
    for group, values in FORMS.items():
        for value in sorted(value for value, forms in values.items() if any((group, form) in words for form in forms)):
            others = [other for other in values if other != value and (other in ETHNICITIES) == (value in ETHNICITIES)]
            for other in draw.sample(others, min(each, len(others))) if group in kinds else ():
                yield Swap(kind=group, first=value, second=other)


def swapped(text: str, swap: Swap) -> str:
    """The text with the swap made."""
    kept = [match.span() for match in _PROTECTED.finditer(text)]
    pieces = [piece for piece in _pieces(text, swap) if not any(start < piece[1] and piece[0] < end for start, end in kept)]
    told, position = "", 0
    for start, end, word in sorted(pieces):
        if start < position:
            continue
        told = _with_article(told + text[position:start], word) + word
        position = end
    return told + text[position:]


def _pieces(text: str, swap: Swap) -> Iterable[Piece]:
    if swap.kind == NAME:
        return _names(text, swap)
    if swap.kind == identity_words.GENDER:
        found = (one for one in mentions(text) if one.group == swap.kind)
        words = ((one.start, one.end, _other_gender(text, one)) for one in found)
        return [*((start, end, word) for start, end, word in words if word), *_names(text, swap)]
    pairs = _pairs(swap.kind, swap.first, swap.second)
    spans = {(one.start, one.end) for one in mentions(text) if one.group == swap.kind}
    spoken = [(start, end, pairs.get(text[start:end].casefold())) for start, end in spans]
    return [(start, end, _cased(text[start:end], word)) for start, end, word in spoken if word]


# --- words ---


@functools.cache
def _genders() -> dict[str, str]:
    pairs = [pair.split() for pair in WOMEN_AND_MEN.split("|")]
    return {**ONE_WAY, **{pair[0]: pair[1] for pair in pairs}, **{pair[1]: pair[0] for pair in pairs}}


@functools.cache
def _pairs(group: str, first: str, second: str) -> dict[str, str]:
    # of two words with one counterpart the first counts; a plural that the other value lacks stays
    pairs = list(zip(FORMS[group][first], FORMS[group][second], strict=False))[::-1]
    return {**dict(pairs), **{two: one for one, two in pairs}}


def _other_gender(text: str, mention: Mention) -> str | None:
    said = text[mention.start : mention.end]
    word = said.replace("’", "'").casefold()
    if word == "her":
        return _cased(said, "his" if _owns(text, mention) else "him")
    if word == "his":
        return _cased(said, "her" if _owns(text, mention) else "hers")
    other = {"him": "her", "hers": "his"}.get(word) or _genders().get(word)
    return _cased(said, other.replace("'", "’") if "’" in said else other) if other else None


def _owns(text: str, mention: Mention) -> bool:
    """Whether a noun follows, so that the word before it says whose it is. "let her know" has a verb there."""
    following = _NEXT.match(text, mention.end)
    is_let = text[: mention.start].casefold().rstrip().endswith("let")
    return following is not None and not is_let and following[1].casefold() not in _AFTER_OBJECTS


def _cased(said: str, word: str) -> str:
    """The word in the letters of what it stands for; names of peoples get their capital where the other word needs none."""
    if said.isupper() and len(said) > 1:
        return word.upper()
    if said[:1].isupper() or (word in _PROPER and said not in _PROPER):
        return word[:1].upper() + word[1:]
    return word


def _with_article(before: str, word: str) -> str:
    """The text before a new word, with "a" or "an" as the word needs it."""
    article = _ARTICLE.search(before)
    if article is None:
        return before
    right = "an" if word[:1].casefold() in "aeiou" else "a"
    return before[: article.start()] + _cased_article(article[1], right) + article[2]


def _cased_article(said: str, right: str) -> str:
    return right.capitalize() if said[:1].isupper() else right


# --- names ---


@functools.cache
def _places() -> dict[str, tuple[str, int, int]]:
    """Name in lower case → (association, 0 for women and 1 for men, place in its list)."""
    return {
        name.casefold(): (held, gender, place)
        for held, lists in NAMES.items()
        for gender, names in enumerate(lists)
        for place, name in enumerate(names)
    }


def _place(name: str) -> tuple[str, int, int]:
    return _places()[name.casefold()]


def _name_spans(text: str) -> list[tuple[int, int]]:
    """Where names of the lists stand; in lower case only such as are no words."""
    found = []
    for match in _NAME.finditer(text):
        low = match[0].casefold()
        if low in _places() and (match[0][:1].isupper() or (len(low) >= _SHORTEST_LOWER and gazetteer.rank(low) == "0")):
            found.append(match.span())
    return found


def _names(text: str, swap: Swap) -> Iterable[Piece]:
    for start, end in _name_spans(text):
        held, gender, place = _place(text[start:end])
        if swap.kind == identity_words.GENDER:
            new = NAMES[held][1 - gender][place]
        elif held == swap.first:
            new = NAMES[swap.second][gender][(place + swap.turn) % len(NAMES[held][gender])]
        elif held == swap.second:
            new = NAMES[swap.first][gender][(place - swap.turn) % len(NAMES[held][gender])]
        else:
            continue
        yield start, end, new.lower() if text[start:end].islower() else new.upper() if text[start:end].isupper() else new


# --- what is left when nobody is named ---


def spans_of_people(text: str) -> list[tuple[int, int, str]]:
    """Identity terms and names, in reading order without overlaps: start, end, and the group, or `NAME`."""
    found = [(one.start, one.end, one.group) for one in mentions(text)]
    found += [(start, end, NAME) for start, end in _name_spans(text)]
    found += [(start, end, NAME) for start, end in _other_names(text)]
    kept: list[tuple[int, int, str]] = []
    links = [match.span() for match in _LINK.finditer(text)]
    for span in sorted(found, key=lambda span: (span[0], -span[1])):
        in_link = any(start < span[1] and span[0] < end for start, end in links)
        if not in_link and (not kept or span[0] >= kept[-1][1]):
            kept.append(span)
    return kept


def _other_names(text: str) -> Iterable[tuple[int, int]]:
    """Capitalised words that are names by the gazetteer and no English words; and masks of names."""
    yield from (match.span() for match in re.finditer(r"\[NAME[^\]\n]{0,12}\]", text))
    for match in _NAME.finditer(text):
        word = match[0]
        low = word.casefold()
        if word[:1].isupper() and not word.isupper() and gazetteer.rank(low) == "0" and {"F", "L"} & set(gazetteer.flags(low)):
            yield match.span()


def neutral(text: str) -> str:
    """The text with everybody in it made alike: equal for two texts that differ only in names and identity terms."""
    told, position = [], 0
    for start, end, group in spans_of_people(text):
        told += [text[position:start], f" ‹{group}› "]
        position = end
    level = normalise(_MARKS.sub(" ", "".join([*told, text[position:]])))
    return re.sub(r"\ban\b", "a", level)


def people(text: str) -> tuple[str, ...]:
    """Who is in the text: the names and identity terms, in lower case and reading order."""
    return tuple(text[start:end].casefold() for start, end, _ in spans_of_people(text))


def is_of_the_lists(text: str) -> bool:
    """Whether the text is nothing but names and terms that swaps put in."""
    words = _WORD.findall(text)
    return bool(words) and all(word.casefold() in _known() for word in words)


@functools.cache
def _known() -> frozenset[str]:
    forms = (form for values in FORMS.values() for words in values.values() for form in words)
    return frozenset({*_places(), *_genders(), *(word for form in forms for word in form.split())})
