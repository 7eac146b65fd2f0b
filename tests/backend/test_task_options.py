from __future__ import annotations

import pytest

from backend.errors import InvalidInput
from backend.task_options import TaskOptions
from backend.vocabulary import ItemOrder


def test_options_come_back_from_json_as_they_were() -> None:
    options = TaskOptions(raters=(3, 1), gold_share=0.1, order=ItemOrder.UNCERTAINTY, source={"seed": 4}, calibration_pass=0.8)
    assert TaskOptions.from_json(options.to_json()) == options


def test_what_an_older_task_did_not_say_has_its_default() -> None:
    assert TaskOptions.from_json({"show_reference": True, "once": 1}) == TaskOptions(show_reference=True)


@pytest.mark.parametrize(
    "wrong",
    [{"gold_share": 0.6}, {"gold_share": 0.3, "repeat_share": 0.3}, {"calibration_pass": 0}, {"dispute_at": 0}, {"order": "?"}],
)
def test_contradictions_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InvalidInput):
        TaskOptions.from_json(wrong)
