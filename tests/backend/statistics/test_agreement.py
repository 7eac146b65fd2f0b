import csv
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t as student
from sklearn.metrics import cohen_kappa_score

from backend.statistics.agreement import (
    Level,
    Weights,
    cohen_kappa,
    fleiss_kappa,
    krippendorff_alpha,
    percent_agreement,
    tabulate,
)

_ = None
KRIPPENDORFF = list(
    zip(
        [1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3],
        [_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _],
        strict=True,
    )
)
"""Four observers, twelve units (Krippendorff)."""
FLEISS_COUNTS = [
    (0, 0, 0, 0, 14), (0, 2, 6, 4, 2), (0, 0, 3, 5, 6), (0, 3, 9, 2, 0), (2, 2, 8, 1, 1),
    (7, 7, 0, 0, 0), (3, 2, 6, 3, 0), (2, 5, 3, 2, 2), (6, 5, 2, 1, 0), (0, 2, 2, 3, 7),
]  # fmt: skip
FLEISS = [[label for label, count in enumerate(row) for _ in range(count)] for row in FLEISS_COUNTS]

tables = st.lists(st.lists(st.sampled_from([1, 2, 3, None]), min_size=3, max_size=3), max_size=12)


@pytest.mark.parametrize(
    ("level", "alpha"), [("nominal", 0.7434), ("ordinal", 0.8154), ("interval", 0.8491), ("ratio", 0.7974)]
)
def test_krippendorffs_own_example_is_reproduced(level, alpha):
    estimate = krippendorff_alpha(KRIPPENDORFF, Level(level))
    assert round(estimate.value, 4) == alpha
    assert estimate.n == 11  # one unit has a single answer
    assert estimate.low < alpha < estimate.high <= 1


def test_the_fleiss_example_is_reproduced():
    estimate = fleiss_kappa(FLEISS)
    assert (round(estimate.value, 4), estimate.n) == (0.2099, 10)


def test_the_cohen_example_is_reproduced_with_its_interval():
    first = ["yes"] * 25 + ["no"] * 25
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    estimate = cohen_kappa(first, second)
    assert (round(estimate.value, 4), estimate.n) == (0.4, 50)
    # Fleiss, Cohen and Everitt's large-sample error is .1265
    assert (estimate.high - estimate.low) / 2 == pytest.approx(2.01 * 0.1265, rel=0.1)


def test_weighted_kappa_weighs_by_the_distance_of_labels_not_of_their_places():
    a, b = [1, 2, 5, 5, 1, 2, 1, 5], [1, 5, 5, 2, 1, 1, 2, 5]
    assert round(cohen_kappa(a, b, weights=Weights.QUADRATIC).value, 4) == 0.6078
    places = cohen_kappa([str(x) for x in a], [str(x) for x in b], weights=Weights.QUADRATIC)
    assert round(places.value, 4) != 0.6078
    named = cohen_kappa([str(x) for x in a], [str(x) for x in b], weights=Weights.QUADRATIC, labels=list("12345"))
    assert round(named.value, 4) == 0.6078


def test_real_labels_with_missing_raters_give_the_published_kappa(shared_file):
    with shared_file("hatecheck/rater_labels.csv").open(encoding="utf-8", newline="") as file:
        table = [[row[f"label_{i}"] or None for i in range(1, 11)] for row in csv.DictReader(file)]
    kappa, alpha = fleiss_kappa(table), krippendorff_alpha(table)
    assert (round(kappa.value, 4), kappa.n) == (0.9285, len(table))
    assert alpha.value == pytest.approx(kappa.value, abs=1e-3)
    assert kappa.low > 0.92
    assert round(percent_agreement(table).value, 2) == 0.97


@given(tables, st.randoms(use_true_random=False))
def test_agreement_does_not_depend_on_the_order_of_items_or_raters(table, shuffler):
    shuffled = [list(row) for row in table]
    shuffler.shuffle(shuffled)
    columns = list(range(3))
    shuffler.shuffle(columns)
    shuffled = [[row[i] for i in columns] for row in shuffled]
    for measure in (krippendorff_alpha, fleiss_kappa, percent_agreement):
        one, two = measure(table), measure(shuffled)
        assert type(one) is type(two)
        assert one.n == two.n
        assert (one.value is None and two.value is None) or one.value == pytest.approx(two.value)
        if one.estimable:
            assert -1.000001 <= one.low <= one.value <= one.high <= 1.000001


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), max_size=15), st.sampled_from([None, *Weights]))
def test_cohens_kappa_is_symmetric_and_at_most_one(pairs, weights):
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    one, two = cohen_kappa(first, second, weights=weights), cohen_kappa(second, first, weights=weights)
    assert (one.value is None and two.value is None) or one.value == pytest.approx(two.value)
    assert one.value is None or one.value <= 1 + 1e-12


@pytest.mark.parametrize(
    ("result", "words", "value"),
    [
        (cohen_kappa([], []), "no item was rated by both", None),
        (cohen_kappa([1, None], [None, 2]), "no item was rated by both", None),
        (cohen_kappa([1], [2]), "one item is too few", None),
        (cohen_kappa([1, 1, 1], [1, 1, 1]), "the same label", None),
        (cohen_kappa([1, 2, 1], [1, 2, 1]), "agree on all 3 items", 1),
        (fleiss_kappa([[1, 1], [1, 1, 2]]), "use Krippendorff's alpha", None),
        (fleiss_kappa([[1], [2]]), "no item was rated by two", None),
        (fleiss_kappa([]), "no item was rated by two", None),
        (fleiss_kappa([["a", "a"], ["b", "b"]]), "agree on all 2 items", 1),
        (krippendorff_alpha([[1, None], [None, 2]]), "no item was rated by two", None),
        (krippendorff_alpha([[1, 1], [1, 1]]), "the same label", None),
        (krippendorff_alpha([["a", "b"], ["a", "a"]], Level.ORDINAL), "known order", None),
        (krippendorff_alpha([[-1, 2], [1, 1]], Level.RATIO), "0 or more", None),
        (percent_agreement([[1, None]]), "no item was rated by two", None),
    ],
)
def test_degenerate_cases_say_why_instead_of_giving_a_number(result, words, value):
    assert not result.estimable
    assert words in result.reason
    assert result.value == (pytest.approx(value) if value is not None else None)


