"""E-mail addresses, phone numbers and payment cards, found by pattern.

Every pattern runs in time linear in the text. Order numbers, prices, dates, postal codes and IP addresses look much like
phone numbers: a bare run of digits counts as a phone only after a word such as "phone" or "call". A card must have a right
check digit, and a known issuer's prefix or the word "card" before it.

Not promised: names, addresses and other kinds of personal data, spelled-out numbers, or masked parts of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from backend.conversations import Message
from backend.detectors.findings import Finding, apply
from backend.vocabulary import PERSONAL_FINDINGS, FindingKind

DETECTOR, VERSION = "personal-patterns", "1"
MASKS = {FindingKind.EMAIL: "[EMAIL]", FindingKind.PHONE: "[PHONE]", FindingKind.CARD: "[CARD]"}

_AT_DOMAIN = re.compile(r"@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,6}[^\W\d_]{2,24}(?![\w@])")
_LOCAL = re.compile(r"[\w.%+'-]{1,64}\Z")
# Digits with at most two separators between them; what they are is decided below, not by the pattern.
_DIGITS = re.compile(r"(?<![\w@.,+/-])(?:\+ ?)?\(?\d(?:[ ().\u00a0\u2011-]{0,3}\d){6,24}(?=x\d|(?![\w@]))(?![.,/-]\d)")
_EXTENSION = re.compile(r"(?:,? ?(?:ext|extension)\.? ?| ?x ?)\d{1,6}\b", re.IGNORECASE)
_PHONE_WORD = re.compile(
    r"\b(?:phones?|tele?phone|tel|mobile|mob|cell|cellphone|fax|desk|hotline|call(?:ed|ing)?|sms|text(?:ed|ing)?"
    r"|whats ?app|dial|reach|ring|answering|contact number|phone ?number)\b",
    re.IGNORECASE,
)
_OTHER_NUMBER_WORD = re.compile(
    r"\b(?:orders?|purchases?|invoices?|bills?|reference|ref|tickets?|case|account|iban|card|tracking|parcel|package|shipment"
    r"|serial|sku|item|article|zip|postal|postcode|transaction|booking|licen[cs]e|passport|customer (?:id|number)|id)\b|[$€£#]",
    re.IGNORECASE,
)
_CARD_WORD = re.compile(r"\b(?:cards?|cc|credit|debit|maestro|visa|mastercard|amex)\b", re.IGNORECASE)
_CURRENCY_AFTER = re.compile(r" ?(?:[$€£¥%]|(?:usd|eur|gbp|dollars?|euros?|pounds?|units|pcs)\b)", re.IGNORECASE)
_WINDOW = 40
"""Characters before a number in which a word may say what the number is."""


def find_personal(text: str, *, message: int = 0) -> list[Finding]:
    """All findings in `text`, by position; they do not overlap."""
    found = [*_emails(text), *_numbers(text)]
    return [
        Finding(
            kind=kind,
            message=message,
            start=start,
            end=end,
            score=score,
            detector=DETECTOR,
            version=VERSION,
            proposal=MASKS[kind],
        )
        for start, end, kind, score in sorted(found)
    ]


def find_in_messages(messages: Sequence[Message]) -> list[Finding]:
    """The findings of every message, each with its message's index."""
    return [f for index, message in enumerate(messages) for f in find_personal(message.content, message=index)]


def mask(text: str, findings: Iterable[Finding] | None = None) -> str:
    """The text with personal data replaced by [EMAIL], [PHONE] and [CARD]: the given findings, else all there are.

    Masking twice changes nothing more: taking a span away can lay bare another one, so it goes on until none is left.
    """
    if findings is not None:
        return apply(text, [finding for finding in findings if finding.kind in PERSONAL_FINDINGS])
    while found := find_personal(text):
        text = apply(text, found)
    return text


_Span = tuple[int, int, FindingKind, float]


def _emails(text: str) -> Iterator[_Span]:
    position = 0
    for match in _AT_DOMAIN.finditer(text):
        local = _LOCAL.search(text[max(position, match.start() - 64) : match.start()])
        name = local[0].lstrip(".'-%+") if local else ""
        if name:
            yield match.start() - len(name), match.end(), FindingKind.EMAIL, 1.0
            position = match.end()


