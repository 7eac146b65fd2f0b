"""How like an answer is to the one that was wished for: exact match, ROUGE-L, BLEU. Pure.

Exact match ignores case and runs of white space. ROUGE-L is the F-measure (0 to 1) over lower-cased words of any script,
without a stemmer. BLEU is sacrebleu's (0 to 100), of one answer or of a whole list.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import sacrebleu
from rouge_score.rouge_scorer import RougeScorer


def corpus_bleu(texts: Sequence[str], references: Sequence[str]) -> tuple[float, str]:
    """The score over a list, and the signature that says how it was worked out."""
    bleu = sacrebleu.BLEU()
    score = bleu.corpus_score(list(texts), [list(references)])
    return score.score, str(bleu.get_signature())


def compare_texts(text: str, reference: str) -> dict[str, Any]:
    """Exact match, ROUGE-L and sentence BLEU of one answer."""
    return {
        "exact_match": _normalise(text) == _normalise(reference),
        "rouge_l": float(_ROUGE.score(reference, text)["rougeL"].fmeasure),
        "sentence_bleu": sacrebleu.sentence_bleu(text, [reference]).score,
    }


def _normalise(text: str) -> str:
    return " ".join(text.casefold().split())


class _Words:
    """Words of any script. rouge_score's own tokenizer drops every letter outside a–z."""

    def tokenize(self, text: str) -> list[str]:
        """Lower-cased words."""
        return re.findall(r"\w+", text.lower())


_ROUGE = RougeScorer(["rougeL"], tokenizer=_Words())
