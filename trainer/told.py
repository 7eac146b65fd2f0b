"""What every config shares: fields that explain themselves, values that are checked, JSON in and out. Standard library only.

A part of the contract: `trainer.contract` hands these names on.
"""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from collections.abc import Callable
from dataclasses import field
from pathlib import Path
from typing import Any


class ConfigError(ValueError):
    """A config that contradicts itself; the message says which field and what would do."""


def describe(text: str, **extra: Any) -> Any:
    """A dataclass field with its explanation (shown by the recipe form) in the metadata."""
    default = extra.pop("default")
    return field(default=default, metadata={"help": text, **extra})


def from_json(cls: type[Any], value: dict[str, Any]) -> Any:
    """A config from a JSON object. Raises ConfigError for an unknown field or a value of the wrong type."""
    if not isinstance(value, dict):
        raise ConfigError(f"{cls.__name__} must be a JSON object.")
    known = {spec.name for spec in dataclasses.fields(cls)}
    if unknown := sorted(set(value) - known):
        raise ConfigError(f"Unknown field {', '.join(unknown)}; the fields are {', '.join(sorted(known))}.")
    for spec in dataclasses.fields(cls):
        if spec.name in value:
            _refuse_wrong_type(spec.name, str(spec.type), value[spec.name])
        elif spec.default is dataclasses.MISSING and spec.default_factory is dataclasses.MISSING:
            raise ConfigError(f"{spec.name} is missing.")
    return cls(**value)


def _refuse_wrong_type(name: str, wanted: str, value: Any) -> None:
    """JSON knows neither whole numbers nor which of them are finite; a field that is itself made of fields is left alone."""
    kind, optional = wanted.removesuffix(" | None"), wanted.endswith(" | None")
    if kind not in _KINDS or (optional and value is None):
        return
    fits, would_do = _KINDS[kind]
    if not fits(value):
        shown = repr(value) if len(repr(value)) <= _SHOWN else f"{repr(value)[:_SHOWN]}…"
        raise ConfigError(f"{name} must be {would_do}{' or null' if optional else ''}; it is {shown}.")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Whether a value from JSON is a finite number."""
    if isinstance(value, float):
        return math.isfinite(value)
    return _is_whole(value) and abs(value) <= sys.float_info.max


_KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "int": (_is_whole, "a whole number, written without a point"),
    "float": (is_number, "a finite number"),
    "str": (lambda value: isinstance(value, str), "a text"),
}
_SHOWN = 60


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in `path`. Raises ConfigError when it cannot be read or is not an object."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(value, dict):
        raise ConfigError(f"{path} must hold a JSON object.")
    return value
