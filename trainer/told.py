"""What every config shares: fields that explain themselves, values that are checked, JSON in and out. Standard library only.

A part of the contract: `trainer.contract` hands these names on.
"""

from __future__ import annotations

import dataclasses
import json
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
    try:
        return cls(**value)
    except TypeError as error:
        raise ConfigError(f"A field is missing or has the wrong type: {error}") from error


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in `path`. Raises ConfigError when it cannot be read or is not an object."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(value, dict):
        raise ConfigError(f"{path} must hold a JSON object.")
    return value
