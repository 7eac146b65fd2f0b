"""How like two texts are."""

from __future__ import annotations

import pytest

from trainer.likeness import compare_texts


def test_texts_are_compared_as_stated() -> None:
    same = compare_texts("Yes,  we SHIP.\n", "yes, we ship.")
    assert same["exact_match"]
    assert same["rouge_l"] == 1.0
    # "refunds were processed" against "the refund is processing" share no whole word: no stemmer is used.
    assert compare_texts("refunds were processed", "the refund is processing")["rouge_l"] == 0
    # Longest common subsequence "a c": precision 2/3, recall 2/4.
    assert compare_texts("a b c", "a x c y")["rouge_l"] == pytest.approx(2 * (2 / 3) * (1 / 2) / (2 / 3 + 1 / 2))
    assert compare_texts("mañana días", "mañana horas")["rouge_l"] == 0.5
    assert compare_texts("", "yes")["rouge_l"] == 0
