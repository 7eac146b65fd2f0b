"""A search: what is asked is checked first, trials are compared, a killed search goes on as if nothing had been."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.trainer.conftest import CHANGED, shop_rows, write_snapshot
from trainer import contract
from trainer.__main__ import main
from trainer.contract import ConfigError, Exit, TrainConfig
from trainer.folds import deal, write_folds
from trainer.rows import BadData
from trainer.search import search
from trainer.spaces import SearchConfig

LEARN = {"learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}}


def asked(snapshot: Path, **changes: Any) -> dict[str, Any]:
    config = TrainConfig(data=str(snapshot), batch_size=8, epochs=2, lora_rank=4, checkpoint_every=2).to_json()
    return {"config": config, "space": LEARN, "method": "random", "trials": 3} | changes


def trials(folder: Path) -> list[dict[str, Any]]:
    return contract.read_json(folder / contract.TRIALS)["trials"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"space": {"warp": {"choices": [1]}}}, "warp is no field that can be varied"),
        ({"space": {"data": {"choices": ["/elsewhere"]}}}, "data is no field that can be varied"),
        ({"space": {"epochs": {"low": 1, "high": 2.5}}}, "epochs takes whole numbers"),
        ({"space": {"epochs": {"choices": []}}}, "epochs needs a list of different choices"),
        ({"space": {"learning_rate": {"low": 0, "high": 1, "log": True}}}, "low must be above 0"),
        ({"space": {"schedule": {"low": 0, "high": 1}}}, "schedule is no number"),
        ({"space": {"epochs": {"low": 3, "high": 3}}}, "low must be below high"),
        ({"space": {}}, "a field to vary, or folds"),
        ({"method": "grid"}, "A grid needs choices or a step for learning_rate"),
        ({"method": "luck"}, "method must be one of"),
        ({"trials": 0}, "trials must be from 1"),
        ({"trials": "many"}, "trials has the wrong type"),
        ({"folds": 1}, "folds must be from 2"),
        ({"speed": 9}, "A search is an object with config"),
    ],
)
def test_what_cannot_be_searched_is_refused_with_a_sentence(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        SearchConfig.from_json(asked(tmp_path, **changes))


def test_a_search_is_the_same_after_its_file(tmp_path: Path) -> None:
    config = SearchConfig.from_json(asked(tmp_path, space=LEARN | {"lora_rank": {"choices": [2, 4]}}, folds=3, hours=1))
    assert SearchConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_a_grid_has_every_combination_and_an_end(tmp_path: Path) -> None:
    space = {"lora_rank": {"choices": [2, 4]}, "lora_dropout": {"low": 0.0, "high": 0.2, "step": 0.1}}
    config = SearchConfig.from_json(asked(tmp_path, space=space, method="grid", trials=50))
    assert config.most_trials == 6
    assert config.grid()[:2] == [{"lora_rank": 2, "lora_dropout": 0.0}, {"lora_rank": 2, "lora_dropout": 0.1}]


@given(st.dictionaries(st.text(min_size=1), st.integers(1, 9), min_size=2, max_size=40), st.integers(2, 6), st.integers())
def test_every_group_is_in_one_fold_and_folds_are_even(groups: dict[str, int], folds: int, seed: int) -> None:
    if len(groups) < folds:
        with pytest.raises(BadData, match="Take fewer folds"):
            deal(groups, folds, seed)
        return
    part_of = deal(groups, folds, seed)
    assert part_of.keys() == groups.keys()
    sizes = [sum(groups[name] for name, part in part_of.items() if part == one) for one in range(folds)]
    assert min(sizes) > 0
    assert max(sizes) - min(sizes) <= max(groups.values())
    assert deal(dict(reversed(groups.items())), folds, seed) == part_of


def test_folds_validate_on_every_row_once_and_never_on_what_was_learned(tmp_path: Path) -> None:
    rows = shop_rows(CHANGED, 5)
    for number, row in enumerate(rows):
        row["group"] = f"talk-{number // 2}"
    snapshot = write_snapshot(tmp_path / "data", train=rows[:15], validation=rows[15:], test=shop_rows(CHANGED, 1))
    seen: list[str] = []
    for folder in write_folds(snapshot, tmp_path / "folds", folds=3, seed=1):
        learned, judged = (
            [json.loads(line) for line in (folder / f"{split}.jsonl").open()] for split in ("train", "validation")
        )
        assert not {row["group"] for row in learned} & {row["group"] for row in judged}
        assert len(learned) + len(judged) == len(rows)
        assert (folder / "test.jsonl").read_text() == ""
        seen += [row["id"] for row in judged]
    assert sorted(seen) == sorted(str(row["id"]) for row in rows)


def test_trials_are_compared_and_only_the_best_keeps_its_weights(snapshot: Path, tmp_path: Path) -> None:
    path = tmp_path / "search.json"
    space = LEARN | {"neftune_alpha": {"choices": [0.0, 5.0]}}
    path.write_text(json.dumps(asked(snapshot, space=space)))
    assert main(["search", "--config", str(path), "--out", str(tmp_path / "out")]) == Exit.OK
    result, found = contract.read_json(tmp_path / "out" / contract.RESULT), trials(tmp_path / "out")
    assert [one["state"] for one in found] == ["complete"] * 3
    assert result["best"]["value"] == min(one["value"] for one in found)
    assert TrainConfig.from_json(result["best"]["config"]).learning_rate == result["best"]["params"]["learning_rate"]
    kept = [folder.name for folder in sorted((tmp_path / "out").glob("trial-*")) if (folder / contract.ADAPTER).exists()]
    assert kept == [f"trial-{result['best']['number']:04d}"]
    assert not list((tmp_path / "out").glob("trial-*/checkpoints"))
    assert main(["search", "--config", str(path), "--out", str(tmp_path / "out")]) == Exit.BAD_INPUT
    assert main(["resume", str(tmp_path / "out")]) == Exit.OK


def test_a_value_that_cannot_be_fails_its_trial_alone(snapshot: Path, tmp_path: Path) -> None:
    space = {"lora_dropout": {"choices": [0.0, 1.5]}}
    result = search(SearchConfig.from_json(asked(snapshot, space=space, method="grid")), tmp_path / "out")
    assert (result["failed"], result["best"]["params"]) == (1, {"lora_dropout": 0.0})
    assert "lora_dropout must be at least 0 and below 1" in next(
        one["message"] for one in trials(tmp_path / "out") if one["state"] == "failed"
    )
    with pytest.raises(ConfigError, match=r"No trial ended well.*lora_dropout"):
        search(SearchConfig.from_json(asked(snapshot, space={"lora_dropout": {"choices": [1.5]}})), tmp_path / "none")


def test_a_length_that_no_row_fits_fails_its_trial_alone(snapshot: Path, tmp_path: Path) -> None:
    base = asked(snapshot)["config"] | {"epochs": 1}
    space = {"max_length": {"choices": [16, 64]}}
    result = search(SearchConfig.from_json(asked(snapshot, config=base, space=space, method="grid")), tmp_path / "out")
    assert (result["failed"], result["best"]["params"]) == (1, {"max_length": 64})
    failed = next(one for one in trials(tmp_path / "out") if one["state"] == "failed")
    assert "There is nothing to train on" in failed["message"]


@pytest.mark.parametrize("folds", [0, 2])
def test_a_rate_that_makes_numbers_infinite_fails_its_trial_alone(snapshot: Path, tmp_path: Path, folds: int) -> None:
    base = asked(snapshot)["config"] | {"epochs": 1}
    space = {"learning_rate": {"choices": [1e39, 1e-3]}}
    told = asked(snapshot, config=base, space=space, method="grid", folds=folds)
    result = search(SearchConfig.from_json(told), tmp_path / "out")
    assert (result["failed"], result["best"]["params"]) == (1, {"learning_rate": 1e-3})
    assert [one["state"] for one in trials(tmp_path / "out")] == ["failed", "complete"]


def test_a_trial_whose_figure_is_no_number_has_failed(snapshot: Path, tmp_path: Path) -> None:
    base = asked(snapshot)["config"] | {"epochs": 1}
    (tmp_path / "out" / "trial-0001").mkdir(parents=True)
    (tmp_path / "out" / "trial-0001" / contract.RESULT).write_text('{"best_validation_loss": NaN, "validation": {}}')
    result = search(SearchConfig.from_json(asked(snapshot, config=base, trials=2)), tmp_path / "out")
    assert (result["failed"], result["best"]["number"]) == (1, 2)


@pytest.mark.parametrize("folds", [0, 2])
def test_rows_that_cannot_be_read_end_a_search_before_its_first_trial(snapshot: Path, tmp_path: Path, folds: int) -> None:
    whole = (snapshot / "validation.jsonl").read_text(encoding="utf-8")
    (snapshot / "validation.jsonl").write_text(whole + '{"messages": []}\n', encoding="utf-8")
    path, out = tmp_path / "search.json", tmp_path / "out"
    base = asked(snapshot)["config"] | {"epochs": 1}
    path.write_text(json.dumps(asked(snapshot, config=base, folds=folds, trials=1)))
    assert main(["search", "--config", str(path), "--out", str(out)]) == Exit.BAD_INPUT
    assert "validation.jsonl line" in contract.read_json(out / contract.ERROR)["message"]
    assert not list(out.glob("trial-*"))
    (snapshot / "validation.jsonl").write_text(whole, encoding="utf-8")
    assert main(["search", "--config", str(path), "--out", str(out)]) == Exit.OK


def test_a_trial_that_memory_runs_out_for_fails_alone_and_a_crash_is_none(
    snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = SearchConfig.from_json(asked(snapshot, trials=2))
    monkeypatch.setattr("trainer.search.train", lambda *_, **__: torch.empty(2**50))
    with pytest.raises(ConfigError, match=r"No trial ended well.*can't allocate memory"):
        search(config, tmp_path / "small")
    assert [one["state"] for one in trials(tmp_path / "small")] == ["failed", "failed"]
    monkeypatch.setattr("trainer.search.train", lambda *_, **__: torch.ones(2) @ torch.ones(3))
    with pytest.raises(RuntimeError, match="inconsistent tensor size"):
        search(config, tmp_path / "wrong")


def test_one_recipe_is_measured_by_its_folds(tmp_path: Path) -> None:
    data = write_snapshot(tmp_path / "data", train=shop_rows(CHANGED, 3), validation=[])
    result = search(SearchConfig.from_json(asked(data, space={}, folds=2, trials=9)), tmp_path / "out")
    assert (result["trials"], len(result["best"]["values"])) == (1, 2)
    assert result["best"]["value"] == pytest.approx(sum(result["best"]["values"]) / 2)


def test_a_hopeless_trial_ends_early(snapshot: Path, tmp_path: Path) -> None:
    base = asked(snapshot)["config"] | {"epochs": 4}
    rates = [3e-3, 2.5e-3, 2e-3, 1.5e-3, 1e-8]
    space = {"learning_rate": {"choices": rates}}
    found = search(SearchConfig.from_json(asked(snapshot, config=base, space=space, method="grid", trials=5)), tmp_path / "out")
    assert found["best"]["params"]["learning_rate"] != 1e-8
    *others, last = trials(tmp_path / "out")
    assert [one["state"] for one in others] == ["complete"] * 4
    assert (last["params"]["learning_rate"], last["state"]) == (1e-8, "pruned")
    assert last["steps"] < max(one["steps"] for one in others)


def test_a_killed_search_goes_on_and_finds_what_it_would_have_found(snapshot: Path, tmp_path: Path) -> None:
    whole = search(SearchConfig.from_json(asked(snapshot)), tmp_path / "whole")
    path, out = tmp_path / "search.json", tmp_path / "out"
    path.write_text(json.dumps(asked(snapshot)))
    child = subprocess.Popen(
        [sys.executable, "-m", "trainer", "search", "--config", str(path), "--out", str(out)],
        cwd=Path(__file__).parents[2], env=os.environ | {"PYTHONUNBUFFERED": "1"}, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    second = out / "trial-0002" / contract.METRICS
    limit = time.monotonic() + 120
    while not second.exists() and time.monotonic() < limit:
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert second.exists()
    assert main(["resume", str(out)]) == Exit.OK
    again = contract.read_json(out / contract.RESULT)
    assert again["best"]["params"] == whole["best"]["params"]
    assert [one["value"] for one in trials(out)] == [one["value"] for one in trials(tmp_path / "whole")]


def test_a_search_stops_on_request_and_keeps_what_it_found(snapshot: Path, tmp_path: Path) -> None:
    path, out = tmp_path / "search.json", tmp_path / "out"
    out.mkdir()
    (out / contract.STOP).touch()
    path.write_text(json.dumps(asked(snapshot)))
    assert main(["search", "--config", str(path), "--out", str(out)]) == Exit.STOPPED
    assert main(["resume", str(out)]) == Exit.OK
    assert len(trials(out)) == 3
