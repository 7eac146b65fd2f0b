"""Which questions a judging task asks about, and in which order. Pure: the same seed draws the same.

Questions are drawn first, whatever the versions answered to them, so that what the raters say holds for all questions.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backend.errors import InvalidInput

Answers = Mapping[int, Mapping[int, tuple[int, str]]]
"""question id → version id → (response id, text)"""


@dataclass(frozen=True, slots=True)
class Draw:
    """What a task will hold. `identical` counts pairs of equal texts, which are ties that nobody needs to look at."""

    questions: int
    subjects: tuple[Mapping[str, int], ...]
    identical: int = 0


def questions_for_all(answers: Answers, versions: Sequence[int]) -> list[int]:
    """The questions that every one of the versions answered, in a fixed order."""
    return sorted(question for question, by_version in answers.items() if set(versions) <= by_version.keys())


def draw_questions(questions: Sequence[int], size: int | None, seed: int) -> list[int]:
    """`size` of the questions (None: all), shuffled. Raises InvalidInput."""
    if size is not None and size < 1:
        raise InvalidInput("The sample must have at least one question.")
    shuffled = list(questions)
    random.Random(seed).shuffle(shuffled)  # noqa: S311 - a reproducible sample, not a secret
    return shuffled if size is None else shuffled[:size]


def draw_ratings(answers: Answers, versions: Sequence[int], *, size: int | None, seed: int) -> Draw:
    """Each version's response to each drawn question, mixed so that no order tells the versions apart."""
    drawn = draw_questions(questions_for_all(answers, versions), size, seed)
    subjects = [{"response_id": answers[question][version][0]} for question in drawn for version in versions]
    random.Random(seed + 1).shuffle(subjects)  # noqa: S311
    return Draw(questions=len(drawn), subjects=tuple(subjects))


def draw_pairs(answers: Answers, first: int, second: int, *, size: int | None, seed: int) -> Draw:
    """The two versions' responses to each drawn question; pairs of equal texts are counted, not shown."""
    if first == second:
        raise InvalidInput("Choose two different versions: a version cannot be compared with itself.")
    drawn = draw_questions(questions_for_all(answers, (first, second)), size, seed)
    pairs = [(answers[question][first], answers[question][second]) for question in drawn]
    subjects = tuple(
        {"first_response_id": one[0], "second_response_id": other[0]}
        for one, other in pairs
        if one[1].strip() != other[1].strip()
    )
    return Draw(questions=len(drawn), subjects=subjects, identical=len(pairs) - len(subjects))
