"""Rubrics: the questions that raters answer about a response, each on a scale whose points are put in words.

Pure. A task keeps its rubric as JSON (`Rubric.to_json`), so that a change of the default never changes what past answers
meant. An answer is the number of the chosen point, counted from 1; the first point is the worst.

Not promised: that two rubrics with the same keys mean the same; a task's rubric version tells them apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Question:
    """One question. `scale` words its points from worst to best."""

    key: str
    text: str
    scale: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.key.isidentifier() or len(self.key) > 40:
            raise InvalidInput(f"The question's key {self.key[:40]!r} must be one short word of letters, digits and _.")
        if not self.text.strip():
            raise InvalidInput(f"The question {self.key!r} has no text.")
        if not 2 <= len(self.scale) <= 10:
            raise InvalidInput(f"The scale of {self.key!r} must have 2 to 10 points.")
        if not all(point.strip() for point in self.scale) or len(set(self.scale)) != len(self.scale):
            raise InvalidInput(f"Each point on the scale of {self.key!r} needs words of its own.")

    @property
    def points(self) -> range:
        """The possible answers."""
        return range(1, len(self.scale) + 1)


@dataclass(frozen=True, slots=True)
class Rubric:
    """Questions in the order in which they are asked."""

    questions: tuple[Question, ...]

    def __post_init__(self) -> None:
        if not self.questions:
            raise InvalidInput("A rubric needs at least one question.")
        if len(set(self.keys)) != len(self.keys):
            raise InvalidInput("Each question of a rubric needs a key of its own.")

    @property
    def keys(self) -> tuple[str, ...]:
        """The questions' keys, in order."""
        return tuple(question.key for question in self.questions)

    def question(self, key: str) -> Question:
        """The question with this key. Raises InvalidInput."""
        for question in self.questions:
            if question.key == key:
                return question
        raise InvalidInput(f"The rubric has no question {key[:40]!r}.")

    def validate(self, answers: Mapping[str, object]) -> dict[str, int]:
        """The answers in the rubric's order: every question answered once, by a point of its scale. Raises InvalidInput."""
        for key in answers:
            self.question(key)
        checked: dict[str, int] = {}
        for question in self.questions:
            answer = answers.get(question.key)
            if answer is None:
                raise InvalidInput(f"Please answer {question.key!r} too.")
            if isinstance(answer, bool) or not isinstance(answer, int) or answer not in question.points:
                raise InvalidInput(f"The answer to {question.key!r} must be a whole number from 1 to {len(question.scale)}.")
            checked[question.key] = answer
        return checked

    def to_json(self) -> dict[str, Any]:
        """As tasks store it."""
        return {"questions": [{"key": q.key, "text": q.text, "scale": list(q.scale)} for q in self.questions]}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Rubric:
        """What `to_json` made. Raises InvalidInput for anything else."""
        questions = value.get("questions")
        if not isinstance(questions, list) or not all(isinstance(question, dict) for question in questions):
            raise InvalidInput("A rubric is an object with a list of questions.")
        return cls(tuple(_question(question) for question in questions))


def _question(value: Mapping[str, Any]) -> Question:
    key, text, scale = value.get("key"), value.get("text"), value.get("scale")
    if not isinstance(key, str) or not isinstance(text, str) or not _is_texts(scale):
        raise InvalidInput("A rubric's question needs a key, a text and a scale of texts.")
    return Question(key, text, tuple(scale or ()))


def _is_texts(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(point, str) for point in value)


DEFAULT_RATING_RUBRIC = Rubric(
    (
        Question(
            "relevance",
            "Does the response answer what the customer asked?",
            ("Misses the question", "Mostly beside it", "Answers a part", "Answers it with a gap", "Answers it fully"),
        ),
        Question(
            "fluency",
            "How well is it written?",
            ("Cannot be understood", "Hard to read", "Clumsy in places", "Reads well", "Could not read better"),
        ),
        Question(
            "correctness",
            "Is what it says true?",
            ("Wrong", "Mostly wrong", "Partly wrong or unsure", "Right but for a detail", "All of it right"),
        ),
        Question(
            "tone",
            "Does it sound as we want to sound?",
            ("Rude or careless", "Cold or out of place", "Neutral", "Friendly", "Just right for this customer"),
        ),
    )
)
"""What a rating task asks unless its lead writes another rubric."""
