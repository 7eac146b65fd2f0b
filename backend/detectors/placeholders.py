"""Placeholders that nobody filled in: "{{name}}", "[insert date]", "<CUSTOMER_NAME>", "lorem ipsum", "XXX-XXX". Pure.

Only a person knows what belongs there, so nothing is proposed. The masks that take the place of personal data ([NAME] and the
like) are none, nor is what stands in code. Not promised: placeholders that look like ordinary words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from backend.detectors.personal import MASKS
from backend.detectors.signs import holds_any

_NAMED = (
    "name|first ?name|last ?name|surname|full name|company|company name|business|organi[sz]ation|date|time|day|month|year|"
    "number|phone|phone number|telephone|e-?mail|e-?mail address|address|city|state|zip(?: code)?|country|product|product name|"
    "service|order|order number|order id|account|account number|customer|customer name|client|client name|agent|agent name|"
    "recipient(?:'s name)?|sender|title|position|job title|department|link|url|website|amount|price|reason|topic|subject|"
    "signature|location|manager|hiring manager|store|brand|tracking number|invoice number|reference|placeholder"
)
_ASKING = (
    r"insert|your|(?:enter|add|fill in|specify|type|put) (?:your|the|a|an|here)|customer'?s?|client'?s?|recipient'?s?|name of|"
    r"the name|company'?s?|employee'?s?"
)
_PATTERNS = (
    (r"\{\{[^{}\n]{0,80}\}\}|\{%[^{}\n]{1,80}%\}|\$\{[A-Za-z_][\w. ]{0,60}\}|%\([A-Za-z_]\w{0,40}\)s", "a template's field"),
    (r"\[\[[A-Za-z][\w .-]{0,60}\]\]|(?<!\w)%[A-Z]+(?:_[A-Z]+)*%(?!\w)", "a template's field"),
    (rf"(?<![\w$\\}}^_])\{{(?:[A-Za-z]+(?:[_ ][A-Za-z]+){{1,4}}|(?i:{_NAMED}))\}}", "a template's field"),
    (r"<(?:[A-Z]{2,}(?:[_ -][A-Z]+)+|NAME|DATE|EMAIL|PHONE|ADDRESS|COMPANY|CUSTOMER|AGENT|ORDER|URL|LINK|"
     r"(?:your|insert|enter|customer|client|user|company)[_ -][A-Za-z_ -]{2,40})>", "a template's field"),
    (rf"\[(?i:(?:{_ASKING})[ _][^\[\]\n]{{1,80}}|(?:the |your )?(?:{_NAMED})(?: \d)?)\](?!\()", "a blank to be filled in"),
    (r"(?i:\blorem ipsum\b(?: dolor sit amet\b)?)", "filler text"),
    (r"\b[Xx]{2,}(?:[-./ ][Xx]{2,})+\b|(?<![\w-])(?:X{4,}|x{4,}(?!\s*$))(?![\w-])", "a number or name that was left out"),
    (r"\b(?:TODO|FIXME|TBD|TBC|TBA)\b(?![ -](?:list|app|item))|\bPLACEHOLDER\b", "a note to oneself"),
    (r"(?i:<no(?:input|output)>)", "an empty field's marker"),
)  # fmt: skip
_ANY = re.compile("|".join(f"(?P<p{number}>{pattern})" for number, (pattern, _) in enumerate(_PATTERNS)))
_NOTHING = re.compile(
    r"\s*(?:null|nan|undefined|n/?a|nil|\(?(?:no|empty) (?:output|answer|response|text)\)?|"
    r"#(?:n/a|ref!|value!|name\?|div/0!))\.?\s*",
    re.IGNORECASE,
)
_FENCED = re.compile(r"```.*?(?:```|\Z)|`[^`\n]+`", re.DOTALL)
_SIGNS = (
    "[", "{", "<", "%", "xx", "XX", "Xx", "xX", "Lorem", "lorem", "LOREM", "TODO", "FIXME", "TBA", "TBC", "TBD", "PLACEHOLDER"
)  # fmt: skip
_MASKS = frozenset(MASKS.values())


def find_placeholders(text: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, why) of each placeholder."""
    if not holds_any(text, _SIGNS):
        return
    fenced = [match.span() for match in _FENCED.finditer(text)]
    for match in _ANY.finditer(text):
        inside = any(start <= match.start() < end for start, end in fenced)
        if match[0] not in _MASKS and not inside:
            what = _PATTERNS[int((match.lastgroup or "p0")[1:])][1]
            yield *match.span(), f"“{match[0][:60]}” is {what}."


def is_nothing(text: str) -> bool:
    """Whether a whole answer only says that there is none: "null", "N/A", "#REF!"."""
    return _NOTHING.fullmatch(text) is not None
