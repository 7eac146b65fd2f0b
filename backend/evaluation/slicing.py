"""One measure cut by what is known of the questions: each slice, its difference to the rest, and Simpson's alarm. Pure.

A key is a metadata column, or something detected (`DETECTED` before its title). Values are observations of their own: what
several raters said of one thing was averaged before. Not promised: keys with more than `MOST_VALUES` values; they name
things rather than groups of them, and are listed apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from backend.evaluation.judgements import Judged, Responses, unit_scores
from backend.evaluation.leaderboard import told
from backend.evaluation.ratings import CHOICES, rated_versions, response_values, values_of
from backend.rubrics import Question
from backend.statistics.intervals import benjamini_hochberg
from backend.statistics.slices import compare_means, compare_shares
from backend.statistics.stratified import Stratum, simpson_alarm
from backend.vocabulary import DETECTED, QuestionType

MOST_VALUES = 60
MOST_ALARMS = 20
LEVEL = 0.05


@dataclass(frozen=True)
class Measure:
    """One measure of one version. `shares`: values lie between 0 and 1; else they are points, scores or lengths."""

    key: str
    title: str
    shares: bool
    version: str
    values: np.ndarray
    responses: np.ndarray
    """The response that each value is about."""


def judged_measures(judged: Judged, questions: Sequence[Question]) -> Iterable[Measure]:
    """The win rate, and every question that can be counted, of every version."""
    votes = judged.comparisons[judged.comparisons["first"] != judged.comparisons["second"]]
    for version in sorted({*votes["first"].unique().tolist(), *votes["second"].unique().tolist()}, reverse=True):
        values, responses = unit_scores(votes, version)
        yield Measure("win", "Win rate in blind comparisons", True, judged.versions[version], values, responses)
    for key, title, shares, question, option in _questions(questions):
        values_by_answers = values_of(judged, question, option=option)
        for version in reversed(rated_versions(judged)):
            values, responses, count = response_values(judged, values_by_answers, version)
            if count:
                yield Measure(key, title, shares, judged.versions[version], values, responses)


def _questions(questions: Sequence[Question]) -> Iterable[tuple[str, str, bool, Question, str | None]]:
    for one in questions:
        if one.type is QuestionType.SCALE:
            yield f"rating/{one.key}", f"Rating: {one.key} (1 to {len(one.scale)})", False, one, None
        elif one.type is QuestionType.YES_NO:
            yield f"rating/{one.key}", f"Rating: {one.key} (share of yes)", True, one, None
        elif one.type in CHOICES:
            for place, option in enumerate(one.scale):
                yield f"choice/{one.key}/{place}", f"Rating: {one.key}: {option} (share chosen)", True, one, option
        elif one.type is QuestionType.SPANS:
            yield f"marked/{one.key}", f"Rating: {one.key} (share with a marked passage)", True, one, None


# --- keys ---


def coded(responses: Responses) -> dict[str, tuple[np.ndarray, list[str]]]:
    """Every key: (a number for each response, what the numbers mean); -1 where the key is not known."""
    found: dict[str, tuple[np.ndarray, list[str]]] = {}
    for key in sorted({key for each in responses.slice_sets for key in each}):
        values = [each.get(key) for each in responses.slice_sets]
        names = sorted({value for value in values if value is not None})
        numbers = {name: number for number, name in enumerate(names)}
        by_set = np.array([-1 if value is None else numbers[value] for value in values], dtype=np.int64)
        found[key] = (by_set[responses.slices], names)
    found.update({DETECTED + title: coding for title, coding in sorted(responses.attributes.items())})
    return found


def usable(measure: Measure, responses: Responses, codes: dict[str, tuple[np.ndarray, list[str]]]) -> dict[str, np.ndarray]:
    """The keys that cut this measure's values into two or more parts: key → number for each value."""
    place = responses.place(measure.responses)
    found = {}
    for key, (numbers, names) in codes.items():
        mine = numbers[place] if len(place) else numbers[:0]
        if len(np.unique(mine[mine >= 0])) >= 2 and len(names) <= MOST_VALUES:
            found[key] = mine
    return found


# --- tables ---


