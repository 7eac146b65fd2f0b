"""Cards, IBANs, identity and account numbers: by pattern, and by check digit wherever there is one.

A number without a check digit counts only after a word that names it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from backend.detectors.entities.contacts import OTHER_NUMBER_WORD, WINDOW, digit_runs, says
from backend.detectors.entities.spans import Entity, Span
from backend.detectors.signs import evened, holds_any

_CARD_WORD = re.compile(r"\b(?:cards?|cc|credit|debit|maestro|visa|mastercard|amex)\b", re.IGNORECASE)
_OTHER_THAN_CARD = re.compile(OTHER_NUMBER_WORD.pattern.replace("|card", "").replace("#", ""), re.IGNORECASE)
_ISSUERS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}"
    r"|3(?:0[0-5]|[689]\d)\d{11}|35(?:2[89]|[3-8]\d)\d{12}|(?:2131|1800)\d{11}|6(?:011|5\d\d|4[4-9]\d|2\d\d)\d{12,15}"
)
_IBAN = re.compile(r"(?<![\w-])[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}(?![A-Z0-9])", re.IGNORECASE)
_IBAN_BEGINS = re.compile(r"(?<=[A-Za-z]{2})\d\d")
"""In every plain text that holds one; much faster to look for."""


def cards(text: str) -> Iterator[Span]:
    """Payment cards: a right check digit, and a known issuer's prefix or the word "card" before it."""
    for start, end in digit_runs(text):
        number, before = text[start:end], text[max(0, start - WINDOW) : start]
        if score := _card_score(number, re.sub(r"\D", "", number), before):
            yield Span(start, end, Entity.CREDIT_CARD, score)


def _card_score(number: str, digits: str, before: str) -> float:
    if not 12 <= len(digits) <= 19 or number.startswith("+") or not luhn(digits):
        return 0.0
    named = says(_CARD_WORD, before, unless=_OTHER_THAN_CARD)
    if _ISSUERS.fullmatch(digits):
        # One order number in ten has a right check digit by chance; its word gives it away.
        return 1.0 if named else 0.0 if _OTHER_THAN_CARD.search(before) else 0.9
    return 0.8 if named else 0.0


def ibans(text: str) -> Iterator[Span]:
    """International bank account numbers with right check digits; a word behind the number is left out."""
    for match in _IBAN.finditer(text) if not text.isascii() or _IBAN_BEGINS.search(text) else ():
        found = match[0]
        while len(found) >= 15:
            if iban(found.replace(" ", "").upper()):
                yield Span(match.start(), match.start() + len(found), Entity.IBAN_CODE, 1.0)
                break
            found = found.rpartition(" ")[0] if " " in found else ""


def luhn(digits: str) -> bool:
    """The check-digit rule of payment cards."""
    doubled = [int(digit) * (1 + index % 2) for index, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def iban(code: str) -> bool:
    """The check-digit rule of IBANs (ISO 7064, mod 97)."""
    return 15 <= len(code) <= 34 and int("".join(str(int(sign, 36)) for sign in code[4:] + code[:4])) % 97 == 1


# --- identity numbers -------------------------------------------------------------------------------------------------


def _weighted(digits: str, weights: tuple[int, ...]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


def ssn(digits: str) -> bool:
    """US social security numbers that can have been given out."""
    return digits[:3] not in ("000", "666") and digits[0] != "9" and digits[3:5] != "00" and digits[5:] != "0000"


def nhs(digits: str) -> bool:
    """England's NHS number."""
    return (11 - _weighted(digits, (10, 9, 8, 7, 6, 5, 4, 3, 2)) % 11) % 11 == int(digits[9])


def dni(code: str) -> bool:
    """Spain's DNI and NIE."""
    number = str("XYZ".find(code[0])) + code[1:8] if code[0] in "XYZ" else code[:8]
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23] == code[-1]


def nir(code: str) -> bool:
    """France's social security number."""
    return 97 - int(code[:13]) % 97 == int(code[13:])


def pesel(digits: str) -> bool:
    """Poland's PESEL."""
    return (10 - _weighted(digits, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)) % 10) % 10 == int(digits[10])


def bsn(digits: str) -> bool:
    """The Netherlands' BSN."""
    return digits != "0" * 9 and (_weighted(digits, (9, 8, 7, 6, 5, 4, 3, 2)) - int(digits[8])) % 11 == 0


def cpf(digits: str) -> bool:
    """Brazil's CPF."""
    checks = [_weighted(digits, tuple(range(length + 1, 1, -1))) * 10 % 11 % 10 for length in (9, 10)]
    return len(set(digits)) > 1 and checks == [int(digits[9]), int(digits[10])]


def hetu(code: str) -> bool:
    """Finland's personal identity code."""
    return "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(code[:6] + code[7:10]) % 31] == code[10]


def personnummer(digits: str) -> bool:
    """Sweden's personal number."""
    return luhn(digits[-10:])


def codice(code: str) -> bool:
    """Italy's tax code."""
    odd = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)
    values = [int(sign) if sign.isdigit() else ord(sign) - 65 for sign in code[:15]]
    total = sum(odd[value] if index % 2 == 0 else value for index, value in enumerate(values))
    return chr(65 + total % 26) == code[15]


def steuer(digits: str) -> bool:
    """Germany's tax identification number (ISO 7064, mod 11,10)."""
    product = 10
    for digit in digits[:10]:
        product = ((int(digit) + product) % 10 or 10) * 2 % 11
    return (11 - product) % 10 == int(digits[10]) and digits[0] != "0"


