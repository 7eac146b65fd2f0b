from __future__ import annotations

import subprocess
import sys

import pytest

from backend.conversations import Message
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
