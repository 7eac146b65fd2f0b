"""What scores or sorts texts is evaluated by its own figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.trainer.conftest import CHANGED, label_rows, preference_rows, shop_rows, write_snapshot
from trainer import contract, report
from trainer.__main__ import main
from trainer.contract import EvaluateConfig, Exit, ModelSpec, TrainConfig
from trainer.loop import train
from trainer.model import BadModel
from trainer.rows import BadData


def trained(folder: Path, objective: str, rows: Any, test: Any, **how: Any) -> tuple[ModelSpec, Path, dict[str, Any]]:
    """A short run: its model, its snapshot and its own figures on the test rows."""
    data = write_snapshot(folder / objective / "data", train=rows, test=test)
    config = TrainConfig(data=str(data), objective=objective, batch_size=8, record="nothing", **how)
    result = train(config, folder / objective / "run")
    if config.uses_lora:
        spec = ModelSpec(label=objective, adapter=str(folder / objective / "run" / contract.ADAPTER))
    else:
        spec = ModelSpec(label=objective, base_model=str(folder / objective / "run" / contract.MODEL))
    return spec, data, result["test"]


@pytest.fixture(scope="module")
def sorter(tmp_path_factory: pytest.TempPathFactory) -> tuple[ModelSpec, Path, dict[str, Any]]:
    rows = label_rows(CHANGED, 8)
    how = {"adapter": "lora", "epochs": 4, "lora_rank": 4, "learning_rate": 2e-3}
    return trained(tmp_path_factory.mktemp("sorter"), "classification", rows[:20], rows[20:], **how)


def test_a_classifier_has_the_figures_of_its_run_with_intervals(
    sorter: tuple[ModelSpec, Path, dict[str, Any]], tmp_path: Path
) -> None:
    spec, data, expected = sorter
    made = report.evaluate(EvaluateConfig(data=str(data), models=(spec,)), tmp_path)["models"]["classification"]
    assert made["n"] == expected["rows"] == 12
    for name in ("accuracy", "macro_f1", "loss"):
        assert made[name] == pytest.approx(expected[name], abs=1e-4)
    assert made["confusion"] == expected["confusion"]
    low, high = made["intervals"]["accuracy"]
    assert 0 < low < made["accuracy"] < high < 1
    assert {"macro_f1", "loss"} <= made["intervals"].keys()
    lines = [json.loads(line) for line in (tmp_path / contract.RESPONSES).read_text().splitlines()]
    assert sum(line["exact_match"] for line in lines) / 12 == pytest.approx(made["accuracy"])
    assert {line["text"] for line in lines} <= set(CHANGED)


def test_a_class_that_it_never_learned_is_one_that_it_gets_wrong(
    sorter: tuple[ModelSpec, Path, dict[str, Any]], tmp_path: Path
) -> None:
    row = {"id": "new", "text": "Where is my parcel?", "label": "parcel", "weight": 1.0}
    data = write_snapshot(tmp_path / "data", train=[], test=[row])
    made = report.evaluate(EvaluateConfig(data=str(data), models=(sorter[0],)), tmp_path / "out")["models"]["classification"]
    assert (made["accuracy"], made["loss"], made["loss_n"], made["n"]) == (0.0, None, 0, 1)
    assert "parcel" in made["confusion"]["classes"]


def test_a_reward_model_is_measured_by_pairs(tmp_path: Path) -> None:
    rows = preference_rows(shop_rows(CHANGED, 6))
    spec, data, expected = trained(tmp_path, "reward", rows[:16], rows[16:], adapter="full", epochs=3, learning_rate=1e-3)
    config = tmp_path / "config.json"
    config.write_text(json.dumps(EvaluateConfig(data=str(data), models=(spec,)).to_json()))
    assert main(["evaluate", "--config", str(config), "--out", str(tmp_path / "out")]) == Exit.OK
    made = json.loads((tmp_path / "out" / contract.REPORT).read_text())["models"]["reward"]
    for name in ("preference_accuracy", "margin", "loss"):
        assert made[name] == pytest.approx(expected[name], abs=1e-4)
    assert made["n"] == expected["rows"]
    assert {"preference_accuracy", "margin", "loss"} <= made["intervals"].keys()
    lines = [json.loads(line) for line in (tmp_path / "out" / contract.RESPONSES).read_text().splitlines()]
    assert sum(line["chosen"] - line["rejected"] for line in lines) / len(lines) == pytest.approx(made["margin"], abs=1e-6)


def test_answers_and_verdicts_are_not_measured_together(sorter: tuple[ModelSpec, Path, dict[str, Any]], tmp_path: Path) -> None:
    spec, data, _ = sorter
    with pytest.raises(BadModel, match="chat is a chat model; classification is a model that scores or sorts"):
        report.evaluate(EvaluateConfig(data=str(data), models=(ModelSpec(label="chat"), spec)), tmp_path)
    answers = write_snapshot(tmp_path / "data", train=[], test=shop_rows(CHANGED, 1))
    with pytest.raises(BadData, match="'classification' learns from rows of the kind 'labels'"):
        report.evaluate(EvaluateConfig(data=str(answers), models=(spec,)), tmp_path)
