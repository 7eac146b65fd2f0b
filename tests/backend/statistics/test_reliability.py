import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.statistics.reliability import dawid_skene
from backend.statistics.results import NotEstimable

TABLE = """
1111111 3334334 1122122 2223121 2223222 2223322 1222111 3333433 2222223 2322223 4444444 2223343 1111111 2223212 1211111
1112111 1111111 1111111 2222221 2221322 2222222 2222221 2223222 2212222 1111111 1111111 2322222 1111111 1111111 1121121
1111111 3333233 1111111 2222222 2223232 4334343 2212232 2323233 3333432 1111111 1111111 1212111 2322222 1211111 2222222
"""
"""45 patients: three answers of the first of five anaesthetists, then one of each other (Dawid and Skene 1979, table 1)."""
RATER_OF_DIGIT = (1, 1, 1, 2, 3, 4, 5)


def answers(acc, *, items=400, labels="xyz", seed=5):
    generator = random.Random(seed)
    truth = {i: generator.choice(labels) for i in range(items)}
    wrong = {true: [label for label in labels if label != true] for true in labels}
    given = [
        (i, rater, true if generator.random() < accuracy else generator.choice(wrong[true]))
        for i, true in truth.items()
        for rater, accuracy in enumerate(acc)
    ]
    return truth, given


def test_the_anaesthetists_class_marginals_are_reproduced():
    found = dawid_skene(
        (patient, rater, digit)
        for patient, row in enumerate(TABLE.split())
        for rater, digit in zip(RATER_OF_DIGIT, row, strict=True)
    )
    assert [round(found.marginals[digit], 2) for digit in "1234"] == [0.40, 0.42, 0.11, 0.07]
    assert found.n == 315
    assert found.converged
    first = found.raters[0]
    assert first.n == 135
    assert first.confusion["1"]["1"] == pytest.approx(0.89, abs=0.01)  # table 2 of the paper


def test_good_raters_outvote_a_poor_majority_and_accuracies_are_found():
    truth, given = answers([0.95, 0.9, 0.45, 0.45, 0.4])
    found = dawid_skene(given)
    right = sum(one.label == truth[one.item] for one in found.items)
    majority = sum(one.majority == truth[one.item] for one in found.items)
    assert right > majority + 20
    for quality, true in zip(found.raters, [0.95, 0.9, 0.45, 0.45, 0.4], strict=True):
        assert quality.accuracy.value == pytest.approx(true, abs=0.06)
        assert quality.accuracy.low < quality.accuracy.value < quality.accuracy.high


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.sampled_from("ab")), max_size=30),
    st.randoms(use_true_random=False),
)
def test_the_order_and_the_names_of_answers_do_not_matter(given_, shuffler):
    shuffled = [(f"i{item}", f"r{rater}", {"a": "x", "b": "y"}[label]) for item, rater, label in given_]
    shuffler.shuffle(shuffled)
    one, two = dawid_skene(given_), dawid_skene(shuffled)
    assert one.estimable == two.estimable
    assert one.n == two.n == len(given_)
    if one.estimable:
        assert sum(one.marginals.values()) == pytest.approx(1)
        chances = {f"i{item.item}": item.posterior["a"] for item in one.items}
        assert {item.item: item.posterior["x"] for item in two.items} == pytest.approx(chances, abs=1e-4)
        for item in one.items:
            counts = Counter(label for name, _, label in given_ if name == item.item)
            assert counts[item.majority] == max(counts.values())
            assert item.tied == (len(counts) == 2 and counts["a"] == counts["b"])
            assert sum(item.posterior.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        ([], "no answers"),
        ([(1, "ann", "a"), (2, "ann", "b")], "only one rater"),
        ([(1, "ann", "a"), (2, "bob", "b")], "no item was rated by two"),
        ([(1, "ann", "a"), (1, "bob", "a")], "the same label"),
        ([(i, rater, i) for i in range(10_000) for rater in "ab"], "too many"),
    ],
)
def test_answers_that_tell_nothing_say_why(given_, words):
    found = dawid_skene(given_)
    assert not found.estimable
    assert words in found.reason
    assert found.n == len(given_)


def test_complete_agreement_is_a_consensus_and_leaves_the_accuracy_a_margin():
    found = dawid_skene([(i, rater, "ab"[i % 2]) for i in range(10) for rater in "xyz"])
    assert all(item.label == "ab"[item.item % 2] and item.confidence > 0.99 for item in found.items)
    assert all(0.6 < rater.accuracy.low < rater.accuracy.value <= rater.accuracy.high <= 1 for rater in found.raters)


def test_labels_that_the_model_would_exchange_are_not_estimable() -> None:
    """Two raters whose few deviations never meet, and a third who rates other items and says the contrary."""
    answers = [(item, rater, "good") for item in range(23) for rater in ("ann", "bob")]
    answers += [(item, rater, label) for item in range(23, 31) for rater, label in (("ann", "good"), ("bob", "bad"))]
    answers += [(31, "ann", "bad"), (31, "bob", "good")]
    answers += [(item, "cem", "bad") for item in range(40, 59)] + [(item, "cem", "good") for item in range(60, 69)]
    found = dawid_skene(answers)
    assert isinstance(found, NotEstimable)
    assert "no more than by chance" in found.reason