_Check = Callable[[str], bool]
_E = Entity
_NUMBERS: tuple[tuple[re.Pattern[str], tuple[str, ...], _Check | None, Entity, float], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), signs, check, entity, score)
    for pattern, signs, check, entity, score in (
        (r"(?<![\w-])(\d{3}-\d{2}-\d{4})(?![\w-])", ("-",), ssn, _E.US_SSN, 0.9),
        (r"\b(?:ssn|social security)\b\D{0,25}(\d{3}[ -]?\d{2}[ -]?\d{4})(?![\w-])",
         ("ssn", "social security"), ssn, _E.US_SSN, 1.0),
        (r"(?<!\w)((?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z](?: ?\d\d){3} ?[A-D])(?!\w)",
         (), None, _E.NATIONAL_ID, 0.8),
        (r"\bnhs\b\D{0,20}(\d{3}[ -]?\d{3}[ -]?\d{4})(?!\w)", ("nhs",), nhs, _E.NATIONAL_ID, 1.0),
        (r"(?<!\w)((?:\d|[XYZ])\d{7}-?[A-HJ-NP-TV-Z])(?!\w)", (), dni, _E.NATIONAL_ID, 0.9),
        (r"(?<!\w)([12] ?\d\d ?(?:0[1-9]|1[0-2]) ?\d\d ?\d{3} ?\d{3} ?\d\d)(?!\w)", (), nir, _E.NATIONAL_ID, 0.9),
        (r"\bpesel\b\D{0,20}(\d{11})(?!\w)", ("pesel",), pesel, _E.NATIONAL_ID, 1.0),
        (r"\b(?:bsn|burgerservicenummer)\b\D{0,20}(\d{9})(?!\w)", ("bsn", "burgerservicenummer"), bsn, _E.NATIONAL_ID, 1.0),
        (r"(?<!\w)(\d{3}\.\d{3}\.\d{3}-\d\d)(?!\w)", (".",), cpf, _E.NATIONAL_ID, 1.0),
        (r"\bcpf\b\D{0,20}(\d{11})(?!\w)", ("cpf",), cpf, _E.NATIONAL_ID, 1.0),
        (r"(?<!\w)((?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2])\d\d[-+A]\d{3}[0-9A-Y])(?!\w)", (), hetu, _E.NATIONAL_ID, 1.0),
        (r"(?<!\w)((?:19|20)?\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])[-+]\d{4})(?!\w)",
         ("-", "+"), personnummer, _E.NATIONAL_ID, 0.9),
        (r"(?<!\w)([A-Z]{6}\d\d[A-EHLMPR-T]\d\d[A-Z]\d{3}[A-Z])(?!\w)", (), codice, _E.NATIONAL_ID, 1.0),
        (r"\b(?:steuer-?id|idnr|tax id)\b\D{0,20}(\d{2} ?\d{3} ?\d{3} ?\d{3})(?!\w)",
         ("steuer", "idnr", "tax id"), steuer, _E.NATIONAL_ID, 1.0),
        (r"\b(?:sin|social insurance)\b\D{0,25}(\d{3}[ -]?\d{3}[ -]?\d{3})(?!\w)",
         ("sin", "social insurance"), luhn, _E.NATIONAL_ID, 1.0),
        (r"\bpassport\b(?: (?:number|no\.?|nr\.?|is|:|#)){0,2}[ :#]{1,3}(?=[A-Z]{0,2}\d{6})([A-Z0-9]{6,10})(?!\w)",
         ("passport",), None, _E.NATIONAL_ID, 0.8),
        (r"\b(?:driver['’]?s?['’]?|driving)[ -]?(?:licen[cs]e|permit)\b[^\d\n]{0,25}?"
         r"(?<!\w)([A-Z]{0,3}\d[A-Z0-9 -]{3,18}[A-Z0-9])(?!\w)",
         ("driv",), None, _E.US_DRIVER_LICENSE, 0.9),
        (r"\b(?:account|acct|a/c|konto)\b(?: (?:number|no\.?|nr\.?|id|is)){0,2}[ :#]{1,3}(\d(?:[ -]?\d){5,19})(?!\w)",
         ("account", "acct", "a/c", "konto"), None, _E.ACCOUNT_NUMBER, 0.8),
        (r"\b(?:sort code|routing number|bic|routing)\b\D{0,12}(\d{2}-?\d{2}-?\d{2}(?:\d{3})?)(?!\w)",
         ("sort code", "routing", "bic"), None, _E.ACCOUNT_NUMBER, 0.8),
    )
)  # fmt: skip
"""Patterns, each with signs of which a text that it finds something in holds one (none: it may be any text)."""

_DIGIT, _DRIVING = re.compile(r"\d"), re.compile("driv", re.IGNORECASE)
_FEWEST_DIGITS = 6
"""In each of these numbers; only a driver's licence may have fewer."""


def identities(text: str) -> Iterator[Span]:
    """National identity numbers, driver's licences and bank accounts."""
    if len(_DIGIT.findall(text)) < _FEWEST_DIGITS and not _DRIVING.search(text):
        return
    plain = evened(text)
    for pattern, signs, check, entity, score in _NUMBERS:
        for match in pattern.finditer(text) if not signs or holds_any(plain, signs) else ():
            separators = r"[ .]" if check is hetu else r"[ .+-]"
            if check is None or check(re.sub(separators, "", match[1]).upper()):
                yield Span(match.start(1), match.end(1), entity, score)
