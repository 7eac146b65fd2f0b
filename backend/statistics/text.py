"""How close a generated text comes to its reference: exact match, ROUGE, BLEU with its signature."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass


def normalise_answer(text: str) -> str:
    """The text without differences of case, white space, width and closing punctuation."""
    plain = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return re.sub(r"[\s.!?…]+$", "", plain)


def exact_match(text: str, reference: str) -> bool:
    """Whether the two are equal once normalised."""
    return normalise_answer(text) == normalise_answer(reference)


def rouge(text: str, reference: str, *, kind: str = "rougeL", stemmer: bool = True) -> float:
    """ROUGE F1 (kinds of the rouge_score package). Its tokens are ASCII words: other scripts count as empty."""
    from rouge_score.rouge_scorer import RougeScorer  # heavy, and most processes never need it

    return float(RougeScorer([kind], use_stemmer=stemmer).score(reference, text)[kind].fmeasure)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bleu:
    """Corpus BLEU from 0 to 100, and the signature without which it cannot be compared."""

    score: float
    n: int
    signature: str


def bleu(texts: Sequence[str], references: Sequence[str]) -> Bleu:
    """Corpus BLEU by sacrebleu; 0 for no texts."""
    from sacrebleu.metrics import BLEU

    metric = BLEU()
    score = metric.corpus_score(list(texts), [list(references)]).score if texts else 0.0
    return Bleu(score=float(score), n=len(texts), signature=str(metric.get_signature()) if texts else "")
