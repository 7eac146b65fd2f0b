"""A flag for abusive language: by the linear model of alt-profanity-check, and by what a project taught. Pure; models are
loaded at the first use.

It is a flag, not a judgement: it knows swearing and insults, in English. Hatred in polite words passes it, and names of
groups alone may raise it; its scorecard says how often. Use it to compare slices and to find texts to look at.

Where a project taught a classifier of its own (`backend.detectors.abuse_learning`), that one decides where it is sure, and
the flag in between; a finding's `why` says whose score it carries. A long message is looked at by its sentences, because a
single insult is lost in a page.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable, Sequence

import numpy as np

from backend.conversations import Message
from backend.detectors.checks import Context, Seen
from backend.detectors.findings import Finding
from backend.vocabulary import DETECTED, FindingKind

DETECTOR, VERSION = "abuse-flag", "2"
KINDS = frozenset({FindingKind.ABUSE})
SLICE = DETECTED + "abuse"
SLICES = frozenset({SLICE})
FLAGGED, NOT_FLAGGED = "flagged", "not flagged"
FLAGGED_FROM = 0.5
SURELY_NONE = 0.35
"""A learned score below this overrules the flag."""
LONG = 160
"""Characters from which a message is looked at by its sentences."""
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]*")
_KNOWN: dict[str, float] = {}
_MOST_KNOWN = 32_768
"""Pieces whose score is remembered, because sentences repeat: of a support team's every second was said before."""
BY_FLAG = "Flagged by the general word list; not learned from this project."
BY_LEARNED = "Flagged by what this project's own decisions taught."
BY_FLAG_UNSURE = "Flagged by the general word list; what this project's decisions taught is not sure."


def flag_scores(texts: Sequence[str]) -> np.ndarray:
    """For each text how sure the general flag is, from 0 to 1. Shape (n,)."""
    found = {text: score for text in dict.fromkeys(texts) if (score := _KNOWN.get(text)) is not None}
    new = [text for text in dict.fromkeys(texts) if text not in found]
    if new:
        found.update(zip(new, _flag()(new).tolist(), strict=True))
        if len(_KNOWN) > _MOST_KNOWN:
            _KNOWN.clear()
        _KNOWN.update((text, found[text]) for text in new)
    return np.array([found[text] for text in texts], dtype=float)


@functools.cache
def _flag() -> Callable[[Sequence[str]], np.ndarray]:
    """What `predict_prob` of alt-profanity-check gives, in a third of the time: most of it went into asking, for each batch
    and fold anew, what is known of the model. It brings scikit-learn, which only the few who ask for this should wait for.
    """
    from profanity_check.profanity_check import model, vectorizer
    from scipy.sparse import csr_matrix  # type: ignore[import-untyped]

    words, known = re.compile(vectorizer.token_pattern), vectorizer.vocabulary_.get
    folds = [(one.estimator.coef_.T, one.estimator.intercept_, one.calibrators[0]) for one in model.calibrated_classifiers_]

    def scores(texts: Sequence[str]) -> np.ndarray:
        held = [[place for word in words.findall(text.lower()) if (place := known(word)) is not None] for text in texts]
        ends = np.cumsum([0, *map(len, held)])
        places = np.fromiter(itertools.chain.from_iterable(held), np.int32, count=int(ends[-1]))
        counts = csr_matrix((np.ones(len(places)), places, ends), shape=(len(texts), len(vectorizer.vocabulary_)))
        counts.sum_duplicates()
        weighed = vectorizer._tfidf.transform(counts)
        each = [calibrator.predict((weighed @ onto + more).ravel()) for onto, more, calibrator in folds]
        return np.add.reduce(each, axis=0) / len(each)

    return scores


def abusive(texts: Sequence[str]) -> np.ndarray:
    """For each text whether the general flag is raised. Shape (n,), bool."""
    return flag_scores(texts) >= FLAGGED_FROM


def judged(flag: np.ndarray, learned: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """(scores, whether each is the learned one): where the learned one is undecided, the flag's counts."""
    if learned is None:
        return flag, np.zeros(len(flag), dtype=bool)
    decided = (learned >= FLAGGED_FROM) | (learned < SURELY_NONE)
    return np.where(decided, learned, flag), decided


def look(batch: Sequence[Sequence[Message]], context: Context) -> list[Seen]:
    """As `backend.detectors.checks` asks for it: at most one finding a message, on the worst of its sentences."""
    places = [
        (number, place, start, end)
        for number, messages in enumerate(batch)
        for place, message in enumerate(messages)
        for start, end in pieces(message.content)
    ]
    texts = [batch[number][place].content[start:end] for number, place, start, end in places]
    scores, learned = judged(flag_scores(texts), _learned(texts, context.abuse_model))
    found: list[list[Finding]] = [[] for _ in batch]
    rows = zip(places, scores.tolist(), learned.tolist(), strict=True)
    for (number, place), group in itertools.groupby(rows, key=lambda row: row[0][:2]):
        (*_, start, end), score, own = max(group, key=lambda row: row[1])
        if score >= FLAGGED_FROM:
            why = BY_LEARNED if own else BY_FLAG_UNSURE if context.abuse_model else BY_FLAG
            found[number].append(_finding(place, start, end, score, why))
    return [Seen(findings=tuple(each), slices=((SLICE, FLAGGED if each else NOT_FLAGGED),)) for each in found]


def pieces(text: str) -> list[tuple[int, int]]:
    """What is looked at for itself: the whole of a short text, the sentences of a long one."""
    if len(text) <= LONG:
        return [(0, len(text))]
    return [match.span() for match in _SENTENCE.finditer(text) if match.group().strip()] or [(0, len(text))]


def _learned(texts: Sequence[str], model: str) -> np.ndarray | None:
    if not model:
        return None
    from backend.detectors.abuse_learning import scores  # scikit-learn, as above

    return scores(model, texts)


def _finding(place: int, start: int, end: int, score: float, why: str) -> Finding:
    return Finding(
        kind=FindingKind.ABUSE, message=place, start=start, end=end, score=round(score, 3),
        detector=DETECTOR, version=VERSION, why=why,
    )  # fmt: skip
