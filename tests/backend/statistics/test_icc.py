import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.statistics.icc import IccForm, icc, icc_forms

SHROUT_FLEISS = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
"""Six targets, four judges (Shrout and Fleiss 1979, table 2)."""
scores = st.lists(st.lists(st.integers(1, 7), min_size=3, max_size=3), max_size=8)


@pytest.mark.parametrize(
    ("form", "value", "low", "high"),
    [
        ("ICC(1,1)", 0.166, -0.133, 0.723),
        ("ICC(2,1)", 0.290, 0.019, 0.761),
        ("ICC(3,1)", 0.715, 0.342, 0.946),
        ("ICC(1,k)", 0.443, -0.884, 0.912),
        ("ICC(2,k)", 0.620, 0.071, 0.927),
        ("ICC(3,k)", 0.909, 0.676, 0.986),
    ],
)
def test_shrout_and_fleiss_example_is_reproduced_with_its_intervals(form, value, low, high):
    estimate = icc(SHROUT_FLEISS, IccForm(form))
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((value, low, high), abs=6e-4)
    assert (estimate.n, form in estimate.method) == (6, True)


@given(scores, st.integers(1, 9), st.integers(-50, 50), st.permutations(range(3)))
def test_neither_the_scale_nor_the_order_of_raters_matters(table, factor, shift, order):
    moved = [[factor * row[i] + shift for i in order] for row in reversed(table)]
    for one, two in zip(icc_forms(table).values(), icc_forms(moved).values(), strict=True):
        assert one.estimable == two.estimable
        if one.estimable:
            assert (one.value, one.low, one.high) == pytest.approx((two.value, two.low, two.high), rel=1e-6, abs=1e-6)
            assert one.low <= one.value <= one.high <= 1 + 1e-9


def test_a_strict_rater_lowers_the_second_form_but_not_the_third():
    strict = [[row[0], row[1] - 5, row[2], row[3]] for row in SHROUT_FLEISS]
    second, third = (icc(strict, form).value for form in (IccForm.TWO_SINGLE, IccForm.THREE_SINGLE))
    assert second < icc(SHROUT_FLEISS, IccForm.TWO_SINGLE).value
    assert third == pytest.approx(icc(SHROUT_FLEISS, IccForm.THREE_SINGLE).value)


def test_items_with_a_missing_score_are_left_out():
    assert icc([*SHROUT_FLEISS, [5, None, 1, 2]]) == icc(SHROUT_FLEISS)


@pytest.mark.parametrize(
    ("table", "words", "value"),
    [
        ([], "fewer than two items", None),
        ([[1, 2]], "fewer than two items", None),
        ([[1], [2]], "fewer than two raters", None),
        ([[1, None], [None, 2]], "fewer than two items", None),
        ([[3, 3], [3, 3]], "all scores are equal", None),
        ([[1, 1], [2, 2], [3, 3]], "agree on all 3 items", 1),
        ([["a", "b"], ["b", "b"]], "needs numbers", None),
    ],
)
def test_degenerate_tables_say_why(table, words, value):
    for result in icc_forms(table).values():
        assert not result.estimable
        assert words in result.reason
        assert result.value == value


def test_raters_a_constant_apart_have_no_interval_where_their_strictness_does_not_count():
    table = [[1, 2], [2, 3], [3, 4]]
    assert icc(table, IccForm.ONE_SINGLE).estimable
    assert "same amount" in icc(table, IccForm.THREE_SINGLE).reason
    flat = icc([[1, 2], [2, 1], [1, 2]], IccForm.ONE_MEAN)
    assert not flat.estimable
