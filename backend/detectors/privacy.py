"""What a project treats as personal data: which kinds are looked for, which words are nobody's name, its own number formats.

A kind that is looked for keeps a record out of snapshots until somebody masks or dismisses it; one that is not looked for
leaves no findings at all. The default leaves out what is mostly public in a shop's answers: towns and countries, firms,
trades, nationalities, plain dates, web addresses, ages and postal codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backend.detectors.entities.references import checked
from backend.detectors.entities.spans import Entity
from backend.errors import InvalidInput
from backend.vocabulary import PERSONAL_FINDINGS, FindingKind, Replacement

KIND_OF = {
    Entity.PERSON: FindingKind.NAME,
    Entity.STREET_ADDRESS: FindingKind.ADDRESS,
    Entity.GPE: FindingKind.PLACE,
    Entity.ORGANIZATION: FindingKind.ORGANISATION,
    Entity.TITLE: FindingKind.OCCUPATION,
    Entity.NRP: FindingKind.NATIONALITY,
    Entity.EMAIL_ADDRESS: FindingKind.EMAIL,
    Entity.PHONE_NUMBER: FindingKind.PHONE,
    Entity.CREDIT_CARD: FindingKind.CARD,
    Entity.IBAN_CODE: FindingKind.ACCOUNT,
    Entity.ACCOUNT_NUMBER: FindingKind.ACCOUNT,
    Entity.US_SSN: FindingKind.IDENTITY,
    Entity.NATIONAL_ID: FindingKind.IDENTITY,
    Entity.US_DRIVER_LICENSE: FindingKind.IDENTITY,
    Entity.IP_ADDRESS: FindingKind.IP_ADDRESS,
    Entity.DOMAIN_NAME: FindingKind.WEB_ADDRESS,
    Entity.DATE_TIME: FindingKind.DATE,
    Entity.DATE_OF_BIRTH: FindingKind.BIRTH_DATE,
    Entity.AGE: FindingKind.AGE,
    Entity.ZIP_CODE: FindingKind.POSTCODE,
    Entity.ORDER_NUMBER: FindingKind.REFERENCE,
}
"""Which finding an entity becomes."""
MOSTLY_PUBLIC = frozenset(
    {
        FindingKind.PLACE, FindingKind.ORGANISATION, FindingKind.OCCUPATION, FindingKind.NATIONALITY, FindingKind.WEB_ADDRESS,
        FindingKind.DATE, FindingKind.AGE, FindingKind.POSTCODE,
    }
)  # fmt: skip
"""Kinds that are looked for only where a project asks for them."""
DEFAULT_KINDS = PERSONAL_FINDINGS - MOSTLY_PUBLIC
SETTING = "personal_data"
"""The key in `Project.settings`."""
_MOST_WORDS, _LONGEST_WORD = 2000, 80


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacyRules:
    """A project's choice. Equal rules find equal things in equal texts."""

    kinds: frozenset[FindingKind] = DEFAULT_KINDS
    """What is looked for."""
    allowed: frozenset[str] = frozenset()
    """Product words in lower case: never a finding."""
    patterns: tuple[str, ...] = ()
    """The project's own numbers, as `entities.references` writes them."""
    replacement: Replacement = Replacement.MASK
    """What is proposed to stand in place of a finding."""


EVERYTHING = PrivacyRules(kinds=PERSONAL_FINDINGS)
DEFAULT = PrivacyRules()


def rules_of(settings: Mapping[str, Any] | None) -> PrivacyRules:
    """The rules that a project's settings hold; what was never chosen is the default."""
    held = (settings or {}).get(SETTING)
    if not isinstance(held, Mapping):
        return DEFAULT
    return PrivacyRules(
        kinds=frozenset(FindingKind(kind) for kind in held["kinds"]) if "kinds" in held else DEFAULT_KINDS,
        allowed=frozenset(str(word).casefold() for word in held.get("allowed", ())),
        patterns=tuple(held.get("patterns", ())),
        replacement=Replacement(held.get("replacement", Replacement.MASK)),
    )


def as_setting(rules: PrivacyRules) -> dict[str, Any]:
    """The rules as they are stored. Raises InvalidInput for rules that cannot be kept to."""
    if not rules.kinds <= PERSONAL_FINDINGS:
        raise InvalidInput("Only kinds of personal data can be looked for.")
    allowed = sorted({" ".join(word.split()).casefold() for word in rules.allowed if word.strip()})
    if len(allowed) > _MOST_WORDS:
        raise InvalidInput(f"At most {_MOST_WORDS:,} product words can be listed.")
    if too_long := [word for word in allowed if len(word) > _LONGEST_WORD]:
        raise InvalidInput(f"A product word has at most {_LONGEST_WORD} characters: {too_long[0][:40]}…")
    patterns = list(dict.fromkeys(checked(pattern) for pattern in rules.patterns if pattern.strip()))
    return {
        "kinds": sorted(kind.value for kind in rules.kinds),
        "allowed": allowed,
        "patterns": patterns,
        "replacement": rules.replacement.value,
    }
