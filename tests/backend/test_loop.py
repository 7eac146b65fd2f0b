"""The whole loop from the command line, with stated judges, on each kind of database."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backend import runtime
from backend.__main__ import main
from backend.access.audit import verify
from backend.conversations import Message
from backend.evaluation import held_out
from backend.loop import preference
from backend.review.annotating import WorkItem
from backend.vocabulary import Verdict
from trainer import contract


@pytest.mark.slow
def test_tuned_beats_base_on_questions_that_nobody_saw_and_is_promoted_and_served(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TOUCHSTONE_DATA", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", database_url)
    house = runtime.current()
    try:
        code = main(["loop", "--project", "shop", "--set", "epochs=6"])
        said, told = capsys.readouterr()
        assert code == 0, told
        result = json.loads(said)
        base, tuned = result["held_out"]["base"], result["held_out"]["tuned"]
        assert tuned["exact_match"] > base["exact_match"] + 0.1
        assert tuned["rouge_l"] > base["rouge_l"]
        assert result["promotion"]["decision"] == "promoted"
        assert result["served"]["right"], result["served"]
        assert [json.loads(line)["stage"] for line in told.splitlines() if line.startswith('{"stage"')] == [
            "import", "review", "faqs", "snapshot", "train", "evaluate", "judge", "promotion", "held_out", "served",
        ]  # fmt: skip
        with house.database.reading() as session:
            assert verify(session).broken_at is None
    finally:
        house.database.dispose()
        runtime.forget(house)


def seen(left: str, right: str, reference: str) -> WorkItem:
    return WorkItem(slot_id=1, fence=1, messages=(Message("user", "?"),), texts=(left, right), reference=reference)


@pytest.mark.parametrize(
    ("left", "right", "verdict"),
    [
        ("Yes, tomorrow.", "Yes, we ship tomorrow.", Verdict.RIGHT),
        ("yes, we  ship tomorrow.", "Yes, we ship", Verdict.LEFT),
        ("No.", "Never.", Verdict.TIE),
        ("Yes, we ship tomorrow.", "Yes, we ship tomorrow.", Verdict.TIE),
    ],
)
def test_the_raters_take_what_is_closer_to_the_reference(left: str, right: str, verdict: Verdict) -> None:
    assert preference(seen(left, right, "Yes, we ship tomorrow.")) is verdict


def test_held_out_answers_are_scored_apart_for_changed_facts(tmp_path: Path) -> None:
    questions = [{"id": str(n), "prompt": "Q", "answer": "A", "changed": n < 2} for n in range(4)]
    config = contract.EvaluateConfig(data=str(tmp_path / "h"), models=(contract.ModelSpec(label="tuned"),))
    held_out.write(tmp_path / "h", questions, config)
    assert contract.EvaluateConfig.from_json(contract.read_json(tmp_path / "h" / contract.CONFIG)) == config
    said = "one\u2028two\u0085three\x0b"  # what Python takes for ends of lines, and JSON does not
    rows = [
        {"label": label, "id": str(n), "text": said, "exact_match": n == 0, "rouge_l": 0.5}
        for label in ("tuned", "base")
        for n in range(4)
    ]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (tmp_path / "h" / contract.RESPONSES).write_text(lines, encoding="utf-8")
    found = held_out.scores(tmp_path / "h", questions, "tuned")
    assert (found["n"], found["exact_match"], found["exact_match_changed_facts"]) == (4, 0.25, 0.5)
