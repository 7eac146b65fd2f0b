"""Who wins how often, and strengths from pairwise comparisons (Bradley-Terry; Davidson's model where ties are kept).

`bradley_terry` takes comparisons as independent; where one rater or item gives many, its intervals are too narrow, and
`bradley_terry_bootstrap` redraws items and raters instead. A set in which somebody never loses to the others has no
finite strengths, and comes back as `NotEstimable`, unless a ridge holds the strengths together.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from backend.statistics.intervals import wilson
from backend.statistics.results import CONFIDENCE, Estimate, NotEstimable, Result, normal_quantile
from backend.statistics.strengths import Fitted, Pairs, fit, only_those_that_met, separated, ties_unknown

Item = Hashable


class Outcome(StrEnum):
    """Which side of a comparison won."""

    LEFT = "left"
    RIGHT = "right"
    TIE = "tie"


class Ties(StrEnum):
    """What a tie means for the strengths."""

    HALF = "half"
    """Half a win for each side (Bradley-Terry)."""
    DAVIDSON = "davidson"
    """An outcome of its own, the likelier the closer the two are (Davidson 1970)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strength:
    """An item's place. `share` sums to 1 over the items: of two items, one wins with odds of their shares."""

    item: Item
    share: float
    share_estimate: Estimate
    """The share with its interval."""
    log_strength: Estimate
    """Natural logarithm of the strength; the items' mean is 0. Differences are log odds of winning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Items from the strongest to the weakest."""

    strengths: tuple[Strength, ...]
    n: int
    method: str
    tie_weight: float | None = None
    """Davidson's nu: how likely ties are between equals; None where ties were split."""

    @property
    def estimable(self) -> bool:
        """Always true; the other kind of result is `NotEstimable`."""
        return True


Comparison = tuple[Item, Item, str]
"""Left item, right item, and an `Outcome`."""
Vote = tuple[Item, Item, str, Hashable, Hashable]
"""The same with what was judged (the question) and by whom (the rater)."""


def win_rate(wins: int, losses: int, ties: int = 0, *, confidence: float = CONFIDENCE) -> Result:
    """The share of comparisons won, a tie counting as half a win, with Wilson's interval."""
    method = "win rate, ties as half wins, Wilson" if ties else "win rate, Wilson"
    return wilson(wins + ties / 2, wins + losses + ties, confidence=confidence, method=method)


def win_rates(comparisons: Iterable[Comparison], *, confidence: float = CONFIDENCE) -> dict[Item, Result]:
    """Each item's win rate over all its comparisons, whomever it met."""
    tallies: dict[Item, list[int]] = defaultdict(lambda: [0, 0, 0])
    for left, right, outcome in comparisons:
        if left != right:
            tie = outcome == Outcome.TIE
            tallies[left][2 if tie else 0 if outcome == Outcome.LEFT else 1] += 1
            tallies[right][2 if tie else 1 if outcome == Outcome.LEFT else 0] += 1
    return {item: win_rate(*tally, confidence=confidence) for item, tally in tallies.items()}


def bradley_terry(
    comparisons: Iterable[Comparison], *, ties: Ties = Ties.HALF, ridge: float = 0.0, confidence: float = CONFIDENCE
) -> Ranking | NotEstimable:
    """Maximum-likelihood strengths with Wald intervals.

    With a `ridge` strengths are drawn to their mean as by a normal prior of variance 1 / ridge, and sets that somebody
    always wins become estimable; the intervals are then the posterior's.
    """
    method = _method(ties, ridge)
    counted = Counter((left, right, Outcome(outcome)) for left, right, outcome in comparisons if left != right)
    items = list(dict.fromkeys(item for left, right, _ in counted for item in (left, right)))
    n = counted.total()
    if n == 0:
        return NotEstimable(reason="there are no comparisons", n=0, method=method)
    pairs = _tally(items, list(counted), np.array(list(counted.values()), dtype=float))
    fitted = _fit(pairs, ties, ridge)
    if isinstance(fitted, str):
        return NotEstimable(reason=fitted, n=n, method=method)
    return _ranking(items, fitted, n, method, ties, confidence)


