"""What a search is asked: a config, the fields to vary and how, how many trials. Standard library only, as the contract.

A space is an object: field of `TrainConfig` → ``{"choices": [v, …]}``, or ``{"low": a, "high": b}`` with ``"log": true`` for
a field that is searched by its magnitude, or ``"step": s`` for one that is searched by steps. A grid takes choices and steps
alone.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from dataclasses import dataclass, field
from typing import Any, Self

from trainer.contract import LOWER_IS_BETTER, ConfigError, TrainConfig
from trainer.told import is_number

METHODS = {
    "tpe": "learns from the trials so far where good values lie (Optuna's TPE), and stops hopeless trials early",
    "random": "draws every trial by chance; hard to beat where many fields matter little",
    "grid": "tries every combination of the choices",
}
MOST_TRIALS = 1000
MOST_FOLDS = 20
_FIXED = frozenset(
    {"data", "objective", "best_metric", "seed", "device", "threads", "initial_adapter", "revision", "record"}
    | {"processes", "nodes", "strategy"}
)
_NUMBERS = {field.name: str(field.type) for field in dataclasses.fields(TrainConfig) if str(field.type) in ("int", "float")}


@dataclass(frozen=True, slots=True)
class Dimension:
    """One field to vary: by choices, or between two ends."""

    choices: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    step: float = 0.0
    whole: bool = False

    def values(self) -> tuple[Any, ...]:
        """Every value; empty where there are endlessly many."""
        if self.choices or not self.step:
            return self.choices
        count = math.floor((self.high - self.low) / self.step + 1e-9) + 1
        found = [self.low + place * self.step for place in range(count)]
        return tuple(round(value) if self.whole else round(value, 12) for value in found)


def searchable() -> tuple[str, ...]:
    """The fields that may be varied."""
    return tuple(spec.name for spec in dataclasses.fields(TrainConfig) if spec.name not in _FIXED)


def read_space(value: Any) -> dict[str, Dimension]:
    """Raises ConfigError naming the field and what would do."""
    if not isinstance(value, dict):
        raise ConfigError('A space is an object: {"learning_rate": {"low": 1e-4, "high": 1e-2, "log": true}, …}.')
    return {name: _dimension(name, told) for name, told in value.items()}


def _dimension(name: str, told: Any) -> Dimension:
    if name not in searchable():
        raise ConfigError(f"{name} is no field that can be varied; those are {', '.join(searchable())}.")
    if not isinstance(told, dict) or not (
        {"choices"} == set(told) or {"low", "high"} <= set(told) <= {"low", "high", "log", "step"}
    ):
        raise ConfigError(f'{name} needs {{"choices": […]}}, or {{"low": …, "high": …}} with "log" or "step".')
    if "choices" in told:
        choices = told["choices"]
        if not isinstance(choices, list) or not choices or len({repr(one) for one in choices}) != len(choices):
            raise ConfigError(f"{name} needs a list of different choices.")
        return Dimension(choices=tuple(_value(name, one) for one in choices))
    if name not in _NUMBERS:
        raise ConfigError(f"{name} is no number; give its choices.")
    low, high, step = (_number(name, told.get(key, 0)) for key in ("low", "high", "step"))
    log, whole = bool(told.get("log", False)), _NUMBERS[name] == "int"
    if not low < high:
        raise ConfigError(f"{name}: low must be below high.")
    if log and (low <= 0 or step):
        raise ConfigError(f"{name}: by magnitude, low must be above 0, and there are no steps.")
    if step < 0 or (whole and any(not float(one).is_integer() for one in (low, high, step))):
        raise ConfigError(f"{name} takes whole numbers, and steps above 0." if whole else f"{name}: a step must be above 0.")
    return Dimension(low=low, high=high, log=log, step=step, whole=whole)


def _value(name: str, value: Any) -> Any:
    if name in _NUMBERS:
        number = _number(name, value)
        if _NUMBERS[name] == "int" and not number.is_integer():
            raise ConfigError(f"{name} takes whole numbers; {value!r} is none.")
        return int(number) if _NUMBERS[name] == "int" else number
    if not isinstance(value, str):
        raise ConfigError(f"{name} takes texts; {value!r} is none.")
    return value


def _number(name: str, value: Any) -> float:
    if not is_number(value):
        raise ConfigError(f"{name} takes numbers; {value!r} is none.")
    return float(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchConfig:
    """One search."""

    config: TrainConfig
    """What every trial has in common."""
    space: dict[str, Dimension] = field(default_factory=dict)
    """Empty: one recipe, measured by its folds."""
    told: dict[str, Any] = field(default_factory=dict)
    """The space as it was given."""
    method: str = "tpe"
    trials: int = 20
    folds: int = 0
    """0 measures on the snapshot's validation rows; k means k-fold cross-validation over train and validation, by group."""
    prune: bool = True
    """Whether a trial ends early that is behind the median of the others at the same point."""
    hours: float = 0.0
    """No trial begins after so many hours; 0 for no limit."""

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ConfigError(f"method must be one of {', '.join(METHODS)}; it is {self.method!r}.")
        if not 1 <= self.trials <= MOST_TRIALS:
            raise ConfigError(f"trials must be from 1 to {MOST_TRIALS:,}.")
        if self.folds and not 2 <= self.folds <= MOST_FOLDS:
            raise ConfigError(f"folds must be from 2 to {MOST_FOLDS}, or 0 for none.")
        if not self.space and not self.folds:
            raise ConfigError("A search needs a field to vary, or folds to measure one recipe by.")
        if self.method == "grid" and (endless := [name for name, one in self.space.items() if not one.values()]):
            raise ConfigError(f"A grid needs choices or a step for {', '.join(endless)}.")
        if not self.hours >= 0:
            raise ConfigError("hours must be 0 or more.")
        if self.config.members > 1:
            raise ConfigError("A search's trials run in one process each: processes and nodes must be 1.")

    @property
    def metric(self) -> str:
        """What is compared."""
        return self.config.best_metric

    @property
    def direction(self) -> str:
        """Which way is better."""
        return "minimize" if self.metric in LOWER_IS_BETTER else "maximize"

    @property
    def most_trials(self) -> int:
        """How many trials there will be at most: a grid has an end, and without a space there is one."""
        if not self.space:
            return 1
        if self.method != "grid":
            return self.trials
        return min(self.trials, math.prod(len(one.values()) for one in self.space.values()))

    def grid(self) -> list[dict[str, Any]]:
        """Every combination, the last field changing fastest."""
        names = list(self.space)
        return [
            dict(zip(names, found, strict=True)) for found in itertools.product(*(self.space[name].values() for name in names))
        ]

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict; `from_json` of it gives an equal config."""
        own = {name: getattr(self, name) for name in ("method", "trials", "folds", "prune", "hours")}
        return {"config": self.config.to_json(), "space": self.told} | own

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Raises ConfigError for what is unknown or contradicts itself."""
        known = {"config", "space", "method", "trials", "folds", "prune", "hours"}
        if not isinstance(value, dict) or not isinstance(value.get("config"), dict) or set(value) - known:
            raise ConfigError(f"A search is an object with config and any of {', '.join(sorted(known - {'config'}))}.")
        given = {name: value[name] for name in known - {"config", "space"} if name in value}
        kinds = {"method": str, "trials": int, "folds": int, "prune": bool, "hours": (int, float)}
        for name, one in given.items():
            if not isinstance(one, kinds[name]) or (isinstance(one, bool) and name != "prune"):  # type: ignore[arg-type]
                raise ConfigError(f"{name} has the wrong type: {one!r}.")
        space = value.get("space", {})
        return cls(config=TrainConfig.from_json(value["config"]), space=read_space(space), told=space, **given)
