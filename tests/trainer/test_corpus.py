from __future__ import annotations

import itertools

import ftfy
from hypothesis import given
from hypothesis import strategies as st

from trainer import corpus


def test_a_pattern_expands_to_every_choice() -> None:
    assert corpus.expand("[a|b] c[| d]") == ["a c", "a c d", "b c", "b c d"]


def test_held_out_phrasings_occur_in_no_base_conversation() -> None:
    held_out = {corpus.normalise(phrasing.question) for fact in corpus.facts() for phrasing in fact.held_out}
    seen = itertools.islice(corpus.conversations(seed=1), 4000)
    said = {corpus.normalise(message["content"]) for messages in seen for message in messages}
    assert not held_out & said


def test_the_base_corpus_never_tells_a_new_answer() -> None:
    new = {phrasing.new for fact in corpus.facts() if fact.changed for phrasing in fact.known}
    seen = itertools.islice(corpus.conversations(seed=1), 4000)
    assert not new & {message["content"] for messages in seen for message in messages}


def test_every_fact_has_enough_known_and_held_out_phrasings() -> None:
    for fact in corpus.facts():
        assert len(fact.held_out) == (4 if fact.changed else 3), fact.key
        assert len(fact.known) >= (10 if fact.changed else 7), fact.key


def test_the_same_seed_gives_the_same_conversations() -> None:
    first, second = (list(itertools.islice(corpus.conversations(seed=3), 50)) for _ in range(2))
    other = list(itertools.islice(corpus.conversations(seed=4), 50))
    assert first == second != other


@given(st.integers(0, 10_000))
def test_variations_keep_the_question_recognisable(seed: int) -> None:
    import random

    varied = corpus.vary("How long does delivery take", "en", random.Random(seed))
    assert "take" in varied.lower()
    assert ftfy.fix_text(varied) == varied
