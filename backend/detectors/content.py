"""What a text says, in pieces that can be compared: its content words, its quantities, its negations. Pure; English.

Words are cut to rough stems ("returns", "returned" → "return"), so that forms of a word meet; now and then so do two words.
Quantities are numbers with what they count ("five-year" → 5 years = 1,825 days; "free" → 0 $; "10 am" → 10:00), those of time
in days, so that "2 weeks" and "14 days" are equal. Not promised: grammar.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Set
from dataclasses import dataclass

_STOP_WORDS = """
a about above after again all also am an and any anybody anyone are as at be because been before being below between
both but by can come comes coming could did do does doing don down during each every everything few for from further get
gets give go goes got had has have having he her here hers hi hello hey him his how i if in into is it its just know let
like look make many may me might more most much must my need no nor not now of off offer on once one only or other our
out over own per please possible put question quick same say see send sent shall she should so some somebody someone
something sorry such sure take takes tell than thank thanks that the their them then there these they thing this those
through to too two under until up us use very want was way we well were what when where which while who whom whose why
will with within without would yes you your yours ok okay dear anything another today still ever yet isn t s re ve ll d
m im
"""
STOP = frozenset(_STOP_WORDS.split())
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_ENDINGS = (
    "ations", "ation", "ements", "ement", "ingly", "ings", "ing", "ies", "ied", "able", "ally", "edly", "ers", "er", "es", "ed",
    "ly", "s", "e", "y",
)  # fmt: skip


@functools.lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """A word in lower case without its endings; at least three letters are left."""
    word = word.removesuffix("y") if word.endswith("bly") else word
    for _ in range(2):
        for ending in _ENDINGS:
            if word.endswith(ending) and len(word) - len(ending) >= 3 and not word[-1].isdigit():
                word = word[: -len(ending)]
                break
    return word[:-1] if len(word) > 4 and word[-1] == word[-2] else word


def content(text: str) -> list[str]:
    """The stems of the words that carry meaning, and the numbers, in their order."""
    return [found for word in _WORD.findall(text.casefold()) if (found := _carried(word))]


@functools.lru_cache(maxsize=65_536)
def _carried(word: str) -> str:
    """The stem of a word in lower case that carries meaning; "" for others."""
    word = word.split("'")[0].split("’")[0]
    return stem(word) if word not in STOP and (len(word) > 1 or word.isdigit()) else ""


# --- quantities -------------------------------------------------------------------------------------------------------

_COUNTED = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
nineteen twenty
"""
_SMALL = {word: number for number, word in enumerate(_COUNTED.split())}
_SMALL |= {"thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "ninety": 90, "hundred": 100}
_NUMBER = r"(?<![^\W_])\d{1,3}(?:,\d{3})+(?:\.\d+)?|(?<![^\W_])\d+(?:\.\d+)?|\b(?:" + "|".join(_SMALL) + r")\b"
_QUANTITY = re.compile(
    rf"(?P<money>[$€£]\s?)?(?P<number>{_NUMBER})(?P<after>\s?[%€]|(?:[\s-](?:business|working|calendar|full|more)\b)?[\s-]?[^\W\d_]+)?|"
    r"(?<!feel )(?<!-)\b(?P<free>free of charge|for free|free)\b(?!-)",
    re.IGNORECASE,
)
_JOINT = {"to", "and", "or", "through", "x"}
_MORE_NUMBERS = re.compile(rf"\s?[,–-]\s?(?:{_NUMBER})", re.IGNORECASE)
_DAYS = {"day": 1.0, "week": 7.0, "month": 30.0, "year": 365.0, "hour": 1 / 24, "minute": 1 / 1440}
_CURRENCY = {"$": "$", "dollar": "$", "usd": "$", "€": "€", "euro": "€", "eur": "€", "£": "£", "pound": "£", "gbp": "£"}


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number and what it counts ("" where that is not said), with the words that say so."""

    value: float
    unit: str
    said: str


def quantities(text: str) -> list[Quantity]:
    """The quantities of a text, in their order. In "3 to 5 days" both numbers count days."""
    found: list[Quantity] = []
    waiting: list[tuple[float, str]] = []
    for match in _QUANTITY.finditer(text.replace("’", "'")):
        if match["free"]:
            found.append(Quantity(0.0, "$", match["free"]))
            continue
        word = match["number"].casefold().replace(",", "")
        value = float(_SMALL[word]) if word in _SMALL else float(word)
        after = re.sub(r"^(?:business|working|calendar|full|more)\s", "", (match["after"] or "").strip(" -").casefold())
        if (after in _JOINT or (not after and _MORE_NUMBERS.match(text, match.end()))) and not match["money"]:
            waiting.append((value, match["number"]))
            continue
        one = _quantity(value, (match["money"] or "").strip(), after, match[0].strip())
        found += [Quantity(*_scaled(early, one), said=said) for early, said in waiting] + [one]
        waiting = []
    return found + [Quantity(value, "", said) for value, said in waiting]


def _quantity(value: float, money: str, after: str, said: str) -> Quantity:
    if money:
        return Quantity(value, _CURRENCY[money], said.split(" ")[0])
    unit = after.rstrip("s") if len(after) > 3 else after
    if unit in _CURRENCY:
        return Quantity(value, _CURRENCY[unit], said)
    if unit in ("%", "percent", "per cent"):
        return Quantity(value, "%", said)
    if unit in ("am", "pm"):
        return Quantity(value % 12 + (12 if unit == "pm" else 0), "o'clock", said)
    if unit in _DAYS:
        return Quantity(round(value * _DAYS[unit], 4), "days", said)
    return Quantity(value, "" if not after or after in STOP else stem(after), said)


def _scaled(value: float, like: Quantity) -> tuple[float, str]:
    """A number that shares the unit of the one after it."""
    number = re.search(_NUMBER, like.said, re.IGNORECASE)
    written = number[0].casefold().replace(",", "") if number else ""
    base = float(_SMALL.get(written, 0)) if written in _SMALL else float(written or 0)
    factor = like.value / base if base and like.unit == "days" else 1.0
    return round(value * factor, 4), like.unit


# --- negations --------------------------------------------------------------------------------------------------------

_NEGATION = re.compile(r"\b(?:not|no|never|none|cannot|without|only|\w+n['’]t|unable|unfortunately)\b", re.IGNORECASE)
_REACH = 5
"""Words after a negation that it can be about."""
_HARMLESS = re.compile(
    r"\b(?:not only|no problem|no need|no longer|(?:not|don['’]t) (?:need|worry|hesitate)|(?:do not|don['’]t) have to)\b",
    re.IGNORECASE,
)


def negated(text: str) -> set[str]:
    """The stems of what is negated or limited: the content words soon after a "not", "no", "only", up to the sentence's end."""
    found: set[str] = set()
    for sentence in re.split(r"[.!?;\n]+", _HARMLESS.sub(" ", text)):
        for match in _NEGATION.finditer(sentence):
            found.update(content(" ".join(sentence[match.end() :].split()[:_REACH])))
    return found


def names(text: str) -> set[str]:
    """Words with a capital that do not begin a sentence, in lower case: names, mostly."""
    return {
        match[1].casefold()
        for match in re.finditer(r"(?<![.!?:\n])\s+([A-Z][\w-]*[a-z]\w*)", text)
        if match[1].casefold() not in STOP
    }


def listed(text: str) -> list[frozenset[str]]:
    """The things of each enumeration ("sage, rust and cream"), as stems."""
    found = []
    for match in re.finditer(r"\b([^\W\d_]+(?:, [^\W\d_]+)*),? (?:and|or) ([^\W\d_]+)", text):
        things = frozenset(stem(word.casefold()) for word in [*match[1].split(", "), match[2]] if word.casefold() not in STOP)
        if len(things) > 1:
            found.append(things)
    return found


def overlap(words: Set[str], others: Set[str]) -> float:
    """The share of the `words` that are among the `others`; 0 for no words."""
    return len(words & others) / len(words) if words else 0.0
