"""Labelled texts from `templates.txt`, as many as wanted, the same for the same seed.

Texts are joined, lower-cased, shouted and stripped of marks as customers' texts are; some context words are replaced by
other common ones, so that a label hangs on no single template.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from backend.detectors.entities.gazetteer import sections
from backend.detectors.making.fillers import Fillers
from backend.detectors.making.gazetteer import foreign_words, rare_words
from backend.detectors.making.templates import PIECE, templates
from backend.detectors.making.words import WORDS

_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_FORMS = {
    "date": ["##/##/####", "20##-0#-1#", "Month 1#", "1# Month Year", "#.1#.##", "19##-1#-0# 1#:##:##"],
    "time": ["#:##", "1#:##", "2#:##:##", "#:## pm"],
    "money": ["$##", "$1#.##", "## euros", "£#.##", "### USD"],
    "phone": [
        "###-###-####", "+## ### ######", "0### ## ## ##", "(###) ### ####", "0#########", "0#.##.##.##.##", "### ####",
        "## ### ###",
        "### ### ###", "001-###-###-####x###", "+## (0)## ### ## ##",
    ],
    "card": ["################", "###############", "#### #### #### ####"],
    "iban": ["@@##################", "@@## #### #### #### ####"],
}  # fmt: skip
_MAIL_ENDS = ["@mail.com", "##@post.de", "#@web.org", ".@@@@@@@@.com"]
_URL_STARTS, _URL_ENDS = ["https://", "http://www.", "www.", "https://www."], [".com", ".org/", ".net", ".se/", ".de", ".com/"]


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text with its spans: start, end, label."""

    text: str
    spans: tuple[tuple[int, int, str], ...]


