"""The tagger gives many texts together what it gives each alone, and its paths are the best ones."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.detectors.entities import tagger
from backend.detectors.entities.detect import find_entities, find_in_many

TEXTS = (
    "",
    "Hello, my name is Anna Miller and I live at 12 Maple Street, New York.",
    "ANNA MILLER LIVES IN LOS ANGELES\n\nCall +1 404 555 0123",
    "anna miller wrote on 3 may 2024, she is 34 now",
    "where is my parcel?",
    "Zoë O'Brien, DNI 12345678Z, aged 40, zip 30303 – see www.example.org",
    "I turned 30; my licence: driver's licence D1234567",
)
PIECES = st.lists(st.sampled_from([*TEXTS, *" ".join(TEXTS).split(" ")]), max_size=8).map(" ".join)


@settings(deadline=None)
@given(st.lists(st.one_of(st.sampled_from(TEXTS), PIECES, st.text(max_size=60)), max_size=6))
def test_many_texts_together_give_what_each_gives_alone(texts: list[str]) -> None:
    assert find_in_many(texts) == [find_entities(text) for text in texts]


@given(st.lists(st.integers(1, 5), min_size=1, max_size=5), st.integers(0, 10_000))
def test_the_best_paths_are_those_of_trying_all(lengths: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = 3
    onto = rng.normal(size=(labels, labels)).astype(np.float32)
    scores = [rng.normal(size=(length, labels)).astype(np.float32) for length in sorted(lengths, reverse=True)]

    def worth(one: np.ndarray, path: tuple[int, ...]) -> float:
        steps = sum(float(onto[after, before]) for before, after in itertools.pairwise(path))
        return sum(float(one[place, label]) for place, label in enumerate(path)) + steps

    for one, path in zip(scores, tagger.best_paths(scores, onto), strict=True):
        best = max(worth(one, tried) for tried in itertools.product(range(labels), repeat=len(one)))
        assert worth(one, tuple(path)) > best - 1e-4


def test_forgetting_what_was_seen_changes_nothing() -> None:
    model = tagger.Tagger()
    before = model.find_many(TEXTS)
    model._memory._tables[0].count = 10**9
    assert model._memory.is_full
    assert model.find_many(TEXTS) == before
    assert not model._memory.is_full
