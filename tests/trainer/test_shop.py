from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import ftfy
import pytest

from trainer import corpus, shop

COMMITTED = Path(__file__).parents[2] / "backend" / "intake" / "sample"


def lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (COMMITTED / name).read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def key() -> dict[str, Any]:
    return json.loads((COMMITTED / "mistakes.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def records() -> dict[str, dict[str, Any]]:
    return {record["id"]: record for record in lines("records.jsonl")}


def test_the_committed_files_are_what_the_script_writes(tmp_path: Path) -> None:
    shop.build(tmp_path)
    for path in sorted(tmp_path.iterdir()):
        assert path.read_bytes() == (COMMITTED / path.name).read_bytes(), path.name


def test_records_hold_mistakes_of_every_kind_and_the_key_says_what_is_right(records: Any, key: Any) -> None:
    kinds = Counter(mistake["kind"] for mistake in key["records"])
    assert kinds == {"wrong_answer": 15, "personal_data": 10, "duplicate": 8, "mojibake": 8, "unhelpful": 6}
    for mistake in key["records"]:
        given = records[mistake["id"]]["messages"]
        if mistake["kind"] == "duplicate":
            assert given == records[mistake["duplicate_of"]]["messages"]
        else:
            assert given != mistake["messages"]
        if mistake["kind"] == "mojibake":
            repaired = [ftfy.fix_text(message["content"], uncurl_quotes=False) for message in given]
            assert repaired == [message["content"] for message in mistake["messages"]]


def test_nothing_in_the_metadata_gives_a_mistake_away(records: Any, key: Any) -> None:
    faulty = {mistake["id"] for mistake in key["records"]}
    names = {name for record in records.values() for name in record["metadata"]}
    assert names == {"language", "channel", "segment", "topic", "faq"}
    for name in names:
        good = {record["metadata"].get(name) for record in records.values() if record["id"] not in faulty}
        assert {records[identity]["metadata"].get(name) for identity in faulty} <= good


def test_held_out_questions_occur_in_no_record(records: Any) -> None:
    asked = {corpus.normalise(m["content"]) for record in records.values() for m in record["messages"]}
    held_out = lines("heldout.jsonl")
    assert len(held_out) == 200
    assert sum(row["changed"] for row in held_out) == 100
    assert not [row for row in held_out if corpus.normalise(row["prompt"]) in asked]


def test_right_records_agree_with_the_corrected_faqs(records: Any, key: Any) -> None:
    faqs = {faq["key"]: faq["answer"] for faq in lines("faqs.jsonl")}
    assert len(faqs) == 30
    wrong = {faq["key"] for faq in key["faqs"]}
    assert len(wrong) == 3
    right = faqs | {faq["key"]: faq["answer"] for faq in key["faqs"]}
    assert all(right[name] != faqs[name] for name in wrong)
    faulty = {mistake["id"] for mistake in key["records"]}
    for record in records.values():
        if record["id"] not in faulty and "faq" in record["metadata"]:
            assert record["messages"][-1]["content"] == right[record["metadata"]["faq"]]


def test_the_demonstration_question_is_among_the_right_records(records: Any, key: Any) -> None:
    faulty = {mistake["id"] for mistake in key["records"]}
    answers = {
        record["messages"][-1]["content"]
        for record in records.values()
        if record["messages"][-2]["content"] == shop.ZIP_QUESTION and record["id"] not in faulty
    }
    assert answers == {"Yes, we ship to zip code 30303. Delivery takes 2 to 3 business days."}


def test_two_raters_mostly_agree_and_sometimes_not() -> None:
    ratings = lines("ratings.jsonl")
    by_record: dict[str, dict[str, int]] = {}
    for rating in ratings:
        by_record.setdefault(rating["record_id"], {})[rating["rater"]] = rating["correctness"]
    differences = [abs(scores["rater one"] - scores["rater two"]) for scores in by_record.values()]
    assert len(differences) == 60
    assert sum(difference <= 1 for difference in differences) > 40
    assert any(differences)
