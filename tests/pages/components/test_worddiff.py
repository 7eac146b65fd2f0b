"""The word diff: both texts come back whole, and the work stays bounded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pages.components.worddiff import MOST_EDITS, word_diff

WORDS = st.lists(st.sampled_from(["ship", "to", " ", "\n", "zip", "30303", ".", "é", "🙂", "  "]), max_size=40).map("".join)


@given(before=WORDS | st.text(), after=WORDS | st.text())
def test_both_texts_can_be_read_back_from_the_pieces(before: str, after: str) -> None:
    pieces = word_diff(before, after)
    assert "".join(text for op, text in pieces if op != "insert") == before
    assert "".join(text for op, text in pieces if op != "delete") == after
    assert all(text for _, text in pieces)


@given(text=WORDS)
def test_a_text_does_not_differ_from_itself(text: str) -> None:
    assert all(op == "equal" for op, _ in word_diff(text, text))


def test_a_changed_phrase_stays_together_and_the_rest_is_kept() -> None:
    pieces = word_diff("Yes, we ship to 30303 in five days.", "Yes, we ship to zip code 30303 within 2 business days.")
    assert pieces == [
        ("equal", "Yes, we ship to "),
        ("insert", "zip code "),
        ("equal", "30303 "),
        ("delete", "in five"),
        ("insert", "within 2 business"),
        ("equal", " days."),
    ]


@pytest.mark.parametrize("separator", [" ", "\n"])
def test_texts_with_more_changes_than_the_bound_are_compared_more_coarsely_but_whole(separator: str) -> None:
    before = "same line\n" + separator.join(f"old{n}" for n in range(MOST_EDITS)) + "\nend"
    after = "same line\n" + separator.join(f"new{n}" for n in range(MOST_EDITS)) + "\nend"
    pieces = word_diff(before, after)
    assert "".join(text for op, text in pieces if op != "insert") == before
    assert "".join(text for op, text in pieces if op != "delete") == after
    assert len(pieces) <= 4
