from __future__ import annotations

import json

import pytest

from backend.evaluation import result_tables
from backend.evaluation.judgements import LEFT, RIGHT
from backend.evaluation.ratings import rating_figures, weekly_agreement
from backend.rubrics import Question
from backend.vocabulary import QuestionType
from tests.backend.evaluation.judged import a_vote, judged

TONE = Question("tone", "Tone?", ("bad", "poor", "fair", "good", "best"))
SAFE = Question("safe", "Safe?", type=QuestionType.YES_NO)
FAULT = Question("fault", "What is wrong?", ("rude", "wrong"), type=QuestionType.MULTIPLE)
PLACE = Question("place", "Where?", ("rude", "wrong"), type=QuestionType.SPANS, required=False)


def test_means_average_the_raters_of_an_item_first() -> None:
    made = judged(ratings=[(0, 1, 1, {"tone": 5}), (0, 1, 2, {"tone": 3}), (1, 1, 1, {"tone": 2}), (2, 0, 1, {"tone": 1})])
    base, tuned = rating_figures(made, [TONE])["means"]
    assert (tuned["value"], tuned["n"], tuned["ratings"]) == (3.0, 2, 3)
    frame = result_tables.means_table([base, tuned])
    assert frame["note"].tolist() == ["one observation says nothing about the spread", ""]
    assert frame.loc[0, ["low", "high"]].isna().all()


def test_yes_no_choices_and_marked_passages_are_shares_and_counts() -> None:
    marked = [{"response": 0, "start": 0, "end": 3, "reason": "rude"}] * 2
    made = judged(
        ratings=[(0, 1, 1, {"safe": True, "fault": ["rude"], "place": marked}), (1, 1, 1, {"safe": False, "fault": []})]
    )
    found = rating_figures(made, [SAFE, FAULT, PLACE])
    assert found["means"][0]["value"] == 0.5
    assert {one["option"]: one["value"] for one in found["choices"]} == {"rude": 0.5, "wrong": 0.0}
    assert {one["reason given"]: (one["passages"], one["value"]) for one in found["passages"]} == {
        "rude": (2, 0.5),
        "wrong": (0, 0.0),
    }
    json.dumps(found, allow_nan=False)


def test_another_question_of_the_same_key_is_left_out_instead_of_failing() -> None:
    made = judged(ratings=[(0, 1, 1, {"fault": 3, "place": "here", "tone": "nice"})])
    found = rating_figures(made, [TONE, FAULT, PLACE])
    assert found["means"] == []
    assert all(one["passages"] == 0 for one in found["passages"])


def test_agreement_is_about_the_version_not_the_side_and_counts_pairs() -> None:
    votes = [a_vote(n, rater, float(n % 2), how=side) for n in range(10) for rater, side in ((1, LEFT), (2, RIGHT))]
    preferred = rating_figures(judged(votes), [])["agreement"][0]
    assert (preferred["raw"]["value"], preferred["alpha"]["value"]) == (1.0, 1.0)
    made = judged(ratings=[(0, 1, 1, {"tone": 5}), (0, 1, 2, {"tone": 5}), (1, 1, 1, {"tone": 4}), (1, 1, 2, {"tone": 3}),
                           (2, 1, 1, {"tone": 2})])  # fmt: skip
    (tone,) = rating_figures(made, [TONE])["agreement"]
    assert (tone["raw"]["value"], tone["raw"]["n"]) == (0.5, 2)


def test_agreement_by_week_counts_every_pair_of_raters_once() -> None:
    week = 7 * 24
    votes = [{**a_vote(0, rater, score), "hour": hour} for rater, score, hour in ((1, 1.0, 0), (2, 1.0, 5), (3, 0.0, week * 3))]
    frame = weekly_agreement(judged([*votes, a_vote(1, 1, 1.0)]))
    assert frame["pairs"].tolist() == [3]
    assert frame["agreed"].tolist() == [pytest.approx(1 / 3)]
    assert frame["week"].tolist() == [-3]  # the Monday before 1 January 1970
