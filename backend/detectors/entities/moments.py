"""Dates, years, ages and postal codes, found by pattern.

Words such as "today", "Monday" or "last week" are left alone: they say nothing about a person.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from backend.detectors.entities.spans import Entity, Span
from backend.detectors.signs import holds_any

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\.?"
)
_TIME = r"(?:[ T,]{1,2}(?:at )?\d{1,2}:\d{2}(?::\d{2})?(?: ?[ap]\.?m\b\.?)?)?"
_DATES = re.compile(
    rf"(?<![\w./-])(?:(?:19|20)\d\d[-/.](?:0?[1-9]|1[0-2])[-/.](?:0?[1-9]|[12]\d|3[01]){_TIME}"
    rf"|(?:0?[1-9]|[12]\d|3[01])([-/.])(?:0?[1-9]|[12]\d|3[01])\1(?:(?:19|20)?\d\d){_TIME}"
    rf"|(?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?(?: of)?[ -]{_MONTH}(?:,?[ -](?:19|20)\d\d)?{_TIME}"
    rf"|{_MONTH}[ -](?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?(?:,?[ -](?:19|20)\d\d)?{_TIME}"
    rf"|{_MONTH},? (?:of )?(?:19|20)\d\d)(?![\w/-])(?!\.\d)",
    re.IGNORECASE,
)
_NUMBERED_DATE = re.compile(r"\d[-/.]\d")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH_BY_NUMBER = re.compile(
    rf"(?:{'|'.join(_MONTHS)})[a-z]{{0,6}}\.?,?[ -](?:of )?\d|\d(?:st|nd|rd|th)?(?: of)?[ -](?:{'|'.join(_MONTHS)})",
    re.IGNORECASE,
)
"""In every text that holds a date with a month's name; much faster to look for."""
_FOUR_DIGITS = re.compile(r"1[89]\d\d|20[0-4]\d")
_YEAR = re.compile(
    r"(?:\b(?:in|since|until|till|from|of|by|before|after|around|during|year|to|and|a|the|late|early|circa|class of|for)\s"
    r"|[(,]\s?|–|^)(1[89]\d\d|20[0-4]\d)(?=[\s).,;:!?]|$)(?![.,]\d)"
    r"(?!\s?(?:%|usd|eur|gbp|dollars?|euros?|pounds?|points?|times|people|units|words|kcal|calories|km|miles|m|kg)\b)",
    re.IGNORECASE,
)
_BIRTH = re.compile(r"\b(?:born|birth|dob|d\.o\.b|birthday|geboren)\b", re.IGNORECASE)
_AGE = re.compile(
    r"(?<![\w.,/:$€£-])(?:(1[01]\d|[1-9]?\d)(?=[ -]?(?:years?|yrs?|y)[ -]?(?:old|of age|/?o\b|\.o\.))"
    r"|(?<=aged )(1[01]\d|[1-9]\d?)\b"
    r"|(?<=age )(1[01]\d|[1-9]\d?)\b"
    r"|(?<=age: )(1[01]\d|[1-9]\d?)\b"
    r"|(?<=age is )(1[01]\d|[1-9]\d?)\b"
    r"|(?<=turned )(1[01]\d|[1-9]\d?)(?!\w|[.,:]\d| ?[%$€£])"
    r"|(?<=turning )(1[01]\d|[1-9]\d?)(?!\w|[.,:]\d| ?[%$€£]))",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(?<!\w)[1-9]")
"""Where an age may begin."""
_YEARS_AFTER, _AGE_WORDS = re.compile(r"\d[ -]?[yY]"), ("age", "turn")
"""A text with an age holds what the one finds, or one of the others."""
_LEAST_AGE = re.compile(r"[ -]?(?:years?|yrs?)?[ -]?(?:old|of age)? ?(?:or|and|\+) ?(?:older|over|above|more|younger|under)?")
"""After the number: a rule about ages, not somebody's age."""
_AGE_OF = re.compile(
    r"\b(?:i am|i'm|i’m|im|he is|he's|he’s|she is|she's|she’s|he was|she was|i was|i will be|he'll be|she'll be)"
    r"(?: only| just| now| already| about)? "
    r"(1[01]\d|[1-9]\d)(?=\s*(?:[.,!?;]|$)(?!\d)|\s+(?:and|now|but|when|at the time|from|with|living)\b)",
    re.IGNORECASE,
)
_BEFORE_AN_AGE = ("am", "im", "'m", "is", "'s", "was", "be", "only", "just", "now", "already", "about")
"""What stands before the space before a number that `_AGE_OF` finds."""
_AFTER_A_SPACE = re.compile(r" [1-9]")
_LONGEST_BEFORE = max(map(len, _BEFORE_AN_AGE))
_LETTER_AND_DIGIT = re.compile(r"[A-Z]\d")
_ZIP = re.compile(
    r"\b(?:zip(?:[ -]?code)?|post(?:al)?[ -]?code|postcode|plz)\b(?: (?:is|was|to|number|of))?[ :#=-]{1,3}"
    r"(?=[A-Z0-9 -]{0,6}\d)([A-Z0-9]{2,5}(?:[ -][A-Z0-9]{2,4})?|\d{3,10})(?![\w])",
    re.IGNORECASE,
)
_UK_OR_CANADA = re.compile(
    r"(?<![\w-])(?:[A-Z]{1,2}\d[A-Z\d]? \d[ABD-HJLNP-UW-Z]{2}|[ABCEGHJ-NPRSTVXY]\d[A-Z] \d[A-Z]\d)(?![\w-])"
)


def _may_hold(text: str, words: tuple[str, ...]) -> bool:
    """Whether one of the words in lower case may stand in the text, whatever its case. Much faster than any pattern."""
    if not text.isascii():  # patterns know more letters that are one but for their case
        return True
    return holds_any(text.lower(), words)


def dates(text: str) -> Iterator[Span]:
    """Dates and years; with a word of birth before them, dates of birth."""
    named = _may_hold(text, _MONTHS) and _MONTH_BY_NUMBER.search(text)
    for match in _DATES.finditer(text) if named or _NUMBERED_DATE.search(text) else ():
        if any(sign.isdigit() for sign in match[0]):
            yield _dated(text, match.start(), match.end(), 0.9)
    for match in _YEAR.finditer(text) if _FOUR_DIGITS.search(text) else ():
        yield _dated(text, match.start(1), match.end(1), 0.6)


def _dated(text: str, start: int, end: int, score: float) -> Span:
    born = _BIRTH.search(text, max(0, start - 30), start)
    return Span(start, end, Entity.DATE_OF_BIRTH if born else Entity.DATE_TIME, score)


def ages(text: str) -> Iterator[Span]:
    """Ages: the number alone."""
    for number in _NUMBER.finditer(text) if _may_hold(text, _AGE_WORDS) or _YEARS_AFTER.search(text) else ():
        match = _AGE.match(text, number.start())
        if match is None or _LEAST_AGE.match(text, match.end()):
            continue
        yield Span(match.start(), match.end(), Entity.AGE, 0.8)
    for match in _AGE_OF.finditer(text) if _may_hold_an_age(text) else ():
        yield Span(match.start(1), match.end(1), Entity.AGE, 0.7)


def _may_hold_an_age(text: str) -> bool:
    """Whether `_AGE_OF` is worth its cost."""
    return not text.isascii() or any(
        text[max(0, number.start() - _LONGEST_BEFORE) : number.start()].lower().endswith(_BEFORE_AN_AGE)
        for number in _AFTER_A_SPACE.finditer(text)
    )


def postcodes(text: str) -> Iterator[Span]:
    """Postal codes after a word that names them, and British and Canadian ones, whose form is their own."""
    for match in _ZIP.finditer(text) if _may_hold(text, ("zip", "post", "plz")) else ():
        yield Span(match.start(1), match.end(1), Entity.ZIP_CODE, 0.9)
    for match in _UK_OR_CANADA.finditer(text) if _LETTER_AND_DIGIT.search(text) else ():
        yield Span(match.start(), match.end(), Entity.ZIP_CODE, 0.8)
