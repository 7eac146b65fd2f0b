"""What an evaluation is asked: which models answer which rows, and how they decode. Standard library only.

A part of the contract: `trainer.contract` hands these names on.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any, Self

from trainer.learnable import EMBEDDED, SPLITS
from trainer.told import ConfigError, describe, from_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoding:
    """How responses are generated. Temperature 0 means greedy, and then `seed` and `top_p` have no effect."""

    max_new_tokens: int = describe("The longest answer, in tokens.", default=160, minimum=1)
    temperature: float = describe("0 always takes the likeliest token; higher varies more.", default=0.0, minimum=0.0)
    top_p: float = describe("Sample only from the likeliest tokens that make up this share.", default=1.0, minimum=0.0)
    seed: int = describe("The same seed gives the same sampled answers.", default=0)

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1:
            raise ConfigError("max_new_tokens must be at least 1.")
        if not 0 <= self.temperature < math.inf:
            raise ConfigError(f"temperature must be 0 (greedy) or more; it is {self.temperature}.")
        if not 0 < self.top_p <= 1:
            raise ConfigError("top_p must be above 0 and at most 1.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """One model to be evaluated or served: base weights, and LoRA weights on top or none."""

    label: str
    base_model: str = EMBEDDED
    revision: str | None = None
    adapter: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateConfig:
    """Which models answer which rows of a snapshot's split, and how they decode."""

    data: str
    models: tuple[ModelSpec, ...]
    split: str = "test"
    decoding: Decoding = field(default_factory=Decoding)
    limit: int | None = None
    learned: str | None = None
    """The snapshot folder that was learned from, where the rows are another one's: for canaries and copies."""
    probes: str | None = None
    """A JSONL of further prompts, each ``{"id": str, "messages": M}``: answered into PROBE_ANSWERS and left unmeasured."""
    device: str = "auto"
    threads: int = 1

    def __post_init__(self) -> None:
        if not self.models:
            raise ConfigError("models must name at least one model.")
        if len({model.label for model in self.models}) != len(self.models):
            raise ConfigError("models must have different labels.")
        if self.split not in SPLITS:
            raise ConfigError(f"split must be one of {', '.join(SPLITS)}.")
        if self.limit is not None and self.limit < 1:
            raise ConfigError("limit must be at least 1, or left out for every row.")

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict; `from_json` of it gives an equal config."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Raises ConfigError for an unknown field or a value of the wrong type."""
        value = dict(value)
        try:
            value["models"] = tuple(from_json(ModelSpec, model) for model in value.get("models", ()))
            value["decoding"] = from_json(Decoding, value.get("decoding", {}))
        except (TypeError, AttributeError) as error:
            raise ConfigError(f"models must be a list of objects and decoding an object: {error}") from error
        return from_json(cls, value)