class Sentences:
    """Draws labelled texts."""

    def __init__(self, seed: int) -> None:
        self.fill = Fillers(seed)
        self._templates = templates()
        self._common = sections()["common"][:5000]
        self._rarer, self._rare = sections()["common"][5000:], rare_words()
        self._labelled: dict[str, tuple[str, Callable[[], str]]] = {
            "P": ("PERSON", self.fill.person),
            "F": ("PERSON", self.fill.given),
            "L": ("PERSON", self.fill.family),
            "A": ("STREET_ADDRESS", self.fill.address),
            "S": ("STREET_ADDRESS", self.fill.line),
            "W": ("STREET_ADDRESS", self.fill.street),
            "G": ("GPE", self.fill.town),
            "R": ("GPE", lambda: self.fill.pick(WORDS["region"])),
            "N": ("GPE", self.fill.country),
            "O": ("ORGANIZATION", self.fill.firm),
            "J": ("TITLE", self.fill.trade),
            "T": ("TITLE", lambda: self.fill.pick(WORDS["prefix"])),
            "D": ("NRP", lambda: self.fill.pick(WORDS["demonym"])),
        }

    def draw(self) -> Labelled:
        """One text of one to four templates."""
        drawn = self._one()
        while self.fill.chance(0.4) and len(drawn.text) < 400:
            drawn = _joined(drawn, self.fill.pick([". ", " ", "\n", ", ", "! ", "? ", "\n\n"]), self._one())
        if self.fill.chance(0.4):
            drawn = self._varied(drawn)
        return self._as_written(drawn)

    def _one(self) -> Labelled:
        line = self.fill.pick(self._templates)
        while "[" in line:
            line = _CHOICE.sub(lambda match: self.fill.pick(match[1].split("|")), line)
        line = line.replace("\\n", "\n")
        text, spans, position = "", [], 0
        for match in PIECE.finditer(line):
            text += line[position : match.start()]
            position = match.end()
            if match[1] in self._labelled:
                label, draw = self._labelled[match[1]]
                value = self._cased(label, draw())
                spans.append((len(text), len(text) + len(value), label))
            else:
                value = self._other(match[1])
            text += value
        text += line[position:]
        if text[:1].islower() and self.fill.chance(0.5) and not (spans and spans[0][0] == 0):
            text = text[0].upper() + text[1:]
        return Labelled(text, tuple(spans))

    def _cased(self, label: str, value: str) -> str:
        if label in ("TITLE", "ORGANIZATION"):
            return value
        chance = self.fill.random.random()
        return value.lower() if chance < 0.08 else value.upper() if chance < 0.12 else value

    def _other(self, name: str) -> str:
        """What stands in an unlabelled placeholder: numbers by their form (# is a digit), words by their list."""
        fill = self.fill
        if name in _FORMS:
            return self._number(fill.pick(_FORMS[name]))
        if name == "n":
            return fill.pick(WORDS["market"]) if fill.chance(0.4) else fill.country()
        makers: dict[str, Callable[[], str]] = {
            "thing": lambda: fill.pick(WORDS["thing"]),
            "brand": lambda: fill.pick(WORDS["brand"]),
            "d": lambda: fill.pick([*WORDS["demonym"], "European", "Asian", "African", "Western", "international", "foreign"]),
            "common": self._word,
            "foreign": self._foreign,
            "month": lambda: fill.pick(WORDS["month"]),
            "year": lambda: str(fill.random.randint(1920, 2029)),
            "age": lambda: str(fill.random.randint(1, 99)),
            "small": lambda: str(fill.random.randint(1, 30)),
            "order": lambda: fill.pick(["", "#", "ORD-", "A"]) + fill.digits(4, 13),
            "ip": lambda: ".".join(str(fill.random.randint(1, 254)) for _ in range(4)),
            "zip": fill.postcode,
            "initial": fill.letter,
            "email": lambda: self._number(f"{fill.given().lower()}{fill.pick(_MAIL_ENDS)}").replace(" ", ""),
            "url": lambda: fill.pick(_URL_STARTS) + fill.pick(self._common) + fill.pick(self._common) + fill.pick(_URL_ENDS),
        }
        return makers[name]()

    def _number(self, form: str) -> str:
        filled = form.replace("Month", self.fill.pick(WORDS["month"])).replace(
            "Year", str(self.fill.random.randint(1920, 2029))
        )
        return re.sub(r"[#@]", lambda m: self.fill.digits(1, 1) if m[0] == "#" else self.fill.letter(), filled)

    def _varied(self, drawn: Labelled) -> Labelled:
        """Some lower-case context words become other common words."""
        pieces: list[tuple[str, str]] = []
        position = 0
        for start, end, label in drawn.spans:
            pieces += [(drawn.text[position:start], ""), (drawn.text[start:end], label)]
            position = end
        pieces.append((drawn.text[position:], ""))
        swap = re.compile(r"\b[a-z]{4,}\b")
        return _from_pieces(
            [(piece if label else swap.sub(lambda m: self._swapped(m[0]), piece), label) for piece, label in pieces]
        )

    def _swapped(self, word: str) -> str:
        """Another word, the word with a slip of the finger, the word in capitals, mostly the word itself."""
        chance = self.fill.random.random()
        if chance < 0.15:
            return self._word()
        if chance < 0.18:
            place = self.fill.random.randrange(1, len(word) - 1)
            return word[:place] + self.fill.pick(
                [word[place + 1] + word[place] + word[place + 2 :], word[place + 1 :], word[place] + word[place:]]
            )
        return word.capitalize() if chance < 0.21 else word.upper() if chance < 0.215 else word

    def _foreign(self) -> str:
        """Some words of another language."""
        held = foreign_words()[self.fill.pick(["es", "es", "de", "fr", "it", "pt", "nl"])]
        return " ".join(self.fill.pick(held) for _ in range(self.fill.random.randint(3, 9)))

    def _word(self) -> str:
        """An English word, mostly a common one; some are in no list."""
        chance = self.fill.random.random()
        return self.fill.pick(self._common if chance < 0.65 else self._rarer if chance < 0.85 else self._rare)

    def _as_written(self, drawn: Labelled) -> Labelled:
        """In lower case, shouted, or as it is; of the lower-cased, some without marks."""
        chance = self.fill.random.random()
        if chance < 0.05 and len(drawn.text.upper()) == len(drawn.text):
            return Labelled(drawn.text.upper(), drawn.spans)
        if chance < 0.4 and len(drawn.text.lower()) == len(drawn.text):
            text = drawn.text.lower()
            if self.fill.chance(0.35):
                text = re.sub(r"[,.!?;:'\"]", " ", text)
            return Labelled(text, drawn.spans)
        return drawn


def _joined(one: Labelled, gap: str, other: Labelled) -> Labelled:
    if one.text[-1:] in ".!?\n" and gap[0] in ".,!?":
        gap = " "
    shift = len(one.text) + len(gap)
    return Labelled(
        one.text + gap + other.text, (*one.spans, *((start + shift, end + shift, label) for start, end, label in other.spans))
    )


def _from_pieces(pieces: list[tuple[str, str]]) -> Labelled:
    text, spans = "", []
    for piece, label in pieces:
        if label:
            spans.append((len(text), len(text) + len(piece), label))
        text += piece
    return Labelled(text, tuple(spans))


def draw_many(count: int, seed: int) -> Iterator[Labelled]:
    """So many texts."""
    source = Sentences(seed)
    for _ in range(count):
        yield source.draw()
