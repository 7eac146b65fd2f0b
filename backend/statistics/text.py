"""What can be counted in texts: how close they come to references, and how varied they are.

Exact match, ROUGE, BLEU and chrF (sacrebleu's, with the signature without which they cannot be compared), distinct-n,
burstiness. Words are runs of letters and digits of any script; scripts without spaces count as few long words.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backend.statistics.results import CONFIDENCE, Estimate, NotEstimable, Result, t_quantile

_WORD = re.compile(r"\w+")
_SENTENCE = re.compile(r"(?<=[.!?…])\s+|(?<=[。！？])|\n+")


def normalise_answer(text: str) -> str:
    """The text without differences of case, white space, width and closing punctuation."""
    plain = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return re.sub(r"[\s.!?…]+$", "", plain)


def exact_match(text: str, reference: str) -> bool:
    """Whether the two are equal once normalised."""
    return normalise_answer(text) == normalise_answer(reference)


def words(text: str) -> list[str]:
    """The words of any script, without case."""
    return _WORD.findall(text.casefold())


def rouge(text: str, reference: str, *, kind: str = "rougeL", stemmer: bool = True) -> float:
    """ROUGE F1 (kinds of the rouge_score package), over words of any script; Porter's stemmer is for English ones."""
    from rouge_score.rouge_scorer import RougeScorer  # heavy, and most processes never need it

    return float(RougeScorer([kind], tokenizer=_Words(stemmer)).score(reference, text)[kind].fmeasure)


class _Words:
    """rouge_score's own tokenizer drops every letter outside a-z."""

    def __init__(self, stemmer: bool) -> None:
        from nltk.stem.porter import PorterStemmer  # type: ignore[import-untyped]

        self._stem = PorterStemmer().stem if stemmer else None

    def tokenize(self, text: str) -> list[str]:
        """Words; as in rouge_score, those of up to three letters are not stemmed."""
        found = words(text)
        return [self._stem(word) if len(word) > 3 and word.isascii() else word for word in found] if self._stem else found


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusScore:
    """A corpus score from 0 to 100, and the signature without which it cannot be compared."""

    estimate: Result
    signature: str

    @property
    def score(self) -> float | None:
        """The value, also where there is no interval; None for no texts."""
        return self.estimate.value


def bleu(texts: Sequence[str], references: Sequence[str], *, resamples: int = 500, seed: int = 0) -> CorpusScore:
    """Corpus BLEU by sacrebleu, with a percentile bootstrap over texts."""
    from sacrebleu.metrics import BLEU

    return _corpus_score(BLEU(), "BLEU", texts, references, resamples, seed)


def chrf(texts: Sequence[str], references: Sequence[str], *, resamples: int = 500, seed: int = 0) -> CorpusScore:
    """Corpus chrF2 by sacrebleu, with a percentile bootstrap over texts. Made for languages with many word forms."""
    from sacrebleu.metrics import CHRF

    return _corpus_score(CHRF(), "chrF2", texts, references, resamples, seed)


def _corpus_score(
    metric: Any, name: str, texts: Sequence[str], references: Sequence[str], resamples: int, seed: int
) -> CorpusScore:
    n, method = len(texts), f"{name}, bootstrap over texts"
    if n != len(references):
        raise ValueError("every text needs a reference")
    if n == 0:
        return CorpusScore(estimate=NotEstimable(reason="there are no texts", n=0, method=method), signature="")
    value = float(metric.corpus_score(list(texts), [list(references)]).score)
    signature = str(metric.get_signature())
    # What sacrebleu's own bootstrap uses, without its copy of all statistics for each redraw.
    statistics = np.array(metric._extract_corpus_statistics(list(texts), [list(references)]), dtype=float)
    generator = np.random.default_rng(seed)
    scores = [
        float(metric._compute_score_from_stats(generator.multinomial(n, np.full(n, 1 / n)) @ statistics).score)
        for _ in range(resamples if n > 1 else 0)
    ]
    if not scores or max(scores) - min(scores) < 1e-9:
        reason = "one text says nothing about the spread" if n == 1 else "all texts score the same, which tells no spread"
        return CorpusScore(estimate=NotEstimable(reason=reason, n=n, method=method, value=value), signature=signature)
    low, high = np.quantile(scores, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]).tolist()
    estimate = Estimate(value=value, low=min(low, value), high=max(high, value), n=n, method=method)
    return CorpusScore(estimate=estimate, signature=signature)


