"""Which groups of people a text mentions: gender, ethnicity and nationality, religion, age, disability, sexual orientation,
family status. By word lists, in English. Pure.

Promised: whole words only; a word that means something else in most shops (a white sofa, window blinds, an Indian rug, a
disabled account) counts only where it stands before a noun for people or after "I am", "she is" and the like. The same text
always gives the same. Not promised: groups that are only hinted at, names, other languages, or whether what is said of a
group is kind; it tells which records to compare, nothing about anybody who wrote them.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from backend.detectors.identity_words import ALWAYS, BEFORE_PEOPLE, EXACTLY, GROUPS, NOT_THESE, PEOPLE

NAME, VERSION = "identity terms", "1"
NOBODY = "none mentioned"
"""The value of a text that mentions nobody of a group."""

_BE = r"(?:i am|i'm|im|i was|he is|he's|he was|she is|she's|she was|we are|we're|who is|who's|who are|who was|being|as an?)"
_SAID_OF = (
    rf"\b{_BE}(?:\s+(?:an?|also|originally|half|part|legally|partially|partly|registered|totally|completely|openly|now))*\s+"
)
_WORD = re.compile(r"[^\W\d_]+|\d+")


@dataclass(frozen=True, slots=True, order=True)
class Mention:
    """A word that speaks of people of a group; `start` and `end` are its characters."""

    start: int
    end: int
    group: str
    value: str


def mentions(text: str) -> tuple[Mention, ...]:
    """Every mention in reading order. One word may speak of two groups, as "wife" does."""
    level = text.replace("’", "'").casefold()
    if len(level) != len(text):  # a letter that grows when its case goes (ß): places would be wrong
        level = text.replace("’", "'").lower()
    rules = _worth_a_look(level)
    if not rules or len(level) != len(text):
        return ()
    found = {
        Mention(match.start(1), match.end(1), rule.group, rule.value)
        for rule in rules
        for match in rule.pattern.finditer(level)
    }
    elsewhere = [match.span() for match in _other_senses().finditer(level)] if found else []
    return tuple(sorted(one for one in found if not any(start < one.end and one.start < end for start, end in elsewhere)))


def groups(text: str) -> dict[str, tuple[str, ...]]:
    """Group → the values that are mentioned, in order of the alphabet; groups that are not mentioned are left out."""
    found: dict[str, set[str]] = {}
    for mention in mentions(text):
        found.setdefault(mention.group, set()).add(mention.value)
    return {group: tuple(sorted(found[group])) for group in GROUPS if group in found}


def mentioned(text: str, group: str) -> str:
    """What a text mentions of one group as one value: "women", "men and women", or `NOBODY`."""
    return " and ".join(groups(text).get(group, ())) or NOBODY


@dataclass(frozen=True, slots=True)
class _Rule:
    group: str
    value: str
    pattern: re.Pattern[str]
    triggers: frozenset[str] | None
    """Words of which a text must hold one for the pattern to be worth a look; None for any text."""


def _worth_a_look(level: str) -> list[_Rule]:
    """The rules of which the text holds a trigger."""
    always, by_trigger = _index()
    hit = {place for word in set(_WORD.findall(level)) for place in by_trigger.get(word, ())}
    return [_rules()[place] for place in sorted(hit | always)]


@functools.cache
def _index() -> tuple[frozenset[int], dict[str, tuple[int, ...]]]:
    """The places of rules that any text is worth, and those by trigger."""
    by_trigger: dict[str, list[int]] = {}
    for place, rule in enumerate(_rules()):
        for word in rule.triggers or ():
            by_trigger.setdefault(word, []).append(place)
    always = frozenset(place for place, rule in enumerate(_rules()) if rule.triggers is None)
    return always, {word: tuple(places) for word, places in by_trigger.items()}


@functools.cache
def _rules() -> tuple[_Rule, ...]:
    found = []
    for (group, value), listed in ALWAYS.items():
        words = listed.split("|")
        found.append(_Rule(group, value, re.compile(rf"(?<![\w-])({_any(words)})(?![\w-])"), _triggers(words)))
    for (group, value), listed in BEFORE_PEOPLE.items():
        words = listed.split("|")
        # "a black single mother": one adjective may stand between, if it is one of those that speak of people themselves
        before = rf"(?<![\w-])({_any(words)})(?=\s+(?:(?:{_between()})\s+)?(?:{PEOPLE})\b)"
        found.append(_Rule(group, value, re.compile(before), _triggers(words)))
        if value not in ("older", "younger") and words != ["straight"]:
            found.append(_Rule(group, value, re.compile(rf"{_SAID_OF}({_any(words)})(?![\w-])"), _triggers(words)))
    for (group, value), patterns in EXACTLY.items():
        found += [_Rule(group, value, re.compile(pattern), None) for pattern in patterns]
    return tuple(found)


@functools.cache
def _between() -> str:
    return _any([word for listed in BEFORE_PEOPLE.values() for word in listed.split("|")] + ["single", "elderly", "gay"])


def _any(words: list[str]) -> str:
    return "|".join(re.escape(word).replace(r"\ ", r"\s+") for word in sorted(words, key=len, reverse=True))


def _triggers(words: list[str]) -> frozenset[str]:
    """The first run of letters of each."""
    return frozenset(match[0] for word in words if (match := _WORD.search(word)))


@functools.cache
def _other_senses() -> re.Pattern[str]:
    return re.compile(rf"\b(?:{NOT_THESE})\b")
