"""What a browser answers by the places of what it showed, and what is stored: by response. Pure.

Promised: a passage that is stored lies within the text that was shown; a ranking that is stored names each response
that was shown, once. Offsets are characters (code points), from 0. Not promised: anything about the rubric's words;
`Rubric.validate` has checked them before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backend.errors import InvalidInput
from backend.rubrics import NO_QUESTIONS, Rubric
from backend.vocabulary import QuestionType


def rubric_of(stored: Mapping[str, Any]) -> Rubric:
    """A task's rubric as it keeps it; comparisons and rankings may have none."""
    return Rubric.from_json(stored) if stored.get("questions") else NO_QUESTIONS


def marked(rubric: Rubric, answers: Mapping[str, Any], *, texts: Sequence[str], shown: Sequence[int]) -> dict[str, Any]:
    """Validated answers with the response's id beside the place of each marked passage. Raises InvalidInput."""
    found = dict(answers)
    for question in rubric.questions:
        if question.type is QuestionType.SPANS and question.key in found:
            found[question.key] = [_located(span, texts, shown) for span in found[question.key]]
    return found


def has_passages(rubric: Rubric, answers: Mapping[str, Any]) -> bool:
    """Whether `marked` needs the texts."""
    return any(question.type is QuestionType.SPANS and answers.get(question.key) for question in rubric.questions)


def _located(span: Mapping[str, Any], texts: Sequence[str], shown: Sequence[int]) -> dict[str, Any]:
    place = span["response"]
    if place >= len(shown):
        raise InvalidInput("A passage is marked in a response that was not shown.")
    if span["end"] > len(texts[place]):
        raise InvalidInput("A marked passage goes beyond the end of the response.")
    return {**span, "response_id": shown[place]}


def ranking_by_id(places: object, *, shown: Sequence[int]) -> list[list[int]]:
    """The ranking as it is stored, each place's ids in order. Raises InvalidInput unless each response has one place."""
    if not isinstance(places, list) or not all(isinstance(tied, list) and tied for tied in places):
        raise InvalidInput("Please give every response a place, the best first.")
    named = [place for tied in places for place in tied]
    if not all(type(place) is int for place in named) or sorted(named) != list(range(len(shown))):
        raise InvalidInput("Please give every response one place, the best first.")
    return [sorted(shown[place] for place in tied) for tied in places]


def ranking_by_place(ranking: Sequence[Sequence[int]], *, shown: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """A stored ranking as its rater saw it: the places of the responses, in the order shown to them now."""
    where = {response_id: place for place, response_id in enumerate(shown)}
    return tuple(tuple(sorted(where[one] for one in tied if one in where)) for tied in ranking)
