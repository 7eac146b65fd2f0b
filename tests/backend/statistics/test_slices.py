import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.statistics.intervals import newcombe
from backend.statistics.slices import compare_means, compare_shares

rows = st.lists(st.tuples(st.sampled_from([0, 0.5, 1]), st.sampled_from(["a", "b", "c", None])), max_size=40)


def test_a_slice_that_differs_is_told_from_those_that_do_not():
    outcomes = [1] * 56 + [0] * 14 + [1] * 48 + [0] * 32
    slices = ["chat"] * 70 + ["mail"] * 80
    mail, chat = compare_shares(outcomes, slices)
    assert (chat.name, chat.n, chat.small) == ("chat", 70, False)
    assert chat.difference == newcombe(56, 70, 48, 80)
    assert chat.p_value == pytest.approx(0.0081, abs=2e-3)
    assert chat.adjusted_p == pytest.approx(chat.p_value)
    assert (chat.differs(), chat.differs(0.001)) == (True, False)
    assert mail.difference.value == pytest.approx(-chat.difference.value)


def test_small_slices_are_marked_and_not_tested():
    small = compare_means([5.0, 4.0, 1.0] + [3.0, 4.0] * 20, ["vip"] * 3 + ["other"] * 40)[-1]
    assert (small.name, small.small, small.adjusted_p, small.differs()) == ("vip", True, None, False)
    assert small.p_value is not None


def test_a_slice_that_is_everything_has_no_rest_to_differ_from():
    for compare in (compare_shares, compare_means):
        (only,) = compare([0, 1] * 20, ["all"] * 40)
        assert only.estimate.estimable
        assert not only.difference.estimable
        assert only.adjusted_p is None
        assert compare([], []) == ()


@given(rows)
def test_slices_cover_every_named_value_and_bounds_hold(found):
    values, names = [value for value, _ in found], [name for _, name in found]
    for compare in (compare_shares, compare_means):
        pieces = compare(values, names, min_n=2)
        assert sum(piece.n for piece in pieces) == sum(name is not None for name in names)
        assert [piece.n for piece in pieces] == sorted((piece.n for piece in pieces), reverse=True)
        assert all(piece.adjusted_p is None or piece.p_value <= piece.adjusted_p + 1e-12 for piece in pieces)


def test_shares_outside_zero_to_one_are_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="between 0 and 1"):
        compare_shares([2], ["a"])
    with pytest.raises(ValueError, match="every value"):
        compare_means([1.0], ["a", "b"])
