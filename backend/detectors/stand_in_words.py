"""What stand-ins are drawn from. Names come from the gazetteer, the rest is made up or as common as can be. Pure."""

from __future__ import annotations

import functools
import unicodedata

from backend.detectors.entities import gazetteer

HOSTS = ("example.org", "example.com", "example.net")
TOWNS = (
    "Ashford", "Bedford", "Clifton", "Dayton", "Easton", "Fairview", "Georgetown", "Greenville", "Hamilton", "Highland",
    "Jackson", "Kingston", "Lakewood", "Lexington", "Madison", "Marion", "Milford", "Newport", "Oakdale", "Oxford", "Preston",
    "Richmond", "Riverside", "Salem", "Sheffield", "Springfield", "Sunnyside", "Trenton", "Union", "Walton", "Weston",
    "Winchester", "Woodland",
)  # fmt: skip
STREETS = tuple(
    f"{tree} {kind}"
    for tree in ("Alder", "Ash", "Aspen", "Beech", "Birch", "Cedar", "Cherry", "Chestnut", "Elm", "Hazel", "Juniper", "Larch",
                 "Maple",
                 "Oak", "Pine", "Poplar", "Rowan", "Spruce",
                 "Walnut", "Willow")
    for kind in ("Street", "Road", "Lane", "Avenue", "Drive", "Court")
)  # fmt: skip
FIRMS = tuple(
    f"{first} {second}"
    for first in ("Amber", "Blue", "Clear", "Delta", "Ever", "First", "Grand", "Harbor", "Iron", "Lumen", "North", "Silver")
    for second in ("Group", "Works", "Partners", "Systems", "Trading", "Services", "Labs", "Foods")
)
TRADES = (
    "accountant",
    "analyst",
    "clerk",
    "consultant",
    "designer",
    "engineer",
    "manager",
    "nurse",
    "planner",
    "teacher",
    "technician",
)
NATIONS = ("Australian", "Belgian", "Canadian", "Danish", "Finnish", "Irish", "Norwegian", "Portuguese", "Swedish", "Swiss")


def plain(letter: str) -> str:
    """The letter in lower case, without accents."""
    return unicodedata.normalize("NFD", letter.lower())[0]


@functools.cache
def names(initial: str, *, given: bool) -> tuple[str, ...]:
    """Names that begin with the letter, in plain Latin letters, that are no English words."""
    held = gazetteer.sections()["first" if given else "last"]
    found = (word for word in held if word[:1] == initial and word.isascii() and word.isalpha() and 4 <= len(word) <= 9)
    return tuple(word.capitalize() for word in found if gazetteer.rank(word) == "0") or (f"{initial.upper()}anders",)