def slice_rows(measure: Measure, numbers: np.ndarray, names: Sequence[str]) -> list[dict[str, Any]]:
    """One row a slice, the largest first, each with its interval, its difference to the rest and the p-value of that."""
    compare = compare_shares if measure.shares else compare_means
    labels = [*names, None]
    found = compare(measure.values.tolist(), [labels[number] for number in numbers.tolist()], min_n=2)
    return [
        {"slice": one.name, "n": one.n, **told(one.estimate), "difference": told(one.difference), "p": one.p_value}
        for one in found
    ]


def slice_table(rows: Sequence[dict[str, Any]], *, min_n: int) -> pd.DataFrame:
    """The rows as a table. Benjamini and Hochberg's correction is over the slices of at least `min_n`."""
    tested = [row for row in rows if row["n"] >= min_n and row["p"] is not None]
    adjusted = dict(zip((row["slice"] for row in tested), benjamini_hochberg([row["p"] for row in tested]), strict=True))
    columns = ["slice", "n", "value", "low", "high", "difference to the rest", "difference low", "difference high", "p"]
    cells = [
        (row["slice"], row["n"], row["value"], row.get("low"), row.get("high"), *_parts(row["difference"]), row["p"],
         adjusted.get(row["slice"]), row["n"] < min_n, adjusted.get(row["slice"], 1.0) <= LEVEL)
        for row in rows
    ]  # fmt: skip
    frame = pd.DataFrame(cells, columns=[*columns, "adjusted p", "too small", "stands out"])
    return frame.astype(dict.fromkeys([*columns[2:], "adjusted p"], float))


def _parts(result: dict[str, Any]) -> tuple[float | None, float | None, float | None]:
    return result["value"], result.get("low"), result.get("high")


# --- Simpson ---


def reversals(within: dict[str, list[dict[str, Any]]], *, min_n: int) -> list[dict[str, Any]]:
    """Slices whose difference to the rest turns round once another key is held fixed: found by looking at every key.

    One of the two odds must be shown to differ from 1: between two that are not, chance alone turns round.
    """
    return [
        {**row, "by": second}
        for second, rows in within.items()
        for row in rows
        if row["alarm"]
        and row["n"] >= min_n
        and "reverses" in row["reason"]
        and any(map(_shown, (row["crude"], row["pooled"])))
    ][:MOST_ALARMS]


def _shown(odds: dict[str, Any]) -> bool:
    return "low" in odds and not odds["low"] <= 1 <= odds["high"]


def within(measure: Measure, numbers: dict[str, np.ndarray], names: dict[str, list[str]], key: str, second: str) -> list[Any]:
    """For each slice of `key`: the odds of a high value against the rest, over all and with `second` held fixed.

    High is a share as it is; of other measures, whether a value is above the measure's median.
    """
    high = measure.values if measure.shares else (measure.values > np.median(measure.values)).astype(float)
    rows = []
    for number, name in enumerate(names[key]):
        inside = numbers[key] == number
        if inside.any() and not inside.all():
            check = simpson_alarm(_strata(high, inside, numbers[second]))
            told_of = {"crude": told(check.crude), "pooled": told(check.pooled), "alarm": check.alarm, "reason": check.reason}
            rows.append({"slice": name, "n": int(inside.sum()), **told_of})
    return rows


def _strata(high: np.ndarray, inside: np.ndarray, strata: np.ndarray) -> list[Stratum]:
    """Tables by stratum; values whose stratum is not known are one of their own."""
    size = int(strata.max(initial=-1)) + 2
    cell = (strata + 1) * 2 + inside
    yes = np.bincount(cell, high, size * 2).reshape(size, 2)
    all_ = np.bincount(cell, minlength=size * 2).reshape(size, 2)
    return [
        Stratum(float(y[1]), float(n[1] - y[1]), float(y[0]), float(n[0] - y[0]))
        for y, n in zip(yes, all_, strict=True)
        if n.sum()
    ]


# --- all of it, for keeping ---


def slice_figure(measure: Measure, judged: Judged, codes: dict[str, tuple[np.ndarray, list[str]]]) -> dict[str, Any]:
    """Every key of one measure and version as plain values: its slices, and the same with every other key held fixed."""
    numbers = usable(measure, judged.responses, codes)
    names = {key: codes[key][1] for key in numbers}
    return {
        "overall": float(measure.values.mean()),
        "n": len(measure.values),
        "keys": {
            key: {
                "rows": slice_rows(measure, numbers[key], names[key]),
                "within": {second: within(measure, numbers, names, key, second) for second in numbers if second != key},
            }
            for key in numbers
        },
    }
