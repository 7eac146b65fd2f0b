"""Answers in words, for people: what somebody said to a question, which response they preferred, how they ranked. Pure.

Responses are named by the caller (`names`: response id → "Left", "Response 2", …), so that no name of a model can slip in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from backend.rubrics import Question, Rubric
from backend.vocabulary import QuestionType, TaskKind, Verdict

NOTHING = "no answer"
PREFERENCE = "preference"
RANKING = "ranking"
TITLES = {PREFERENCE: "Which response is better?", RANKING: "From best to worst"}
"""What is asked beside a rubric's questions, and its words."""


class Given(Protocol):
    """What somebody answered, as Annotation, Gold and Adjudication hold it."""

    @property
    def answers(self) -> Mapping[str, Any]:
        """By question."""

    @property
    def verdict(self) -> Verdict | None:
        """By side where there is a winner; a tie and both bad are the same on both sides."""

    @property
    def winner_response_id(self) -> int | None:
        """The preferred response."""

    @property
    def ranking(self) -> Sequence[Sequence[int]] | None:
        """Response ids from best to worst, those on one place together."""


def answer_words(question: Question, answer: Any, texts: Mapping[int, str] | None = None) -> str:
    """The answer to one question; marked passages are quoted where the responses' `texts` are given."""
    if answer is None:
        return NOTHING
    if question.type is QuestionType.SCALE and answer in question.points:
        return f"{answer} · {question.scale[answer - 1]}"
    if question.type is QuestionType.YES_NO:
        return "Yes" if answer else "No"
    if question.type is QuestionType.MULTIPLE:
        return ", ".join(map(str, answer)) or "none of them"
    if question.type is QuestionType.SPANS:
        return ", ".join(passage_words(span, texts or {}) for span in answer) or "nothing marked"
    return str(answer)


def passage_words(span: Mapping[str, Any], texts: Mapping[int, str]) -> str:
    """A marked passage with its reason."""
    text = texts.get(span.get("response_id", 0))
    if text is None:
        return f"{span['reason']} ({span['start']}–{span['end']})"
    return f"{span['reason']}: “{text[span['start'] : span['end']]}”"


def preference_words(given: Given, names: Mapping[int, str]) -> str:
    """The preferred response, or that neither is."""
    if given.winner_response_id is not None:
        return f"{names.get(given.winner_response_id, 'Another response')} is better"
    return {Verdict.TIE: "Equally good", Verdict.BOTH_BAD: "Both bad"}.get(given.verdict or Verdict.LEFT, NOTHING)


def ranking_words(ranking: Sequence[Sequence[int]] | None, names: Mapping[int, str]) -> str:
    """From best to worst; equals are joined by =."""
    if not ranking:
        return NOTHING
    return " > ".join(" = ".join(names.get(one, "another response") for one in place) for place in ranking)


def words(
    kind: TaskKind, rubric: Rubric, given: Given, names: Mapping[int, str], texts: Mapping[int, str] | None = None
) -> dict[str, str]:
    """Everything that was answered: what was asked (a question's key, PREFERENCE, RANKING) → words."""
    said = {}
    if kind is TaskKind.COMPARE:
        said[PREFERENCE] = preference_words(given, names)
    elif kind is TaskKind.RANK:
        said[RANKING] = ranking_words(given.ranking, names)
    for question in rubric.questions:
        if question.key in given.answers:
            said[question.key] = answer_words(question, given.answers[question.key], texts)
    return said