def bradley_terry_bootstrap(
    votes: Iterable[Vote],
    *,
    ties: Ties = Ties.HALF,
    ridge: float = 0.0,
    resamples: int = 200,
    seed: int = 0,
    confidence: float = CONFIDENCE,
) -> Ranking | NotEstimable:
    """Strengths with percentile intervals from redrawing both questions and raters (the pigeonhole bootstrap).

    A vote counts as often as its question was drawn times as its rater was drawn (Owen 2007), so that neither many votes
    on one question nor many by one rater look like many observations. It errs on the wide side. Where there is one rater
    (or one question) alone, only the other is redrawn, and `method` says so.
    """
    given = [vote for vote in votes if vote[0] != vote[1]]
    plain = bradley_terry((vote[:3] for vote in given), ties=ties, ridge=ridge, confidence=confidence)
    if isinstance(plain, NotEstimable):
        return plain
    items = list(dict.fromkeys(item for vote in given for item in vote[:2]))
    questions, raters = (dict.fromkeys(vote[i] for vote in given) for i in (3, 4))
    redrawn = [name for name, units in (("item", questions), ("rater", raters)) if len(units) > 1]
    method = f"{plain.method}, bootstrap by {' and '.join(redrawn)}"
    if not redrawn:
        return NotEstimable(reason="all votes are by one rater on one item", n=plain.n, method=plain.method)
    draws = _draws(given, items, ties, ridge, resamples, np.random.default_rng(seed))
    if len(draws) < 0.95 * resamples:
        lost = resamples - len(draws)
        reason = f"in {lost} of {resamples} redraws somebody always wins, or ties give out; there are too few votes"
        return NotEstimable(reason=reason, n=plain.n, method=method)
    edges = [(1 - confidence) / 2, (1 + confidence) / 2]
    logs, shares = (dict(zip(items, np.quantile(of, edges, axis=0).T, strict=True)) for of in (draws, _shares(draws)))
    strengths = tuple(
        replace(
            one,
            share_estimate=_between(one.share_estimate, shares[one.item], method),
            log_strength=_between(one.log_strength, logs[one.item], method),
        )
        for one in plain.strengths
    )
    return replace(plain, strengths=strengths, method=method)


def _draws(
    votes: Sequence[Vote], items: Sequence[Item], ties: Ties, ridge: float, resamples: int, generator: np.random.Generator
) -> np.ndarray:
    """One row of log strengths a redraw, without the redraws in which they are not estimable."""
    kinds: dict[Comparison, int] = {}
    kind = np.array([kinds.setdefault(vote[:3], len(kinds)) for vote in votes])
    units = []
    for place in (3, 4):
        keys: dict[Hashable, int] = {}
        units.append((np.array([keys.setdefault(vote[place], len(keys)) for vote in votes]), keys))
    start = _fit(_tally(items, list(kinds), np.bincount(kind).astype(float)), ties, ridge)
    found = []
    for _ in range(resamples):
        weight = np.ones(len(votes))
        for unit, keys in units:
            if len(keys) > 1:
                weight *= np.bincount(generator.integers(len(keys), size=len(keys)), minlength=len(keys))[unit]
        pairs = only_those_that_met(_tally(items, list(kinds), np.bincount(kind, weight, len(kinds))))
        fitted = _fit(pairs, ties, ridge, start if isinstance(start, Fitted) else None)
        if isinstance(fitted, Fitted):
            found.append(fitted.strengths)
    return np.array(found).reshape(len(found), len(items))


def _between(estimate: Estimate, bounds: np.ndarray, method: str) -> Estimate:
    low, high = bounds.tolist()
    return replace(estimate, low=min(low, estimate.value), high=max(high, estimate.value), method=method)


