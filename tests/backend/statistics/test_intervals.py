import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_ind

from backend.statistics.intervals import (
    benjamini_hochberg,
    bonferroni,
    holm,
    mean,
    mean_bootstrap,
    mean_difference,
    newcombe,
    proportions_p_value,
    wilson,
)

P_VALUES = (0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0)
"""The fifteen hypotheses of Benjamini and Hochberg 1995."""
counts = st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611), (1, 29, 0.0061, 0.1718), (10, 10, 0.7225, 1)],
)
def test_wilson_reproduces_the_published_intervals(successes, n, low, high):
    estimate = wilson(successes, n)
    assert (round(estimate.low, 4), round(estimate.high, 4)) == (low, high)


def test_newcombe_reproduces_the_published_interval():
    estimate = newcombe(56, 70, 48, 80)
    assert (round(estimate.value, 2), round(estimate.low, 4), round(estimate.high, 4)) == (0.2, 0.0524, 0.3339)


def test_corrections_reject_as_many_as_published():
    rejected = [sum(p <= 0.05 for p in adjust(P_VALUES)) for adjust in (benjamini_hochberg, bonferroni, holm)]
    assert rejected == [4, 3, 3]


@given(counts)
def test_wilson_holds_the_share_and_mirrors_for_failures(count):
    successes, n = count
    yes, no = wilson(successes, n), wilson(n - successes, n)
    assert 0 <= yes.low <= yes.value <= yes.high <= 1
    assert math.isclose(yes.low, 1 - no.high, abs_tol=1e-12)


@given(counts, counts)
def test_newcombe_changes_sign_when_the_groups_swap(first, second):
    there, back = newcombe(*first, *second), newcombe(*second, *first)
    assert -1 - 1e-9 <= there.low <= there.value <= there.high <= 1 + 1e-9
    assert math.isclose(there.low, -back.high, abs_tol=1e-12)
    p_value = proportions_p_value(*first, *second)
    assert p_value is None or 0 <= p_value <= 1


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.randoms(use_true_random=False))
def test_adjusted_p_values_keep_their_order_and_follow_their_place(p_values, random):
    order = list(range(len(p_values)))
    random.shuffle(order)
    for adjust in (benjamini_hochberg, holm, bonferroni):
        adjusted = adjust(p_values)
        assert adjust([p_values[i] for i in order]) == tuple(adjusted[i] for i in order)
        assert all(p <= a + 1e-12 and a <= 1 for p, a in zip(p_values, adjusted, strict=True))
    pairs = zip(benjamini_hochberg(p_values), holm(p_values), bonferroni(p_values), strict=True)
    assert all(fdr <= step + 1e-12 <= single + 2e-12 for fdr, step, single in pairs)
    assert benjamini_hochberg([]) == ()


def test_a_mean_has_students_interval():
    estimate = mean([1, 2, 3, 4, 5])
    assert (estimate.value, estimate.n) == (3, 5)
    assert estimate.high == pytest.approx(3 + 2.776445 * math.sqrt(2.5 / 5), abs=1e-5)


def test_a_difference_of_means_has_welchs_interval_and_p_value():
    first, second = [27.5, 21.0, 19.0, 23.6, 17.0, 17.9], [27.1, 22.0, 20.8, 23.4, 23.4, 23.5]
    estimate, p_value = mean_difference(first, second)
    oracle = ttest_ind(first, second, equal_var=False)
    assert p_value == pytest.approx(oracle.pvalue)
    assert (estimate.low, estimate.high) == pytest.approx(tuple(oracle.confidence_interval()))


@pytest.mark.parametrize(
    ("result", "words", "value"),
    [
        (wilson(0, 0), "no observations", None),
        (newcombe(1, 2, 0, 0), "one of the two groups", None),
        (mean([]), "no observations", None),
        (mean([4]), "one observation", 4),
        (mean([5, 5, 5]), "all 3 observations are equal", 5),
        (mean_bootstrap([], seed=0), "no observations", None),
        (mean_bootstrap([1, 2], seed=0, groups=["a", "a"]), "only one group", 1.5),
        (mean_difference([1], [1, 2])[0], "fewer than two", None),
        (mean_difference([1, 1], [2, 2])[0], "equal", -1),
    ],
)
def test_what_has_no_interval_says_why(result, words, value):
    assert not result.estimable
    assert words in result.reason
    assert result.value == value
    assert proportions_p_value(3, 3, 5, 5) is None


def test_the_bootstrap_repeats_with_its_seed_and_is_wider_where_whole_groups_are_drawn():
    values = [1.0] * 10 + [2.0] * 10 + [5.0] * 10
    groups = [i // 10 for i in range(30)]
    alone, again = mean_bootstrap(values, seed=3), mean_bootstrap(values, seed=3)
    grouped = mean_bootstrap(values, seed=3, groups=groups)
    assert alone == again
    assert grouped.high - grouped.low > alone.high - alone.low


@pytest.mark.parametrize(("successes", "n"), [(-1, 5), (6, 5), (0, -1)])
def test_counts_that_make_no_proportion_are_a_mistake_of_the_caller(successes, n):
    with pytest.raises(ValueError, match="no proportion"):
        wilson(successes, n)
