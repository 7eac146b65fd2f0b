"""Comparing a whole project: what MinHash finds is what the exact method finds, whatever was compared before."""

from __future__ import annotations

import csv
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.conversations import Message
from backend.detectors import alike
from backend.detectors.alike import Alike, compare
from backend.detectors.duplicates import THRESHOLD, clusters, duplicate_key, near_pairs, similarity
from backend.detectors.sketches import SKETCH, jaccard, sketches

short = st.lists(st.text(alphabet="abc dé🛋", max_size=14), min_size=1, max_size=10)


def looked(
    texts: Sequence[str], *, exact_up_to: int = 0, fresh: Sequence[bool] | None = None, before: Alike | None = None
) -> Alike:
    held = np.array(texts, dtype=object)
    keys = [duplicate_key([Message("user", text), Message("assistant", "Yes.")]) for text in texts]
    return compare(
        sketches(keys, texts),
        lambda places: list(held[places]),
        fresh=np.array(fresh if fresh is not None else [True] * len(texts)),
        before=before,
        exact_up_to=exact_up_to,
    )


def column(shared_data: Path, name: str, key: str, most: int) -> list[str]:
    with (shared_data / name).open(encoding="utf-8", newline="") as file:
        return [row[key] for row in csv.DictReader(file)][:most]


@given(short)
def test_exact_similarity_of_arrays_is_that_of_two_texts(texts: list[str]) -> None:
    held = np.array(texts, dtype=object)
    first, second = (side.ravel() for side in np.meshgrid(np.arange(len(texts)), np.arange(len(texts))))
    values = jaccard(first, second, lambda places: list(held[places]))
    assert values.tolist() == [similarity(texts[i], texts[j]) for i, j in zip(first, second, strict=True)]


def test_long_texts_are_compared_in_bounded_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"{'wool rug ' * 20}{number}" for number in range(30)]
    held = np.array(texts, dtype=object)
    first, second = np.arange(29), np.arange(1, 30)
    monkeypatch.setattr("backend.detectors.sketches._CHARACTERS_AT_ONCE", 500)
    values = jaccard(first, second, lambda places: list(held[places]))
    assert values.tolist() == [similarity(texts[i], texts[i + 1]) for i in range(29)]
    assert len(sketches(["0" * 16] * 30, texts)) == 30


@given(short)
def test_with_the_exact_method_beside_it_no_cluster_differs(texts: list[str]) -> None:
    assert looked(texts, exact_up_to=100).root.tolist() == clusters(texts)


@pytest.mark.parametrize(("name", "key"), [("bitext/customer_service_train.csv", "utterance"), ("banking77/train.csv", "text")])
def test_bands_link_nearly_every_pair_of_real_questions_that_the_exact_method_finds(
    shared_data: Path, name: str, key: str
) -> None:
    texts = column(shared_data, name, key, 6480)
    pairs = list(near_pairs(texts))
    found = looked(texts)
    linked = sum(found.root[first] == found.root[second] for first, second, _ in pairs)
    later = {second for _, second, _ in pairs}
    told = sum(found.similarity[place] >= THRESHOLD for place in later)
    assert len(pairs) > 50
    assert linked / len(pairs) >= 0.98
    assert told / len(later) >= 0.98


def test_small_edits_of_short_questions_are_found_by_bands_alone() -> None:
    chance = random.Random(5)
    words = [f"word{number}" for number in range(400)]
    originals = [" ".join(chance.choices(words, k=7)) for _ in range(300)]
    edited = [text + chance.choice("?!.x") for text in originals]
    found = looked(originals + edited)
    assert (found.root[300:] == np.arange(300)).mean() >= 0.98


def test_the_similarity_that_is_told_is_exact_and_names_an_earlier_text(shared_data: Path) -> None:
    texts = column(shared_data, "bitext/customer_service_train.csv", "utterance", 1500)
    found = looked(texts)
    alike_ones = np.flatnonzero(found.nearest >= 0)
    assert len(alike_ones) > 100
    for place in alike_ones[:200]:
        other = found.nearest[place]
        assert other < place
        assert found.similarity[place] == similarity(texts[place], texts[other]) >= alike.LEAST


def test_later_texts_are_compared_with_those_before_and_give_the_same_clusters(shared_data: Path) -> None:
    texts = column(shared_data, "bitext/customer_service_train.csv", "utterance", 1200)
    whole = looked(texts)
    first, before = looked(texts[:1000]), Alike.nothing(1200)
    before.root[:1000], before.nearest[:1000], before.similarity[:1000] = first.root, first.nearest, first.similarity
    later = looked(texts, fresh=[False] * 1000 + [True] * 200, before=before)
    assert later.root.tolist() == whole.root.tolist()
    assert (later.similarity >= THRESHOLD).tolist() == (whole.similarity >= THRESHOLD).tolist()


def test_a_text_whose_nearest_was_rewritten_is_compared_again() -> None:
    before = looked(["do you ship to Canada", "something else", "do you ship to Canada?"])
    assert before.nearest.tolist() == [-1, -1, 0]
    after = looked(["rugs", "do you ship to canada?!", "do you ship to Canada?"], fresh=[True, True, False], before=before)
    assert after.nearest.tolist() == [-1, -1, 1]


def test_boilerplate_costs_no_more_than_its_number_and_stays_together() -> None:
    texts = [
        f"Thank you for your message. We are away until Monday and answer then. Ticket {number:05d}" for number in range(3000)
    ]
    found = looked(texts)
    assert len(set(found.root.tolist())) == 1


def test_the_first_equal_conversation_is_told_before_the_first_with_equal_words() -> None:
    texts = ["do you ship?"] * 3
    keys = [duplicate_key([Message("user", "do you ship?"), Message("assistant", answer)]) for answer in ("Yes.", "No.", "no.")]
    found = compare(sketches(keys, texts), lambda places: ["do you ship?"] * len(places), fresh=np.array([True] * 3))
    assert found.nearest.tolist() == [-1, 0, 1]
    assert found.exact.tolist() == [False, False, True]
    assert found.root.tolist() == [0, 0, 0]


def test_a_sketch_says_what_is_equal() -> None:
    made = sketches(["a" * 64, "b" * 64], ["Do you  SHIP?", "do you ship?"])
    assert made.dtype == SKETCH
    assert made["words"][0] == made["words"][1]
    assert made["key"][0] != made["key"][1]
    assert len(sketches([], [])) == 0
