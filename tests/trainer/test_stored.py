from __future__ import annotations

from pathlib import Path

import pytest

from tests.trainer.test_loop import curve, quick
from trainer import loop, stored
from trainer.data import Example
from trainer.stored import Stored


def test_what_is_stored_is_read_back_as_it_was(tmp_path: Path) -> None:
    made = [
        Example(f"r{n}", tuple(range(n, 3 * n)), tuple(i % 2 == 0 for i in range(2 * n)), n / 3, n % 2) for n in range(1, 9)
    ]
    kept = Stored(tmp_path)
    for example in made[:-1]:
        kept.add(example)
    assert list(kept) == made[:-1]
    kept.add(made[-1])
    assert (len(kept), kept[-1], kept[2:5]) == (8, made[-1], made[2:5])
    with pytest.raises(IndexError):
        kept[8]
    assert not list(tmp_path.iterdir()), "the files have no name, so nothing is left behind"


def test_a_run_over_stored_rows_is_the_run_over_rows_in_memory(
    snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = quick(snapshot, measured_answers=0, record="nothing", max_length=40)
    loop.train(config, tmp_path / "memory")
    monkeypatch.setattr(stored, "STORED_FROM", 1)
    monkeypatch.setattr(stored, "CHUNK", 7)
    _, plan = loop.prepare(config)
    assert isinstance(plan.train, Stored)
    result = loop.train(config, tmp_path / "stored")
    assert curve(tmp_path / "stored") == curve(tmp_path / "memory")
    assert result["rows"] == len(plan.train) > 7
