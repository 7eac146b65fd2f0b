"""The families of checks that look at one record at a time, and what they are told about the project. Pure.

Each family is a module with `VERSION`, `KINDS` (what it can find), `SLICES` (the names of the slices that it can give) and
`look(batch, context)`: one `Seen` for each conversation of the batch, in order. A family finds nothing outside its KINDS, which
no other family has, and the same batch and context always give the same. Modules are loaded when first asked for, because some
bring large tables with them.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Protocol, cast

from backend.conversations import Message
from backend.detectors.findings import Finding
from backend.detectors.privacy import DEFAULT, PrivacyRules
from backend.vocabulary import Check, FindingKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """A project's brand voice."""

    forbidden: tuple[tuple[str, str], ...] = ()
    """(word or phrase that answers must not hold, what to say instead or "")."""
    required: tuple[str, ...] = ()
    """Words of which every answer must hold at least one, such as a sign-off; none for no rule."""
    longest: int = 0
    """The most words that an answer may have; 0 for no rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the checks know of the project. It is sent to other processes, so it holds plain values only."""

    rules: PrivacyRules = DEFAULT
    voice: Voice = field(default_factory=Voice)
    languages: tuple[str, ...] = ()
    """ISO 639-1 codes that records may be in; empty for any."""
    product_words: frozenset[str] = frozenset()
    """Words in lower case that are spelled right here, whatever a dictionary says."""
    faqs: tuple[tuple[str, str], ...] = ()
    """Approved questions and answers."""
    abuse_model: str = ""
    """The classifier that learned from the project's own labels, as `backend.detectors.abuse` writes it; "" for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one family saw in one conversation."""

    findings: tuple[Finding, ...] = ()
    slices: tuple[tuple[str, str], ...] = ()
    """(name, value) of what becomes a slice; the names begin with `vocabulary.DETECTED`."""


class Family(Protocol):
    """A module that checks."""

    VERSION: str
    KINDS: frozenset[FindingKind]
    SLICES: frozenset[str]

    def look(self, batch: Sequence[Sequence[Message]], context: Context) -> list[Seen]:
        """One `Seen` for each conversation."""


MODULES = {
    Check.TEXT: "backend.detectors.leftovers",
    Check.LANGUAGE: "backend.detectors.language",
    Check.SPELLING: "backend.detectors.spelling",
    Check.PERSONAL: "backend.detectors.personal",
    Check.ABUSE: "backend.detectors.abuse",
    Check.VOICE: "backend.detectors.voice",
    Check.QUALITY: "backend.detectors.quality",
    Check.SUPPORT: "backend.detectors.support",
    Check.SENTIMENT: "backend.detectors.sentiment",
}


def family(check: Check) -> Family:
    """The module of a family."""
    module: ModuleType = importlib.import_module(MODULES[check])
    return cast(Family, module)


MATTERS: Mapping[Check, tuple[str, ...]] = {
    Check.LANGUAGE: ("languages",),
    Check.SPELLING: ("product_words",),
    Check.PERSONAL: ("rules",),
    Check.ABUSE: ("abuse_model",),
    Check.VOICE: ("voice",),
    Check.QUALITY: ("faqs",),
    Check.SUPPORT: ("faqs",),
}
"""The fields of `Context` that a family goes by. When one of them changes, what it saw is out of date."""


def versions(context: Context, families: Mapping[Check, Family]) -> dict[Check, str]:
    """What each family saw a text by: its own version and, where the project has a say, a digest of what that is."""
    return {check: _version(check, one.VERSION, context) for check, one in families.items()}


def _version(check: Check, version: str, context: Context) -> str:
    told = [_plain(getattr(context, name)) for name in MATTERS.get(check, ())]
    return f"{version}.{hashlib.sha256(repr(told).encode(errors='surrogatepass')).hexdigest()[:8]}" if told else version


def _plain(value: Any) -> Any:
    """Something whose `repr` is the same for equal values, in every process."""
    if isinstance(value, PrivacyRules):
        return [_plain(value.kinds), _plain(value.allowed), value.patterns]  # what takes its place changes no finding
    return sorted(map(str, value)) if isinstance(value, frozenset) else value
