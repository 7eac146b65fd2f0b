"""Lessons of every kind taken apart into tokens, marks and numbers, and put together again. Pure.

Promised: what is put together equals what was taken apart, but for what the starting model thought of it, which is not kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from trainer.data import Example
from trainer.lessons import Lesson, Pair, Text, TextPair, Thumb, Translation

Part = tuple[tuple[int, ...], tuple[bool, ...]]
"""A text's tokens, and for each whether it is trained; no marks in kinds that have none."""


@dataclass(frozen=True, slots=True)
class Codec:
    """One kind of lesson: of how many texts, marked or not, and with how many numbers beside weight and dropped turns."""

    texts: int
    marked: bool
    numbers: int
    apart: Callable[[Any], tuple[Sequence[Part], Sequence[float]]]
    together: Callable[[str, Sequence[Part], float, int, Sequence[float]], Lesson]


def _both(one: Example, other: Example) -> tuple[list[Part], list[float]]:
    numbers = [one.weight, one.dropped_turns, other.weight, other.dropped_turns]
    return [(one.tokens, one.trained), (other.tokens, other.trained)], numbers


def _answers(name: str, parts: Sequence[Part], numbers: Sequence[float]) -> tuple[Example, Example]:
    one, other = (Example(name, *part, numbers[at], int(numbers[at + 1])) for part, at in zip(parts, (0, 2), strict=True))
    return one, other


def _thumb_apart(thumb: Thumb) -> tuple[list[Part], list[float]]:
    parts, numbers = _both(thumb.said, thumb.stray)
    return parts, [*numbers, float(thumb.desirable)]


def _thumb(name: str, parts: Sequence[Part], weight: float, dropped: int, numbers: Sequence[float]) -> Thumb:
    return Thumb(name, *_answers(name, parts, numbers), bool(numbers[4]), weight)


CODECS: dict[type, Codec] = {
    Example: Codec(
        texts=1,
        marked=True,
        numbers=0,
        apart=lambda one: ([(one.tokens, one.trained)], ()),
        together=lambda name, parts, weight, dropped, _: Example(name, *parts[0], weight, dropped),
    ),
    Pair: Codec(
        texts=2,
        marked=True,
        numbers=4,
        apart=lambda pair: _both(pair.chosen, pair.rejected),
        together=lambda name, parts, weight, _, numbers: Pair(name, *_answers(name, parts, numbers), weight),
    ),
    Thumb: Codec(texts=2, marked=True, numbers=5, apart=_thumb_apart, together=_thumb),
    Text: Codec(
        texts=1,
        marked=False,
        numbers=1,
        apart=lambda text: ([(text.tokens, ())], (text.label,)),
        together=lambda name, parts, weight, dropped, numbers: Text(name, parts[0][0], int(numbers[0]), weight, dropped),
    ),
    TextPair: Codec(
        texts=2,
        marked=False,
        numbers=0,
        apart=lambda pair: ([(pair.chosen, ()), (pair.rejected, ())], ()),
        together=lambda name, parts, weight, dropped, _: TextPair(name, parts[0][0], parts[1][0], weight, dropped),
    ),
    Translation: Codec(
        texts=2,
        marked=False,
        numbers=0,
        apart=lambda one: ([(one.source, ()), (one.target, ())], ()),
        together=lambda name, parts, weight, dropped, _: Translation(name, parts[0][0], parts[1][0], weight, dropped),
    ),
}
KINDS = {kind.__name__: kind for kind in CODECS}
