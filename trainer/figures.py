"""The figures of one model over its answers, each with a 95% interval where one makes sense. Pure.

Intervals are over rows: Wilson's for shares, a percentile bootstrap (seeded) for means and corpus scores, the jackknife for
distinct-n and burstiness, which a bootstrap would distort because it repeats rows. Where the rows tell no spread there is no
interval. Distinct-n is the share of different n-grams of words among all (Li et al. 2016) and falls with more text; burstiness
is (s - m) / (s + m) of the sentences' lengths in words (Goh and Barabasi 2008).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import sacrebleu
from scipy.special import stdtrit  # type: ignore[import-untyped]

from trainer.likeness import corpus_bleu
from trainer.losses import RowLoss, bits_per_byte, perplexity

Bounds = tuple[float, float]
RESAMPLES = 1000
_WORD = re.compile(r"\w+")
_SENTENCE = re.compile(r"(?<=[.!?…])\s+|(?<=[。！？])|\n+")
_Z = 1.959963984540054


def words(text: str) -> list[str]:
    """The words of any script, without case."""
    return _WORD.findall(text.casefold())


def summarise(responses: Sequence[dict[str, Any]], losses: Sequence[RowLoss]) -> dict[str, Any]:
    """The figures of one model. Each has its own n; `intervals` holds low and high by name."""
    texts, references = [row["text"] for row in responses], [row["reference"] for row in responses]
    bleu, signature = corpus_bleu(texts, references)
    count, tokens = len(responses), sum(loss.tokens for loss in losses)
    matches = [float(row["exact_match"]) for row in responses]
    rouge = [row["rouge_l"] for row in responses]
    totals = np.array([loss.total for loss in losses])
    lengths, sizes = (np.array([getattr(loss, name) for loss in losses], float) for name in ("tokens", "size"))
    loss_bounds = ratio_bounds(totals, lengths)
    varied = {f"distinct_{n}": distinct(texts, n) for n in (1, 2)} | {"burstiness": burstiness(texts)}
    bounds: dict[str, Bounds | None] = {
        "loss": loss_bounds,
        "perplexity": loss_bounds and (math.exp(min(loss_bounds[0], 700.0)), math.exp(min(loss_bounds[1], 700.0))),
        "bits_per_byte": ratio_bounds(totals / math.log(2), sizes),
        "bleu": _bleu_bounds(texts, references),
        "rouge_l": ratio_bounds(np.array(rouge), np.ones(count)),
        "exact_match": wilson(sum(matches), count),
    }
    bounds |= {name: found[1] for name, found in varied.items()}
    return {
        "n": count,
        "loss": sum(loss.total for loss in losses) / tokens if tokens else None,
        "perplexity": perplexity(losses),
        "bits_per_byte": bits_per_byte(losses),
        **dict.fromkeys(("loss_n", "perplexity_n", "bits_per_byte_n"), len(losses)),
        "reference_tokens": tokens,
        "bleu": bleu,
        "bleu_signature": signature,
        "bleu_n": count,
        "rouge_l": sum(rouge) / count,
        "rouge_l_n": count,
        "exact_match": sum(matches) / count,
        "exact_match_n": count,
        **{name: found[0] for name, found in varied.items()},
        "complete": sum(row["complete"] for row in responses) / count,
        "mean_tokens": sum(row["tokens"] for row in responses) / count,
        "intervals": {name: list(found) for name, found in bounds.items() if found is not None},
    }


# --- intervals ---


def wilson(successes: float, n: int) -> Bounds | None:
    """Wilson's interval of a share, good also for 0 or all of few."""
    if not n:
        return None
    share, square = successes / n, _Z * _Z
    centre = share + square / (2 * n)
    reach = _Z * math.sqrt(share * (1 - share) / n + square / (4 * n * n))
    low, high = (centre - reach) / (1 + square / n), (centre + reach) / (1 + square / n)
    return max(0.0, min(low, share)), min(1.0, max(high, share))


def bootstrap(n: int, statistic: Callable[[np.ndarray], float]) -> Bounds | None:
    """The percentile interval of a statistic of how often each of n rows was drawn. The same for the same rows."""
    if n < 2:
        return None
    generator, even = np.random.default_rng(0), np.full(n, 1 / n)
    found = [statistic(generator.multinomial(n, even)) for _ in range(RESAMPLES)]
    low, high = np.quantile([value for value in found if math.isfinite(value)], [0.025, 0.975]).tolist()
    return (low, high) if high - low > 1e-12 else None


def ratio_bounds(above: np.ndarray, below: np.ndarray) -> Bounds | None:
    """The interval of the ratio of two sums over rows."""
    return bootstrap(len(above), lambda drawn: float(drawn @ above) / float(drawn @ below)) if below.sum() else None


def _bleu_bounds(texts: Sequence[str], references: Sequence[str]) -> Bounds | None:
    scores = [sacrebleu.sentence_bleu(text, [said]) for text, said in zip(texts, references, strict=True)]
    counts = np.array([[*one.counts, *one.totals, one.sys_len, one.ref_len] for one in scores], dtype=float)

    def again(drawn: np.ndarray) -> float:
        sums = (drawn @ counts).astype(int).tolist()
        made = sacrebleu.BLEU.compute_bleu(
            correct=sums[:4], total=sums[4:8], sys_len=sums[8], ref_len=sums[9], smooth_method="exp"
        )
        return float(made.score)

    return bootstrap(len(scores), again)


# --- variety ---


def distinct(texts: Sequence[str], n: int) -> tuple[float | None, Bounds | None]:
    """Different n-grams per n-gram over all texts, with the jackknife's interval over texts."""
    grams = [counter for text in texts if (counter := Counter(zip(*(words(text)[i:] for i in range(n)), strict=False)))]
    if not grams:
        return None, None
    total, holders = sum(counter.total() for counter in grams), Counter(gram for counter in grams for gram in counter)
    value = len(holders) / total
    without = [
        (len(holders) - sum(holders[gram] == 1 for gram in counter)) / (total - counter.total())
        for counter in grams
        if total > counter.total()
    ]
    return value, _jackknife(value, np.array(without), len(grams), (0.0, 1.0))


def burstiness(texts: Sequence[str]) -> tuple[float | None, Bounds | None]:
    """How unevenly long the sentences are, from -1 to 1, with the jackknife's interval over sentences."""
    lengths = np.array([size for text in texts for part in _SENTENCE.split(text) if (size := len(words(part)))], dtype=float)
    n = len(lengths)
    if n < 2:
        return None, None
    value = float(_unevenness(n, lengths.sum(), lengths @ lengths))
    if n == 2:
        return value, None
    without = _unevenness(n - 1, lengths.sum() - lengths, lengths @ lengths - lengths**2)
    return value, _jackknife(value, np.asarray(without), n, (-1.0, 1.0))


def _unevenness(n: int, total: Any, squares: Any) -> Any:
    centre = total / n
    spread = np.sqrt(np.maximum(0.0, squares / n - centre**2))
    return (spread - centre) / (spread + centre)


def _jackknife(value: float, without: np.ndarray, n: int, limits: Bounds) -> Bounds | None:
    if len(without) < max(n, 2):
        return None
    error = math.sqrt((n - 1) / n * float(((without - without.mean()) ** 2).sum()))
    reach = float(stdtrit(n - 1, 0.975)) * error
    return (max(limits[0], value - reach), min(limits[1], value + reach)) if error > 1e-9 else None
