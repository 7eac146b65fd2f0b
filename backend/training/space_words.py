"""A space in words, as people write it: "4, 8, 16", "0.0001 to 0.01 by magnitude", "1 to 5", "0 to 0.2 in steps of 0.1".

Pure. What the words mean is checked once more by `trainer.spaces`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from backend.errors import InvalidInput
from backend.training import recipes
from trainer import spaces

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_RANGE = re.compile(
    rf"\s*({_NUMBER})\s*(?:to|…|\.\.\.?|–)\s*({_NUMBER})\s*(?:(by magnitude|log)|(?:in steps of|step|by)\s*({_NUMBER}))?\s*",
    re.IGNORECASE,
)
USUAL = {"learning_rate": "0.0005 to 0.01 by magnitude", "lora_rank": "4, 8, 16, 32"}
"""What most searches begin with, for the embedded model; others learn in steps ten times smaller."""
USUAL_OTHER = {"learning_rate": "0.00003 to 0.001 by magnitude", "lora_rank": "8, 16, 32"}


def fields_of(objective: str) -> dict[str, str]:
    """The fields that a search over this objective may vary: name → label."""
    known = spaces.searchable()
    return {field.name: field.label for field in recipes.fields(objective) if field.name in known}


def read(rows: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """(field, words) → a space. Raises InvalidInput naming the field. Rows without a field or words are left out."""
    space: dict[str, Any] = {}
    for name, words in rows:
        if not name or not words.strip():
            continue
        if name in space:
            raise InvalidInput(f"{name} stands there twice. Keep one of the two.")
        space[name] = _dimension(name, words)
    return space


def _dimension(name: str, words: str) -> dict[str, Any]:
    if found := _RANGE.fullmatch(words):
        low, high, log, step = found.groups()
        told: dict[str, Any] = {"low": _number(low), "high": _number(high)}
        return told | ({"log": True} if log else {}) | ({"step": _number(step)} if step else {})
    choices = [_choice(one.strip()) for one in words.split(",") if one.strip()]
    if not choices:
        raise InvalidInput(f"{name}: write values with commas, or “low to high”.")
    return {"choices": choices}


def _choice(word: str) -> Any:
    return _number(word) if re.fullmatch(_NUMBER, word) else word


def _number(word: str) -> int | float:
    value = float(word)
    return int(value) if value.is_integer() and not re.search(r"[.eE]", word) else value


def write(space: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """A space as words; `read` of them gives it back."""
    return {name: _words(told) for name, told in space.items()}


def _words(told: Mapping[str, Any]) -> str:
    if "choices" in told:
        return ", ".join(str(one) for one in told["choices"])
    step = f" in steps of {told['step']}" if told.get("step") else ""
    return f"{told['low']} to {told['high']}" + (" by magnitude" if told.get("log") else step)
