"""Which column of a file means what. A mapping is a value: recognised, shown, changed by the user, kept as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

from backend.conversations import Shape
from backend.errors import InvalidInput

_TURNS = (Shape.OPENAI, Shape.SHAREGPT)
_BEST = 1000
_COLUMNS = ("conversation", "prompt", "context", "response", "system", "history", "id", "group", "verdict", "rejected")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """How rows become conversations. Column fields name a column of the file, or None where the file has none."""

    shape: Shape
    conversation: str | None = None
    """The list of turns, for the shapes that have one."""
    prompt: str | None = None
    """What the user says."""
    context: str | None = None
    """Text that belongs to the prompt (Alpaca's input); it is put below it."""
    response: str | None = None
    """The answer. Beside a list of turns: the answer that comes after it. Without one, only prompts can be taken."""
    system: str | None = None
    """The system message."""
    history: str | None = None
    """Earlier turns, as pairs or messages."""
    id: str | None = None
    """The row's name where it came from."""
    group: str | None = None
    """Rows with the same value here are never torn apart by a split."""
    verdict: str | None = None
    """A column that judges the answer: a thumb, yes or no, or a rating. A bad answer waits for a better one."""
    best: int = 0
    """The highest mark of the verdict's column, where it is a rating from 1; 0 where it says yes or no."""
    rejected: str | None = None
    """The answer that the row's own one was preferred to."""
    metadata: tuple[str, ...] = ()
    """Columns kept as metadata, by which results can be sliced. An object in such a column gives a key for each field."""
    allow_prompts: bool = False
    """Take rows without an answer, as prompts."""
    join_turns: bool = False
    """Join neighbouring messages of one speaker instead of rejecting the row."""
    escaped: bool = False
    """The file is our own CSV export, whose cells are disarmed for spreadsheets; that is undone."""

    def __post_init__(self) -> None:
        if self.shape in _TURNS and self.conversation is None:
            raise InvalidInput("Choose the column that holds the list of messages.")
        if self.shape not in _TURNS and self.prompt is None:
            raise InvalidInput("Choose the column that holds the prompt.")
        if self.response is not None and self.response in (self.prompt, self.conversation):
            raise InvalidInput(f"The column {self.response[:60]!r} cannot be prompt and answer at once.")
        if self.rejected is not None and self.rejected in (self.prompt, self.conversation, self.response):
            raise InvalidInput(f"The column {self.rejected[:60]!r} cannot hold the rejected answer and something else.")
        if not 0 <= self.best <= _BEST or self.best == 1:
            raise InvalidInput(f"The highest mark of a rating is between 2 and {_BEST}, or 0 for yes and no.")

    def columns(self) -> tuple[str, ...]:
        """All columns that the mapping names."""
        named = (getattr(self, name) for name in _COLUMNS)
        return tuple(dict.fromkeys([*(column for column in named if column is not None), *self.metadata]))

    def check(self, columns: Iterable[str]) -> None:
        """Raises InvalidInput when the mapping names a column that the file does not have."""
        present = list(columns)
        if missing := [column for column in self.columns() if column not in present]:
            have = ", ".join(present[:20])
            raise InvalidInput(f"The file has no column {', '.join(missing)[:200]}. Its columns are: {have[:500]}.")

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict; `from_json` of it gives an equal mapping."""
        return dataclasses.asdict(self) | {"shape": self.shape.value, "metadata": list(self.metadata)}

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Raises InvalidInput for anything that `to_json` could not have made."""
        if not isinstance(value, dict):
            raise InvalidInput("A mapping must be a JSON object.")
        fields = {spec.name for spec in dataclasses.fields(cls)}
        if unknown := sorted(set(value) - fields):
            raise InvalidInput(
                f"A mapping has no field {', '.join(map(str, unknown))[:200]}; it has {', '.join(sorted(fields))}."
            )
        try:
            shape = Shape(value.get("shape", ""))
        except ValueError as error:
            raise InvalidInput(f"The shape must be one of {', '.join(Shape)}.") from error
        metadata = value.get("metadata", [])
        if not isinstance(metadata, list | tuple) or not all(isinstance(column, str) for column in metadata):
            raise InvalidInput("The metadata of a mapping must be a list of column names.")
        for name in fields - {"shape", "metadata"}:
            wanted: Any = str | None if name in _COLUMNS else int if name == "best" else bool
            what = "a column name" if name in _COLUMNS else "a whole number" if name == "best" else "true or false"
            if name in value and not isinstance(value[name], wanted):
                raise InvalidInput(f"The field {name} of a mapping must be {what}.")
        return cls(**(value | {"shape": shape, "metadata": tuple(metadata)}))
