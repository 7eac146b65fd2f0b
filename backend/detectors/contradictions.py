"""Whether two answers to the same question disagree: in an amount, a time or a date, in yes and no, or in what they deny.

Pure, by rules and short word lists for English and Spanish. Conservative: another wording is no disagreement, nor is something
that only one of the two says. Questions count as the same when their telling words are the same, but for endings and one
slip of the pen; a question that leans on what was said before ("can you ship it?") does so only after the same words.

Not promised: that all disagreements are found. Facts that differ in words alone, other languages, and sums of several
sentences pass.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backend.detectors.duplicates import normalise

DETECTOR = "contradictions"
VERSION = "1"


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_SAID_ANYWAY = _listed(
    """
    a an the i i'm i'd we you u me my our your us to of on at and or so please pls hi hello hey dear there good morning
    thanks thank sorry quick question can could may do does did is are am was be would will what what's how which any some
    have has got get possible tell know want like hola buenos buenas gracias por favor el la los las un una de del que qué es
    son hay me mi su sus se puedo pueden puede tienen tiene en y o con para al cómo como cuál está están
    """
)
_LEANS = _listed("it its it's this that these those they them their one ones he she esto eso esta este lo ellos ello")
_NEGATIONS = _listed(
    """
    not no never none cannot can't don't doesn't didn't won't isn't aren't wasn't weren't couldn't wouldn't without nor neither
    dont cant wont doesnt isnt arent tampoco nunca ningún ninguna sin
    """
)
_YES = _listed("yes yeah sure certainly absolutely definitely sí si claro")
_CONDITIONS = _listed("if when unless while until once si cuando")
_NEEDED = ("need", "requir", "worr", "forget", "hesitate")
"""Not to need something denies nothing that somebody asked for."""
_UNITS = {
    "day": "day", "week": "week", "month": "month", "year": "year", "hour": "hour", "minute": "minute", "inch": "inch",
    "inches": "inch", "foot": "foot", "feet": "foot", "cm": "cm", "kg": "kg", "pound": "pound", "percent": "%",
    "dollar": "$", "euro": "€", "día": "day", "dias": "day", "hora": "hour", "semana": "week",
    "mes": "month", "meses": "month", "año": "year",
}  # fmt: skip
_PLAIN_NUMBERS = {
    "zero": "0", "one": "1", "un": "1", "una": "1", "two": "2", "dos": "2", "three": "3", "tres": "3", "four": "4",
    "cuatro": "4", "five": "5", "cinco": "5", "six": "6", "seis": "6", "seven": "7", "siete": "7", "eight": "8", "ocho": "8",
    "nine": "9", "nueve": "9", "ten": "10", "diez": "10", "eleven": "11", "twelve": "12", "doce": "12", "fourteen": "14",
    "fifteen": "15", "quince": "15", "twenty": "20", "thirty": "30", "sixty": "60", "ninety": "90",
}  # fmt: skip
_WEEKDAYS = _listed(
    "monday tuesday wednesday thursday friday saturday sunday lunes martes miércoles jueves viernes sábado domingo"
)
_AMOUNT = re.compile(
    r"(?:(?P<sign>[$€£])\s?)?(?P<number>\d[\d.,]*\d|\d)(?::(?P<minutes>\d\d))?\s?(?P<after>%|[ap]\.?m\b\.?|[$€£])?",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[^.!?]+")
_FAR = 3
"""Words after a number among which its unit may stand."""
_BEGINNING = 6
_OPENING = 7
"""Words of an answer in which a denial is its point."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """What the first answer says, and what the second says instead; short, as in "30 days" and "14 days"."""

    here: str
    there: str

    def words(self, other: int) -> str:
        """For the record of the first answer; `other` is the record of the second."""
        return f"{self.here} here, {self.there} in record {other}"

    @property
    def turned(self) -> Disagreement:
        """As the other record sees it."""
        return Disagreement(self.there, self.here)


def telling_words(question: str) -> frozenset[str]:
    """The stems of the words that make the question what it is."""
    words = _words(question)
    return frozenset(_stem(word) for word in words if word not in _SAID_ANYWAY or word in _NEGATIONS)


def marks(pairs: Sequence[tuple[str, str]]) -> list[tuple[int, int] | None]:
    """For each question and answer two numbers: equal where the questions have the same telling words, and where the answers
    are equal; None for what says nothing. Made to run in other processes.
    """
    return [
        (_hash(" ".join(sorted(telling))), _hash(normalise(answer)))
        if answer.strip() and (telling := telling_words(question))
        else None
        for question, answer in pairs
    ]


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest(), "little")


def stands_alone(question: str) -> bool:
    """Whether the question can be understood without what was said before it."""
    return len(telling_words(question)) >= 2 and not _LEANS & set(_words(question))


def same_question(first: str, second: str) -> bool:
    """Whether two questions have the same telling words, but for one slip of the pen."""
    one, other = telling_words(first), telling_words(second)
    if one == other:
        return bool(one)
    missing, added = one - other, other - one
    if len(missing) != 1 or len(added) != 1 or len(one) < 2:
        return False
    return _is_slip(*missing, *added)


def disagree(question: str, first: str, second: str) -> Disagreement | None:
    """How two answers to the same question contradict each other, or None."""
    if normalise(first) == normalise(second):
        return None
    return _by_yes_and_no(first, second) or _by_amounts(question, first, second) or _by_denial(question, first, second)


def _by_yes_and_no(first: str, second: str) -> Disagreement | None:
    one, other = _verdict(first), _verdict(second)
    return Disagreement(one, other) if one and other and one != other else None


def _verdict(answer: str) -> str:
    """What an answer that begins with yes or no begins with."""
    opening = _words(answer)[:1]
    return "" if not opening else "yes" if opening[0] in _YES else "no" if opening[0] == "no" and _is_short_no(answer) else ""


def _is_short_no(answer: str) -> bool:
    """Whether a first "no" stands for itself, and not before a noun ("No appointment is needed")."""
    return re.match(r"\s*no\s*[,.;:!–—-]", answer, re.IGNORECASE) is not None


def _by_amounts(question: str, first: str, second: str) -> Disagreement | None:
    """Amounts of one unit, none of which is in both; or some in each that the other lacks."""
    asked = {value for values in _amounts(question).values() for value in values}
    one, other = _amounts(first), _amounts(second)
    if not _content(first) & _content(second):
        return None  # answers about different things
    for unit in (unit for unit in one if unit in other):  # in their order, so that it is always the same one
        here, there = (frozenset(amounts[unit]) - asked for amounts in (one, other))
        if unit and here and there and not here <= there and not there <= here:
            return Disagreement(_said(one[unit], here), _said(other[unit], there))
    return None


def _by_denial(question: str, first: str, second: str) -> Disagreement | None:
    """One denies outright what the other says of the same thing."""
    one, other = _denies(first), _denies(second)
    if one == other:
        return None
    about = _content(first) & _content(second)
    if len(about) < 2 and not about & _content(question):
        return None
    return Disagreement(_opening(first), _opening(second))


def _denies(answer: str) -> bool:
    """Whether the first sentence says that something is not so, and not only under a condition."""
    sentence = _SENTENCE.search(answer)
    words = _words(sentence[0])[:_OPENING] if sentence else []
    if words[:1] == ["no"]:
        return _is_short_no(answer)
    for word, following in zip(words, [*words[1:], ""], strict=False):
        if word in _CONDITIONS or (word in _NEGATIONS and following.startswith(_NEEDED)):
            return False
        if word in _NEGATIONS:
            return True
    return False


def _amounts(text: str) -> Mapping[str, Mapping[str, str]]:
    """Unit → value → the words in which it was said."""
    plain = normalise(text)
    found: dict[str, dict[str, str]] = defaultdict(dict)
    plain = re.sub(r"[^\W\d_]+", lambda word: _PLAIN_NUMBERS.get(word[0], word[0]), plain)
    pending: list[str] = []
    for match in _AMOUNT.finditer(plain):
        before = plain[: match.start("number")][-1:]
        if before.isalnum() or plain[match.end("number") : match.end("number") + 1].isalpha():
            continue  # a part of a code such as HELLO10
        value = _value(match["number"]) + (f":{match['minutes']}" if match["minutes"] else "")
        unit = _unit(match, plain[match.end() :])
        if unit == "" and re.match(r"\s?(?:to|and|-|–|a|y|,)\s?[$€£]?\d", plain[match.end() :]):
            pending.append(value)
            continue
        if unit == "time":
            value = f"{value} {(match['after'] or '').replace('.', '')}".strip()
        for one in [*pending, value]:
            found[unit][one] = one if unit in ("", "time") else f"{unit}{one}" if unit in "$€£" else f"{one}{_shown(unit, one)}"
        pending = []
    for word in _words(plain):
        if word in _WEEKDAYS:
            found["weekday"][word] = word.capitalize()
    return found


def _unit(match: re.Match[str], rest: str) -> str:
    """The unit of an amount, "" for none."""
    if match["minutes"] or re.fullmatch(r"[ap]\.?m\.?", match["after"] or ""):
        return "time"
    if sign := match["sign"] or match["after"]:
        return sign
    following = re.match(r"[^.,;:!?()\d]*", rest)
    for word in _words(following[0] if following else "")[:_FAR]:
        unit = _UNITS.get(word) or _UNITS.get(word.removesuffix("s"))
        if unit:
            return unit
    return ""


def _shown(unit: str, value: str) -> str:
    return (
        unit
        if unit == "%"
        else f" {unit}"
        if value == "1" or unit in ("cm", "kg")
        else f" {unit}{'es' if unit == 'inch' else 's'}"
    )


def _value(number: str) -> str:
    """1,000 and 1000 are one number, 3.50 and 3.5 too."""
    plain = re.sub(r"[,.](?=\d{3}(?:\D|$))", "", number).replace(",", ".").strip(".")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain.lstrip("0") or "0"


def _said(words: Mapping[str, str], values: frozenset[str]) -> str:
    return " and ".join(said for value, said in words.items() if value in values)


def _opening(answer: str) -> str:
    sentence = _SENTENCE.search(answer.strip())
    said = " ".join((sentence[0] if sentence else answer).split())
    return f"“{said if len(said) <= 60 else said[:59] + '…'}”"


def _content(text: str) -> frozenset[str]:
    """The beginnings of the words that carry meaning, alike in "assemble" and "assembly"."""
    return frozenset(
        _stem(word)[:_BEGINNING] for word in _words(text) if len(word) > 2 and word not in _SAID_ANYWAY | _NEGATIONS | _LEANS
    )


def _words(text: str) -> list[str]:
    return _WORD.findall(normalise(text).replace("’", "'"))


@functools.lru_cache(maxsize=65_536)
def _stem(word: str) -> str:
    """The word without its ending; numbers and codes whole."""
    for ending in ("ings", "ing", "ed", "es", "s"):
        if word.isalpha() and word.endswith(ending) and len(word) - len(ending) >= 4 and not word.endswith("ss"):
            stem = word.removesuffix(ending)
            return stem[:-1] if len(ending) > 1 and stem[-1] == stem[-2] else stem
    return word


def _is_slip(first: str, second: str) -> bool:
    """Whether one letter more, less or other makes the two words one; neither is a number nor short."""
    short, long = sorted((first, second), key=len)
    if len(short) < 4 or len(long) - len(short) > 1 or not (first.isalpha() and second.isalpha()):
        return False
    start = next((place for place, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    if start == 0 or len(short) == len(long) == start + 1:
        return False  # another first or last letter makes another word more often than a slip
    return short[start + (len(short) == len(long)) :] == long[start + 1 :]
