import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from backend.statistics.biases import length_bias, length_controlled_win_rate, position_bias

rows = st.lists(st.tuples(st.sampled_from([0, 0.5, 1]), st.integers(-300, 300)), max_size=40)


def made(n, *, quality, length_effect, seed=3):
    """Comparisons in which the candidate writes longer, and length wins."""
    generator = random.Random(seed)
    scores, differences = [], []
    for _ in range(n):
        difference = generator.gauss(100, 100)
        chance = 1 / (1 + math.exp(-(quality + length_effect * math.tanh(difference / 100))))
        scores.append(float(generator.random() < chance))
        differences.append(difference)
    return scores, differences


def test_the_side_counts_only_where_a_side_won():
    found = position_bias(["left"] * 30 + ["right"] * 10 + ["tie"] * 5 + ["both_bad"])
    assert (found.value, found.n) == (0.75, 40)
    assert found.low > 0.5
    assert "either side" in position_bias(["tie", "tie"]).reason


def test_the_longer_answer_counts_on_either_side():
    found = length_bias([(10, 5, "left"), (5, 10, "right"), (5, 10, "left"), (7, 7, "left"), (1, 2, "tie")])
    assert (found.value, found.n) == (pytest.approx(2 / 3), 3)
    assert "different length" in length_bias([(7, 7, "left")]).reason


def test_a_win_rate_that_length_explains_comes_back_to_a_half():
    scores, differences = made(2000, quality=0, length_effect=1.5)
    controlled = length_controlled_win_rate(scores, differences)
    assert sum(scores) / len(scores) > 0.65
    assert controlled.low < 0.5 < controlled.high
    assert controlled.high - controlled.low < 0.15


def test_the_regression_is_that_of_scikit_learn():
    scores, differences = made(300, quality=0.4, length_effect=0.8)
    spread = math.sqrt(sum((d - sum(differences) / 300) ** 2 for d in differences) / 300)
    oracle = LogisticRegression(C=1e12, tol=1e-10).fit([[math.tanh(d / spread)] for d in differences], scores)
    found = length_controlled_win_rate(scores, differences)
    assert found.value == pytest.approx(1 / (1 + math.exp(-oracle.intercept_[0])), abs=1e-4)


def test_judgements_of_one_item_are_not_many_observations():
    scores, differences = made(100, quality=0.3, length_effect=0.5)
    alone = length_controlled_win_rate(scores * 3, differences * 3)
    grouped = length_controlled_win_rate(scores * 3, differences * 3, groups=list(range(100)) * 3)
    single = length_controlled_win_rate(scores, differences)
    assert grouped.high - grouped.low == pytest.approx(single.high - single.low)
    assert alone.high - alone.low < grouped.high - grouped.low


@given(rows, st.integers(1, 9))
def test_the_other_sides_view_mirrors_and_the_unit_of_length_does_not_matter(given_, unit):
    scores, differences = [score for score, _ in given_], [difference for _, difference in given_]
    one = length_controlled_win_rate(scores, differences)
    other = length_controlled_win_rate([1 - score for score in scores], [-unit * difference for difference in differences])
    assert one.estimable == other.estimable
    if one.estimable:
        assert one.value == pytest.approx(1 - other.value, abs=1e-6)
        assert 0 <= one.low <= one.value <= one.high <= 1


def test_wins_and_losses_that_barely_overlap_give_a_wide_interval():
    found = length_controlled_win_rate([0, 0, 0, 0, 1], [0, 11, 31, 33, 32])
    assert (round(found.low, 2), round(found.high, 2)) == (0, 1)


@pytest.mark.parametrize(
    ("scores", "differences", "words"),
    [
        ([], [], "no comparisons"),
        ([1, 0, 1], [5, 5, 5], "the same in all"),
        ([1, 0, 1], [0, 0, 0], "the same in all"),
        ([1, 1, 1], [1, 2, 3], "every comparison was won"),
        ([0, 0], [1, 2], "every comparison was won"),
        ([0, 0, 1, 1], [1, 2, 3, 4], "length alone"),
        ([0.5, 0.5, 0.5, 0.5], [1, -2, 3, 4], "too few comparisons"),
    ],
)
def test_what_length_cannot_be_taken_out_of_says_why(scores, differences, words):
    result = length_controlled_win_rate(scores, differences)
    assert not result.estimable
    assert words in result.reason


def test_scores_without_a_length_are_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="length difference"):
        length_controlled_win_rate([1], [])
    with pytest.raises(ValueError, match="between 0 and 1"):
        length_controlled_win_rate([2, 1], [1, 2])
