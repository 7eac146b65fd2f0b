"""Results as tables for pages and downloads. Pure. What cannot be estimated has empty cells and the reason beside it."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from backend.evaluation.results import Agreement, HeadToHead, Mean, Vote, left_share, win_rate
from backend.statistics.results import Estimate, Result

Cells = tuple[float | None, float | None, float | None, str]


def cells(result: Result) -> Cells:
    """(value, low, high, note)"""
    if isinstance(result, Estimate):
        return result.value, result.low, result.high, ""
    return result.value, None, None, result.reason


def means_table(means: Sequence[Mean]) -> pd.DataFrame:
    """One row a version and question."""
    rows = [(one.version, one.question, one.estimate.n, one.ratings, *cells(one.estimate)) for one in means]
    columns = ["version", "question", "items", "ratings", "mean", "low", "high", "note"]
    return pd.DataFrame(rows, columns=columns).astype({"mean": float, "low": float, "high": float})


def counts(head: HeadToHead) -> tuple[int, int, int, int]:
    """(wins, losses, ties, both bad)"""
    return head.wins, head.losses, head.ties, head.both_bad


def heads_table(heads: Sequence[HeadToHead]) -> pd.DataFrame:
    """One row a pair of versions, from the second's side."""
    rows = [
        (
            one.second,
            one.first,
            one.questions,
            one.judgements,
            one.wins,
            one.losses,
            one.ties,
            one.both_bad,
            *cells(one.win_rate),
        )
        for one in heads
    ]
    columns = ["version", "against", "questions", "judgements", "wins", "losses", "ties", "both bad"]
    columns += ["win rate", "low", "high", "note"]
    return pd.DataFrame(rows, columns=columns).astype({"win rate": float, "low": float, "high": float})


def agreement_table(found: Sequence[Agreement]) -> pd.DataFrame:
    """One row a question: raw agreement and Krippendorff's alpha."""
    rows = []
    for one in found:
        (raw, raw_low, raw_high, raw_note), (alpha, low, high, note) = cells(one.raw), cells(one.alpha)
        rows.append((one.question, one.raw.n, raw, raw_low, raw_high, alpha, low, high, raw_note or note))
    columns = ["question", "items", "raw agreement", "raw low", "raw high", "alpha", "alpha low", "alpha high", "note"]
    return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(columns[2:8], float))


def left_text(votes: Sequence[Vote]) -> tuple[str, bool]:
    """Position bias in a sentence, and whether the side seems to matter."""
    result = left_share(votes)
    if not isinstance(result, Estimate):
        return "No verdict for a side yet, so nothing can be said about position bias.", False
    matters = not result.low <= 0.5 <= result.high
    verdict = "The side seems to matter." if matters else "That fits a half: no sign that the side matters."
    return (
        f"Left won {result.value:.0%} of {result.n} verdicts for a side "
        f"(95% interval {result.low:.0%} to {result.high:.0%}). {verdict}",
        matters,
    )


def identical_text(head: HeadToHead, identical: int) -> str:
    """What the win rate is when the pairs of equal answers, which nobody was shown, count as ties."""
    if not identical or head.win_rate.value is None:
        return ""
    points = head.win_rate.value * head.questions + identical / 2
    result = win_rate([points / (head.questions + identical)] * (head.questions + identical))
    if not isinstance(result, Estimate):
        return ""
    return (
        f"{identical} more questions got the same answer from both and were shown to nobody. "
        f"Counted as ties they make the win rate {result.value:.0%} ({result.low:.0%} to {result.high:.0%})."
    )
