from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.errors import InvalidInput
from backend.evaluation.gates import Evidence, Gate, GateCheck, GateResult, Judgement, Measured, Outcome, RowScore, evaluate

ONLY_WINS = Gate(
    minimum_comparisons=10, minimum_raters=1, win_rate_at_least=0.7, minimum_rows=1, metric_worse={}, guard_worse={}
)
TESTED = (RowScore(baseline=0, candidate=1),)


def judged(scores: list[float], *, rater: int = 1, slices: dict[str, str] | None = None) -> tuple[Judgement, ...]:
    return tuple(
        Judgement(question_id=number, rater_id=rater, score=score, slices=slices or {}) for number, score in enumerate(scores)
    )


def the(result: GateResult, name: str) -> GateCheck:
    return next(check for check in result.checks if check.name == name)


def test_ten_wins_of_ten_are_no_certainty() -> None:
    check = the(evaluate(ONLY_WINS, Evidence(judgements=judged([1.0] * 10))), "win_rate")
    assert check.value == 1
    assert check.low == pytest.approx(0.7225, abs=5e-5)
    assert check.outcome is Outcome.PASSED
    stricter = dataclasses.replace(ONLY_WINS, win_rate_at_least=0.75)
    assert the(evaluate(stricter, Evidence(judgements=judged([1.0] * 10))), "win_rate").outcome is Outcome.NOT_ENOUGH


def test_losing_clearly_fails_and_an_open_question_asks_for_more() -> None:
    gate = dataclasses.replace(ONLY_WINS, win_rate_at_least=0.5)
    lost = evaluate(gate, Evidence(judgements=judged([0.0] * 10), rows=TESTED))
    assert lost.verdict is Outcome.FAILED
    open_question = evaluate(gate, Evidence(judgements=judged([1.0] * 6 + [0.0] * 4), rows=TESTED))
    assert open_question.verdict is Outcome.NOT_ENOUGH
    assert [check.name for check in open_question.open_checks] == ["win_rate"]


def test_without_evidence_nothing_passes_and_nothing_fails() -> None:
    result = evaluate(Gate(), Evidence())
    assert not result.passed
    assert result.verdict is Outcome.NOT_ENOUGH
    assert {check.outcome for check in result.checks} == {Outcome.NOT_ENOUGH, Outcome.NOTHING}


def test_two_raters_on_one_question_are_one_trial() -> None:
    twice = judged([1.0] * 10, rater=1) + judged([1.0] * 10, rater=2)
    result = evaluate(ONLY_WINS, Evidence(judgements=twice))
    assert the(result, "comparisons").n == 20
    assert the(result, "raters").n == 2
    assert the(result, "win_rate").n == 10
    assert the(result, "win_rate").low == pytest.approx(0.7225, abs=5e-5)


def test_ties_are_half_a_win() -> None:
    assert the(evaluate(ONLY_WINS, Evidence(judgements=judged([0.5] * 8 + [1.0, 0.0]))), "win_rate").value == 0.5


@pytest.mark.parametrize(
    ("name", "baseline", "candidate", "outcome"),
    [
        ("exact_match", 0.50, 0.49, Outcome.PASSED),
        ("exact_match", 0.50, 0.48, Outcome.PASSED),
        ("exact_match", 0.50, 0.47, Outcome.FAILED),
        ("rouge_l", 0.60, 0.61, Outcome.PASSED),
        ("bleu", 40.0, 38.5, Outcome.PASSED),
        ("bleu", 40.0, 37.0, Outcome.FAILED),
        ("loss", 1.0, 1.05, Outcome.PASSED),
        ("loss", 1.0, 1.2, Outcome.FAILED),
        ("loss", 1.0, 0.2, Outcome.PASSED),
    ],
)
def test_a_measure_may_fall_behind_by_its_tolerance(name: str, baseline: float, candidate: float, outcome: Outcome) -> None:
    evidence = Evidence(measured=(Measured(name=name, n=100, baseline=baseline, candidate=candidate),))
    check = the(evaluate(Gate(), evidence), f"metric_{name}")
    assert check.outcome is outcome
    assert check.n == 100


def test_a_measure_over_few_questions_is_not_enough_evidence() -> None:
    evidence = Evidence(measured=(Measured(name="exact_match", n=9, baseline=1.0, candidate=0.0),))
    assert the(evaluate(Gate(minimum_rows=10), evidence), "metric_exact_match").outcome is Outcome.NOT_ENOUGH


