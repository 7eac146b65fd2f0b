import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.statistics.ranking import win_rates
from backend.statistics.scores import average_win_rates, elo

comparisons = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd"), st.sampled_from(["left", "right", "tie"])), max_size=20
)


@pytest.fixture(params=["food", "simple"])
def golden(request, shared_file):
    """(comparisons, algorithm → item → score) of one of evalica's golden files."""
    with shared_file(f"evalica/{request.param}.csv").open(encoding="utf-8", newline="") as file:
        given_ = [(row["left"], row["right"], row["winner"]) for row in csv.DictReader(file)]
    scores: dict[str, dict[str, float]] = {}
    with shared_file(f"evalica/{request.param}-golden.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            scores.setdefault(row["algorithm"], {})[row["item"]] = float(row["score"])
    return given_, scores


def test_evalicas_golden_scores_are_reproduced(golden):
    given_, scores = golden
    assert average_win_rates(given_) == pytest.approx(scores["average_win_rate"])
    assert elo(given_) == pytest.approx(scores["elo"])
    # What evalica calls counting are the wins, with ties as halves.
    assert {item: rate.value * rate.n for item, rate in win_rates(given_).items()} == pytest.approx(scores["counting"])


@given(comparisons)
def test_points_go_from_one_to_the_other(given_):
    ratings, rates = elo(given_), average_win_rates(given_)
    assert sum(ratings.values()) == pytest.approx(1000 * len(ratings))
    assert ratings.keys() == rates.keys()
    assert all(0 <= rate <= 1 for rate in rates.values())
    swapped = [(right, left, {"left": "right", "right": "left"}.get(outcome, outcome)) for left, right, outcome in given_]
    assert average_win_rates(swapped) == pytest.approx(rates)
    assert elo(swapped) == pytest.approx(ratings)
