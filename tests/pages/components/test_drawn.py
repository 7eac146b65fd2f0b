from __future__ import annotations

import json

import pandas as pd
import pytest
from plotly.tools import return_figure_from_figure_or_data

from pages.components import drawn
from pages.components.charts import bars, intervals

FRAME = pd.DataFrame({"day": ["Mon", "Tue"], "n": [1, 2]})


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    drawn._kept.clear()


def test_the_same_figure_of_the_same_numbers_is_built_once() -> None:
    first, second = (bars(FRAME.copy(), x="day", y=["n"]).to_dict() for _ in range(2))
    assert first == second
    assert first is not second
    assert first["data"][0]["type"] == "bar"
    assert len(drawn._kept) == 1


def test_other_numbers_or_other_words_make_another_figure() -> None:
    bars(FRAME, x="day", y=["n"])
    changed = FRAME.copy()
    changed.loc[0, "n"] = 7
    other = bars(changed, x="day", y=["n"]).to_dict()
    named = bars(FRAME, x="day", y=["n"], names={"n": "Answers"}).to_dict()
    assert (other["data"][0]["name"], named["data"][0]["name"]) == ("n", "Answers")
    assert len(drawn._kept) == 3


def test_a_kept_figure_is_what_plotly_would_send() -> None:
    frame = pd.DataFrame({"who": ["a", "b"], "v": [0.1, 0.2], "low": [0.0, 0.1], "high": [0.3, None]})
    given = {"name": "who", "value": "v", "low": "low", "high": "high", "reference": 0.5}
    built = intervals.__wrapped__(frame, **given)  # type: ignore[attr-defined]
    taken = return_figure_from_figure_or_data(intervals(frame, **given), validate_figure=True)
    assert taken == json.loads(built.to_json())


def test_what_nobody_looked_at_for_longest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawn, "MOST", 2)
    for n in (1, 2, 1, 3):
        bars(FRAME, x="day", y=["n"], names={"n": str(n)})
    assert [name in text for text, name in zip(drawn._kept.values(), ('"name":"1"', '"name":"3"'), strict=True)] == [True, True]
