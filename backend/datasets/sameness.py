"""Whether two texts say the same but for cleaning: masks, stand-ins, repaired characters, signs and spaces. Pure.

An imported file's labels were given to the texts as they stood in the file, and records are cleaned before they are
approved. A label still holds for a text that only cleaning has changed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from backend.conversations import Message
from backend.detectors.duplicates import normalise, similarity
from backend.detectors.personal import MASKS, mask
from backend.detectors.privacy import DEFAULT, PrivacyRules
from backend.detectors.repair import repair

REWRITTEN = 0.9
"""Answers that are less alike than this are two answers; above it, one was cleaned or touched up."""
_SIGNS = re.compile(r"[\W_]+")
_MASK = re.compile("|".join(re.escape(word) for word in MASKS.values()))


def bare(text: str, rules: PrivacyRules = DEFAULT) -> str:
    """The words that cleaning leaves alone, evened out."""
    masked = _MASK.sub(" ", mask(repair(text).text, rules=rules))
    return _SIGNS.sub(" ", normalise(masked)).strip()


def same_questions(before: Sequence[Message], after: Sequence[Message], rules: PrivacyRules = DEFAULT) -> bool:
    """Whether the turns before an answer are the same but for cleaning."""
    return [message.role for message in before] == [message.role for message in after] and all(
        one.content == other.content or bare(one.content, rules) == bare(other.content, rules)
        for one, other in zip(before, after, strict=True)
    )


def same_answer(one: str, other: str, rules: PrivacyRules = DEFAULT) -> bool:
    """Whether two answers are the same but for cleaning."""
    return one.strip() == other.strip() or bare(one, rules) == bare(other, rules)


def was_rewritten(before: str, after: str, rules: PrivacyRules = DEFAULT) -> bool:
    """Whether `after` is another answer than `before`, and not the same one cleaned or touched up."""
    return similarity(bare(before, rules), bare(after, rules)) < REWRITTEN
