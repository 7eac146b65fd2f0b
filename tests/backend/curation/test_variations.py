"""Variations: what customers say changes, what they mean does not."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.conversations import Message, fault
from backend.curation import guarded_words, slips
from backend.curation.phrases import rephrased
from backend.curation.rewording import by_model, wordings
from backend.curation.variations import Original, vary
from backend.engine import Engine
from backend.errors import NotReady
from backend.vocabulary import MadeBy
from tests.backend.serving.fake_engine import fake_engine

PARTS = st.sampled_from(
    ["How do I return my order 12345?", "I can't log in.", "My name is [NAME].", "Write to a.b@example.com", "I don't want it.",
     "Where is my parcel?", 'It says "No entry" on it.', "See https://example.org/x?y=1", "thanks",
     "Ask Anna Smith about $20.50.", "Can you help me?", "Is {{name}} filled in?", "über Größe 42"]
)  # fmt: skip
texts = st.lists(PARTS, min_size=1, max_size=4).map(" ".join)
METHODS = (MadeBy.REPHRASED, MadeBy.TYPOS, MadeBy.LOWER_CASE)


def an_original(number: int, *said: str, **slices: str) -> Original:
    messages = tuple(Message("assistant" if place % 2 else "user", text) for place, text in enumerate(said))
    return Original(number, 1, messages, slices)


@given(texts, st.integers(1, 5), st.integers(0, 99))
def test_numbers_masks_and_denials_stay_and_so_does_the_answer(text: str, each: int, seed: int) -> None:
    original = an_original(7, text, "An answer.")
    for method in METHODS:
        made = vary([original], method, each=each, seed=seed)
        assert len(made) <= each
        assert len({one.messages for one in made}) == len(made)
        for one in made:
            assert one.messages[-1] == original.messages[-1]
            assert one.messages[0].content == one.after != text == one.before
            assert re.findall(r"\d+(?:\.\d+)?", one.after) == re.findall(r"\d+(?:\.\d+)?", text)
            assert sorted(re.findall(r"\[[A-Z]+\]", one.after)) == sorted(re.findall(r"\[[A-Z]+\]", text))
            assert one.after.count("{{") == text.count("{{")
            assert ("a.b@example.com" in one.after) == ("a.b@example.com" in text)
            assert fault(one.messages) is None


@given(texts, st.integers(0, 99))
def test_the_same_seed_gives_the_same_whatever_else_is_in_the_list(text: str, seed: int) -> None:
    one, other = an_original(1, text, "A."), an_original(2, "Where is my order?", "B.")
    for method in METHODS:
        alone = vary([one], method, each=2, seed=seed)
        assert [made for made in vary([other, one], method, each=2, seed=seed) if made.record_id == 1] == alone


def test_names_keep_their_letters_and_other_words_slip() -> None:
    text = "Please tell Margaret Robinson that delivery yesterday never happened"
    made = {slips.with_typos(text, str(seed)) for seed in range(60)}
    assert len(made) > 20
    assert all("Margaret Robinson" in one for one in made)
    assert text not in made
    assert slips.with_typos("ok 12 no", "1") == "ok 12 no"
    assert slips.lower_case("Dear [NAME], SEE https://Example.org/A?b NOW") == "dear [NAME], see https://Example.org/A?b now"


def test_templates_and_synonyms_say_it_otherwise() -> None:
    assert "I would like to know how to return my order 12345." in set(rephrased("How do I return my order 12345?", "1"))
    assert any("where the nearest store is" in made for made in rephrased("Where is the nearest store?", "1"))
    assert list(rephrased("Where are you located?", "1")) == []
    assert list(rephrased("Get in touch", "1")) == []
    assert not any(".." in made for made in rephrased("Please cancel my order.", "1"))


def test_what_changes_the_meaning_is_no_rewording() -> None:
    asked = "Can I return order 12345 after [DATE]?"
    assert guarded_words.is_rewording(asked, "Is it possible to return order 12345 after [DATE]?")
    for wrong in (
        "Is it possible to return order 12346 after [DATE]?",
        "Is it possible to return order 12345?",
        "Is it not possible to return order 12345 after [DATE]?",
        "Bananas are yellow 12345 [DATE].",
        asked,
        "Is it possible to\nreturn order 12345 after [DATE]?",
    ):
        assert not guarded_words.is_rewording(asked, wrong), wrong


def test_like_customers_exchanges_are_joined_and_every_part_is_named() -> None:
    originals = [an_original(n, f"Question {n}?", f"Answer {n}.", topic="rugs" if n % 2 else "lamps") for n in range(1, 9)]
    originals.append(an_original(9, "One?", "Two.", "Three?", "Four.", topic="rugs"))
    originals.append(an_original(10, "No topic?", "No."))
    made = vary(originals, MadeBy.JOINED, each=1, seed=1, alike="topic")
    assert sorted(one.record_id for one in made) == list(range(1, 9))
    for one in made:
        parts = [number for number, _ in one.others] + [one.record_id]
        assert [message.role for message in one.messages] == ["user", "assistant"] * len(parts)
        assert [m.content for m in one.messages[1::2]] == [f"Answer {n}." for n in parts]
        assert all(m.content.endswith(f"Question {n}?") for m, n in zip(one.messages[::2], parts, strict=True))
        assert len(set(parts)) == len(parts) in (2, 3)
        assert len({n % 2 for n in parts}) == 1
    shuffled = list(originals)
    random.Random(1).shuffle(shuffled)
    key = lambda one: (one.record_id, one.others)  # noqa: E731
    assert sorted(vary(shuffled, MadeBy.JOINED, each=1, seed=1, alike="topic"), key=key) == sorted(made, key=key)
    assert len(vary(originals, MadeBy.JOINED, each=2, seed=1)) > len(made)


class Speaker:
    """An engine that says what it was told to."""

    def __init__(self, said: str) -> None:
        self.said, self.asked = said, []  # type: ignore[var-annotated]

    def complete(self, **asked: object) -> str:
        self.asked.append(asked)
        return self.said


def test_a_models_wordings_are_taken_line_by_line_and_the_useless_left_out() -> None:
    said = """Here are some ways:
1. Is there a way to return order 12345?
2) "What must I do to send order 12345 back?"
- What must I do to send order 12345 back?
* How do I return order 12346?
How do I return order 12345?"""
    assert list(wordings("How do I return order 12345?", said)) == [
        "Is there a way to return order 12345?",
        "What must I do to send order 12345 back?",
    ]
    speaker = Speaker(said)
    (made,) = by_model([an_original(3, "How do I return order 12345?", "So.")], engine=speaker, model="m", each=1, seed=4)
    assert made.after == "Is there a way to return order 12345?"
    assert speaker.asked[0]["decoding"]["seed"] == 4
    with pytest.raises(NotReady, match="no wording"):
        by_model([an_original(3, "Hi?", "So.")], engine=Speaker("Hi?"), model="m", each=1, seed=4)


def test_an_engine_that_only_repeats_the_question_gives_nothing() -> None:
    with fake_engine() as (url, asked):
        with pytest.raises(NotReady, match="shop-v1 wrote no wording"):
            by_model(
                [an_original(3, "How do I return order 12345?", "So.")], engine=Engine(url), model="shop-v1", each=2, seed=4
            )
        assert "How do I return order 12345?" in asked[0]["messages"][0]["content"]
        assert asked[0]["temperature"] == 0.8
