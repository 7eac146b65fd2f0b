"""How far one task's raters can be relied on: agreement by question and slice, and each rater against the others. Pure.

Of raters' own answers to work, before any ruling; the newest MOST_ANSWERS of them (MOST_MODELLED for Dawid and Skene's model,
which is slower). A question with several options counts each option as chosen or not; a ranking counts every pair in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backend.evaluation.judgements import BOTH_BAD, RANKED, Judged
from backend.evaluation.leaderboard import told
from backend.evaluation.ratings import rows_of, values_of
from backend.evaluation.slicing import coded
from backend.rubrics import Question
from backend.statistics.agreement import Level, krippendorff_alpha, percent_agreement
from backend.statistics.intervals import wilson
from backend.statistics.reliability import Reliability, dawid_skene
from backend.statistics.results import Result
from backend.vocabulary import QuestionType

MOST_ANSWERS = 50_000
MOST_MODELLED = 5_000
MOST_VALUES = 15
"""Keys with more values are not cut."""
PREFERRED = "Preferred version"
ORDER_OF_TWO = "Order of two in a ranking"


@dataclass(frozen=True, slots=True)
class Labelled:
    """One thing that was asked, with a label for each answer to it. `title` is the question's key and option."""

    title: str
    level: Level
    items: np.ndarray
    raters: np.ndarray
    labels: np.ndarray
    responses: np.ndarray

    def where(self, kept: np.ndarray) -> Labelled:
        """The answers that are kept."""
        return Labelled(self.title, self.level, self.items[kept], self.raters[kept], self.labels[kept], self.responses[kept])

    def newest(self, most: int) -> Labelled:
        """The last of them; answers come in order of time."""
        return self if len(self.items) <= most else self.where(np.arange(len(self.items) - most, len(self.items)))


def quality_figure(judged: Judged, questions: Sequence[Question]) -> dict[str, Any]:
    """Agreement and raters of one task's judgements, as plain values."""
    asked = [one.newest(MOST_ANSWERS) for one in labelled(judged, questions)]
    return {
        "agreement": [row for one in asked for row in agreement_rows(one, judged)],
        "raters": rater_rows(asked),
        "most": MOST_ANSWERS,
    }


def labelled(judged: Judged, questions: Sequence[Question]) -> Iterator[Labelled]:
    """Everything that was asked and can be compared between raters."""
    votes = judged.raw_comparisons
    votes = votes[votes["rater"] >= 0]
    pairs = votes[votes["how"] != RANKED]
    if len(pairs):
        score = pairs["score"].to_numpy()
        label = np.where(score == 0.5, np.where(pairs["how"].to_numpy() == BOTH_BAD, 3, 2), (score > 0.5).astype(int))
        items, raters, first = (pairs[name].to_numpy() for name in ("item", "rater", "first_response"))
        yield Labelled(PREFERRED, Level.NOMINAL, items, raters, label.astype(float), first)
    ranked = votes[votes["how"] == RANKED]
    if len(ranked):
        better, worse = ranked["first_response"].to_numpy(), ranked["second_response"].to_numpy()
        lower, score = np.minimum(better, worse), ranked["score"].to_numpy()
        pairs_of_items = np.stack([ranked["item"].to_numpy(), lower, np.maximum(better, worse)], axis=1)
        _, unit = np.unique(pairs_of_items, axis=0, return_inverse=True)
        score = np.where(better == lower, score, 1 - score)
        yield Labelled(ORDER_OF_TWO, Level.NOMINAL, unit, ranked["rater"].to_numpy(), score, lower)
    ratings = judged.raw_ratings[judged.raw_ratings["rater"] >= 0]
    given = ratings["answers"].to_numpy()
    items, raters, responses = (ratings[name].to_numpy() for name in ("item", "rater", "response"))
    for question in questions:
        for title, level, values in _values(judged, question):
            labels = values[given]
            one = Labelled(title, level, items, raters, labels, responses)
            if (known := ~np.isnan(labels)).any():
                yield one.where(known)


