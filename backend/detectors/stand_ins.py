"""Stand-ins that read like the real thing, always the same for the same original within a project. Pure.

Keyed by HMAC: without the project's key nobody can tell which original a stand-in has, nor work it out by trying. A word of
a name has the same stand-in in a full name, alone, in capitals and in an e-mail address, and an initial is that of the
stand-in. Dates move by one number of days for the whole project.

Not promised: that two originals never share a stand-in (the vault holds both then), or that no living person bears one.
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
import re
import string
from collections.abc import Callable, Sequence

from backend.detectors import stand_in_words as pools
from backend.detectors.entities import gazetteer
from backend.detectors.entities.numbers import luhn
from backend.vocabulary import FindingKind

_WORD = re.compile(r"[^\W\d_]+")
_ADDRESS = re.compile(r"(.+)@(.+)", re.DOTALL)
_DAY = re.compile(r"(?P<a>\d{1,4})(?P<s>[-/.])(?P<b>\d{1,2})(?P=s)(?P<c>\d{1,4})")
_NAMED = re.compile(r"(?i)(?P<month>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?")
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()  # noqa: SIM905


class StandIns:
    """The stand-ins of one project."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        letters = sorted(string.ascii_lowercase, key=lambda letter: self._number("initial", letter))
        self._initials = dict(zip(string.ascii_lowercase, letters, strict=True))
        self.days = (28 + self._number("days", "") % 330) * (1 if self._number("sign", "") % 2 else -1)
        """By how many days dates move."""

    def of(self, kind: FindingKind, text: str) -> str:
        """What stands in the place of `text`."""
        makers: dict[FindingKind, Callable[[str], str]] = {
            FindingKind.NAME: self._name,
            FindingKind.EMAIL: self._email,
            FindingKind.PHONE: self._phone,
            FindingKind.CARD: self._card,
            FindingKind.ADDRESS: self._street,
            FindingKind.PLACE: lambda said: self._one_of(pools.TOWNS, "town", said),
            FindingKind.ORGANISATION: lambda said: self._one_of(pools.FIRMS, "firm", said),
            FindingKind.OCCUPATION: lambda said: self._one_of(pools.TRADES, "trade", said),
            FindingKind.NATIONALITY: lambda said: self._one_of(pools.NATIONS, "nation", said),
            FindingKind.IP_ADDRESS: lambda said: f"203.0.113.{1 + self._number('ip', said) % 254}",
            FindingKind.WEB_ADDRESS: lambda said: f"https://example.org/{self._number('web', said) % 100_000}",
            FindingKind.DATE: self._date,
            FindingKind.BIRTH_DATE: self._date,
            FindingKind.AGE: self._age,
        }
        return makers.get(kind, self._same_form)(text)

    def fingerprint(self, kind: FindingKind, text: str) -> str:
        """Equal for what has the same stand-in by design: case and white space do not count."""
        said = f"fingerprint {kind}\0{' '.join(text.casefold().split())}"
        return hmac.new(self._key, said.encode(errors="surrogatepass"), hashlib.sha256).hexdigest()

    def _number(self, what: str, text: str) -> int:
        said = f"{what}\0{' '.join(text.casefold().split())}".encode(errors="surrogatepass")
        return int.from_bytes(hmac.new(self._key, said, hashlib.sha256).digest()[:8])

    def _one_of(self, pool: Sequence[str], what: str, text: str) -> str:
        return pool[self._number(what, text) % len(pool)]

    # --- people

    def _name(self, text: str) -> str:
        return _WORD.sub(lambda match: self._word(match[0]), text)

    def _word(self, word: str) -> str:
        initial = self._initials.get(pools.plain(word[0]))
        if initial is None:
            initial = string.ascii_lowercase[self._number("letter", word[0]) % 26]
        if len(word) == 1:
            return initial.upper() if word.isupper() else initial
        flags = gazetteer.flags(word.lower())
        given = "F" in flags and "L" not in flags
        pool = pools.names(initial, given=given)
        return _in_case_of(word, self._one_of(pool, "name", word))

    def _email(self, text: str) -> str:
        match = _ADDRESS.fullmatch(text)
        local, host = (match[1], match[2]) if match else (text, "")
        said = _WORD.sub(lambda found: self._part(found[0]), local)
        said = re.sub(r"\d", lambda found: str(self._number("digit", local + str(found.start())) % 10), said)
        return f"{said}@{self._one_of(pools.HOSTS, 'host', host)}"

    def _part(self, part: str) -> str:
        """A part of an address: a name, two names written together, or an initial and a name."""
        lower = part.lower()
        if "F" in gazetteer.flags(lower) or "L" in gazetteer.flags(lower) or len(lower) < 4:
            return self._word(lower)
        for cut in sorted(range(1, len(lower) - 2), key=lambda place: (place == 1, abs(2 * place - len(lower)))):
            one, other = lower[:cut], lower[cut:]
            if ("F" in gazetteer.flags(one) or cut == 1) and "L" in gazetteer.flags(other):
                return self._word(one) + self._word(other)
        return self._word(lower)

    # --- numbers

    def _digits(self, what: str, text: str, count: int) -> str:
        digits = re.sub(r"\D", "", text) or text
        return "".join(str(self._number(f"{what} {place}", digits) % 10) for place in range(count))

    def _phone(self, text: str) -> str:
        """The same form; of the country code and the first digit nothing changes."""
        head = re.match(r"\+ ?\d{1,2}|0|\(0?", text)
        kept = head.end() if head else 0
        fresh = iter(self._digits("phone", text, sum(map(str.isdigit, text))))
        return text[:kept] + re.sub(r"\d", lambda _: next(fresh), text[kept:])

    def _card(self, text: str) -> str:
        count = sum(map(str.isdigit, text))
        body = ("400000" + self._digits("card", text, count))[: count - 1]
        check = next(str(digit) for digit in range(10) if luhn(body + str(digit)))
        fresh = iter(body + check)
        return re.sub(r"\d", lambda _: next(fresh), text)

    def _same_form(self, text: str) -> str:
        """Digits for digits, letters for letters; an IBAN keeps its country and gets right check digits."""
        code = re.sub(r"\s", "", text).upper()
        made = "".join(self._sign(sign, place, code) for place, sign in enumerate(code))
        if re.fullmatch(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}", code):
            made = code[:2] + "00" + made[4:]
            rest = int("".join(str(int(sign, 36)) for sign in made[4:] + made[:4])) % 97
            made = f"{code[:2]}{98 - rest:02d}{made[4:]}"
        fresh = iter(made)
        return "".join(sign if sign.isspace() else _in_case_of(sign, next(fresh)) for sign in text)

    def _sign(self, sign: str, place: int, code: str) -> str:
        number = self._number(f"sign {place}", code)
        if sign.isdigit():
            return str(number % 10)
        return string.ascii_uppercase[number % 26] if sign.isalpha() else sign

    def _street(self, text: str) -> str:
        number, street = 1 + self._number("house", text) % 180, self._one_of(pools.STREETS, "street", text)
        return (
            f"{number} {street}, {self._one_of(pools.TOWNS, 'street town', text)}" if len(text) > 25 else f"{number} {street}"
        )

    def _age(self, text: str) -> str:
        """Some years off, the same number for the whole project."""
        return re.sub(r"\d+", lambda match: str(max(1, int(match[0]) + (-3, -2, -1, 1, 2, 3)[self.days % 6])), text)

    # --- dates

    def _date(self, text: str) -> str:
        if match := _DAY.search(text):
            day = _in_order(match)
            if day is not None:
                moved = day[0] + datetime.timedelta(days=self.days)
                values = {"y": moved.year, "m": moved.month, "d": moved.day}
                parts = [_as_long_as(match[part], values[unit]) for part, unit in zip("abc", day[1], strict=True)]
                return text[: match.start()] + match["s"].join(parts) + text[match.end() :]
        month, year, day_said = _NAMED.search(text), re.search(r"\b(?:1[89]|20)\d\d\b", text), re.search(r"\b\d{1,2}\b", text)
        if month and day_said:
            at = datetime.date(int(year[0]) if year else 2001, 1 + _MONTHS.index(month["month"].lower()), 1)
            moved = at + datetime.timedelta(days=int(day_said[0]) - 1 + self.days)
            text = text[: month.start()] + _in_case_of(month[0], moved.strftime("%B")) + text[month.end() :]
            text = re.sub(r"\b(\d{1,2})\b", str(moved.day), text, count=1)
            return re.sub(r"\b(?:1[89]|20)\d\d\b", str(moved.year), text, count=1)
        return re.sub(r"\b(?:1[89]|20)\d\d\b", lambda found: str(int(found[0]) + (1 if self.days > 0 else -1)), text)


def _in_order(match: re.Match[str]) -> tuple[datetime.date, str] | None:
    """The day that is meant, and what stands where; of two readings the month first with "/", else the day."""
    numbers = {part: int(match[part]) for part in "abc"}
    orders = ["ymd"] if len(match["a"]) == 4 else (["mdy", "dmy"] if match["s"] == "/" else ["dmy", "mdy"])
    for order in orders:
        values = {unit: numbers[part] for part, unit in zip("abc", order, strict=True)}
        try:
            return datetime.date(values["y"] + (1900 if values["y"] < 100 else 0), values["m"], values["d"]), order
        except ValueError:
            continue
    return None


def _as_long_as(said: str, value: int) -> str:
    return str(value)[-2:] if len(said) == 2 and value > 99 else str(value).zfill(len(said))


def _in_case_of(said: str, word: str) -> str:
    if said.isupper() and (len(said) > 1 or len(word) == 1):
        return word.upper()
    return word.capitalize() if said[:1].isupper() else word.lower()
