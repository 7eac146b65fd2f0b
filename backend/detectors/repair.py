"""Repairs text that was broken on its way: wrong decoding (ftfy), decomposed accents (NFC), invisible characters.

Meaning, typographic quotes and layout are left alone, and repairing twice changes nothing more. Not promised: that every
broken text is recognised; ftfy would rather leave a text than damage it.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

import ftfy

from backend.detectors.findings import Finding
from backend.vocabulary import FindingKind

DETECTOR, VERSION = "repair", "1"

_FTFY = ftfy.TextFixerConfig(
    uncurl_quotes=False,
    fix_latin_ligatures=False,
    fix_character_width=False,
    remove_control_chars=False,
    fix_line_breaks=False,
    normalization=None,
)
# Controls (but tab and line feed), soft hyphen, zero-width space and joiners' relatives, byte order mark, annotations.
_INVISIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u180e\u200b\u2060-\u2064\u206a-\u206f\ufeff\ufff9-\ufffb]")
# Joiners shape emoji, Persian and Indic scripts, so only those that touch no such character are noise.
_IDLE_JOINER = re.compile("(?:(?<=[\x00-\x7f])|^)[\u200c\u200d]+|[\u200c\u200d]+(?=[\x00-\x7f]|$)")
_DIRECTION = re.compile("[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]")
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
# Tag characters hide text from people but not from models; after a black flag they spell a country's emoji.
_TAGS = re.compile("(\U0001f3f4[\U000e0020-\U000e007f]+)|[\U000e0000-\U000e007f]+")
_PLAIN = re.compile("[\t\n\x20-\x25\x27-\x7e]*")


@dataclass(frozen=True, slots=True)
class Repair:
    """A repaired text and, in words, what was changed; no changes means that the text was fine."""

    text: str
    changes: tuple[str, ...] = ()


def repair(text: str) -> Repair:
    """Repairs `text`."""
    if _PLAIN.fullmatch(text):
        return Repair(text)
    changes: list[str] = []
    for _ in range(4):  # a repaired text can show another fault beneath; each round leaves fewer
        before = text
        for what, step in _STEPS:
            repaired = step(text)
            if repaired != text and what not in changes:
                changes.append(what)
            text = repaired
        if text == before:
            break
    return Repair(text, tuple(changes))


def find_faults(text: str, *, message: int = 0) -> list[Finding]:
    """One finding over the whole text, with the repaired text as its proposal, or none."""
    repaired = repair(text)
    if not repaired.changes:
        return []
    return [
        Finding(
            kind=FindingKind.ENCODING,
            message=message,
            start=0,
            end=len(text),
            score=1.0,
            detector=DETECTOR,
            version=VERSION,
            proposal=repaired.text,
            why=f"In this text: {', '.join(repaired.changes)}.",
        )
    ]


def _line_breaks(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n\n")


def _decode(text: str) -> str:
    return ftfy.fix_text(text, _FTFY)


def _compose(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _drop_invisible(text: str) -> str:
    text = _INVISIBLE.sub("", text)
    text = _TAGS.sub(lambda match: match[1] or "", text)
    text = _IDLE_JOINER.sub("", text)
    return text if _RIGHT_TO_LEFT.search(text) else _DIRECTION.sub("", text)


_STEPS = (
    ("line breaks made uniform", _line_breaks),
    ("wrongly decoded characters repaired", _decode),
    ("invisible characters removed", _drop_invisible),
    ("accents composed (NFC)", _compose),
)