def _values(judged: Judged, question: Question) -> Iterator[tuple[str, Level, np.ndarray]]:
    """(title, level, a number for each different set of answers)"""
    if question.is_number:
        level = Level.ORDINAL if question.type is QuestionType.SCALE else Level.NOMINAL
        yield question.key, level, values_of(judged, question)
    elif question.type is QuestionType.MULTIPLE:
        for option in question.scale:
            yield f"{question.key}: {option}", Level.NOMINAL, values_of(judged, question, option=option)
    elif question.type is QuestionType.SINGLE:
        places = {option: float(place) for place, option in enumerate(question.scale)}
        numbers = [places.get(str(answers.get(question.key)), np.nan) for answers in judged.answers]
        yield question.key, Level.NOMINAL, np.array([*numbers, np.nan])


def agreement_rows(one: Labelled, judged: Judged) -> Iterator[dict[str, Any]]:
    """Over all items (no key), then by slice, the largest first."""
    yield {"question": one.title, "key": "", "slice": "", **_agreement(one)}
    place = judged.responses.place(one.responses)
    for key, (numbers, names) in coded(judged.responses).items():
        mine = numbers[place]
        values, counts = np.unique(mine[mine >= 0], return_counts=True)
        if not 2 <= len(values) <= MOST_VALUES:
            continue
        for value in values[np.argsort(-counts, kind="stable")].tolist():
            found = _agreement(one.where(mine == value))
            if found["items"]:
                yield {"question": one.title, "key": key, "slice": names[value], **found}


def _agreement(one: Labelled) -> dict[str, Any]:
    rows = rows_of(one.items, one.labels)
    raw, alpha = percent_agreement(rows), krippendorff_alpha(rows, one.level)
    return {"items": raw.n, "raw": told(raw), "alpha": told(alpha)}


def rater_rows(asked: Sequence[Labelled]) -> list[dict[str, Any]]:
    """One row a rater: how like the others' their answers are, and how often the model takes them as right."""
    alike: dict[int, tuple[float, int]] = defaultdict(lambda: (0.0, 0))
    right: dict[int, tuple[float, int]] = defaultdict(lambda: (0.0, 0))
    reasons = []
    for one in asked:
        for rater, total, count in _alike(one):
            alike[rater] = (alike[rater][0] + total, alike[rater][1] + count)
        part = one.newest(MOST_MODELLED)
        fitted = dawid_skene(zip(part.items.tolist(), part.raters.tolist(), part.labels.tolist(), strict=True))
        if not isinstance(fitted, Reliability):
            reasons.append(fitted.reason)
            continue
        for quality in fitted.raters:
            total, count = right[int(str(quality.rater))]
            right[int(str(quality.rater))] = (total + (quality.accuracy.value or 0.0) * quality.n, count + quality.n)
    raters = sorted({rater for one in asked for rater in np.unique(one.raters).tolist()})
    return [
        {
            "rater": rater,
            "alike": told(_share(*alike[rater], "answers like another rater's, Wilson")),
            "reliability": told(_share(*right[rater], "Dawid-Skene, expected share of right answers, Wilson")),
            "why_not": reasons[0] if reasons and not right[rater][1] else "",
        }
        for rater in raters
    ]


def _share(total: float, count: int, method: str) -> Result:
    return wilson(min(max(total, 0.0), count), count, method=method)


def _alike(one: Labelled) -> Iterator[tuple[int, float, int]]:
    """(rater, sum of the shares of others who said the same, answers that others answered too)"""
    if not len(one.items):
        return
    _, item = np.unique(one.items, return_inverse=True)
    _, same = np.unique(np.stack([item.astype(float), one.labels]), axis=1, return_inverse=True)
    others = np.bincount(item)[item] - 1
    shared = others > 0
    share = (np.bincount(same)[same] - 1)[shared] / others[shared]
    raters, place = np.unique(one.raters[shared], return_inverse=True)
    totals, counts = np.bincount(place, share), np.bincount(place)
    yield from zip(raters.tolist(), totals.tolist(), counts.tolist(), strict=True)
