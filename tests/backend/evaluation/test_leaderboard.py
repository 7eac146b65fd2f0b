from __future__ import annotations

import json
from dataclasses import replace

import pytest

from backend.evaluation import leaderboard, result_tables
from backend.evaluation.judgements import BOTH_BAD, LEFT, RIGHT, pairs_of_ranking, taken_apart
from backend.evaluation.leaderboard import comparison_figures
from tests.backend.evaluation.judged import a_vote, judged, some_responses


def test_the_win_rate_is_the_published_wilson_interval() -> None:
    found = comparison_figures(judged([a_vote(n, 1, 0.0 if n < 81 else 1.0) for n in range(263)]))
    (head,) = found["heads"]
    assert (round(head["win_rate"]["low"], 4), round(head["win_rate"]["high"], 4)) == (0.2553, 0.3662)
    assert (head["version"], head["wins"], head["losses"], head["questions"]) == ("tuned", 81, 182, 263)


def test_two_raters_on_one_question_are_one_observation_and_ties_are_half() -> None:
    votes = [
        a_vote(1, 1, 0.0), a_vote(1, 2, 0.0),
        a_vote(2, 1, 0.0), a_vote(2, 2, 0.5),
        a_vote(3, 1, 1.0), a_vote(3, 2, 0.5, how=BOTH_BAD),
    ]  # fmt: skip
    (head,) = comparison_figures(judged(votes))["heads"]
    assert [head[name] for name in ("wins", "losses", "ties", "both_bad", "questions")] == [3, 1, 1, 1, 3]
    assert head["win_rate"]["value"] == pytest.approx((1 + 0.75 + 0.25) / 3)


def test_davidson_is_used_where_there_are_ties_and_reproduces_its_closed_form() -> None:
    """Of two items with 40 wins, 10 ties and 20 losses the log strengths are ln 2 apart over two, whichever side."""
    scores = [0.0] * 40 + [0.5] * 10 + [1.0] * 20
    found = comparison_figures(judged([a_vote(n, n % 5, score) for n, score in enumerate(scores)]))["leaderboard"]
    assert found["method"].startswith("Davidson, bootstrap by item and rater")
    best, worst = found["rows"]
    assert (best["version"], worst["version"]) == ("tuned", "base")
    assert best["strength"] - worst["strength"] == pytest.approx(0.6931, abs=1e-3)
    assert best["low"] < best["strength"] < best["high"]


def test_versions_that_never_met_have_no_common_order_and_one_that_always_wins_no_strength() -> None:
    apart = [a_vote(n, 1, n % 2, pair=(0, 1)) for n in range(4)]
    always = comparison_figures(judged([a_vote(n, 1, 0.0) for n in range(9)]))
    assert "always win" in result_tables.board_text(always)[0]
    assert not result_tables.board_text(always)[1]
    assert result_tables.leaderboard_table(always)["version"].tolist() == ["tuned", "base"]
    made = judged(apart)
    made.versions.append("fourth")
    lonely = a_vote(9, 1, 1.0, pair=(2, 3))
    votes = judged([*apart, lonely]).comparisons
    assert leaderboard.isles(votes, made.versions) == [["base", "tuned"], ["third", "fourth"]]


def test_a_ranking_is_every_ordered_pair_and_those_on_one_place_tie() -> None:
    assert sorted(pairs_of_ranking([[7], [8, 9]])) == [(7, 8, 1.0), (7, 9, 1.0), (8, 9, 0.5)]


def test_pairs_of_a_ranking_are_the_same_pair_whichever_came_first() -> None:
    responses = some_responses([{}, {}])
    rankings = [(1, 1, 1, 7, [[2], [1]], [1, 2], 0), (2, 1, 2, 7, [[4], [5]], [5, 4], 0)]
    frame = taken_apart(rankings, responses)
    assert frame[["first", "second", "score", "left_first"]].to_numpy().tolist() == [[0, 1, 0.0, 1], [0, 1, 1.0, 0]]
    found = comparison_figures(replace(judged([], slices=[{}, {}]), comparisons=frame, raw_comparisons=frame))
    (head,) = found["heads"]
    assert (head["wins"], head["losses"], found["rankings"]) == (1, 1, 2)
    assert result_tables.matrix_table(found).loc["tuned", "base"] == 0.5
    assert found["order"]["value"] == 0.0


def test_position_and_length_bias_are_seen() -> None:
    votes = [a_vote(n, 1, float(n % 2), how=LEFT, left_first=n % 2) for n in range(20)]
    lengths = {(n, v): 50 if v == (1 if n % 2 == 0 else 0) else 10 for n in range(20) for v in (0, 1)}
    found = comparison_figures(judged(votes, lengths=lengths))
    assert result_tables.side_text(found["position"])[1]
    assert found["position"]["value"] == 1.0
    assert found["length"]["value"] == 1.0
    assert "Longer answers win" in result_tables.length_text(found["length"])[0]
    balanced = [a_vote(n, 1, 0.0, how=LEFT if n % 2 else RIGHT) for n in range(20)]
    assert not result_tables.side_text(comparison_figures(judged(balanced))["position"])[1]


def test_without_any_vote_nothing_is_estimated_and_all_of_it_can_be_kept() -> None:
    found = comparison_figures(judged([]))
    assert found["leaderboard"]["reason"] == "there are no comparisons"
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert result_tables.heads_table(found["heads"]).empty


def test_pairs_of_equal_answers_count_as_ties_in_the_sentence_beside_the_win_rate() -> None:
    (head,) = comparison_figures(judged([a_vote(n, 1, 0.0) for n in range(10)]))["heads"]
    assert "win rate 75%" in result_tables.identical_text(head, 10)
    assert result_tables.identical_text(head, 0) == ""
