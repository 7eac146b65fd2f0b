import pytest

from backend.statistics.text import bleu, exact_match, rouge


def test_rouge_reproduces_the_reference_with_and_without_stemmer():
    text, reference = "refunds were processed", "the refund is processing"
    assert rouge(text, reference, kind="rouge1") == pytest.approx(0.571, abs=1e-3)
    assert rouge(text, reference, kind="rouge1", stemmer=False) == 0


def test_rouge_l_is_one_for_equal_texts_and_zero_for_empty_ones():
    assert rouge("Yes, we ship.", "yes we ship") == 1
    assert rouge("", "yes") == 0


def test_exact_match_looks_past_case_spaces_and_the_final_stop():
    assert exact_match(" Yes,  we SHIP. ", "yes, we ship")
    assert not exact_match("No, we ship", "Yes, we ship")


def test_bleu_carries_its_signature():
    result = bleu(["the cat sat on the mat"], ["the cat sat on the mat"])
    assert result.score == pytest.approx(100)
    assert "tok:13a" in result.signature
    assert bleu([], []).score == 0
