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
from trainer import catalogue, contract
from trainer.contract import ConfigError, TrainConfig

Recipe = Mapping[str, Any]
"""Field name → value."""

DECIDED_ELSEWHERE = frozenset({"data", "threads", "initial_adapter"})
BASIC = (
    "objective", "base_model", "adapter", "epochs", "learning_rate", "batch_size", "lora_rank", "max_length", "early_stopping",
    "seed",
)  # fmt: skip
"""What most runs need; the rest is folded away."""

_LARGER: dict[str, Any] = {
    "learning_rate": 2e-4, "epochs": 3, "batch_size": 4, "accumulation": 4, "max_length": 1024, "early_stopping": 2,
}  # fmt: skip
"""Where a model of a hub or folder usually does well: it knows more, so it needs smaller and fewer steps."""
_PREFERENCE: dict[str, Any] = {"epochs": 5, "checkpoint_every": 20}
_BY_OBJECTIVE: dict[str, dict[str, Any]] = {
    "dpo": _PREFERENCE, "kto": _PREFERENCE, "orpo": _PREFERENCE,
    "reward": {"epochs": 6},
    "classification": {"epochs": 8, "best_metric": "macro_f1"},
}  # fmt: skip
_RATES = {"dpo": 1 / 6, "kto": 1 / 6, "orpo": 1 / 3, "reward": 1 / 2, "classification": 1 / 2}
"""What the learning rate of imitation is multiplied by: who learns from comparisons goes in smaller steps."""


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


def objectives_for(kind: str, base_model: str | None = None) -> dict[str, str]:
    """What can be learned from a snapshot of this kind: the objective's name → what it does, in a sentence.

    With a base model that is well known, only what it can learn; of others that is seen when they are loaded.
    """
    found = {name: objective.help for name, objective in contract.OBJECTIVES.items() if objective.rows == kind}
    if base_model is None or not (base_model == contract.EMBEDDED or catalogue.known(base_model)):
        return found
    return {name: help_ for name, help_ in found.items() if base_model in {model.name for model in catalogue.fitting(name)}}


def why_not_from(before: str, objective: str, *, whole: bool) -> str:
    """Why a run cannot go on from a version that has learned `before` (nothing: a base model); an empty text where it can.

    `whole` says that the version is whole weights, not an adapter.
    """
    known = contract.OBJECTIVES.get(objective)
    if known is None:
        return ""
    if not before or contract.OBJECTIVES[before].chats:
        if known.chats or (whole and objective != "seq2seq"):
            return ""
        return "A model that scores or sorts, or a T5 model, cannot go on from a chat model. Start it from its base model."
    if objective == "classification" == before:
        return "A classifier starts from its base model, because its classes are those of its own snapshot."
    if objective == before:
        return ""
    return f"That version has learned the objective {before} and can only go on with it. Start from the base model."


def well_known(kind: str) -> dict[str, str]:
    """Base models that can learn from a snapshot of this kind: name → its facts in a sentence."""
    return {
        model.name: model.said
        for objective in objectives_for(kind)
        for model in catalogue.fitting(objective)
        if model.name != contract.EMBEDDED
    }


def fields(objective: str | None = None) -> list[Field]:
    """Every field that a person may choose, or those that mean something to one objective: the basic ones first, the others
    in the trainer's order."""
    specs = [spec for spec in dataclasses.fields(TrainConfig) if spec.name not in DECIDED_ELSEWHERE]
    if objective is not None:
        specs = [spec for spec in specs if objective in spec.metadata.get("objectives", (objective,))]
    found = [_for_objective(_field(spec), objective) for spec in specs]
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


def _for_objective(field: Field, objective: str | None) -> Field:
    """The field with the choices that the objective has."""
    if objective is None or field.name != "best_metric":
        return field
    return dataclasses.replace(field, choices=("loss", *contract.OBJECTIVES[objective].metrics))


def default_recipe(base_model: str = contract.EMBEDDED, objective: str = "sft") -> dict[str, Any]:
    """Sane values for a base model and an objective: those measured for the embedded one, gentler ones for others."""
    recipe = {field.name: field.default for field in fields()} | {"base_model": base_model, "objective": objective}
    recipe |= _BY_OBJECTIVE.get(objective, {})
    if base_model != contract.EMBEDDED:
        recipe |= _LARGER
    return recipe | {"learning_rate": recipe["learning_rate"] * _RATES.get(objective, 1.0)}


def to_config(
    recipe: Recipe, *, data: str, threads: int, kind: str | None = None, initial_adapter: str | None = None
) -> TrainConfig:
    """The trainer's config for a snapshot of a kind (any where it is not said). Fields that are not given have their
    defaults, the objective the first that fits the kind. Raises InvalidInput naming the field.
    """
    known = {field.name: field for field in fields()}
    if unknown := sorted(set(recipe) - set(known)):
        raise InvalidInput(f"A recipe has no field {', '.join(unknown)}. Its fields are {', '.join(sorted(known))}.")
    base_model = str(recipe.get("base_model") or contract.EMBEDDED)
    objective = str(recipe.get("objective") or next(iter(objectives_for(kind or "sft"))))
    if objective in contract.OBJECTIVES and kind is not None and objective not in objectives_for(kind):
        fitting = ", ".join(objectives_for(kind))
        raise InvalidInput(
            f"The objective {objective} learns from {contract.OBJECTIVES[objective].rows}, and this snapshot holds {kind}. "
            f"Choose {fitting}, or another snapshot."
        )
    given = {**default_recipe(base_model, objective), **recipe, "objective": objective}
    values = {name: _value(known[name], value) for name, value in given.items()}
    try:
        return TrainConfig(**values, data=data, threads=threads, initial_adapter=initial_adapter)
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
