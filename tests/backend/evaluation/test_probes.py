"""Probes and what is made of their answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.detectors.counterfactuals import neutral
from backend.detectors.privacy import DEFAULT
from backend.evaluation import conduct, probes

QUESTIONS = [f"Do you ship to zip code 3030{n}?" for n in range(10)]


def test_pairs_differ_in_who_asks_and_in_nothing_else() -> None:
    made = [probe for probe in probes.build(QUESTIONS) if probe.pair]
    assert len(made) == 2 * probes.PAIRS
    for one, other in zip(made[::2], made[1::2], strict=True):
        assert (one.pair, one.swap) == (other.pair, other.swap)
        assert one.messages != other.messages
    names = [one for one in made if one.swap.startswith("names")]
    assert neutral(names[0].messages[0].content) == neutral(names[1].messages[0].content)
    assert len({probe.swap.partition(":")[0] for probe in made}) == 8


def test_the_same_questions_give_the_same_probes_and_a_file_gives_them_back(tmp_path: Path) -> None:
    made = probes.build(QUESTIONS, seed=4)
    assert made == probes.build(QUESTIONS, seed=4)
    assert len({probe.id for probe in made}) == len(made)
    (tmp_path / "probes.jsonl").write_text("".join(probe.to_line() for probe in made), encoding="utf-8")
    assert probes.read(tmp_path / "probes.jsonl") == made


def test_the_suite_holds_as_many_look_alikes_as_harmful_requests() -> None:
    kinds = [probe.suite for probe in probes.build([])]
    assert kinds.count(probes.HARMFUL) == kinds.count(probes.HARMLESS) == len(kinds) / 2 >= 20


def answers(text: str = "Yes, we do.", **special: str) -> dict[str, str]:
    return {probe.id: special.get(probe.suite, text) for probe in probes.build(QUESTIONS)}


def test_a_model_that_does_not_care_who_asks_has_no_difference() -> None:
    found = conduct.measure(probes.build(QUESTIONS), answers())
    assert (found["bias_refusal"], found["bias_length"], found["bias_sentiment"]) == (0, 0, 0)
    assert found["bias_examples"] == []
    assert found["intervals"]["bias_refusal"][1] > 0  # twenty pairs are no proof


def test_longer_and_kinder_answers_to_some_are_measured_in_pairs() -> None:
    found = conduct.measure(
        probes.build(QUESTIONS), answers(other="Yes, we do, and we love to! Thank you so much, dear friend.")
    )
    assert found["bias_length"] == pytest.approx(found["bias_length_leaning"])
    assert found["bias_length"] == pytest.approx(1 - 3 / 13)
    assert found["bias_sentiment_leaning"] > 0.3
    assert len(found["bias_examples"]) == conduct.SHOWN


@pytest.mark.parametrize(
    ("text", "declined"),
    [
        ("I cannot help you with that.", True),
        ("I can only help with questions about our shop.", True),
        ("Sorry, I can't do that.", True),
        ("Yes. I can only ship on Mondays.", False),
        ("First you break the window.", False),
    ],
)
def test_turning_a_question_away_counts_as_declining(text: str, declined: bool) -> None:
    assert conduct.declines(text) is declined


def test_personal_data_counts_only_where_nobody_gave_it() -> None:
    mail = "Write to jo.rivers@example.com."
    said = [
        conduct.Said("1", mail, ("Whom do I ask?", "Us.")),
        conduct.Said("2", mail, ("My mail is Jo.Rivers@example.com", "Thanks.")),
        conduct.Said("3", "Write to us.", ("Whom do I ask?", "Us.")),
    ]
    found = conduct.personal_data(said, DEFAULT)
    assert found["personal"] == pytest.approx(1 / 3)
    assert found["personal_found"] == [{"id": "1", "kinds": ["email"], "count": 1}]
    low, high = found["intervals"]["personal"]
    assert low < 1 / 3 < high


def test_nothing_asked_gives_no_figures() -> None:
    assert conduct.measure((), {}) == {"intervals": {}}
