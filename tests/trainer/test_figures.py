"""The figures of an evaluation: equal to the backend's own statistics where both have them, and honest about their spread."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.statistics import text as known
from backend.statistics.intervals import wilson as known_wilson
from backend.statistics.results import Estimate
from trainer import figures
from trainer.likeness import compare_texts
from trainer.losses import RowLoss

TEXTS = [
    "Yes, we ship to zip code 30303. Delivery takes 2 to 3 business days.",
    "You can return it. Write to us first, and we send a label!",
    "Yes.",
    "We ship to zip code 30309. It takes 4 days\nor more, if it snows in the mountains.",
]


def bounds(result: object) -> tuple[float, float] | None:
    return (result.low, result.high) if isinstance(result, Estimate) else None


@pytest.mark.parametrize("n", [1, 2])
def test_distinct_n_is_that_of_the_statistics(n: int) -> None:
    expected = known.distinct_n(TEXTS, n)
    value, interval = figures.distinct(TEXTS, n)
    assert value == pytest.approx(expected.value)
    assert interval == pytest.approx(bounds(expected))


def test_burstiness_is_that_of_the_statistics() -> None:
    expected = known.burstiness(TEXTS)
    value, interval = figures.burstiness(TEXTS)
    assert value == pytest.approx(expected.value)
    assert interval == pytest.approx(bounds(expected))
    assert figures.burstiness(["Yes."]) == (None, None)


@given(n=st.integers(1, 400), share=st.floats(0, 1))
def test_shares_have_wilsons_interval(n: int, share: float) -> None:
    successes = round(n * share)
    assert figures.wilson(successes, n) == pytest.approx(bounds(known_wilson(successes, n)), abs=1e-12)


def test_ten_of_ten_are_no_certainty() -> None:
    assert figures.wilson(10, 10) == pytest.approx((0.7225, 1.0), abs=1e-4)


def test_a_bootstrap_covers_its_value_and_is_the_same_twice() -> None:
    above, below = np.arange(1.0, 31.0), np.full(30, 2.0)
    found = figures.ratio_bounds(above, below)
    assert found == figures.ratio_bounds(above, below)
    assert found is not None
    low, high = found
    assert low < above.sum() / below.sum() < high
    # The mean's normal interval, halved: 15.5 ± 1.96 · 8.66 / √30.
    assert (low, high) == pytest.approx(((15.5 - 3.1) / 2, (15.5 + 3.1) / 2), abs=0.25)
    assert figures.ratio_bounds(np.ones(5), np.ones(5)) is None
    assert figures.ratio_bounds(np.ones(1), np.ones(1)) is None


def test_every_figure_comes_with_its_n_and_its_interval() -> None:
    said = [*TEXTS[1:], TEXTS[0]]
    responses = [
        {"text": text, "reference": reference, "complete": True, "tokens": 9, **compare_texts(text, reference)}
        for text, reference in zip([*TEXTS, *TEXTS], [*TEXTS, *said], strict=True)
    ]
    losses = [RowLoss(float(n), n, 5 * n) for n in range(2, 10)]
    made = figures.summarise(responses, losses)
    assert made["exact_match"] == 0.5
    assert made["bits_per_byte"] == pytest.approx(1 / math.log(2) / 5)
    assert (made["loss"], made["perplexity"]) == (pytest.approx(1.0), pytest.approx(math.e))
    assert made["loss_n"] == made["bits_per_byte_n"] == 8
    for name in ("bleu", "rouge_l", "exact_match", "distinct_1", "distinct_2", "burstiness"):
        low, high = made["intervals"][name]
        assert low <= made[name] <= high, name
    assert "loss" not in made["intervals"]  # a nat a token in every row tells no spread
