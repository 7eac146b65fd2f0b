"""Which version is better, from blind comparisons and rankings: strengths, win rates, what else decided. Pure.

Figures are plain values that JSON can hold, because they are kept. Every result is {"value", "low", "high", "n", "method"},
or where nothing can be estimated {"value", "n", "method", "reason"}. In a win rate a win is 1, a tie and "both bad" are a
half, a loss is 0; several raters of one question are averaged first, and intervals count questions. A ranking counts as a
comparison of every pair in it, with the item as the unit.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from backend.evaluation.judgements import BOTH_BAD, LEFT, RANKED, RIGHT, TIE, Judged, means_by, unit_scores
from backend.statistics.biases import length_controlled_win_rate
from backend.statistics.intervals import mean, wilson
from backend.statistics.ranking import Ranking, Ties, bradley_terry, bradley_terry_bootstrap
from backend.statistics.results import Estimate, Result

RESAMPLES = 200
MOST_VOTES = 200_000
"""Beyond so many votes the bootstrap takes a random part of the questions; what it leaves out makes intervals wider."""
EXAMPLES = 6
WIN_RATE = "win rate over questions, ties as half wins, Wilson"


def told(result: Result) -> dict[str, Any]:
    """A result as plain values."""
    if isinstance(result, Estimate):
        return {"value": result.value, "low": result.low, "high": result.high, "n": result.n, "method": result.method}
    return {"value": result.value, "n": result.n, "method": result.method, "reason": result.reason}


def comparison_figures(judged: Judged) -> dict[str, Any]:
    """Everything that comparisons and rankings say."""
    votes = judged.comparisons[judged.comparisons["first"] != judged.comparisons["second"]]
    met = sorted({*votes["first"].unique().tolist(), *votes["second"].unique().tolist()})
    return {
        "votes": int((votes["how"] != RANKED).sum()),
        "rankings": int(votes.loc[votes["how"] == RANKED, "item"].nunique()),
        "raters": int(votes.loc[votes["rater"] >= 0, "rater"].nunique()),
        "rulings": judged.rulings,
        "leaderboard": leaderboard(votes, judged.versions),
        "win_rates": {judged.versions[one]: told(win_rate(unit_scores(votes, one)[0])) for one in met},
        "heads": [head_to_head(votes, judged, one, other) for one, other in pairs(votes)],
        **biases(judged),
    }


def pairs(votes: pd.DataFrame) -> list[tuple[int, int]]:
    """The versions that met."""
    found = votes[["first", "second"]].drop_duplicates().sort_values(["first", "second"])
    return [(int(one), int(other)) for one, other in found.itertuples(index=False)]


def win_rate(points: np.ndarray) -> Result:
    """The mean of one score a unit."""
    return wilson(min(float(points.sum()), len(points)), len(points), method=WIN_RATE)


# --- strengths ---


def leaderboard(votes: pd.DataFrame, versions: list[str]) -> dict[str, Any]:
    """Versions from the strongest, or in words why there is no order among them."""
    if votes.empty:
        return {"rows": [], "reason": "there are no comparisons", "method": "", "n": 0, "isles": []}
    outcome = np.where(votes["score"] > 0.5, "left", np.where(votes["score"] < 0.5, "right", "tie"))
    ties = Ties.DAVIDSON if (outcome == "tie").any() else Ties.HALF
    found = _ranked(votes, outcome, ties)
    if not isinstance(found, Ranking) and ties is Ties.DAVIDSON:
        halved = _ranked(votes, outcome, Ties.HALF)
        found = halved if isinstance(halved, Ranking) else found
    told_of = {"method": found.method, "n": len(votes), "isles": isles(votes, versions)}
    if not isinstance(found, Ranking):
        return {**told_of, "rows": [], "reason": found.reason}
    rows = [
        {
            "version": versions[one.item],  # type: ignore[call-overload]
            "share": one.share,
            "strength": one.log_strength.value,
            "low": one.log_strength.low,
            "high": one.log_strength.high,
        }
        for one in found.strengths
    ]
    return {**told_of, "rows": rows, "reason": "", "tie_weight": found.tie_weight}


def _ranked(votes: pd.DataFrame, outcome: np.ndarray, ties: Ties) -> Any:
    """By the bootstrap; by Wald's intervals, and said so, where the bootstrap fails."""
    sampled = _sampled(votes)
    kept = outcome[sampled]
    part = votes[sampled]
    columns = (part["first"], part["second"], kept, part["unit"], part["rater"])
    given = list(zip(*(np.asarray(column).tolist() for column in columns), strict=True))
    found = bradley_terry_bootstrap(given, ties=ties, resamples=RESAMPLES, seed=0)
    return found if isinstance(found, Ranking) else _plainly(votes, outcome, ties)


