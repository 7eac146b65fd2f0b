"""A classifier of abusive language that learns from a project's own labels: character n-grams, hashed, and a logistic
regression over them. Pure: texts and labels in, a text (JSON) out.

The model is a few kilobytes of plain text, never a pickle: its form, its sizes, and the weights rounded to 255 steps. How good
it is, is measured on labels that it did not learn from (`Taught.learned`), next to what the general flag says of the same
texts (`Taught.flag`).

Not promised: that it knows anything but what the labels show. They come from texts that somebody looked at, mostly because
the flag was raised, so abuse that nobody ever met stays unknown to it.
"""

from __future__ import annotations

import base64
import binascii
import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backend.detectors.abuse import FLAGGED_FROM, flag_scores, judged
from backend.errors import IntegrityViolated, NotReady
from backend.statistics.intervals import wilson
from backend.statistics.results import Result

FEWEST = 20
"""Labels of each kind below which nothing is learned."""
FOLDS = 5
FORM, FEATURES, NGRAMS = 1, 4096, (2, 4)
BACKGROUND_WEIGHT = 0.3
"""How much a text counts that people approved without being asked about abuse, against one that they decided on."""
_STEPS = 127


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """How good a way of deciding is on texts that it did not learn from."""

    precision: Result
    recall: Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Taught:
    """What came of the labels."""

    model: str
    abuse: int
    no_abuse: int
    learned: Measured
    flag: Measured


def teach(texts: Sequence[str], labels: Sequence[bool], background: Sequence[str] = (), *, seed: int = 0) -> Taught:
    """Learn from texts with labels (true: abuse) and from `background`, which is taken for no abuse. Raises NotReady."""
    abuse, none = sum(labels), len(labels) - sum(labels)
    if min(abuse, none) < FEWEST:
        raise NotReady(
            f"There are {abuse} texts that people called abuse and {none} that they called none. It takes {FEWEST} of each to "
            "learn from. Decide on more findings first: each decision counts."
        )
    truth = np.array(labels, dtype=bool)
    flag = flag_scores(texts)
    held_out, _ = judged(flag, _cross_validated(texts, truth, background, seed))
    return Taught(
        model=_written(*_fitted(texts, truth, background)),
        abuse=abuse,
        no_abuse=none,
        learned=_measured(held_out >= FLAGGED_FROM, truth),
        flag=_measured(flag >= FLAGGED_FROM, truth),
    )


def scores(model: str, texts: Sequence[str]) -> np.ndarray:
    """How sure a model is of each text, from 0 to 1. Raises IntegrityViolated for what is no model."""
    if not len(texts):
        return np.zeros(0)
    weights, intercept = _read(model)
    return _sigmoid(_features(texts) @ weights + intercept)


def _features(texts: Sequence[str]) -> Any:
    from sklearn.feature_extraction.text import HashingVectorizer

    hashing = HashingVectorizer(analyzer="char_wb", ngram_range=NGRAMS, n_features=FEATURES, alternate_sign=True)
    return hashing.transform(texts)


def _fitted(texts: Sequence[str], truth: np.ndarray, background: Sequence[str]) -> tuple[np.ndarray, float]:
    """(weights, intercept)."""
    from sklearn.linear_model import LogisticRegression

    everything = [*texts, *background]
    answers = np.concatenate([truth, np.zeros(len(background), dtype=bool)])
    emphasis = np.concatenate([np.ones(len(texts)), np.full(len(background), BACKGROUND_WEIGHT)])
    emphasis[answers] *= emphasis[~answers].sum() / emphasis[answers].sum()  # both kinds count alike
    fit = LogisticRegression(C=10.0, max_iter=500).fit(_features(everything), answers, sample_weight=emphasis)
    return fit.coef_[0], float(fit.intercept_[0])


def _cross_validated(texts: Sequence[str], truth: np.ndarray, background: Sequence[str], seed: int) -> np.ndarray:
    """The score of each text by a model that did not learn from it, nor from a copy of it."""
    from sklearn.model_selection import StratifiedGroupKFold

    groups = [" ".join(text.casefold().split()) for text in texts]
    found = np.zeros(len(texts))
    for learn, hold in StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed).split(groups, truth, groups):
        weights, intercept = _fitted([texts[n] for n in learn], truth[learn], background)
        found[hold] = _sigmoid(_features([texts[n] for n in hold]) @ weights + intercept)
    return found


def _measured(said: np.ndarray, truth: np.ndarray) -> Measured:
    right = int((said & truth).sum())
    return Measured(precision=wilson(right, int(said.sum())), recall=wilson(right, int(truth.sum())))


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(values, -30, 30)))


def _written(weights: np.ndarray, intercept: float) -> str:
    step = float(np.abs(weights).max()) / _STEPS or 1.0
    rounded = np.round(weights / step).astype(np.int8)
    held = {"form": FORM, "features": FEATURES, "ngrams": NGRAMS, "step": step, "intercept": intercept}
    return json.dumps({**held, "weights": base64.b64encode(rounded.tobytes()).decode()}, separators=(",", ":"))


@functools.lru_cache(maxsize=8)
def _read(model: str) -> tuple[np.ndarray, float]:
    problem = "What was learned about abuse cannot be read. Learn anew on the Detectors page, or go without."
    try:
        held = json.loads(model)
        weights = np.frombuffer(base64.b64decode(held["weights"], validate=True), dtype=np.int8)
        form = (held["form"], held["features"], tuple(held["ngrams"]))
        step, intercept = float(held["step"]), float(held["intercept"])
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        raise IntegrityViolated(problem) from error
    if form != (FORM, FEATURES, NGRAMS) or len(weights) != FEATURES:
        raise IntegrityViolated(problem)
    return weights * step, intercept
