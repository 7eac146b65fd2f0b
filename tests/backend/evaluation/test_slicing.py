from __future__ import annotations

import json

import numpy as np

from backend.evaluation import slicing
from backend.evaluation.slicing import Measure, coded, judged_measures, slice_figure, slice_table
from tests.backend.evaluation.judged import a_vote, judged, some_responses


def test_a_slice_that_differs_stands_out_and_a_small_one_is_not_tested() -> None:
    languages = ["en"] * 100 + ["es"] * 40 + ["fr"] * 5
    lost = {"en": lambda n: n % 10 == 0, "es": lambda n: n % 10 != 0, "fr": lambda n: False}
    votes = [a_vote(n, 1, float(lost[language](n))) for n, language in enumerate(languages)]
    made = judged(votes, slices=[{"language": one} for one in languages])
    tuned = next(one for one in judged_measures(made, []) if one.version == "tuned")
    found = slice_figure(tuned, made, coded(made.responses))
    assert list(found["keys"]) == ["language"]
    frame = slice_table(found["keys"]["language"]["rows"], min_n=20).set_index("slice")
    assert frame["n"].to_dict() == {"en": 100, "es": 40, "fr": 5}
    assert frame.loc["es", "stands out"]
    assert frame.loc["es", "difference high"] < -0.5
    assert frame.loc["fr", "too small"]
    assert not frame.loc["fr", "stands out"]
    assert frame.loc["en", "adjusted p"] >= frame.loc["en", "p"]
    json.dumps(found, allow_nan=False)


def test_berkeleys_admissions_raise_the_alarm() -> None:
    """Women were admitted less often over all, and more often within departments (Bickel et al. 1975)."""
    table = {
        "A": (512, 825, 89, 108), "B": (353, 560, 17, 25), "C": (120, 325, 202, 593),
        "D": (138, 417, 131, 375), "E": (53, 191, 94, 393), "F": (22, 373, 24, 341),
    }  # fmt: skip
    slices, values = [], []
    for department, (men_in, men, women_in, women) in table.items():
        for sex, admitted, count in (("men", men_in, men), ("women", women_in, women)):
            slices += [{"sex": sex, "department": department}] * count
            values += [1.0] * admitted + [0.0] * (count - admitted)
    responses = some_responses(slices)
    measure = Measure("win", "Admitted", True, "x", np.array(values), responses.ids[::3])
    made = judged([])
    codes = coded(responses)
    numbers = slicing.usable(measure, responses, codes)
    rows = {
        "department": slicing.within(measure, numbers, {key: names for key, (_, names) in codes.items()}, "sex", "department")
    }
    men = next(row for row in rows["department"] if row["slice"] == "men")
    assert (round(men["crude"]["value"], 3), round(men["pooled"]["value"], 4)) == (1.841, 0.9047)
    assert {row["slice"] for row in slicing.reversals(rows, min_n=20)} == {"men", "women"}
    assert slicing.reversals(rows, min_n=10_000) == []
    assert made.comparisons.empty


def test_keys_that_name_things_are_no_slices_and_unknown_values_count_in_the_rest() -> None:
    slices = [{"id": str(n), "channel": "mail" if n % 2 else "chat"} if n < 90 else {} for n in range(100)]
    responses = some_responses(slices)
    measure = Measure("length", "Length", False, "x", np.arange(100.0), responses.ids[::3])
    numbers = slicing.usable(measure, responses, coded(responses))
    assert list(numbers) == ["channel"]
    rows = slicing.slice_rows(measure, numbers["channel"], ["chat", "mail"])
    assert sum(row["n"] for row in rows) == 90
