"""Recipes: what a person chooses for a run, as form fields and as a config for the trainer. Pure.

The fields, their explanations and their limits are those of `trainer.contract.TrainConfig`, so that a field added there
appears in the form. What the project decides (the snapshot's folder, the threads of this machine) is not in a recipe.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from backend.errors import InvalidInput
from trainer import contract
from trainer.contract import ConfigError, TrainConfig

Recipe = Mapping[str, Any]
"""Field name → value."""

DECIDED_ELSEWHERE = frozenset({"data", "threads", "initial_adapter"})
BASIC = (
    "base_model", "adapter", "epochs", "learning_rate", "batch_size", "lora_rank", "max_length", "early_stopping", "seed",
)  # fmt: skip
"""What most runs need; the rest is folded away."""

_LARGER: dict[str, Any] = {
    "learning_rate": 2e-4, "epochs": 3, "batch_size": 4, "accumulation": 4, "max_length": 1024, "early_stopping": 2,
}  # fmt: skip
"""Where a model of a hub or folder usually does well: it knows more, so it needs smaller and fewer steps."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the form. `kind` is "int", "float", "text" or "choice"; an empty text means None where it may be None."""

    name: str
    label: str
    help: str
    kind: str
    default: Any
    choices: tuple[str, ...]
    minimum: float | None
    optional: bool
    basic: bool


def fields() -> list[Field]:
    """Every field that a person may choose: the basic ones first, the others in the trainer's order."""
    found = [_field(spec) for spec in dataclasses.fields(TrainConfig) if spec.name not in DECIDED_ELSEWHERE]
    order = {name: place for place, name in enumerate(BASIC)}
    return sorted(found, key=lambda field: order.get(field.name, len(order)))


def _field(spec: dataclasses.Field[Any]) -> Field:
    choices = tuple(spec.metadata.get("choices", ()))
    kind = "choice" if choices else {"int": "int", "float": "float"}.get(str(spec.type), "text")
    return Field(
        name=spec.name,
        label=spec.name.replace("lora", "LoRA").replace("_", " ").capitalize().replace("Lora", "LoRA"),
        help=spec.metadata["help"],
        kind=kind,
        default=spec.default,
        choices=choices,
        minimum=spec.metadata.get("minimum"),
        optional="None" in str(spec.type),
        basic=spec.name in BASIC,
    )


def default_recipe(base_model: str = contract.EMBEDDED) -> dict[str, Any]:
    """Sane values for a base model: those measured for the embedded one, gentler ones for others."""
    recipe = {field.name: field.default for field in fields()} | {"base_model": base_model}
    return recipe if base_model == contract.EMBEDDED else recipe | _LARGER


def to_config(recipe: Recipe, *, data: str, threads: int) -> TrainConfig:
    """The trainer's config. Fields that are not given have their defaults. Raises InvalidInput naming the field."""
    known = {field.name: field for field in fields()}
    if unknown := sorted(set(recipe) - set(known)):
        raise InvalidInput(f"A recipe has no field {', '.join(unknown)}. Its fields are {', '.join(sorted(known))}.")
    base_model = str(recipe.get("base_model") or contract.EMBEDDED)
    values = {name: _value(known[name], value) for name, value in {**default_recipe(base_model), **recipe}.items()}
    try:
        return TrainConfig(**values, data=data, threads=threads)
    except ConfigError as error:
        raise InvalidInput(str(error)) from error


def of_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe in a stored config."""
    return {name: value for name, value in config.items() if name not in DECIDED_ELSEWHERE}


def parse_assignments(assignments: Iterable[str]) -> dict[str, str]:
    """`name=value` texts as a recipe. Raises InvalidInput for one without a sign of equality."""
    found = {}
    for text in assignments:
        name, sign, value = text.partition("=")
        if not sign or not name.strip():
            raise InvalidInput(f"{text!r} is not of the form name=value.")
        found[name.strip()] = value.strip()
    return found


def _value(field: Field, value: Any) -> Any:
    if isinstance(value, str):
        value = value.strip()
    if field.optional and value in (None, "", "none", "None"):
        return None
    if field.kind in ("text", "choice"):
        if not isinstance(value, str) or not value:
            raise InvalidInput(f"{field.name} must be a text.")
        if "\x00" in value or len(value) > 500:
            raise InvalidInput(f"{field.name} is not a name that can be used.")
        return value
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(value, bool) or not math.isfinite(number):
        raise InvalidInput(f"{field.name} must be a number; it is {str(value)[:40]!r}.")
    if field.kind == "int":
        if not number.is_integer() or abs(number) >= 2**53:
            raise InvalidInput(f"{field.name} must be a whole number; it is {str(value)[:40]!r}.")
        return int(number)
    return number
