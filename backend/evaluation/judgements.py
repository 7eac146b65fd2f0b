"""What raters judged, as columns: comparisons, rankings taken apart into pairs, ratings, and what is known of each response.

Pure. A row is one rater's newest answer to one item; where an item was ruled on, the ruling stands in the place of its
raters' answers. Versions, keys and values are numbers here, and lists say what they stand for, so that a million answers
fit into memory and are counted in seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

RULING = -1
"""The rater of a ruling."""
LEFT, RIGHT, TIE, BOTH_BAD, RANKED = range(5)
"""How a comparison was answered, by side; `RANKED` pairs come out of a ranking."""

COMPARISONS = ("id", "task", "item", "unit", "rater", "first", "second", "first_response", "second_response", "score", "how",
               "left_first", "hour")  # fmt: skip
"""`score` is the first version's: 1 won, 0 lost, a half for neither. `left_first`: 1 where the first stood on the left
(for rankings: before the second), 0 where it did not, -1 where there was no side. `unit` is what was asked: the question of
a comparison, or the item of a ranking as minus its id."""
RATINGS = ("id", "task", "item", "rater", "version", "response", "answers", "hour")
"""`answers` numbers one of `Judged.answers`."""
NOT_FOUND, FOUND = "not found", "found"


def finding_title(kind: str) -> str:
    """What a kind of finding is called among the things detected in a record."""
    return f"Found in the record: {kind.replace('_', ' ')}"


@dataclass(frozen=True)
class Responses:
    """What is known of each response, by its place in `ids` (sorted)."""

    ids: np.ndarray
    version: np.ndarray
    length: np.ndarray
    """In characters."""
    record: np.ndarray
    """0 where there is none."""
    slices: np.ndarray
    """Numbers one of `slice_sets`."""
    slice_sets: list[dict[str, str]]
    attributes: dict[str, tuple[np.ndarray, list[str]]] = field(default_factory=dict)
    """What was detected: title → (a number for each response, what the numbers mean); -1 where it is unknown."""

    def place(self, ids: np.ndarray) -> np.ndarray:
        """Where each of these responses stands."""
        return np.searchsorted(self.ids, ids) if len(ids) else np.zeros(0, dtype=np.int64)

    def versions_of(self, ids: np.ndarray) -> np.ndarray:
        """Whose each of these responses is."""
        return self.version[self.place(ids)]


@dataclass(frozen=True)
class Judged:
    """Everything that was judged in one project, or in one task of it."""

    comparisons: pd.DataFrame
    ratings: pd.DataFrame
    raw_comparisons: pd.DataFrame
    """The raters' own answers, also where a ruling counts instead; agreement is about these."""
    raw_ratings: pd.DataFrame
    answers: list[dict[str, Any]]
    extra: pd.DataFrame
    """Answers to the questions of comparisons and rankings: task, item, rater, answers."""
    responses: Responses
    versions: list[str]
    rulings: int = 0

    def of_task(self, task_id: int) -> Judged:
        """The part of one task."""

        def only(frame: pd.DataFrame) -> pd.DataFrame:
            return frame[frame["task"].to_numpy() == task_id]

        return replace(
            self,
            comparisons=only(self.comparisons),
            ratings=only(self.ratings),
            raw_comparisons=only(self.raw_comparisons),
            raw_ratings=only(self.raw_ratings),
            extra=only(self.extra),
        )


def newest(frame: pd.DataFrame) -> pd.DataFrame:
    """A rater's highest number for each item."""
    if not (frame["number"] > 1).any():
        return frame
    ordered = frame.sort_values("number", kind="stable")
    return ordered[~ordered.duplicated(["item", "rater"], keep="last")].sort_index()


def with_rulings(answers: pd.DataFrame, rulings: pd.DataFrame) -> pd.DataFrame:
    """Without the answers to items that were ruled on, but with the newest ruling on each."""
    if rulings.empty:
        return answers
    last = rulings.sort_values("number").drop_duplicates("item", keep="last")
    kept = answers[~answers["item"].isin(last["item"])]
    return pd.concat([kept, last[answers.columns]], ignore_index=True)


def pairs_of_ranking(ranking: Sequence[Sequence[int]]) -> list[tuple[int, int, float]]:
    """Every pair of responses of a ranking: (one, other, score of the one); those on one place tie."""
    found = []
    for place, together in enumerate(ranking):
        found += [(one, other, 0.5) for at, one in enumerate(together) for other in together[at + 1 :]]
        worse = [response for below in ranking[place + 1 :] for response in below]
        found += [(one, other, 1.0) for one in together for other in worse]
    return found


def taken_apart(
    rankings: Sequence[tuple[int, int, int, int, Sequence[Sequence[int]], Sequence[int], int]], responses: Responses
) -> pd.DataFrame:
    """Rankings (id, task, item, rater, ranking, order shown, hour) as comparisons."""
    rows = []
    for key, task, item, rater, ranking, drawn, hour in rankings:
        shown = {response: place for place, response in enumerate(drawn)}
        for one, other, score in pairs_of_ranking(ranking):
            side = -1 if one not in shown or other not in shown else int(shown[one] < shown[other])
            rows.append((key, task, item, -item, rater, 0, 0, one, other, score, RANKED, side, hour))
    frame = pd.DataFrame(rows, columns=list(COMPARISONS))
    for name in ("first", "second"):
        frame[name] = responses.versions_of(frame[f"{name}_response"].to_numpy(dtype=np.int64))
    return in_order(frame.astype({"score": float}))


def in_order(frame: pd.DataFrame) -> pd.DataFrame:
    """Comparisons with the version of the lower number as the first, so that two that met are one pair."""
    turned = (frame["first"] > frame["second"]).to_numpy()
    found = frame.copy()
    for one, other in (("first", "second"), ("first_response", "second_response")):
        found[one] = np.where(turned, frame[other], frame[one])
        found[other] = np.where(turned, frame[one], frame[other])
    found["score"] = np.where(turned, 1 - frame["score"], frame["score"])
    found["left_first"] = np.where(turned & (frame["left_first"] >= 0), 1 - frame["left_first"], frame["left_first"])
    return found


def unit_scores(comparisons: pd.DataFrame, version: int) -> tuple[np.ndarray, np.ndarray]:
    """(score, response) of one version: one score a unit, the mean of its judgements, with the response that was judged."""
    first = comparisons["first"].to_numpy() == version
    second = comparisons["second"].to_numpy() == version
    scores = comparisons["score"].to_numpy()
    units = np.concatenate([comparisons["unit"].to_numpy()[first], comparisons["unit"].to_numpy()[second]])
    points = np.concatenate([scores[first], 1 - scores[second]])
    shown = [comparisons["first_response"].to_numpy()[first], comparisons["second_response"].to_numpy()[second]]
    return means_by(units, points, np.concatenate(shown))


def means_by(units: np.ndarray, values: np.ndarray, beside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(mean of the values of each unit, what stands beside the unit's first one)."""
    if not len(units):
        return np.zeros(0), np.zeros(0, dtype=np.int64)
    _, first, place = np.unique(units, return_index=True, return_inverse=True)
    return np.bincount(place, values) / np.bincount(place), beside[first]
