import csv
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.statistics.ranking import Ties, bradley_terry, bradley_terry_bootstrap, win_rate, win_rates

STIGLER = {
    "Biometrika": {"Comm": 730, "JASA": 498, "JRSS-B": 221},
    "Comm": {"Biometrika": 33, "JASA": 68, "JRSS-B": 17},
    "JASA": {"Biometrika": 320, "Comm": 813, "JRSS-B": 142},
    "JRSS-B": {"Biometrika": 284, "Comm": 276, "JASA": 325},
}
"""How often each journal was cited by the others (Stigler 1994)."""


def logs(ranking):
    return {strength.item: strength.log_strength.value for strength in ranking.strengths}


def results(wins, losses, ties):
    return [("a", "b", "left")] * wins + [("a", "b", "right")] * losses + [("b", "a", "tie")] * ties


def test_stiglers_citations_are_reproduced():
    found = logs(bradley_terry((a, b, "left") for a, row in STIGLER.items() for b, n in row.items() for _ in range(n)))
    against = [round(found[name] - found["Comm"], 4) for name in ("Biometrika", "JASA", "JRSS-B")]
    assert against == [2.9491, 2.4695, 3.2180]


def test_ties_as_halves_and_davidsons_model_differ_as_known():
    halves, davidson = (logs(bradley_terry(results(40, 10, 20), ties=ties)) for ties in Ties)
    assert halves["a"] - halves["b"] == pytest.approx(0.9163, abs=1e-4)
    assert davidson["a"] - davidson["b"] == pytest.approx(1.3863, abs=1e-4)


