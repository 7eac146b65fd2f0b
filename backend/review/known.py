"""An answer that somebody in charge gives for an item, as gold or as a ruling: by response, whichever side it stood on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlmodel import Session

from backend.errors import InvalidInput
from backend.review.answers import has_passages, marked, ranking_by_id, rubric_of
from backend.review.blinding import winner
from backend.review.work_items import shown_texts
from backend.rubrics import Rubric
from backend.store.work import Item, Task
from backend.vocabulary import QuestionType, TaskKind, Verdict


class Subject(Protocol):
    """What an item is about, as Item has it."""

    @property
    def response_id(self) -> int | None:
        """Of a rating."""

    @property
    def first_response_id(self) -> int | None:
        """Of a comparison."""

    @property
    def second_response_id(self) -> int | None:
        """Of a comparison."""

    @property
    def response_ids(self) -> list[int] | None:
        """Of a ranking."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is stored of it: `winner_response_id`, or `verdict` for a tie and for both bad; `ranking` by response."""

    answers: Mapping[str, Any]
    verdict: Verdict | None = None
    winner_response_id: int | None = None
    ranking: Sequence[Sequence[int]] | None = None


def responses_of(item: Subject) -> tuple[int, ...]:
    """The item's responses in its own order: the first of a pair first."""
    if item.response_ids:
        return tuple(item.response_ids)
    return tuple(one for one in (item.response_id, item.first_response_id, item.second_response_id) if one is not None)


def known_answer(
    session: Session,
    task: Task,
    item: Item,
    *,
    answers: Mapping[str, object],
    verdict: Verdict | None,
    ranking: Sequence[Sequence[int]] | None,
    whole: bool = False,
) -> Known:
    """The checked answer. Raises InvalidInput where nothing is answered that can be graded.

    Questions may be left open, unless it is to be a `whole` answer, as a rater's is.
    """
    shown = responses_of(item)
    rubric = rubric_of(task.rubric)
    checked = dict(rubric.validate(answers)) if whole else _checked(rubric, answers)
    if has_passages(rubric, checked):
        checked = marked(rubric, checked, texts=shown_texts(session, shown), shown=shown)
    if task.kind is TaskKind.COMPARE:
        if verdict is None:
            raise InvalidInput("Please choose which response is better, a tie or both bad.")
        won = winner(verdict, left=shown[0], right=shown[1])
        return Known(checked, None if won is not None else verdict, won)
    if task.kind is TaskKind.RANK:
        return Known(checked, ranking=ranking_by_id([list(place) for place in ranking or ()], shown=shown))
    gradable = {question.key for question in rubric.questions if question.type is not QuestionType.TEXT}
    if not gradable & set(checked):
        raise InvalidInput("Please answer at least one question that is not a free text.")
    return Known(checked)


def _checked(rubric: Rubric, answers: Mapping[str, object]) -> dict[str, Any]:
    """Each given answer as its question stores it; those that are None are left open."""
    return {key: rubric.question(key).checked(answer) for key, answer in answers.items() if answer is not None}