def test_ordinal_words_take_their_order_from_the_labels():
    table = [["bad", "fair"], ["good", "good"], ["fair", "good"], ["bad", "bad"]]
    numbers = [[["bad", "fair", "good"].index(label) for label in row] for row in table]
    words = krippendorff_alpha(table, Level.ORDINAL, labels=["bad", "fair", "good"])
    assert words.value == pytest.approx(krippendorff_alpha(numbers, Level.ORDINAL).value)


def test_the_jackknife_covers_the_true_value_about_as_often_as_it_says():
    generator = random.Random(7)

    def ratings():
        truth = [generator.random() < 0.5 for _ in range(60)]
        return [[t if generator.random() < 0.85 else not t for _ in range(3)] for t in truth]

    # Two answers agree by chance in half the cases, and here in .85² + .15² of them.
    true = 2 * (0.85**2 + 0.15**2) - 1
    hits = sum(estimate.low <= true <= estimate.high for estimate in (fleiss_kappa(ratings()) for _ in range(200)))
    assert 180 <= hits <= 199


MEASURES = {
    "nominal": krippendorff_alpha,
    "interval": lambda table: krippendorff_alpha(table, Level.INTERVAL),
    "ratio": lambda table: krippendorff_alpha(table, Level.RATIO),
    "fleiss": fleiss_kappa,
    "cohen": lambda table: cohen_kappa(*zip(*table, strict=True)),
    "linear": lambda table: cohen_kappa(*zip(*table, strict=True), weights=Weights.LINEAR),
    "quadratic": lambda table: cohen_kappa(*zip(*table, strict=True), weights=Weights.QUADRATIC),
}


@pytest.mark.parametrize("name", MEASURES)
@settings(max_examples=40)
@given(table=st.lists(st.tuples(st.sampled_from([1, 2, 5]), st.sampled_from([1, 2, 5])), min_size=3, max_size=9))
def test_the_interval_is_that_of_leaving_out_each_item_in_turn(name, table):
    measure = MEASURES[name]
    result = measure(table)
    without = [measure(table[:i] + table[i + 1 :]).value for i in range(len(table))]
    if result.estimable:
        centre, n = sum(without) / len(table), len(table)
        error = math.sqrt((n - 1) / n * sum((value - centre) ** 2 for value in without))
        reach = float(student.ppf(0.975, n - 1)) * error
        assert result.low == pytest.approx(max(-1, result.value - reach), abs=1e-6)
        assert result.high == pytest.approx(min(1, result.value + reach), abs=1e-6)
    else:
        assert result.value is None or None in without or max(without) - min(without) < 1e-6


@given(tables, st.integers(1, 1000), st.integers(-1000, 1000))
def test_scales_and_names_of_labels_do_not_matter_where_they_should_not(table, factor, shift):
    moved = [[None if label is None else factor * label + shift for label in row] for row in table]
    named = [[None if label is None else f"label {label * 7 % 4}" for label in row] for row in table]
    grown = [[None if label is None else factor * label for label in row] for row in table]
    for level, other in ((Level.INTERVAL, moved), (Level.ORDINAL, moved), (Level.NOMINAL, named), (Level.RATIO, grown)):
        one, two = krippendorff_alpha(table, level), krippendorff_alpha(other, level)
        assert one.estimable == two.estimable
        if one.estimable:
            assert (one.value, one.low, one.high) == pytest.approx((two.value, two.low, two.high), abs=1e-6)


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=2, max_size=15))
def test_weighted_kappa_is_scikit_learns_where_the_labels_are_named(pairs):
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    for weights in Weights:
        found = cohen_kappa(first, second, weights=weights)
        if found.estimable:
            oracle = cohen_kappa_score(first, second, weights=weights.value, labels=[1, 2, 3, 4])
            assert found.value == pytest.approx(oracle, abs=1e-9)


@pytest.mark.parametrize("level", Level)
def test_measurements_with_as_many_values_as_answers_are_taken(level):
    generator = random.Random(2)
    table = [[truth + generator.random() for _ in range(3)] for truth in range(1500)]
    result = krippendorff_alpha(table, level)
    assert result.n == 1500
    assert (result.value > 0.99) == (level is not Level.NOMINAL)


def test_nan_is_a_missing_answer():
    assert krippendorff_alpha([[1.0, math.nan, 1], [2, 1, math.nan], [3, 3, 3]]) == krippendorff_alpha(
        [[1, None, 1], [2, 1, None], [3, 3, 3]]
    )
    assert cohen_kappa([math.nan, 1], [1, 2]).n == 1


def test_triples_become_a_table():
    table, items, raters = tabulate([("i1", "ann", 3), ("i2", "bob", 1), ("i1", "bob", 2), ("i2", "bob", 4)])
    assert (table, items, raters) == ([[3, 2], [None, 4]], ["i1", "i2"], ["ann", "bob"])
