"""The plan of a run: what cannot be gone by is refused, and a run that goes on has the rows that it began with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.trainer.conftest import CHANGED, chat_row, label_rows, shop_rows, write_snapshot
from tests.trainer.test_loop import quick
from trainer import loop
from trainer.rows import BadData


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"early_stopping": 2},
            r"which early_stopping 2 would go by: validation\.jsonl is empty\. Freeze a snapshot with some",
        ),
        ({"best_metric": "token_accuracy"}, "which best_metric token_accuracy would go by"),
        ({"best_metric": "bleu", "early_stopping": 1}, "which early_stopping 1 and best_metric bleu would go by"),
    ],
)
def test_what_goes_by_validation_rows_is_refused_where_there_are_none(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    folder = write_snapshot(tmp_path / "data", train=shop_rows(CHANGED, 1))
    with pytest.raises(BadData, match=reason):
        loop.prepare(quick(folder, **changes))
    _, plan = loop.prepare(quick(folder))
    assert not plan.validation


def test_validation_rows_that_do_not_fit_are_as_good_as_none(tmp_path: Path) -> None:
    far_too_long = [chat_row("long", "word " * 300, "Yes.")]
    folder = write_snapshot(tmp_path / "data", train=shop_rows(CHANGED, 1), validation=far_too_long)
    with pytest.raises(BadData, match="all 1 are longer than 256 tokens"):
        loop.prepare(quick(folder, early_stopping=1))


def test_classes_that_were_never_learned_cannot_be_validated_on(tmp_path: Path) -> None:
    learned, other = label_rows(CHANGED[:2], 3), label_rows(CHANGED[2:], 1)
    folder = write_snapshot(tmp_path / "data", train=learned, validation=other)
    with pytest.raises(BadData, match="or cannot be used"):
        loop.prepare(quick(folder, objective="classification", best_metric="macro_f1"))


def test_a_run_does_not_go_on_with_other_validation_rows(tmp_path: Path) -> None:
    rows = shop_rows(CHANGED, 4)
    config = quick(write_snapshot(tmp_path / "data", train=rows[:8], validation=rows[8:12]), epochs=1)
    loop.train(config, tmp_path / "run")
    assert loop.train(config, tmp_path / "run", resume=True)["steps"] == 2
    write_snapshot(tmp_path / "data", train=rows[:8], validation=rows[9:13])
    with pytest.raises(BadData, match="start a new run instead"):
        loop.train(config, tmp_path / "run", resume=True)
