"""Which label is right, and how often each rater gives it, when nobody knows the truth (Dawid and Skene 1979).

EM alternates between the chance of each label for each item and each rater's confusion of labels. It starts from the
shares of the votes, so the same answers always give the same result. Not promised: that the labels it finds are true. It
trusts raters who agree with each other, so a majority that shares a mistake is believed. A rater's interval takes the
consensus as known, and is too narrow where that is unsure.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from backend.statistics.intervals import wilson
from backend.statistics.results import CONFIDENCE, NotEstimable, Result

Label = Hashable
METHOD = "Dawid-Skene"
MAX_CELLS = 50_000_000
"""Raters times labels squared: the confusions that are held in memory at once."""

_FLOOR = 0.01
"""Added to every count, so that what nobody did yet stays possible."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemConsensus:
    """The label of one item."""

    item: Hashable
    label: Label
    """The likeliest label; of equally likely ones the more frequent over all items."""
    confidence: float
    """The chance of `label` under the model."""
    posterior: Mapping[Label, float]
    majority: Label
    """What a plain count of votes says; ties go to the label that is more frequent over all items."""
    tied: bool
    """Whether the plain count was a tie."""
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RaterQuality:
    """How often one rater is right, and what they answer for each true label."""

    rater: Hashable
    accuracy: Result
    """The expected share of the rater's answers that are right, Wilson's interval over the answers."""
    confusion: Mapping[Label, Mapping[Label, float]]
    """True label → given label → chance."""
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """What Dawid and Skene's model makes of the answers."""

    items: tuple[ItemConsensus, ...]
    raters: tuple[RaterQuality, ...]
    marginals: Mapping[Label, float]
    """How frequent each true label is."""
    n: int
    """Answers."""
    iterations: int
    converged: bool
    method: str = METHOD

    @property
    def estimable(self) -> bool:
        """Always true; the other kind of result is `NotEstimable`."""
        return True


def dawid_skene(
    answers: Iterable[tuple[Hashable, Hashable, Label]],
    *,
    smoothing: float = 1.0,
    tolerance: float = 1e-6,
    max_iterations: int = 500,
    confidence: float = CONFIDENCE,
) -> Reliability | NotEstimable:
    """Consensus and rater quality from (item, rater, label) triples.

    A rater may answer an item more than once; each answer counts. `smoothing` is how many answers for each true label a
    rater is lent before any were seen, right as often as all raters together are: few items would otherwise be fitted too
    well, and labels come out worse than by majority.
    """
    given = list(answers)
    items, raters, labels = (dict.fromkeys(triple[i] for triple in given) for i in range(3))
    if reason := _not_estimable(given, len(items), len(raters), len(labels)):
        return NotEstimable(reason=reason, n=len(given), method=METHOD)
    counted: dict[Label, int] = dict.fromkeys(labels, 0)
    for _, _, answer in given:
        counted[answer] += 1
    # Labels by their frequency (then their text), so that argmax settles ties the way that the docstrings promise.
    order = sorted(counted, key=lambda label: (-counted[label], str(label)))
    item_of, rater_of, label_of = (
        np.array([place[triple[i]] for triple in given])
        for i, place in enumerate([{key: at for at, key in enumerate(keys)} for keys in (items, raters, order)])
    )
    votes = np.bincount(item_of * len(order) + label_of, minlength=len(items) * len(order)).reshape(len(items), len(order))
    fitted = _expectation_maximisation(
        votes, item_of, rater_of, label_of, len(raters), smoothing=smoothing, tolerance=tolerance, max_iterations=max_iterations
    )
    if _turned_round(votes, fitted.posterior):
        reason = "raters agree no more than by chance, so the model cannot tell which label is which"
        return NotEstimable(reason=reason, n=len(given), method=METHOD)
    return Reliability(
        items=tuple(_consensus(list(items), order, votes, fitted.posterior)),
        raters=tuple(_qualities(list(raters), order, item_of, rater_of, label_of, fitted, confidence)),
        marginals={key: float(share) for key, share in zip(order, fitted.marginals, strict=True)},
        n=len(given),
        iterations=fitted.iterations,
        converged=fitted.converged,
    )


