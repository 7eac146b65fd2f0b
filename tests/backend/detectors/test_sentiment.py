from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.conversations import Message
from backend.detectors import mood
from backend.detectors.checks import Context
from backend.detectors.sentiment import SLICE, look, sentiment_of


@pytest.mark.parametrize(
    ("text", "sounds"),
    [
        ("This is the worst service I have ever had.", "negative"),
        ("What are the measurements of the oak table?", "neutral"),
        ("Thank you so much, the table is beautiful.", "positive"),
        ("", "neutral"),
    ],
)
def test_words_make_the_sentiment(text: str, sounds: str) -> None:
    assert sentiment_of(text) == sounds


def test_only_what_the_customer_says_in_english_counts() -> None:
    angry = [Message("user", "This lamp is terrible, I am angry."), Message("assistant", "Wonderful, thank you, we love it!")]
    spanish = [Message("user", "Estoy muy enfadado, la lámpara es horrible."), Message("assistant", "I am sorry.")]
    short = [Message("user", "Hey!"), Message("assistant", "Hello! How can I help you today?")]
    seen = look([angry, spanish, short], Context())
    assert [dict(one.slices) for one in seen] == [{SLICE: "negative"}, {}, {}]
    assert not any(one.findings for one in seen)


def test_nobody_waits_for_the_word_list_who_does_not_ask() -> None:
    code = "import sys, backend.detectors.sentiment; sys.exit('vaderSentiment' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


_WORDS = """
good bad great terrible love hate problem please no nor or not never so this without doubt but kind of sort least at very the
bomb shit bus stop to die for isn't hardly GOOD BAD VERY Kind :) great! (awful) table order sux! but,
"""
_SAID = st.sampled_from(_WORDS.split())


@settings(max_examples=300, deadline=None)
@given(st.lists(_SAID, max_size=14).map(" ".join), st.sampled_from(["", "!", "!!!", "?", "??", "????", " "]))
def test_looking_only_around_the_listed_words_changes_no_score(text: str, end: str) -> None:
    assert mood.compound(text + end) == mood._analyser().polarity_scores(text + end)["compound"]
