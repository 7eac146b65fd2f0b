"""The arithmetic behind `ranking`: strengths of items from counts of wins, losses and ties between pairs of them.

Newton's method on the likelihood of Bradley and Terry (ties split in halves) or Davidson (ties an outcome of their own),
which is concave. Log strengths have mean 0. `ridge` is the weight of a penalty on their squares, the same as a normal
prior of variance 1 / ridge; with it there is always a solution, without it only where nobody always wins: `separated`
and `ties_unknown` say in words where there is none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True, slots=True)
class Pairs:
    """One row a pair of items that met. Counts may be fractional."""

    size: int
    """How many items there are."""
    first: np.ndarray
    second: np.ndarray
    wins: np.ndarray
    """Of the first."""
    losses: np.ndarray
    ties: np.ndarray


@dataclass(frozen=True, slots=True)
class Fitted:
    """Log strengths and the logarithm of Davidson's nu (0 where ties were split), with the covariance of the former."""

    strengths: np.ndarray
    covariance: np.ndarray
    log_nu: float


def only_those_that_met(pairs: Pairs) -> Pairs:
    """Without the pairs whose counts are all 0."""
    kept = pairs.wins + pairs.losses + pairs.ties > 0
    arrays = {name: getattr(pairs, name)[kept] for name in ("first", "second", "wins", "losses", "ties")}
    return replace(pairs, **arrays)


def separated(pairs: Pairs) -> str:
    """Why there are no finite strengths, or nothing: some items never lose (or tie) against the rest, or never meet them."""
    from scipy.sparse import coo_matrix  # type: ignore[import-untyped]  # a quarter second that most processes never need
    from scipy.sparse.csgraph import connected_components  # type: ignore[import-untyped]

    ahead, behind = pairs.wins + pairs.ties > 0, pairs.losses + pairs.ties > 0
    start = np.concatenate([pairs.first[ahead], pairs.second[behind]])
    end = np.concatenate([pairs.second[ahead], pairs.first[behind]])
    beats = coo_matrix((np.ones(len(start)), (start, end)), shape=(pairs.size, pairs.size))
    if connected_components(beats, directed=True, connection="weak", return_labels=False) > 1:
        return "some items were never compared with the others, not even through third ones"
    if connected_components(beats, directed=True, connection="strong", return_labels=False) > 1:
        return "some items always win against the others, so how much stronger they are is unknown"
    return ""


def ties_unknown(pairs: Pairs) -> str:
    """Why Davidson's nu has no finite value, or nothing: no ties, or wins and ties that one large nu explains alike.

    It does not when some circle of items has more wins than ties along it. With a win as a step of -1 and a tie as one of
    +1 that is a circle of negative length, which shows in distances (Bellman-Ford) that never stop falling.
    """
    if not pairs.ties.any():
        return "there are no ties, so how likely they are is unknown"
    won, lost, tied = pairs.wins > 0, pairs.losses > 0, pairs.ties > 0
    start = np.concatenate([pairs.first[won], pairs.second[lost], pairs.first[tied], pairs.second[tied]])
    end = np.concatenate([pairs.second[won], pairs.first[lost], pairs.second[tied], pairs.first[tied]])
    length = np.concatenate([np.full(won.sum() + lost.sum(), -1), np.full(2 * tied.sum(), 1)])
    distance = np.zeros(pairs.size, dtype=int)
    for _ in range(pairs.size):
        nearer = distance.copy()
        np.minimum.at(nearer, end, distance[start] + length)
        if (nearer == distance).all():
            return "nearly all comparisons go one way, so how likely ties between equals are is unknown"
        distance = nearer
    return ""


def fit(pairs: Pairs, *, davidson: bool, ridge: float = 0.0, start: Fitted | None = None) -> Fitted | None:
    """The likeliest strengths; None where they do not settle."""
    size = pairs.size
    counts = _outcomes(pairs, davidson)
    theta = np.zeros(size + davidson)
    if start is not None:
        theta[:size] = start.strengths
        theta[size:] = start.log_nu
    now = _objective(pairs, counts, theta, ridge, davidson)
    for _ in range(200):
        gradient, information = _derivatives(pairs, counts, theta, ridge, davidson)
        step = np.linalg.lstsq(information, gradient, rcond=None)[0]
        if np.abs(step).max(initial=0.0) < 1e-9:
            covariance = np.linalg.pinv(information, hermitian=True)[:size, :size]
            centre = np.eye(size) - 1 / size
            strengths = theta[:size] - theta[:size].mean()
            return Fitted(strengths, centre @ covariance @ centre, float(theta[size]) if davidson else 0.0)
        scale, next_ = 1.0, _objective(pairs, counts, theta + step, ridge, davidson)
        while scale > 1e-6 and not next_ >= now - 1e-12 * abs(now):
            scale /= 2
            next_ = _objective(pairs, counts, theta + scale * step, ridge, davidson)
        theta, now = theta + scale * step, next_
    return None


def _outcomes(pairs: Pairs, davidson: bool) -> np.ndarray:
    """One column a pair: wins, losses, ties; or wins and losses with half of the ties each."""
    if davidson:
        return np.stack([pairs.wins, pairs.losses, pairs.ties])
    return np.stack([pairs.wins + pairs.ties / 2, pairs.losses + pairs.ties / 2])


def _log_chances(pairs: Pairs, theta: np.ndarray, davidson: bool) -> np.ndarray:
    """Of each outcome of each pair. Only the difference of two strengths counts: a tie lies halfway between the wins."""
    half = (theta[pairs.first] - theta[pairs.second]) / 2
    utility = np.stack([half, -half, np.full_like(half, theta[-1])] if davidson else [half, -half])
    top = utility.max(axis=0)
    return utility - top - np.log(np.exp(utility - top).sum(axis=0))


def _objective(pairs: Pairs, counts: np.ndarray, theta: np.ndarray, ridge: float, davidson: bool) -> float:
    penalty = ridge / 2 * float(theta[: pairs.size] @ theta[: pairs.size])
    return float((counts * _log_chances(pairs, theta, davidson)).sum()) - penalty


def _derivatives(
    pairs: Pairs, counts: np.ndarray, theta: np.ndarray, ridge: float, davidson: bool
) -> tuple[np.ndarray, np.ndarray]:
    """The gradient, and minus the second derivatives, with 1 / size added so that the strengths' mean is held."""
    size, total = pairs.size, counts.sum(axis=0)
    chance = np.exp(_log_chances(pairs, theta, davidson))
    lead = chance[0] - chance[1]
    slope = (counts[0] - counts[1] - total * lead) / 2
    bend = total * (chance[0] + chance[1] - lead**2) / 4
    gradient = np.bincount(pairs.first, slope, size) - np.bincount(pairs.second, slope, size) - ridge * theta[:size]
    information = np.full((size, size), 1 / size)
    np.add.at(information, (pairs.first, pairs.second), -bend)
    np.add.at(information, (pairs.second, pairs.first), -bend)
    diagonal = np.bincount(pairs.first, bend, size) + np.bincount(pairs.second, bend, size) + ridge
    information[np.diag_indices(size)] += diagonal
    if not davidson:
        return gradient, information
    cross = -total * chance[2] * lead / 2
    column = np.bincount(pairs.first, cross, size) - np.bincount(pairs.second, cross, size)
    corner = float((total * chance[2] * (1 - chance[2])).sum())
    full = np.block([[information, column[:, None]], [column[None, :], np.array([[corner]])]])
    return np.append(gradient, float((counts[2] - total * chance[2]).sum())), full
