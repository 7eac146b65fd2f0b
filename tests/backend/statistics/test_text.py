import pytest
from hypothesis import given
from hypothesis import strategies as st
from sacrebleu import corpus_chrf

from backend.statistics.text import bleu, burstiness, chrf, distinct_n, exact_match, rouge, words

TEXTS = ["the cat sat on the mat", "a dog ran far away today", "we ship your order on Monday"]
REFERENCES = ["the cat sat on a mat", "the dog ran far away", "we will ship the order on Monday"]


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
    assert not result.estimate.estimable  # one text
    assert not bleu([], []).estimate.estimable


def test_chrf_is_sacrebleus_with_its_signature_and_an_interval_over_texts():
    result = chrf(TEXTS, REFERENCES)
    assert result.score == pytest.approx(corpus_chrf(TEXTS, [REFERENCES]).score)
    assert "nc:6" in result.signature
    assert result.estimate.low < result.score < result.estimate.high
    assert result.estimate.n == 3
    assert chrf(TEXTS, REFERENCES) == result
    assert "no spread" in chrf(TEXTS, TEXTS).estimate.reason
    assert chrf([], []).score is None
    with pytest.raises(ValueError, match="every text"):
        bleu(["a"], [])


def test_rouge_counts_words_of_any_script():
    assert rouge("привет мир", "Привет, мир!") == 1
    assert words("Größe 3 – ÉTÉ") == ["grösse", "3", "été"]


def test_distinct_n_is_the_share_of_different_n_grams():
    assert distinct_n(["a b a b", "c d"], 1).value == pytest.approx(4 / 6)
    assert distinct_n(["a b a b", "c d"], 2).value == pytest.approx(3 / 4)
    parrots = distinct_n(["yes we do"] * 18 + ["no we do", "yes"])
    people = distinct_n([f"{i} is {i + 1} and we do" for i in range(19)] + ["we do"])
    assert parrots.value < 0.1
    assert "all alike" in distinct_n(["yes we do"] * 20).reason
    assert parrots.high < people.low
    assert "no text has 2 words" in distinct_n(["one", ""]).reason
    assert "one text" in distinct_n(["one two"]).reason


def test_burstiness_is_minus_one_for_even_sentences_and_grows_with_uneven_ones():
    even = burstiness(["One two three. Four five six! Seven eight nine?"])
    assert (even.estimable, even.value, even.n) == (False, -1, 3)
    # Lengths 1, 1, 4: mean 2, deviation 1.4142.
    assert burstiness(["Yes. No. That is quite enough."]).value == pytest.approx((2**0.5 - 2) / (2**0.5 + 2))
    assert burstiness(["Yes. No."]).n == 2
    assert "fewer than two" in burstiness(["Only one sentence."]).reason
    assert burstiness([]).n == 0


@given(st.lists(st.text(alphabet="ab .!", max_size=30), max_size=6), st.randoms(use_true_random=False))
def test_variety_does_not_depend_on_the_order_of_texts_and_stays_in_its_limits(texts, shuffler):
    shuffled = list(texts)
    shuffler.shuffle(shuffled)
    for measure, low, high in ((distinct_n, 0, 1), (burstiness, -1, 1)):
        one, two = measure(texts), measure(shuffled)
        assert one.estimable == two.estimable
        assert (one.value is None and two.value is None) or one.value == pytest.approx(two.value)
        if one.estimable:
            assert low <= one.low <= one.value <= one.high <= high