def _numbers(text: str) -> Iterator[_Span]:
    for match in _DIGITS.finditer(text):
        start, end = match.span()
        if match[0].startswith("(") and ")" not in match[0]:  # a bracket of the sentence, not of an area code
            start += 1
        number, before = text[start:end], text[max(0, start - _WINDOW) : start]
        digits = re.sub(r"\D", "", number)
        if score := _card_score(number, digits, before):
            yield start, end, FindingKind.CARD, score
        elif score := _phone_score(number, digits, before, text[end : end + 12]):
            extension = _EXTENSION.match(text, end)
            yield start, extension.end() if extension else end, FindingKind.PHONE, score


# --- cards ------------------------------------------------------------------------------------------------------------

_ISSUERS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}"
    r"|3(?:0[0-5]|[689]\d)\d{11}|35(?:2[89]|[3-8]\d)\d{12}|(?:2131|1800)\d{11}|6(?:011|5\d\d|4[4-9]\d|2\d\d)\d{12,15}"
)


def _card_score(number: str, digits: str, before: str) -> float:
    if not 12 <= len(digits) <= 19 or number.startswith("+") or not _luhn(digits):
        return 0.0
    named = _says(_CARD_WORD, before, unless=_OTHER_THAN_CARD)
    if _ISSUERS.fullmatch(digits):
        # One order number in ten has a right check digit by chance; its word gives it away.
        return 1.0 if named else 0.0 if _OTHER_THAN_CARD.search(before) else 0.9
    return 0.8 if named else 0.0


_OTHER_THAN_CARD = re.compile(_OTHER_NUMBER_WORD.pattern.replace("|card", "").replace("#", ""), re.IGNORECASE)


def _luhn(digits: str) -> bool:
    """The check-digit rule of payment cards."""
    doubled = [int(digit) * (1 + index % 2) for index, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


# --- phones -----------------------------------------------------------------------------------------------------------


def _says(word: re.Pattern[str], before: str, *, unless: re.Pattern[str]) -> bool:
    """Whether the text before a number names its kind, and names no other kind after that."""
    named = [match.end() for match in word.finditer(before)]
    return bool(named) and not unless.search(before, named[-1])


def _phone_score(number: str, digits: str, before: str, after: str) -> float:
    if not 7 <= len(digits) <= 15 or _looks_like_something_else(number):
        return 0.0
    if number.startswith("+") and len(digits) >= 8:
        return 1.0
    if _CURRENCY_AFTER.match(after) or re.search(r"[$€£¥]\s?$", before):
        return 0.0
    if _says(_PHONE_WORD, before, unless=_OTHER_NUMBER_WORD):
        return 0.9
    if _OTHER_NUMBER_WORD.search(before):
        return 0.0
    return _format_score(number, [len(group) for group in re.findall(r"\d+", number)])


def _format_score(number: str, groups: list[int]) -> float:
    """How phone-like the grouping alone is; a bare run of digits is not."""
    total = sum(groups)
    if groups in ([3, 3, 4], [1, 3, 3, 4], [3, 1, 3, 3, 4]):
        return 0.9
    if "(" in number and total >= 8:
        return 0.8
    if len(groups) >= 3 and 8 <= total <= 13 and max(groups) <= 4 and min(groups) >= 2:
        return 0.6
    if number.startswith("0") and len(groups) == 2 and 9 <= total <= 12 and groups[0] in (3, 4, 5):
        return 0.6
    return 0.0


_DATE = re.compile(r"(?:19|20)\d\d[-. ]\d{1,2}[-. ]\d{1,2}(?: \d{1,2})?|\d{1,2}[-. ]\d{1,2}[-. ](?:19|20)\d\d(?: \d{1,2})?")
_OTHERS = re.compile(
    r"\d{1,3}(?:\.\d{1,3}){3}"  # an IP address
    r"|\d{1,3}(?:[. \u00a0]000)+|\d{1,3}(?:\.\d{3}){2,}"  # thousands
    r"|\d{3}-\d{2}-\d{4}"  # a US social security number
    r"|\d{5}-\d{4}"  # ZIP+4
    r"|(?:19|20)\d\d ?- ?(?:19|20)\d\d"  # years from - to
)


def _looks_like_something_else(number: str) -> bool:
    return bool(_DATE.fullmatch(number) or _OTHERS.fullmatch(number))
