"""Rows as what each objective learns from: single answers, pairs of answers, answers with a thumb, texts with a class.

Pure but for the tokenizer. Lessons are made one at a time, as they are asked for, in their rows' order; None is made of a row
that does not fit. A lesson's tokens are fixed before the first step; `reference` is filled in once, with what the
starting model thought of the answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from trainer.data import ChatFormat, Example, TextFormat
from trainer.rows import BadData, Row

_LOOK_BACK = 50
"""Rows that are looked through for one of another prompt."""


class Lesson(Protocol):
    """What the loop needs to know of any of them."""

    @property
    def id(self) -> str:
        """The row's id."""

    @property
    def weight(self) -> float:
        """What the row counts."""

    @property
    def length(self) -> int:
        """Tokens of its longest text, which batches of like length go by."""

    @property
    def token_count(self) -> int:
        """Tokens that the model reads for it."""

    @property
    def dropped_turns(self) -> int:
        """Turns that were left out because it was too long."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two answers to one prompt, each with only the answer marked as trained."""

    id: str
    chosen: Example
    rejected: Example
    weight: float
    reference: tuple[float, float] = (0.0, 0.0)

    @property
    def length(self) -> int:
        """As in `Lesson`."""
        return max(self.chosen.length, self.rejected.length)

    @property
    def token_count(self) -> int:
        """As in `Lesson`."""
        return self.chosen.length + self.rejected.length

    @property
    def dropped_turns(self) -> int:
        """As in `Lesson`."""
        return self.chosen.dropped_turns


@dataclass(frozen=True, slots=True)
class Thumb:
    """An answer with a verdict. `stray` is the same prompt with another row's answer, which KTO measures straying by."""

    id: str
    said: Example
    stray: Example
    desirable: bool
    weight: float
    reference: tuple[float, float] = (0.0, 0.0)

    @property
    def length(self) -> int:
        """As in `Lesson`."""
        return max(self.said.length, self.stray.length)

    @property
    def token_count(self) -> int:
        """As in `Lesson`."""
        return self.said.length + self.stray.length

    @property
    def dropped_turns(self) -> int:
        """As in `Lesson`."""
        return self.said.dropped_turns


@dataclass(frozen=True, slots=True)
class Text:
    """One text to be judged; `label` is its class's place among the classes."""

    id: str
    tokens: tuple[int, ...]
    label: int
    weight: float
    dropped_turns: int = 0

    @property
    def length(self) -> int:
        """As in `Lesson`."""
        return len(self.tokens)

    @property
    def token_count(self) -> int:
        """As in `Lesson`."""
        return len(self.tokens)


@dataclass(frozen=True, slots=True)
class TextPair:
    """Two texts of which the first is preferred."""

    id: str
    chosen: tuple[int, ...]
    rejected: tuple[int, ...]
    weight: float
    dropped_turns: int = 0

    @property
    def length(self) -> int:
        """As in `Lesson`."""
        return max(len(self.chosen), len(self.rejected))

    @property
    def token_count(self) -> int:
        """As in `Lesson`."""
        return len(self.chosen) + len(self.rejected)


@dataclass(frozen=True, slots=True)
class Translation:
    """What an encoder reads and what its decoder must write."""

    id: str
    source: tuple[int, ...]
    target: tuple[int, ...]
    weight: float
    dropped_turns: int = 0

    @property
    def length(self) -> int:
        """As in `Lesson`."""
        return max(len(self.source), len(self.target))

    @property
    def token_count(self) -> int:
        """As in `Lesson`."""
        return len(self.source) + len(self.target)


def examples(rows: Sequence[Row], chat: ChatFormat, length: int) -> Iterator[Example | None]:
    """Conversations whose answers are imitated."""
    for row in rows:
        example = chat.encode(row, max_length=length)
        yield example if example is not None and example.trained_count else None


def pairs(rows: Sequence[Row], chat: ChatFormat, length: int) -> Iterator[Pair | None]:
    """Preferred and other answers."""
    for row in rows:
        both = chat.encode_answers(row, (row.reference, row.rejected), max_length=length)
        yield Pair(row.id, both[0], both[1], row.weight) if both else None


def thumbs(rows: Sequence[Row], chat: ChatFormat, length: int) -> Iterator[Thumb | None]:
    """Answers with a verdict, each beside the answer of the row before it (of another prompt, where there is one)."""
    for index, row in enumerate(rows):
        both = chat.encode_answers(row, (row.reference, _other_answer(rows, index)), max_length=length)
        yield Thumb(row.id, both[0], both[1], bool(row.desirable), row.weight) if both else None


def _other_answer(rows: Sequence[Row], index: int) -> str:
    """The answer of the nearest row before, going round, that answers something else; of the row before where none does."""
    prompt = rows[index].prompt
    for back in range(1, min(len(rows), _LOOK_BACK)):
        other = rows[index - back]
        if other.prompt != prompt:
            return other.reference
    return rows[index - 1].reference


def class_names(rows: Sequence[Row]) -> tuple[str, ...]:
    """The classes among rows, in alphabetical order. Raises BadData for fewer than two."""
    names = tuple(sorted({row.label for row in rows}))
    if len(names) < 2:
        raise BadData("There is nothing to tell apart: the training rows need at least two different labels.")
    return names


def texts(rows: Sequence[Row], format_: TextFormat, length: int, classes: Sequence[str]) -> Iterator[Text | None]:
    """Texts with their classes; None for a class that the training rows do not have."""
    place = {name: number for number, name in enumerate(classes)}
    for row in rows:
        tokens = format_.encode(row.messages, max_length=length, cut=True)
        known = tokens is not None and row.label in place
        yield Text(row.id, tokens or (), place[row.label], row.weight) if known else None


def text_pairs(rows: Sequence[Row], format_: TextFormat, length: int) -> Iterator[TextPair | None]:
    """Whole conversations with the preferred and with the other answer."""
    for row in rows:
        other = [*row.prompt, {"role": "assistant", "content": row.rejected}]
        chosen, rejected = (format_.encode(said, max_length=length, cut=False) for said in (row.messages, other))
        yield TextPair(row.id, chosen, rejected, row.weight) if chosen and rejected else None


def translations(rows: Sequence[Row], format_: TextFormat, length: int) -> Iterator[Translation | None]:
    """Prompts to be read, answers to be written with the end token after them."""
    tokenizer = format_.tokenizer
    for row in rows:
        source = format_.encode(row.prompt, max_length=length, cut=True)
        said = list(tokenizer(row.reference, add_special_tokens=False)["input_ids"])
        target = (*said, tokenizer.eos_token_id)
        fits = source is not None and len(target) <= length
        yield Translation(row.id, source or (), target, row.weight) if fits else None


def trained_tokens(lesson: Lesson) -> int:
    """Tokens that carry loss; a text that is judged as a whole carries it once."""
    if isinstance(lesson, Example):
        return lesson.trained_count
    if isinstance(lesson, Pair):
        return lesson.chosen.trained_count + lesson.rejected.trained_count
    if isinstance(lesson, Thumb):
        return lesson.said.trained_count
    if isinstance(lesson, Translation):
        return len(lesson.target)
    return 2 if isinstance(lesson, TextPair) else 1
