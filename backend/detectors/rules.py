"""What a project says about its texts: languages, product words, brand voice; as values and as they are stored. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from backend.detectors.checks import Voice
from backend.detectors.language import NAMES
from backend.errors import InvalidInput

SETTING = "text_rules"
"""The key in `Project.settings`."""
MOST_WORDS, LONGEST_WORD, MOST_FORBIDDEN, MOST_REQUIRED, LONGEST_ANSWER = 2000, 80, 500, 20, 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRules:
    """A project's choice; the default asks for nothing."""

    languages: tuple[str, ...] = ()
    """ISO 639-1 codes that records may be in; empty for any."""
    product_words: frozenset[str] = frozenset()
    """In lower case: spelled right, whatever a dictionary says."""
    voice: Voice = field(default_factory=Voice)


def rules_of(settings: Mapping[str, Any] | None) -> TextRules:
    """The rules that a project's settings hold; what was never chosen asks for nothing."""
    held = (settings or {}).get(SETTING)
    if not isinstance(held, Mapping):
        return TextRules()
    return TextRules(
        languages=tuple(held.get("languages", ())),
        product_words=frozenset(held.get("product_words", ())),
        voice=Voice(
            forbidden=tuple((str(word), str(instead)) for word, instead in held.get("forbidden", ())),
            required=tuple(held.get("required", ())),
            longest=int(held.get("longest", 0)),
        ),
    )


def as_setting(rules: TextRules) -> dict[str, Any]:
    """The rules, tidied, as they are stored. Raises InvalidInput, with what to change, for rules that cannot be kept to."""
    if unknown := [code for code in rules.languages if code not in NAMES]:
        raise InvalidInput(f"“{unknown[0][:20]}” is no language that can be told apart; choose from the list.")
    if not 0 <= rules.voice.longest <= LONGEST_ANSWER:
        raise InvalidInput(f"The longest answer is a number of words up to {LONGEST_ANSWER:,}, or 0 for no limit.")
    product_words = _tidied((word.casefold() for word in rules.product_words), MOST_WORDS, "product words")
    return {
        "languages": [code for code in NAMES if code in rules.languages],
        "product_words": sorted(product_words),
        "forbidden": [list(pair) for pair in _forbidden(rules.voice.forbidden)],
        "required": _tidied(rules.voice.required, MOST_REQUIRED, "required words"),
        "longest": rules.voice.longest,
    }


def _forbidden(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Each phrase once, in the order given. What is said instead must not be forbidden itself."""
    said = [(" ".join(word.split()), " ".join(instead.split())) for word, instead in pairs]
    if lonely := [instead for word, instead in said if instead and not word]:
        raise InvalidInput(f"Say what “{lonely[0][:40]}” is to be said instead of, or clear that line.")
    said = [(word, instead) for word, instead in said if word]
    _tidied((word for pair in said for word in pair), 2 * MOST_FORBIDDEN, "forbidden words and their replacements")
    first: dict[str, tuple[str, str]] = {}
    for word, instead in said:
        if first.setdefault(word.casefold(), (word, instead)) != (word, instead):
            raise InvalidInput(f"“{word[:40]}” is listed twice with different words to say instead.")
    for word, instead in first.values():
        if instead.casefold() in first:
            raise InvalidInput(f"“{instead[:40]}” is to be said instead of “{word[:40]}”, but is forbidden itself.")
    return list(first.values())


def _tidied(words: Iterable[str], most: int, what: str) -> list[str]:
    tidied = list(dict.fromkeys(" ".join(word.split()) for word in words if word.strip()))
    if len(tidied) > most:
        raise InvalidInput(f"At most {most:,} {what} can be listed.")
    if too_long := [word for word in tidied if len(word) > LONGEST_WORD]:
        raise InvalidInput(f"Words and phrases have at most {LONGEST_WORD} characters: {too_long[0][:40]}…")
    return tidied
