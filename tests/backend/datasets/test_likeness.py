"""Texts that were edited after they had been compared: they may not be learned from where their like is tested."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backend.conversations import ASSISTANT, USER, Message
from backend.datasets.candidates import Candidate
from backend.datasets.likeness import tied
from backend.datasets.placement import place

LIKE = ("Why was my order delayed by two whole weeks last month?", "Why was my order delayed by two whole weeks last months?")


def a_row(number: int, question: str, revision: int = 1) -> Candidate:
    messages = (Message(USER, question), Message(ASSISTANT, f"Answer {number}."))
    return Candidate(number, number, revision, number, f"hash-{number}", messages)


def rows(revision: int) -> list[Candidate]:
    others = [
        a_row(number, f"Question about the {word} of lamp {number * 7}?") for number, word in enumerate("abcdefgh", start=10)
    ]
    return [a_row(1, LIKE[0]), *others, a_row(99, LIKE[1], revision)]


@pytest.mark.parametrize("exact_up_to", [20_000, 0])
def test_an_edited_text_is_tied_to_what_it_is_now_like(exact_up_to: int) -> None:
    assert tied(rows(2), exact_up_to=exact_up_to) == {1: 1, 99: 1}
    assert tied(rows(1), exact_up_to=exact_up_to) == {}


def test_an_edited_text_is_never_learned_from_where_its_like_is_tested() -> None:
    for seed in range(12):
        placed = place(rows(2), {row.record_id: 1 for row in rows(2)}, seed=seed)
        assert placed.split_of[1] is placed.split_of[99]
    apart = {place(rows(1), {row.record_id: 1 for row in rows(1)}, seed=seed).split_of[99] for seed in range(12)}
    assert len(apart) > 1


def test_what_was_not_edited_is_left_to_its_cluster() -> None:
    same = [replace(row, cluster="c") if row.record_id in (1, 99) else row for row in rows(1)]
    placed = place(same, {row.record_id: 1 for row in same}, seed=3)
    assert placed.split_of[1] is placed.split_of[99]