def test_a_measure_that_the_gate_leaves_out_is_not_checked() -> None:
    result = evaluate(Gate(metric_worse={"loss": 0.1}), Evidence())
    assert [check.name for check in result.checks if check.name.startswith("metric_")] == ["metric_loss"]


def test_exact_match_comes_with_the_interval_of_its_difference() -> None:
    evidence = Evidence(measured=(Measured(name="exact_match", n=100, baseline=0.2, candidate=0.9),))
    check = the(evaluate(Gate(), evidence), "metric_exact_match")
    assert check.low is not None
    assert check.high is not None
    assert check.low < 0.7 < check.high


def test_a_slice_that_falls_behind_fails_by_name_and_small_ones_are_left_alone() -> None:
    spanish = tuple(RowScore(baseline=1, candidate=0, slices={"language": "es"}) for _ in range(10))
    english = tuple(RowScore(baseline=0, candidate=1, slices={"language": "en"}) for _ in range(10))
    trade = tuple(RowScore(baseline=1, candidate=0, slices={"segment": "trade"}) for _ in range(9))
    check = the(evaluate(Gate(slice_minimum=10), Evidence(rows=spanish + english + trade)), "slices_exact_match")
    assert check.outcome is Outcome.FAILED
    assert "language: es" in check.sentence
    assert "trade" not in check.sentence
    assert the(evaluate(Gate(slice_minimum=11), Evidence(rows=spanish)), "slices_exact_match").outcome is Outcome.NOTHING


def test_a_slice_that_loses_the_comparison_fails() -> None:
    evidence = Evidence(judgements=judged([0.0] * 10, slices={"language": "es"}))
    assert the(evaluate(Gate(), evidence), "slices_win_rate").outcome is Outcome.FAILED
    tied = Evidence(judgements=judged([0.5] * 10, slices={"language": "es"}))
    assert the(evaluate(Gate(), tied), "slices_win_rate").outcome is Outcome.PASSED


def test_what_was_learned_from_is_no_test() -> None:
    seen = Evidence(rows=TESTED, seen_in_training=1)
    assert the(evaluate(Gate(), seen), "unseen").outcome is Outcome.FAILED
    assert the(evaluate(Gate(), Evidence(rows=TESTED)), "unseen").outcome is Outcome.PASSED


@pytest.mark.parametrize(
    "value",
    [
        {"minimum_comparisons": -1},
        {"minimum_comparisons": 2.5},
        {"minimum_raters": True},
        {"win_rate_at_least": 1.2},
        {"win_rate_at_least": float("nan")},
        {"slice_worse": "a lot"},
        {"metric_worse": {"charm": 0.1}},
        {"metric_worse": {"loss": -0.1}},
        {"metric_worse": [1]},
        {"colour": "red"},
    ],
)
def test_a_gate_that_makes_no_sense_is_refused(value: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        Gate.from_json(value)


@given(
    comparisons=st.integers(0, 10_000),
    bound=st.floats(0, 1),
    metrics=st.dictionaries(st.sampled_from(["loss", "bleu"]), st.floats(0, 5)),
)
def test_a_gate_comes_back_from_json_as_it_was(comparisons: int, bound: float, metrics: dict[str, float]) -> None:
    gate = Gate(minimum_comparisons=comparisons, win_rate_at_least=bound, metric_worse=metrics)
    assert Gate.from_json(gate.to_json()) == gate


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), max_size=40))
def test_one_more_win_never_hurts(scores: list[float]) -> None:
    before = the(evaluate(ONLY_WINS, Evidence(judgements=judged(scores))), "win_rate")
    after = the(evaluate(ONLY_WINS, Evidence(judgements=judged([*scores, 1.0]))), "win_rate")
    assert (after.low or 0) >= (before.low or 0)


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=60))
def test_the_gate_is_passed_exactly_when_no_check_is_open(scores: list[float]) -> None:
    result = evaluate(ONLY_WINS, Evidence(judgements=judged(scores), rows=TESTED))
    assert result.passed == (result.verdict is Outcome.PASSED) == (not result.open_checks)
    assert all(check.sentence and check.measured and check.needed for check in result.checks)
