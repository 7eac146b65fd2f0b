"""What ratings add up to, by version and question, and how far raters agree. Pure; figures are plain values.

Points of a scale and yes/no are averaged: several raters of one response first, so that intervals count responses. Chosen
options are shares of the answers in which the question was answered; marked passages are counted by reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from backend.evaluation.judgements import BOTH_BAD, RANKED, Judged, means_by
from backend.evaluation.leaderboard import told
from backend.rubrics import Question
from backend.statistics.agreement import Level, krippendorff_alpha, percent_agreement
from backend.statistics.intervals import mean, wilson
from backend.vocabulary import QuestionType

CHOICES = (QuestionType.SINGLE, QuestionType.MULTIPLE)


def rating_figures(judged: Judged, questions: Sequence[Question]) -> dict[str, Any]:
    """Means, shares and counts of every question, and agreement on it."""
    ratings = judged.ratings
    return {
        "ratings": len(ratings),
        "questions": [{"key": one.key, "text": one.text, "type": str(one.type), "points": len(one.scale)} for one in questions],
        "means": [row for one in questions if one.is_number for row in _means(judged, one)],
        "choices": [row for one in questions if one.type in CHOICES for row in _choices(judged, one)],
        "passages": [row for one in questions if one.type is QuestionType.SPANS for row in _passages(judged, one)],
        "reasons": _reasons(judged, questions),
        "agreement": agreement(judged, questions),
    }


def values_of(judged: Judged, question: Question, *, option: str | None = None) -> np.ndarray:
    """For each different set of answers the number that it gives the question; NaN where it was not answered.

    A scale's point; 1 or 0 for yes and no, for an option chosen or not, and for a passage marked (with this reason) or not.
    """
    found = np.full(len(judged.answers) + 1, np.nan)
    for place, answers in enumerate(judged.answers):
        answer = answers.get(question.key)
        if answer is None and not (question.type is QuestionType.SPANS and answers):
            continue
        found[place] = _number(question, answer, option)
    return found


def _number(question: Question, answer: Any, option: str | None) -> float:
    if question.type is QuestionType.SINGLE:
        return float(answer == option)
    if question.type is QuestionType.MULTIPLE:
        return float(option in answer) if isinstance(answer, list) else np.nan
    if question.type is QuestionType.SPANS:
        return float(any(option in (None, span["reason"]) for span in _spans(answer)))
    return float(answer) if isinstance(answer, bool | int | float) else np.nan


def _spans(answer: Any) -> list[dict[str, Any]]:
    """Marked passages; tasks may have another question of the same key."""
    return [span for span in answer if isinstance(span, dict)] if isinstance(answer, list) else []


def response_values(judged: Judged, values: np.ndarray, version: int) -> tuple[np.ndarray, np.ndarray, int]:
    """(mean of its raters, response, answers behind them): one value a rated item of the version."""
    part = judged.ratings[judged.ratings["version"] == version]
    given = values[part["answers"].to_numpy()]
    known = ~np.isnan(given)
    means, shown = means_by(part["item"].to_numpy()[known], given[known], part["response"].to_numpy()[known])
    return means, shown, int(known.sum())


def rated_versions(judged: Judged) -> list[int]:
    """The versions that were rated."""
    return sorted(judged.ratings["version"].unique().tolist())


def _means(judged: Judged, question: Question) -> Iterable[dict[str, Any]]:
    values = values_of(judged, question)
    yes_no = question.type is QuestionType.YES_NO
    for version in rated_versions(judged):
        means, _, count = response_values(judged, values, version)
        if not count:
            continue
        result = wilson(means.sum(), len(means)) if yes_no else mean(means.tolist())
        yield {"version": judged.versions[version], "question": question.key, "share": yes_no, "ratings": count, **told(result)}


def _choices(judged: Judged, question: Question) -> Iterable[dict[str, Any]]:
    for option in question.scale:
        values = values_of(judged, question, option=option)
        for version in rated_versions(judged):
            means, _, count = response_values(judged, values, version)
            if count:
                row = {"version": judged.versions[version], "question": question.key, "option": option, "ratings": count}
                yield {**row, **told(wilson(means.sum(), len(means)))}


def _passages(judged: Judged, question: Question) -> Iterable[dict[str, Any]]:
    """How many passages of each version were marked, by reason, and the share of responses with one."""
    counts = [Counter(span["reason"] for span in _spans(answers.get(question.key))) for answers in judged.answers]
    for reason in question.scale:
        per = np.array([*(count[reason] for count in counts), 0])
        values = values_of(judged, question, option=reason)
        for version in rated_versions(judged):
            part = judged.ratings[judged.ratings["version"] == version]
            means, _, answers = response_values(judged, values, version)
            if answers:
                row = {"version": judged.versions[version], "question": question.key, "reason given": reason}
                marked = int(per[part["answers"].to_numpy()].sum())
                yield {**row, "passages": marked, "ratings": answers, **told(wilson(means.sum(), len(means)))}


def _reasons(judged: Judged, questions: Sequence[Question]) -> list[dict[str, Any]]:
    """What was answered beside comparisons and rankings, counted."""
    counts = np.bincount(judged.extra["answers"].to_numpy(), minlength=len(judged.answers)) if len(judged.extra) else ()
    found: dict[str, Counter[str]] = {}
    for answers, count in zip(judged.answers, counts, strict=False):
        for question in questions if count else ():
            if (answer := answers.get(question.key)) is not None:
                found.setdefault(question.key, Counter()).update(dict.fromkeys(_words(question, answer), int(count)))
    return [
        {"question": key, "answer": text, "times": times} for key, each in found.items() for text, times in each.most_common()
    ]


def _words(question: Question, answer: Any) -> list[str]:
    if question.type is QuestionType.SCALE:
        return [question.scale[answer - 1]] if isinstance(answer, int) and answer in question.points else []
    if question.type is QuestionType.YES_NO:
        return ["Yes" if answer else "No"]
    if question.type is QuestionType.SPANS:
        return [span["reason"] for span in _spans(answer)]
    if question.type is QuestionType.SINGLE:
        return [answer] if isinstance(answer, str) else []
    return answer if question.type is QuestionType.MULTIPLE and isinstance(answer, list) else []


# --- agreement ---


def agreement(judged: Judged, questions: Sequence[Question]) -> list[dict[str, Any]]:
    """On the preferred version and on each question; of the raters' own answers, before any ruling."""
    found = []
    votes = judged.raw_comparisons
    votes = votes[(votes["how"] != RANKED) & (votes["rater"] >= 0)]
    if len(votes):
        label = np.where(votes["score"] == 0.5, np.where(votes["how"] == BOTH_BAD, 3, 2), (votes["score"] > 0.5).astype(int))
        found.append(_agreement("preferred version", votes["item"].to_numpy(), label, Level.NOMINAL))
    ratings = judged.raw_ratings
    for question in questions:
        if question.is_number or question.type is QuestionType.SINGLE:
            values, level = _labels(judged, question)
            given = values[ratings["answers"].to_numpy()]
            known = ~np.isnan(given)
            if known.any():
                found.append(_agreement(question.key, ratings["item"].to_numpy()[known], given[known], level))
    return found


