"""The card of the sentiment slice: agreement with labels on sentences that were written for it."""

from __future__ import annotations

from typing import Any

from backend.conversations import Message
from backend.detectors.checks import Context
from backend.detectors.sentiment import NEGATIVE, NEUTRAL, POSITIVE, VERSION, look, sentiment_of
from backend.vocabulary import Check
from tests.bench.cards import sentiment_sentences as held
from tests.bench.cards.form import column, made, sample, share

LABELLED = {NEGATIVE: held.NEGATIVE, NEUTRAL: held.NEUTRAL, POSITIVE: held.POSITIVE}
WEAKNESS = (
    "It adds up words, in English only: it misses many complaints in calm words (“my order has still not arrived”), irony, and "
    "praise without a praising word, and takes some plain questions for praise or complaints. Compare slices with it, and "
    "judge no single conversation by it. It was measured on ninety sentences of our own, which is few."
)


def card() -> dict[str, Any]:
    """The whole scorecard."""
    said = {label: [sentiment_of(text) for text in texts] for label, texts in LABELLED.items()}
    right = {label: answers.count(label) for label, answers in said.items()}
    given = {label: sum(answers.count(label) for answers in said.values()) for label in said}
    tags = column("bitext/customer_service_train.csv", "tags")
    texts = column("bitext/customer_service_train.csv", "utterance")
    rude = [sentiment_of(text) == NEGATIVE for text, tag in zip(texts, tags, strict=True) if "W" in tag]
    rows = [row for row in sample("records.jsonl") if row["metadata"]["language"] == "es"]
    spanish = [row["messages"] for row in rows]
    seen = look([[Message(**message) for message in messages] for messages in spanish], Context())
    given_one = sum(bool(one.slices) for one in seen)
    return made(
        detector="sentiment (VADER)",
        check=Check.SENTIMENT,
        version=VERSION,
        data="90 sentences of our own, 30 a label; bitext (its tag W: offensive); the Spanish records of the sample project",
        measures=[
            share("Sentences given the label that a reader gave", sum(right.values()), sum(map(len, said.values()))),
            *(share(f"Recall of {label}", right[label], len(said[label])) for label in said),
            share("Offensive utterances of bitext that are negative", sum(rude), len(rude)),
            share("Spanish conversations given a sentiment", given_one, len(seen), goal=0.05, at_most=True),
        ],
        details=[
            {
                "what": label,
                "sentences": len(said[label]),
                "said negative": said[label].count(NEGATIVE),
                "said neutral": said[label].count(NEUTRAL),
                "said positive": said[label].count(POSITIVE),
                "precision": round(right[label] / given[label], 3) if given[label] else None,
                "recall": round(right[label] / len(said[label]), 3),
            }
            for label in said
        ],
        weakness=WEAKNESS,
    )