@pytest.mark.parametrize("name", ["food", "simple"])
def test_golden_scores_are_reproduced(shared_file, name):
    with shared_file(f"evalica/{name}.csv").open(encoding="utf-8", newline="") as file:
        comparisons = [(row["left"], row["right"], row["winner"]) for row in csv.DictReader(file)]
    golden: dict[str, dict[str, float]] = {"bradley_terry": {}, "newman": {}}
    with shared_file(f"evalica/{name}-golden.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            golden.setdefault(row["algorithm"], {})[row["item"]] = float(row["score"])
    halves, davidson = (bradley_terry(comparisons, ties=ties) for ties in Ties)
    assert {strength.item: strength.share for strength in halves.strengths} == pytest.approx(golden["bradley_terry"], abs=1e-9)
    # Newman's algorithm fits Davidson's model, on another scale.
    newman = {item: score / sum(golden["newman"].values()) for item, score in golden["newman"].items()}
    assert {strength.item: strength.share for strength in davidson.strengths} == pytest.approx(newman, abs=1e-4)


@given(
    st.lists(
        st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd"), st.sampled_from(["left", "right", "tie"])), max_size=30
    )
)
def test_swapping_the_sides_changes_nothing_and_shares_sum_to_one(comparisons):
    mirror = {"left": "right", "right": "left", "tie": "tie"}
    swapped = [(right, left, mirror[outcome]) for left, right, outcome in reversed(comparisons)]
    for ties in Ties:
        one, two = bradley_terry(comparisons, ties=ties), bradley_terry(swapped, ties=ties)
        assert one.estimable == two.estimable
        if one.estimable:
            assert logs(one) == pytest.approx(logs(two), abs=1e-6)
            assert sum(strength.share for strength in one.strengths) == pytest.approx(1)
            assert all(s.log_strength.low <= s.log_strength.value <= s.log_strength.high for s in one.strengths)


@pytest.mark.parametrize(
    ("comparisons", "words"),
    [
        ([], "no comparisons"),
        ([("a", "a", "tie")], "no comparisons"),
        (results(5, 0, 0), "always win"),
        ([("a", "b", "tie"), ("c", "d", "tie")], "never compared"),
        ([("a", "b", "left"), ("b", "a", "left"), ("a", "c", "left"), ("b", "c", "left")], "always win"),
    ],
)
def test_separated_sets_are_not_estimable(comparisons, words):
    result = bradley_terry(comparisons)
    assert not result.estimable
    assert words in result.reason


@pytest.mark.parametrize(
    ("comparisons", "estimable"),
    [
        (results(3, 2, 0), False),
        (results(3, 0, 2), False),
        (results(3, 1, 2), True),
        ([("a", "b", "left"), ("b", "c", "left"), ("c", "a", "tie")], True),
        ([("a", "b", "left"), ("b", "c", "tie"), ("c", "a", "tie")], False),
        ([*results(1, 1, 0), ("b", "c", "tie")], True),
    ],
)
def test_davidson_needs_ties_and_wins_that_contradict_each_other(comparisons, estimable):
    ranking = bradley_terry(comparisons, ties=Ties.DAVIDSON)
    assert ranking.estimable == estimable
    if estimable:
        assert 0 < ranking.tie_weight < 100


def test_intervals_shrink_with_more_comparisons_and_cover_the_truth():
    generator = random.Random(1)

    def width_and_hit(n):
        outcomes = ["left" if generator.random() < 0.7 else "right" for _ in range(n)]
        estimate = bradley_terry(("a", "b", outcome) for outcome in outcomes).strengths[0].log_strength
        return estimate.high - estimate.low, estimate.low <= math.log(0.7 / 0.3) / 2 <= estimate.high

    assert width_and_hit(400)[0] < width_and_hit(100)[0]
    assert sum(width_and_hit(100)[1] for _ in range(100)) >= 88


def test_a_win_rate_counts_ties_as_halves_and_says_so():
    estimate = win_rate(40, 10, 20)
    assert estimate.value == pytest.approx(50 / 70)
    assert "ties as half" in estimate.method
    assert not win_rate(0, 0).estimable


def test_each_items_win_rate_counts_both_sides():
    found = win_rates([("a", "b", "left"), ("b", "a", "tie"), ("c", "a", "left"), ("a", "a", "left")])
    assert {item: (estimate.value, estimate.n) for item, estimate in found.items()} == {
        "a": (0.5, 3),
        "b": (0.25, 2),
        "c": (1, 1),
    }


def test_a_ridge_holds_separated_strengths_together_and_draws_others_to_the_mean():
    always = bradley_terry(results(5, 0, 0), ridge=0.1)
    assert always.estimable
    assert 0 < logs(always)["a"] < 5
    assert "ridge 0.1" in always.method
    free, held = logs(bradley_terry(results(40, 10, 20))), logs(bradley_terry(results(40, 10, 20), ridge=5))
    assert 0 < held["a"] < free["a"]
    assert logs(bradley_terry(results(40, 10, 20), ridge=1e-9))["a"] == pytest.approx(free["a"])
    assert not bradley_terry(results(5, 2, 0), ties=Ties.DAVIDSON, ridge=1).estimable
    assert bradley_terry(results(5, 0, 2), ties=Ties.DAVIDSON, ridge=1).estimable
    with pytest.raises(ValueError, match="0 or more"):
        bradley_terry([], ridge=-1)


@pytest.mark.parametrize("ties", Ties)
def test_symmetric_outcomes_give_equal_scores_with_intervals_between_0_and_1(ties):
    pairs = [("a", "b"), ("b", "c"), ("c", "a")]
    ranking = bradley_terry([(*pair, outcome) for pair in pairs for outcome in ("left", "right", "tie")], ties=ties)
    for strength in ranking.strengths:
        assert strength.share == pytest.approx(1 / 3)
        assert 0 < strength.share_estimate.low < 1 / 3 < strength.share_estimate.high < 1


def votes(raters, questions, *, seed=2, noise=0.0):
    """Each rater has a taste of their own, strong or weak by `noise`."""
    generator = random.Random(seed)
    found = []
    for rater in range(raters):
        taste = generator.gauss(0, noise)
        for question in range(questions):
            chance = 1 / (1 + math.exp(-(0.5 + taste)))
            found.append(("a", "b", "left" if generator.random() < chance else "right", question, rater))
    return found


def test_the_bootstrap_sees_that_votes_of_one_rater_are_alike():
    given_ = votes(8, 60, noise=1.0)
    plain = bradley_terry(vote[:3] for vote in given_).strengths[0]
    redrawn = bradley_terry_bootstrap(given_, seed=4)
    first = redrawn.strengths[0]
    assert "by item and rater" in redrawn.method
    assert first.share == plain.share
    assert first.log_strength.high - first.log_strength.low > 2 * (plain.log_strength.high - plain.log_strength.low)
    assert first.share_estimate.low < first.share < first.share_estimate.high
    assert bradley_terry_bootstrap(given_, seed=4) == redrawn


def test_the_bootstrap_says_what_it_redrew_and_where_it_cannot():
    assert "bootstrap by item" in bradley_terry_bootstrap(votes(1, 50)).method
    assert "rater" not in bradley_terry_bootstrap(votes(1, 50)).method
    one_question = bradley_terry_bootstrap([(a, b, o, 1, 1) for a, b, o in results(5, 4, 3)])
    assert "one rater on one item" in one_question.reason
    few = bradley_terry_bootstrap([(a, b, o, i, 1) for i, (a, b, o) in enumerate(results(5, 1, 0))])
    assert "redraws" in few.reason
    assert bradley_terry_bootstrap([(a, b, o, i, 1) for i, (a, b, o) in enumerate(results(5, 1, 0))], ridge=0.5).estimable
    assert "no comparisons" in bradley_terry_bootstrap([]).reason
    assert bradley_terry_bootstrap(votes(6, 50), ties=Ties.DAVIDSON).reason.startswith("there are no ties")