def _labels(judged: Judged, question: Question) -> tuple[np.ndarray, Level]:
    if question.is_number:
        return values_of(judged, question), Level.ORDINAL if question.type is QuestionType.SCALE else Level.NOMINAL
    places = {option: float(place) for place, option in enumerate(question.scale)}
    return np.array(
        [*(places.get(str(answers.get(question.key)), np.nan) for answers in judged.answers), np.nan]
    ), Level.NOMINAL


def _agreement(name: str, items: np.ndarray, labels: np.ndarray, level: Level) -> dict[str, Any]:
    rows = rows_of(items, labels)
    raw, alpha = percent_agreement(rows), krippendorff_alpha(rows, level)
    return {"question": name, "items": raw.n, "raw": told(raw), "alpha": told(alpha)}


def rows_of(items: np.ndarray, labels: np.ndarray) -> list[list[float]]:
    """One list of labels an item with two or more; which rater gave which does not matter to agreement."""
    order = np.argsort(items, kind="stable")
    sorted_items, sorted_labels = items[order], labels[order].tolist()
    starts = np.flatnonzero(np.diff(sorted_items, prepend=sorted_items[0] - 1)) if len(items) else np.zeros(0, dtype=int)
    ends = [*starts[1:].tolist(), len(sorted_labels)]
    return [sorted_labels[start:end] for start, end in zip(starts.tolist(), ends, strict=True) if end - start > 1]


def weekly_agreement(judged: Judged) -> pd.DataFrame:
    """By week (of a pair's earlier answer) how many pairs of raters of one comparison there were, and how many agreed."""
    votes = judged.raw_comparisons
    votes = votes[(votes["how"] != RANKED) & (votes["rater"] >= 0)]
    label = np.where(votes["score"] == 0.5, 2, (votes["score"] > 0.5).astype(int))
    week = (votes["hour"].to_numpy() // 24 + 3) // 7  # 1 January 1970 was a Thursday: weeks begin on Mondays
    first_week = pd.Series(week, index=votes.index).groupby(votes["item"]).transform("min").to_numpy()
    counts = pd.crosstab([first_week, votes["item"].to_numpy()], label)
    if counts.empty:
        return pd.DataFrame({"week": [], "pairs": [], "agreed": []})
    raters = counts.sum(axis=1)
    alike = (counts * (counts - 1) // 2).sum(axis=1)
    frame = pd.DataFrame({"pairs": raters * (raters - 1) // 2, "same": alike}).groupby(level=0).sum()
    frame = frame[frame["pairs"] > 0]
    days = [int(number) * 7 - 3 for number in frame.index]
    return pd.DataFrame(
        {"week": days, "pairs": frame["pairs"].to_numpy(), "agreed": (frame["same"] / frame["pairs"]).to_numpy()}
    )
