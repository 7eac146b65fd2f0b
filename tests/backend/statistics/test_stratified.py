import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.statistics.stratified import Stratum, mantel_haenszel, odds_ratio, simpson_alarm, stratify

UCB = [
    Stratum(512, 313, 89, 19), Stratum(353, 207, 17, 8), Stratum(120, 205, 202, 391),
    Stratum(138, 279, 131, 244), Stratum(53, 138, 94, 299), Stratum(22, 351, 24, 317),
]  # fmt: skip
"""Berkeley's six largest departments in 1973: men admitted and refused, women admitted and refused (Bickel et al. 1975)."""
strata = st.lists(st.tuples(*[st.integers(0, 9)] * 4), max_size=5)


def test_berkeleys_admissions_raise_the_alarm():
    check = simpson_alarm(UCB)
    assert round(check.crude.value, 3) == 1.841
    assert round(check.pooled.value, 4) == 0.9047
    # R's mantelhaen.test gives the same interval.
    assert (round(check.pooled.low, 4), round(check.pooled.high, 4)) == (0.7719, 1.0603)
    assert check.alarm
    assert "reverses" in check.reason
    assert check.n == check.pooled.n == 4526


def test_strata_that_tell_the_same_story_raise_no_alarm():
    check = simpson_alarm([Stratum(30, 20, 20, 30)] * 3)
    assert (check.alarm, check.reason) == (False, "")
    assert check.crude.value == pytest.approx(check.pooled.value) == pytest.approx(2.25)


def test_a_difference_that_comes_from_the_mix_alone_raises_the_alarm():
    check = simpson_alarm([Stratum(180, 20, 45, 5), Stratum(5, 45, 20, 180)])
    assert check.alarm
    assert check.pooled.value == pytest.approx(1)
    assert check.crude.value > 5


@given(strata)
def test_swapping_the_groups_inverts_the_ratio_and_order_does_not_matter(tables):
    there = mantel_haenszel(tables)
    back = mantel_haenszel([(c, d, a, b) for a, b, c, d in reversed(tables)])
    assert there.estimable == back.estimable
    if there.estimable:
        assert there.value == pytest.approx(1 / back.value)
        assert there.low == pytest.approx(1 / back.high)
        assert 0 < there.low <= there.value <= there.high
    check, swapped = simpson_alarm(tables), simpson_alarm([(b, a, d, c) for a, b, c, d in tables])
    assert isinstance(check.alarm, bool)
    assert check.alarm <= (check.crude.estimable and check.pooled.estimable)
    assert check.crude.estimable == swapped.crude.estimable


def test_one_stratum_is_the_crude_table():
    table = Stratum(10, 5, 4, 8)
    assert mantel_haenszel([table]).value == pytest.approx(odds_ratio(table).value)


def test_rows_become_tables_and_ties_count_half():
    tables = stratify([1, 0, 0.5, 1], [True, True, False, False], ["x", "x", "x", "y"])
    assert tables == {"x": (1, 1, 0.5, 0.5), "y": (0, 0, 1, 0)}
    with pytest.raises(ValueError, match="between 0 and 1"):
        stratify([2], [True], ["x"])


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ([], "no stratum"),
        ([(1, 2, 0, 0)], "no stratum"),
        ([(3, 0, 2, 0)], "always or never"),
        ([(0, 3, 1, 2)], "always or never"),
    ],
)
def test_what_cannot_be_pooled_says_why(tables, words):
    result = mantel_haenszel(tables)
    assert not result.estimable
    assert words in result.reason
    check = simpson_alarm(tables)
    assert not check.alarm
    assert check.reason


def test_negative_counts_are_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="negative"):
        mantel_haenszel([(-1, 2, 3, 4)])