def _method(ties: Ties, ridge: float) -> str:
    name = "Bradley-Terry, ties as half wins" if ties is Ties.HALF else "Davidson"
    if ridge < 0:
        raise ValueError("a ridge is 0 or more")
    return f"{name}, ridge {ridge:g}" if ridge else name


def _tally(items: Sequence[Item], kinds: Sequence[Comparison], counts: np.ndarray) -> Pairs:
    """Counts of (left, right, outcome) as one row a pair of items, whichever side they stood on."""
    place = {item: i for i, item in enumerate(items)}
    rows: dict[tuple[int, int], int] = {}
    cells = []
    for left, right, outcome in kinds:
        first, second = place[left], place[right]
        swapped = first > second
        row = rows.setdefault((second, first) if swapped else (first, second), len(rows))
        cells.append(row * 3 + (2 if outcome == Outcome.TIE else int((outcome == Outcome.LEFT) == swapped)))
    table = np.bincount(np.array(cells), counts, 3 * len(rows)).reshape(-1, 3)
    ends = np.array(list(rows))
    return Pairs(len(items), ends[:, 0], ends[:, 1], table[:, 0], table[:, 1], table[:, 2])


def _fit(pairs: Pairs, ties: Ties, ridge: float, start: Fitted | None = None) -> Fitted | str:
    """The strengths, or why there are none."""
    davidson = ties is Ties.DAVIDSON
    if not ridge and (reason := separated(pairs)):
        return reason
    if davidson and not ridge and (reason := ties_unknown(pairs)):
        return reason
    if davidson and not (pairs.ties.any() and (pairs.wins.any() or pairs.losses.any())):
        return "there are no ties, or nothing else, so how likely they are is unknown"
    fitted = fit(pairs, davidson=davidson, ridge=ridge, start=start)
    return fitted if fitted is not None else "the strengths did not settle; there are too few comparisons"


def _shares(logs: np.ndarray) -> np.ndarray:
    power = np.exp(logs - logs.max(axis=-1, keepdims=True))
    return power / power.sum(axis=-1, keepdims=True)


def _ranking(items: Sequence[Item], fitted: Fitted, n: int, method: str, ties: Ties, confidence: float) -> Ranking:
    """Strengths relative to their mean, so that no item has to be the reference."""
    shares, z = _shares(fitted.strengths), normal_quantile(confidence)
    errors = np.sqrt(np.maximum(np.diag(fitted.covariance), 0))
    # The log odds of a share against the sum of the others, for bounds between 0 and 1.
    others = 1 - shares
    slopes = np.eye(len(items)) - np.where(np.eye(len(items)), 0, shares[None, :] / np.maximum(others, 1e-300)[:, None])
    odds_errors = np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", slopes, fitted.covariance, slopes), 0))
    strengths = []
    for item, log, share, other, error, odds_error in zip(
        items, fitted.strengths.tolist(), shares.tolist(), others.tolist(), errors.tolist(), odds_errors.tolist(), strict=True
    ):
        logit = math.log(max(share, 1e-300)) - math.log(max(other, 1e-300))
        low, high = (1 / (1 + math.exp(min(700.0, -(logit + sign * z * odds_error)))) for sign in (-1, 1))
        strengths.append(
            Strength(
                item=item,
                share=share,
                share_estimate=_estimate(share, min(low, share), max(high, share), n, method, confidence),
                log_strength=_estimate(log, log - z * error, log + z * error, n, method, confidence),
            )
        )
    strengths.sort(key=lambda strength: (-strength.share, str(strength.item)))
    nu = math.exp(min(fitted.log_nu, 700.0)) if ties is Ties.DAVIDSON else None
    return Ranking(strengths=tuple(strengths), n=n, method=method, tie_weight=nu)


def _estimate(value: float, low: float, high: float, n: int, method: str, confidence: float) -> Estimate:
    return Estimate(value=value, low=low, high=high, n=n, method=f"{method}, Wald", confidence=confidence)