# --- variety ----------------------------------------------------------------------------------------------------------


def distinct_n(texts: Sequence[str], n: int = 2, *, confidence: float = CONFIDENCE) -> Result:
    """Different n-grams of words per n-gram over all texts (Li et al. 2016): 1 where none repeats, near 0 for parrots.

    It falls as texts grow in number and length: compare equal amounts of text only. The interval is the jackknife's over
    texts, because a bootstrap would repeat texts and so their n-grams.
    """
    method = f"distinct-{n}, jackknife over texts"
    if n < 1:
        raise ValueError("an n-gram has at least one word")
    grams = [Counter(zip(*(found[i:] for i in range(n)), strict=False)) for found in map(words, texts)]
    grams = [counter for counter in grams if counter]
    if not grams:
        return NotEstimable(reason=f"no text has {n} words", n=0, method=method)
    total = sum(counter.total() for counter in grams)
    holders = Counter(gram for counter in grams for gram in counter)
    value = len(holders) / total
    without = []
    for counter in grams:
        rest = total - counter.total()
        if rest:
            without.append((len(holders) - sum(holders[gram] == 1 for gram in counter)) / rest)
    return _jackknifed(value, np.array(without), len(grams), "text", method, confidence, (0.0, 1.0))


def burstiness(texts: Sequence[str], *, confidence: float = CONFIDENCE) -> Result:
    """How unevenly long the sentences are: (s - m) / (s + m) of their lengths in words (Goh and Barabasi 2008).

    -1 where all are equally long, 0 where they spread as much as their mean, towards 1 for many short and few very long
    ones. m is the mean and s the standard deviation; the interval is the jackknife's over the sentences of all texts.
    """
    method = "burstiness of sentence lengths, jackknife over sentences"
    lengths = np.array([size for text in texts for part in _SENTENCE.split(text) if (size := len(words(part)))], dtype=float)
    n = len(lengths)
    if n < 2:
        return NotEstimable(reason="there are fewer than two sentences", n=n, method=method)
    value = _goh_barabasi(n, float(lengths.sum()), float(lengths @ lengths))
    if n == 2:
        reason = "two sentences say too little about the spread"
        return NotEstimable(reason=reason, n=n, method=method, value=value)
    sums, squares = lengths.sum() - lengths, lengths @ lengths - lengths**2
    without = np.array([_goh_barabasi(n - 1, a, b) for a, b in zip(sums.tolist(), squares.tolist(), strict=True)])
    return _jackknifed(value, without, n, "sentence", method, confidence, (-1.0, 1.0))


def _goh_barabasi(n: int, total: float, squares: float) -> float:
    centre = total / n
    spread = math.sqrt(max(0.0, squares / n - centre**2))
    return (spread - centre) / (spread + centre)


def _jackknifed(
    value: float, without: np.ndarray, n: int, unit: str, method: str, confidence: float, limits: tuple[float, float]
) -> Result:
    """The jackknife's interval from the values without each unit."""
    if len(without) < max(n, 2):
        return NotEstimable(reason=f"one {unit} says nothing about the spread", n=n, method=method, value=value)
    error = math.sqrt((n - 1) / n * float(((without - without.mean()) ** 2).sum()))
    if error < 1e-9:
        return NotEstimable(
            reason=f"the {n} {unit}s are all alike, so they say nothing about the spread", n=n, method=method, value=value
        )
    reach = t_quantile(confidence, n - 1) * error
    low, high = max(limits[0], value - reach), min(limits[1], value + reach)
    return Estimate(value=value, low=low, high=high, n=n, method=method, confidence=confidence)
