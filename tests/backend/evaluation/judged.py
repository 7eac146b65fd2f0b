"""Judgements as columns, made by hand: responses of versions to questions, votes and ratings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from backend.evaluation.judgements import COMPARISONS, LEFT, RATINGS, TIE, Judged, Responses

VERSIONS = ["base", "tuned", "third"]


def some_responses(slices: Sequence[dict[str, str]], lengths: dict[tuple[int, int], int] | None = None) -> Responses:
    """The response of version v to question q (one for each of `slices`) has the id q * 3 + v + 1, 10 signs unless told."""
    sets: list[dict[str, str]] = []
    number = []
    for one in slices:
        if one not in sets:
            sets.append(one)
        number += [sets.index(one)] * 3
    count = len(slices) * 3
    given = lengths or {}
    return Responses(
        ids=np.arange(1, count + 1),
        version=np.arange(count) % 3,
        length=np.array([given.get((n // 3, n % 3), 10) for n in range(count)]),
        record=np.arange(count) // 3 + 1,
        slices=np.array(number),
        slice_sets=sets,
    )


def a_vote(
    question: int, rater: int, score: float, *, pair: tuple[int, int] = (0, 1), how: int = LEFT, left_first: int = 1
) -> dict[str, Any]:
    """One rater's vote; `score` is the first version's."""
    first, second = pair
    return {
        "id": question * 100 + rater, "task": 1, "item": question + 1, "unit": question + 1, "rater": rater, "first": first,
        "second": second, "first_response": question * 3 + first + 1, "second_response": question * 3 + second + 1,
        "score": score, "how": TIE if score == 0.5 and how == LEFT else how, "left_first": left_first, "hour": 0,
    }  # fmt: skip


def judged(
    votes: Sequence[dict[str, Any]] = (),
    ratings: Sequence[tuple[int, int, int, dict[str, Any]]] = (),
    *,
    slices: Sequence[dict[str, str]] = (),
    lengths: dict[tuple[int, int], int] | None = None,
) -> Judged:
    """`ratings` are (question, version, rater, answers)."""
    questions = max([vote["unit"] for vote in votes] + [one[0] + 1 for one in ratings], default=1)
    answers: list[dict[str, Any]] = [one[3] for one in ratings]
    rows = [
        (n, 1, question * 3 + version + 1, rater, version, question * 3 + version + 1, n, 0)
        for n, (question, version, rater, _) in enumerate(ratings)
    ]
    comparisons = pd.DataFrame(list(votes), columns=list(COMPARISONS)).astype({"score": float})
    rated = pd.DataFrame(rows, columns=list(RATINGS))
    return Judged(
        comparisons=comparisons,
        ratings=rated,
        raw_comparisons=comparisons,
        raw_ratings=rated,
        answers=answers,
        extra=pd.DataFrame(columns=["task", "item", "rater", "answers", "hour"]),
        responses=some_responses(slices or [{}] * questions, lengths),
        versions=list(VERSIONS),
    )