def _not_estimable(given: list[tuple[Hashable, Hashable, Label]], items: int, raters: int, labels: int) -> str:
    if not given:
        return "there are no answers"
    if raters < 2:
        return "there is only one rater, so nothing tells right answers from wrong ones"
    if len({(item, rater) for item, rater, _ in given}) == items:
        return "no item was rated by two raters, so nothing tells right answers from wrong ones"
    if labels < 2:
        return "all answers are the same label, so nothing tells raters apart"
    if raters * labels**2 > MAX_CELLS:
        return f"{labels} different labels are too many; this model is for a few categories"
    return ""


def _turned_round(votes: np.ndarray, posterior: np.ndarray) -> bool:
    """Whether the model calls most labels wrong that all of an item's raters gave: it fits as well with labels exchanged."""
    counts = votes.sum(axis=1)
    unanimous = (counts > 1) & (votes.max(axis=1) == counts)
    return bool(unanimous.any()) and float((posterior.argmax(axis=1) == votes.argmax(axis=1))[unanimous].mean()) < 0.5


@dataclass(frozen=True, slots=True)
class _Fitted:
    posterior: np.ndarray  # items × true labels
    confusion: np.ndarray  # raters × given labels × true labels
    marginals: np.ndarray
    iterations: int
    converged: bool


def _expectation_maximisation(
    votes: np.ndarray,
    item: np.ndarray,
    rater: np.ndarray,
    label: np.ndarray,
    raters: int,
    *,
    smoothing: float,
    tolerance: float,
    max_iterations: int,
) -> _Fitted:
    size = votes.shape[1]
    by_item = np.argsort(item, kind="stable")
    starts = np.searchsorted(item[by_item], np.arange(len(votes)))
    cell = rater * size + label
    sorted_cell = cell[by_item]
    posterior = votes / votes.sum(axis=1, keepdims=True)
    iterations, change = 0, float("inf")
    while iterations < max_iterations and change >= tolerance:
        iterations += 1
        marginals = (posterior.sum(axis=0) + _FLOOR) / (len(votes) + _FLOOR * size)
        given = np.stack([np.bincount(cell, posterior[item, k], raters * size) for k in range(size)], axis=1)
        right = float(posterior[item, label].mean())
        lent = smoothing * np.where(np.eye(size), right, (1 - right) / (size - 1)) + _FLOOR
        confusion = given.reshape(raters, size, size) + lent
        confusion = confusion / confusion.sum(axis=1, keepdims=True)
        logs = np.log(confusion).reshape(raters * size, size)[sorted_cell]
        chance = np.add.reduceat(logs, starts, axis=0) + np.log(marginals)
        chance = np.exp(chance - chance.max(axis=1, keepdims=True))
        chance /= chance.sum(axis=1, keepdims=True)
        change = float(np.abs(chance - posterior).max())
        posterior = chance
    return _Fitted(posterior, confusion, marginals, iterations, change < tolerance)


def _consensus(items: list[Hashable], order: list[Label], votes: np.ndarray, posterior: np.ndarray) -> Iterable[ItemConsensus]:
    best, plain = posterior.argmax(axis=1).tolist(), votes.argmax(axis=1).tolist()
    tied = ((votes == votes.max(axis=1, keepdims=True)).sum(axis=1) > 1).tolist()
    counts = votes.sum(axis=1).tolist()
    for i, chances in enumerate(posterior.tolist()):
        yield ItemConsensus(
            item=items[i],
            label=order[best[i]],
            confidence=chances[best[i]],
            posterior=dict(zip(order, chances, strict=True)),
            majority=order[plain[i]],
            tied=tied[i],
            n=counts[i],
        )


def _qualities(
    raters: list[Hashable],
    order: list[Label],
    item: np.ndarray,
    rater: np.ndarray,
    label: np.ndarray,
    fitted: _Fitted,
    confidence: float,
) -> Iterable[RaterQuality]:
    right = np.bincount(rater, fitted.posterior[item, label], len(raters))
    counts = np.bincount(rater, minlength=len(raters))
    method = f"{METHOD}, expected share of right answers, Wilson"
    for i, name in enumerate(raters):
        n = int(counts[i])
        yield RaterQuality(
            rater=name,
            accuracy=wilson(min(float(right[i]), n), n, confidence=confidence, method=method),
            confusion={true: dict(zip(order, fitted.confusion[i, :, k].tolist(), strict=True)) for k, true in enumerate(order)},
            n=n,
        )
