"""E-mail addresses, web and IP addresses and phone numbers, found by pattern.

Every pattern runs in time linear in the text. Order numbers, prices, dates and postal codes look much like phone numbers:
a bare run of digits counts as a phone only after a word such as "phone" or "call".
"""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Iterator

from backend.detectors.entities.spans import Entity, Span

_AT_DOMAIN = re.compile(r"@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,6}[^\W\d_]{2,24}(?![\w@])")
_LOCAL = re.compile(r"[\w.%+'-]{1,64}\Z")
_URL = re.compile(r"(?<![\w@.-])(?:https?://|ftp://|www\.)[^\s<>\"'()\[\]{}|\\^`]{3,300}", re.IGNORECASE)
_SITE = re.compile(
    r"(?<![\w@./-])(?:[^\W_](?:[\w-]{0,40}[^\W_])?\.){1,4}(?:com|org|net|edu|gov|info|biz|io|co|eu|us|uk|de|fr|es|it|nl|be|ch|at|se|no|dk|fi|pl|cz|hu|pt|"
    r"ie|ca|au|nz|br|mx|in|jp|cn|ru|gr)(?![\w@-]|\.\w)(?:/[^\s<>\"'()]{0,200})?",
    re.IGNORECASE,
)
_BEFORE_A_SITE, _AFTER_A_POINT = re.compile(r"://|\.\w"), re.compile(r"\.\w")
"""In every text that holds what those find; much faster to look for."""
_IP4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\d)")
_IP6 = re.compile(r"(?<![\w:])[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?![\w:])", re.IGNORECASE)
_VERSION = re.compile(r"(?:version|release|firmware|build|v\.?)\s*$", re.IGNORECASE)
# Digits with at most two separators between them; what they are is decided below, not by the pattern.
_DIGITS = re.compile(r"(?<![\w@.,+/-])(?:\+ ?)?\(?\d(?:[ ().\u00a0\u2011-]{0,3}\d){6,24}(?=x\d|(?![\w@]))(?![.,/-]\d)")
SHORTEST_NUMBER = 7
"""The fewest digits that stand in a run which may be a phone or a card."""
_EXTENSION = re.compile(r"(?:,? ?(?:ext|extension)\.? ?| ?x ?)\d{1,6}\b", re.IGNORECASE)
_PHONE_WORD = re.compile(
    r"\b(?:phones?|tele?phone|tel|mobile|mob|cell|cellphone|fax|desk|hotline|call(?:ed|ing)?|sms|text(?:ed|ing)?"
    r"|whats ?app|dial|reach|ring|answering|contact number|phone ?number)\b",
    re.IGNORECASE,
)
OTHER_NUMBER_WORD = re.compile(
    r"\b(?:orders?|purchases?|invoices?|bills?|reference|ref|tickets?|case|account|iban|card|tracking|parcel|package|shipment"
    r"|serial|sku|item|article|zip|postal|postcode|transaction|booking|licen[cs]e|passport|customer (?:id|number)|id)\b|[$€£#]",
    re.IGNORECASE,
)
"""A word before a number which says that it is no phone number."""
_CURRENCY_AFTER = re.compile(r" ?(?:[$€£¥%]|(?:usd|eur|gbp|dollars?|euros?|pounds?|units|pcs)\b)", re.IGNORECASE)
WINDOW = 40
"""Characters before a number in which a word may say what the number is."""
_REGIONS = ("US", "GB", "DE", "FR", "ES", "IT", "NL", "SE", "PL", "IN", "AU", "BR")


def emails(text: str) -> Iterator[Span]:
    """E-mail addresses."""
    position = 0
    for match in _AT_DOMAIN.finditer(text):
        local = _LOCAL.search(text[max(position, match.start() - 64) : match.start()])
        name = local[0].lstrip(".'-%+") if local else ""
        if name:
            yield Span(match.start() - len(name), match.end(), Entity.EMAIL_ADDRESS, 1.0)
            position = match.end()


def sites(text: str) -> Iterator[Span]:
    """Web addresses, also without https://."""
    for pattern, score, hint in ((_URL, 1.0, _BEFORE_A_SITE), (_SITE, 0.8, _AFTER_A_POINT)):
        if not hint.search(text):
            continue
        for match in pattern.finditer(text):
            yield Span(match.start(), match.start() + len(match[0].rstrip(".,;:!?")), Entity.DOMAIN_NAME, score)


def ip_addresses(text: str) -> Iterator[Span]:
    """IP addresses of both versions."""
    for pattern, mark, least in ((_IP4, ".", 3), (_IP6, ":", 2)):
        if text.count(mark) < least:
            continue
        for match in pattern.finditer(text):
            if _VERSION.search(text, max(0, match.start() - 12), match.start()):
                continue
            try:
                ipaddress.ip_address(match[0])
            except ValueError:
                continue
            if len(match[0]) > 3:
                yield Span(match.start(), match.end(), Entity.IP_ADDRESS, 0.95)


def digit_runs(text: str) -> Iterator[tuple[int, int]]:
    """Where digits stand in groups that may be one number."""
    for match in _DIGITS.finditer(text):
        start, end = match.span()
        if match[0].startswith("(") and ")" not in match[0]:  # a bracket of the sentence, not of an area code
            start += 1
        yield start, end


def phones(text: str) -> Iterator[Span]:
    """Phone numbers with their extensions."""
    for start, end in digit_runs(text):
        number = text[start:end]
        digits = re.sub(r"\D", "", number)
        if score := _phone_score(number, digits, text[max(0, start - WINDOW) : start], text[end : end + 12]):
            extension = _EXTENSION.match(text, end)
            yield Span(start, extension.end() if extension else end, Entity.PHONE_NUMBER, score)


def says(word: re.Pattern[str], before: str, *, unless: re.Pattern[str]) -> bool:
    """Whether the text before a number names its kind, and names no other kind after that."""
    named = [match.end() for match in word.finditer(before)]
    return bool(named) and not unless.search(before, named[-1])


def _phone_score(number: str, digits: str, before: str, after: str) -> float:
    if not 7 <= len(digits) <= 15 or _looks_like_something_else(number):
        return 0.0
    if number.startswith("+") and len(digits) >= 8:
        return 1.0 if _is_phone(number, None) else 0.9
    if _CURRENCY_AFTER.match(after) or re.search(r"[$€£¥]\s?$", before):
        return 0.0
    if says(_PHONE_WORD, before, unless=OTHER_NUMBER_WORD):
        return 0.9
    if OTHER_NUMBER_WORD.search(before):
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
    if len(groups) >= 2 and number.startswith("0") and total >= 9 and any(_is_phone(number, region) for region in _REGIONS):
        return 0.6
    return 0.0


@functools.lru_cache(maxsize=2048)
def _is_phone(number: str, region: str | None) -> bool:
    import phonenumbers  # its tables take a while to load, and most texts hold no number

    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number, region))
    except phonenumbers.NumberParseException:
        return False


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