def _plainly(votes: pd.DataFrame, outcome: np.ndarray, ties: Ties) -> Any:
    return bradley_terry(zip(votes["first"].tolist(), votes["second"].tolist(), outcome.tolist(), strict=True), ties=ties)


def _sampled(votes: pd.DataFrame) -> np.ndarray:
    """Which votes the bootstrap looks at: all, or those of a random part of the questions."""
    if len(votes) <= MOST_VOTES:
        return np.ones(len(votes), dtype=bool)
    units = votes["unit"].unique()
    share = MOST_VOTES / len(votes)
    chosen = np.random.default_rng(0).choice(units, size=max(2, int(len(units) * share)), replace=False)
    return votes["unit"].isin(chosen).to_numpy()


def isles(votes: pd.DataFrame, versions: list[str]) -> list[list[str]]:
    """Groups of versions that met, if there is more than one: between them nothing is known."""
    group = {one: {one} for pair in pairs(votes) for one in pair}
    for one, other in pairs(votes):
        if group[one] is not group[other]:
            joined = group[one] | group[other]
            group.update(dict.fromkeys(joined, joined))
    found = {min(members): sorted(members) for members in group.values()}
    return [[versions[one] for one in members] for members in found.values()] if len(found) > 1 else []


# --- one against one ---


def head_to_head(votes: pd.DataFrame, judged: Judged, one: int, other: int) -> dict[str, Any]:
    """`version` (the one with the higher number) against another, from its side."""
    part = votes[(votes["first"] == one) & (votes["second"] == other)]
    points, _ = unit_scores(part, other)
    won, lost = part["score"] < 0.5, part["score"] > 0.5
    both_bad = (part["how"] == BOTH_BAD) & ~won & ~lost
    return {
        "version": judged.versions[other],
        "against": judged.versions[one],
        "questions": len(points),
        "judgements": len(part),
        "wins": int(won.sum()),
        "losses": int(lost.sum()),
        "ties": int((~won & ~lost & ~both_bad).sum()),
        "both_bad": int(both_bad.sum()),
        "win_rate": told(win_rate(points)),
        "length_controlled": told(_length_controlled(part, judged)),
        "won": _examples(part[won]),
        "lost": _examples(part[lost]),
    }


def _length_controlled(part: pd.DataFrame, judged: Judged) -> Result:
    ours, theirs = _lengths(part, judged, "second"), _lengths(part, judged, "first")
    scores = 1 - part["score"].to_numpy()
    return length_controlled_win_rate(scores.tolist(), (ours - theirs).tolist(), groups=part["unit"].tolist())


def _lengths(part: pd.DataFrame, judged: Judged, side: str) -> np.ndarray:
    ids = part[f"{side}_response"].to_numpy()
    return judged.responses.length[judged.responses.place(ids)].astype(float)


def _examples(part: pd.DataFrame) -> list[list[int]]:
    """The newest of different questions: (item, first response, second response)."""
    newest = part.sort_values("id", ascending=False).drop_duplicates("unit").head(EXAMPLES)
    return newest[["item", "first_response", "second_response"]].to_numpy().tolist()


# --- what else decided ---


def biases(judged: Judged) -> dict[str, Any]:
    """The side and the length, measured on the raters' own answers."""
    votes = judged.raw_comparisons
    seen = votes[(votes["how"] != RANKED) & (votes["left_first"] >= 0)]
    left, right = int((seen["how"] == LEFT).sum()), int((seen["how"] == RIGHT).sum())
    ours, theirs = _lengths(votes, judged, "first"), _lengths(votes, judged, "second")
    score = votes["score"].to_numpy()
    decided = (ours != theirs) & (score != 0.5)
    longer = (ours > theirs)[decided] == (score > 0.5)[decided]
    units = votes["unit"].to_numpy()[decided]
    by_question, _ = means_by(units, longer.astype(float), units)
    return {
        "position": told(wilson(left, left + right, method="share of wins on the left side, Wilson")),
        "order": told(mean(list(_earlier_won(votes)))),
        "length": told(wilson(by_question.sum(), len(by_question), method="wins of the longer answer, Wilson by question")),
        "sides": {"left": left, "right": right, "tie": int((seen["how"] == TIE).sum())},
    }  # fmt: skip


def _earlier_won(votes: pd.DataFrame) -> Iterator[float]:
    """For each ranking, how many of its decided pairs the one that was shown earlier won."""
    part = votes[(votes["how"] == RANKED) & (votes["left_first"] >= 0) & (votes["score"] != 0.5)]
    earlier = (part["left_first"] == 1) == (part["score"] > 0.5)
    yield from earlier.groupby([part["item"], part["rater"]]).mean().tolist()
