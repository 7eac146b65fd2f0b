"""What the product tells of its detectors: every family has a card of the one form, with its weakness in words."""

from __future__ import annotations

import datetime
import importlib.util

import pytest

from backend.detectors.checks import MODULES, family
from backend.detectors.scorecards import card, cards
from backend.vocabulary import Check

KNOWN = {"name", "value", "n", "low", "high", "goal", "at_most", "unit"}


@pytest.mark.parametrize("check", list(Check))
def test_every_family_has_a_card(check: Check) -> None:
    assert importlib.util.find_spec(f"tests.bench.cards.{check.value}"), f"tests/bench/cards/{check.value}.py is missing"
    assert card(check), f"run `make scorecards ONLY={check.value}`"


@pytest.mark.parametrize("one", cards(), ids=lambda one: one["check"])
def test_a_card_has_the_one_form(one: dict) -> None:
    assert datetime.date.fromisoformat(one["date"])
    assert one["command"] == "make scorecards"
    assert all(one[key] for key in ("detector", "version", "data"))
    assert one["measures"]
    for measure in one["measures"]:
        assert set(measure) <= KNOWN, measure
        assert isinstance(measure["n"], int)
        if "low" in measure:
            assert measure["low"] <= measure["value"] <= measure["high"]
        if "unit" not in measure:
            assert 0 <= measure["value"] <= 1, measure
    assert len({measure["name"] for measure in one["measures"]}) == len(one["measures"])
    assert len(one["weakness"]) > 60
    assert one["weakness"].rstrip().endswith(".")


@pytest.mark.parametrize("check", list(MODULES))
def test_a_card_is_of_the_version_that_is_there(check: Check) -> None:
    told = card(check)
    assert told
    assert told["version"] == family(check).VERSION, f"run `make scorecards ONLY={check.value}`"
