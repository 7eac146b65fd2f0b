"""Figures as tables and sentences for pages. Pure. What cannot be estimated has empty cells and the reason beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from backend.statistics.intervals import wilson
from backend.statistics.results import Estimate

Told = Mapping[str, Any]
"""A result as `leaderboard.told` makes it."""


def interval(result: Told) -> str:
    """ "62% (55% to 69%)", or the reason why there is no interval."""
    if result.get("value") is None:
        return f"not estimable: {result['reason']}"
    if "reason" in result:
        return f"{result['value']:.0%}, no interval: {result['reason']}"
    return f"{result['value']:.0%} ({result['low']:.0%} to {result['high']:.0%})"


def cells(result: Told) -> tuple[float | None, float | None, float | None, str]:
    """(value, low, high, note)"""
    return result.get("value"), result.get("low"), result.get("high"), result.get("reason", "")


def table(rows: Iterable[Sequence[Any]], columns: Sequence[str], numbers: Sequence[str] = ()) -> pd.DataFrame:
    """Rows with named columns, of which `numbers` are numbers also where cells are empty."""
    return pd.DataFrame(list(rows), columns=list(columns)).astype(dict.fromkeys(numbers, float))


def leaderboard_table(figures: Told) -> pd.DataFrame:
    """One row a version, the strongest first; without strengths by win rate."""
    strengths = {row["version"]: row for row in figures["leaderboard"]["rows"]}
    order = list(strengths) or sorted(figures["win_rates"], key=lambda one: -(figures["win_rates"][one]["value"] or 0))
    rows = []
    for place, version in enumerate(order, start=1):
        strength, rate = strengths.get(version, {}), figures["win_rates"].get(version, {})
        values = [strength.get(name) for name in ("strength", "low", "high", "share")]
        rows.append((place, version, *values, *cells(rate)[:3], rate.get("n", 0)))
    numbers = ["strength", "low", "high", "share", "win rate", "win rate low", "win rate high"]
    return table(rows, ["place", "version", *numbers, "questions"], numbers)


def heads_table(heads: Sequence[Told]) -> pd.DataFrame:
    """One row a pair of versions, from the newer one's side."""
    rows = [
        (*(head[name] for name in ("version", "against", "questions", "judgements", "wins", "losses", "ties", "both_bad")),
         *cells(head["win_rate"])[:3], *cells(head["length_controlled"]))
        for head in heads
    ]  # fmt: skip
    columns = ["version", "against", "questions", "judgements", "wins", "losses", "ties", "both bad"]
    numbers = ["win rate", "low", "high", "length-controlled", "length-controlled low", "length-controlled high"]
    return table(rows, [*columns, *numbers, "note"], numbers)


def matrix_table(figures: Told) -> pd.DataFrame:
    """Win rates of the row's version against the column's, in the order of the leaderboard."""
    order = leaderboard_table(figures)["version"].tolist()
    frame = pd.DataFrame(float("nan"), index=order, columns=order)
    for head in figures["heads"]:
        value = head["win_rate"].get("value")
        if value is not None:
            frame.loc[head["version"], head["against"]] = value
            frame.loc[head["against"], head["version"]] = 1 - value
    return frame


def means_table(means: Sequence[Told]) -> pd.DataFrame:
    """One row a version and question."""
    rows = [(one["version"], one["question"], one["n"], one["ratings"], *cells(one)) for one in means]
    return table(rows, ["version", "question", "items", "ratings", "mean", "low", "high", "note"], ["mean", "low", "high"])


def shares_table(found: Sequence[Told], part: str) -> pd.DataFrame:
    """One row a version, question and option (or reason): its share of the rated answers."""
    rows = [(one["version"], one["question"], one[part], one["n"], one["ratings"], *cells(one)[:3]) for one in found]
    return table(rows, ["version", "question", part, "items", "ratings", "share", "low", "high"], ["share", "low", "high"])


def agreement_table(found: Sequence[Told]) -> pd.DataFrame:
    """One row a question: raw agreement and Krippendorff's alpha."""
    rows = []
    for one in found:
        (raw, raw_low, raw_high, raw_note), (alpha, low, high, note) = cells(one["raw"]), cells(one["alpha"])
        rows.append((one["question"], one["items"], raw, raw_low, raw_high, alpha, low, high, raw_note or note))
    numbers = ["raw agreement", "raw low", "raw high", "alpha", "alpha low", "alpha high"]
    return table(rows, ["question", "items", *numbers, "note"], numbers)


# --- sentences ---


def side_text(result: Told) -> tuple[str, bool]:
    """Position bias in a sentence, and whether the side seems to matter."""
    if "low" not in result:
        return "No verdict for a side yet, so nothing can be said about position bias.", False
    matters = not result["low"] <= 0.5 <= result["high"]
    verdict = "The side seems to matter." if matters else "That fits a half: no sign that the side matters."
    return f"Left won {interval(result)} of {result['n']:,} verdicts for a side. {verdict}", matters


def length_text(result: Told) -> tuple[str, bool]:
    """Length bias in a sentence, and whether longer or shorter answers win."""
    if "low" not in result:
        return "No comparison of answers of different length was decided, so nothing can be said about length bias.", False
    matters = not result["low"] <= 0.5 <= result["high"]
    which = "Longer" if result["value"] > 0.5 else "Shorter"
    verdict = f"{which} answers win more often; see the length-controlled win rate." if matters else "Length does not show."
    return f"The longer answer won {interval(result)} on {result['n']:,} questions. {verdict}", matters


def order_text(result: Told) -> tuple[str, bool]:
    """The same for rankings: whether what is shown earlier is placed higher. Empty where nobody ranked."""
    if "low" not in result:
        return "", False
    matters = not result["low"] <= 0.5 <= result["high"]
    verdict = "The order shown seems to matter." if matters else "No sign that the order shown matters."
    return f"In rankings the answer shown earlier came out ahead {interval(result)} of the time. {verdict}", matters


def identical_text(head: Told, identical: int) -> str:
    """What the win rate is when the pairs of equal answers, which nobody was shown, count as ties."""
    rate, n = head["win_rate"].get("value"), head["questions"] + identical
    if not identical or rate is None:
        return ""
    result = wilson(rate * head["questions"] + identical / 2, n)
    if not isinstance(result, Estimate):
        return ""
    return (
        f"{identical} more questions got the same answer from both and were shown to nobody. "
        f"Counted as ties they make the win rate {result.value:.0%} ({result.low:.0%} to {result.high:.0%})."
    )


def board_text(figures: Told) -> tuple[str, bool]:
    """How the order was found, or why there is none; and whether there is one."""
    board = figures["leaderboard"]
    if board["isles"]:
        groups = "; ".join(", ".join(isle) for isle in board["isles"])
        return f"No common order: these groups of versions never met, not even through third ones: {groups}.", False
    if board["reason"]:
        return f"No strengths can be estimated: {board['reason']}. The order below is by win rate.", False
    method = board["method"] + (
        ""
        if "bootstrap" in board["method"]
        else "; too few judgements to redraw items and raters: each is taken as independent"
    )
    return f"{board['n']:,} comparisons. Method: {method}. 95% intervals.", True
