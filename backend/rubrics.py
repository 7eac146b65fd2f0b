"""Rubrics: the questions that raters answer about an item, with their guidelines' words and the keys that answer them.

Pure. A task keeps its rubric as JSON (`Rubric.to_json`), so that a change of the default never changes what past answers
meant. What an answer is, by the question's type:

    scale     the number of the chosen point, counted from 1; the first point is the worst
    yes_no    true or false
    single    the chosen option's words
    multiple  a list of options' words, in the rubric's order; none chosen is an empty list
    text      what was written
    spans     a list of {"response", "start", "end", "reason"}: the place of the response as it was shown, counted from 0,
              characters (code points) from start up to end, and one of the options as the reason

Not promised: that two rubrics with the same keys mean the same; a task's rubric version tells them apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.errors import InvalidInput
from backend.vocabulary import QuestionType, TaskKind

MOST_QUESTIONS = 20
MOST_OPTIONS = 20
MOST_SPANS = 100
LONGEST_TEXT = 5000

DESK_KEYS = {"s": "skip", "u": "undo", "f": "flag", "c": "comment", "m": "show as written or formatted", "e": "long answers"}
"""Keys that the desk itself listens to, and what they do."""
KIND_KEYS: Mapping[TaskKind, Mapping[str, str]] = {
    TaskKind.COMPARE: {"arrowleft": "left is better", "arrowright": "right is better", "t": "tie", "b": "both bad"},
}
"""Keys that a kind of task adds to them."""

Answer = int | bool | str | list[str] | list[dict[str, Any]]
"""The answer to one question."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question. `scale` words its points from worst to best, or its options; a yes/no and a text have none.

    `keys` are the keys of the points or options; where there are none, the digits are. Those that need no answer are
    not `required`.
    """

    key: str
    text: str
    scale: tuple[str, ...] = ()
    type: QuestionType = QuestionType.SCALE
    required: bool = True
    keys: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.key.isidentifier() or len(self.key) > 40:
            raise InvalidInput(f"The question's key {self.key[:40]!r} must be one short word of letters, digits and _.")
        if not self.text.strip():
            raise InvalidInput(f"The question {self.key!r} has no text.")
        if self.type in (QuestionType.YES_NO, QuestionType.TEXT):
            if self.scale:
                raise InvalidInput(f"The question {self.key!r} takes no list of answers.")
        elif self.type is QuestionType.SCALE and not 2 <= len(self.scale) <= 10:
            raise InvalidInput(f"The scale of {self.key!r} must have 2 to 10 points.")
        elif not 1 <= len(self.scale) <= MOST_OPTIONS or (self.type is QuestionType.SINGLE and len(self.scale) < 2):
            raise InvalidInput(f"The question {self.key!r} needs 2 to {MOST_OPTIONS} answers to choose from.")
        if not all(point.strip() for point in self.scale) or len(set(self.scale)) != len(self.scale):
            raise InvalidInput(f"Each point on the scale of {self.key!r} needs words of its own.")
        self._check_keys()

    def _check_keys(self) -> None:
        if not self.keys:
            return
        if self.type in (QuestionType.TEXT, QuestionType.SPANS) or len(self.keys) != len(self.choices):
            raise InvalidInput(f"Give each answer of {self.key!r} one key, or none of them.")
        if not all(len(key) == 1 and key.isalnum() and key == key.lower() for key in self.keys):
            raise InvalidInput(f"The keys of {self.key!r} must be single small letters or digits.")
        if len(set(self.keys)) != len(self.keys):
            raise InvalidInput(f"Two answers of {self.key!r} have the same key.")

    @property
    def points(self) -> range:
        """The possible answers of a scale."""
        return range(1, len(self.scale) + 1)

    @property
    def choices(self) -> tuple[str, ...]:
        """What the buttons say."""
        return ("Yes", "No") if self.type is QuestionType.YES_NO else self.scale

    @property
    def shortcuts(self) -> tuple[str, ...]:
        """The key of each choice: the chosen ones, y and n, or the digits; an empty text for those beyond nine."""
        if self.keys:
            return self.keys
        if self.type is QuestionType.YES_NO:
            return ("y", "n")
        if self.type is QuestionType.TEXT:
            return ()
        return tuple(str(number) if number < 10 else "" for number in self.points)

    @property
    def is_number(self) -> bool:
        """Whether answers can be averaged: points of a scale, and yes (1) or no (0)."""
        return self.type in (QuestionType.SCALE, QuestionType.YES_NO)

    def checked(self, answer: object) -> Answer:
        """The answer as it is stored. Raises InvalidInput."""
        if self.type is QuestionType.SCALE:
            if isinstance(answer, bool) or not isinstance(answer, int) or answer not in self.points:
                raise InvalidInput(f"The answer to {self.key!r} must be a whole number from 1 to {len(self.scale)}.")
            return answer
        if self.type is QuestionType.YES_NO:
            if not isinstance(answer, bool):
                raise InvalidInput(f"The answer to {self.key!r} must be yes or no.")
            return answer
        if self.type is QuestionType.SINGLE:
            if not isinstance(answer, str) or answer not in self.scale:
                raise InvalidInput(f"The answer to {self.key!r} must be one of its {len(self.scale)} choices.")
            return answer
        if self.type is QuestionType.TEXT:
            if not isinstance(answer, str) or len(answer) > LONGEST_TEXT:
                raise InvalidInput(f"The answer to {self.key!r} must be a text of at most {LONGEST_TEXT} characters.")
            return answer.strip().replace("\x00", "")
        if not isinstance(answer, Sequence) or isinstance(answer, str):
            raise InvalidInput(f"The answer to {self.key!r} must be a list.")
        if self.type is QuestionType.MULTIPLE:
            if not set(map(str, answer)) <= set(self.scale):
                raise InvalidInput(f"The answers to {self.key!r} must be among its {len(self.scale)} choices.")
            return [option for option in self.scale if option in answer]
        if len(answer) > MOST_SPANS:
            raise InvalidInput(f"At most {MOST_SPANS} passages can be marked for {self.key!r}.")
        return [self._span(span) for span in answer]

    def _span(self, span: object) -> dict[str, Any]:
        names = ("response", "start", "end")
        if not isinstance(span, Mapping) or not all(type(span.get(name)) is int for name in names):
            raise InvalidInput(f"A passage marked for {self.key!r} needs its response, start and end.")
        if not 0 <= span["start"] < span["end"] or span["response"] < 0:
            raise InvalidInput(f"A passage marked for {self.key!r} is empty.")
        if span.get("reason") not in self.scale:
            raise InvalidInput(f"A passage marked for {self.key!r} needs one of its reasons.")
        return {**{name: span[name] for name in names}, "reason": span["reason"]}

    def is_empty(self, answer: object) -> bool:
        """Whether the answer says nothing: none, no text, nothing chosen, nothing marked."""
        return answer is None or (isinstance(answer, str) and not answer.strip()) or answer in ([], ())


@dataclass(frozen=True, slots=True)
class Rubric:
    """Questions in the order in which they are asked. A comparison or a ranking may have none."""

    questions: tuple[Question, ...]

    def __post_init__(self) -> None:
        if len(self.questions) > MOST_QUESTIONS:
            raise InvalidInput(f"A rubric has at most {MOST_QUESTIONS} questions.")
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

    def check_for(self, kind: TaskKind) -> None:
        """Raise InvalidInput unless a task of this kind can ask these questions: enough of them, and no key twice."""
        if kind is TaskKind.RATE and not any(question.required for question in self.questions):
            raise InvalidInput("A rating task needs at least one question that must be answered.")
        taken = {**DESK_KEYS, **KIND_KEYS.get(kind, {})}
        for question in self.questions:
            for key, choice in zip(question.shortcuts, question.choices, strict=False):
                if key in taken:
                    raise InvalidInput(
                        f"The key {key.upper()} of {choice!r} in {question.key!r} already means: {taken[key]}. Choose another."
                    )

    def validate(self, answers: Mapping[str, object]) -> dict[str, Answer]:
        """The answers in the rubric's order: every required question answered once, as its type says. Raises InvalidInput.

        Empty answers to questions that need none are left out.
        """
        for key in answers:
            self.question(key)
        checked: dict[str, Answer] = {}
        for question in self.questions:
            answer = answers.get(question.key)
            if answer is None or (question.is_empty(answer) and question.type is not QuestionType.SINGLE):
                if question.required:
                    raise InvalidInput(f"Please answer {question.key!r} too.")
                continue
            checked[question.key] = question.checked(answer)
        return checked

    def to_json(self) -> dict[str, Any]:
        """As tasks store it."""
        return {
            "questions": [
                {
                    "key": one.key,
                    "text": one.text,
                    "type": str(one.type),
                    "scale": list(one.scale),
                    "required": one.required,
                    "keys": list(one.keys),
                }
                for one in self.questions
            ]
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Rubric:
        """What `to_json` made; a question without a type is a scale. Raises InvalidInput for anything else."""
        questions = value.get("questions")
        if not isinstance(questions, list) or not all(isinstance(question, dict) for question in questions):
            raise InvalidInput("A rubric is an object with a list of questions.")
        return cls(tuple(_question(question) for question in questions))


def _question(value: Mapping[str, Any]) -> Question:
    key, text, scale, keys = value.get("key"), value.get("text"), value.get("scale", []), value.get("keys", [])
    kind, required = value.get("type", QuestionType.SCALE), value.get("required", True)
    if not isinstance(key, str) or not isinstance(text, str) or not _is_texts(scale) or not _is_texts(keys):
        raise InvalidInput("A rubric's question needs a key, a text and a scale of texts.")
    if kind not in set(QuestionType) or not isinstance(required, bool):
        raise InvalidInput(f"The question {key[:40]!r} has a type that is not known: {str(kind)[:40]!r}.")
    return Question(key, text, tuple(scale), QuestionType(kind), required, tuple(keys))


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

NO_QUESTIONS = Rubric(())
"""What a comparison asks beside which response is better, unless its lead writes questions."""
