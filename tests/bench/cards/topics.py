"""The card of the topics: how far the groups are those that people made, on texts that the clustering did not see."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import adjusted_mutual_info_score

from backend.detectors.topics import NONE, VERSION, Assigner, cluster
from backend.vocabulary import Check
from tests.bench.cards.form import bank_questions, column, figure, made, share, shop_utterances

WEAKNESS = (
    "A topic is a group of questions that share words, no intent: with 77 finely cut bank intents only one question in three "
    "has its topic's commonest intent, so rename and merge what belongs together. Questions that mean the same in other words "
    "come apart, small subjects hide in large ones, and a foreign subject is told apart only in part. Both data sets are "
    "English and short; other languages were not measured."
)


def card() -> dict[str, Any]:
    """The whole scorecard."""
    bank, shop = bank_questions(), shop_utterances()
    measures = [
        *_measures("banking77", bank, column("banking77/train.csv", "category"), foreign=shop),
        *_measures("bitext", shop, column("bitext/customer_service_train.csv", "intent"), foreign=bank),
    ]
    return made(
        detector="topics (character n-grams, SVD, k-means)",
        check=Check.TOPICS,
        version=VERSION,
        data="banking77 (77 intents) and bitext (27 intents): topics found on one half, measured on the other",
        measures=measures,
        weakness=WEAKNESS,
    )


def _measures(name: str, texts: Sequence[str], labels: Sequence[str], *, foreign: Sequence[str]) -> list[dict[str, Any]]:
    """Agreement with the labels: as many topics as the product finds by itself."""
    order = np.random.default_rng(7).permutation(len(texts))
    seen, unseen = order[::2], order[1::2]
    found = cluster([texts[place] for place in seen])
    assigner = Assigner([topic.centre for topic in found.topics])
    given, wanted = assigner.assign([texts[place] for place in unseen]), [labels[place] for place in unseen]
    held: dict[int, Counter[str]] = defaultdict(Counter)
    for topic, label in zip(given.tolist(), wanted, strict=True):
        held[topic][label] += 1
    commonest = sum(max(counts.values()) for topic, counts in held.items() if topic != NONE)
    strange = assigner.assign(foreign)
    return [
        figure(f"Agreement with the intents of {name} (adjusted mutual information)",
               float(adjusted_mutual_info_score(wanted, given)), len(unseen)),
        figure(f"Topics found in {name}", len(found.topics), len(seen), unit="topics"),
        share(f"Questions of {name} whose intent is their topic's commonest (purity)", commonest, len(unseen)),
        share(f"Questions of {name} that fit no topic", int((given == NONE).sum()), len(unseen), goal=0.05, at_most=True),
        share(f"Texts of another trade that fit no topic of {name}", int((strange == NONE).sum()), len(strange)),
    ]  # fmt: skip
