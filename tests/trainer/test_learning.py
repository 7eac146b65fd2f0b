"""Every objective through the one loop: it learns what its rows say, is watched by its own figures, and resumes exactly."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.trainer.conftest import CHANGED, label_rows, preference_rows, shop_rows, thumb_rows, write_snapshot, write_t5
from tests.trainer.test_loop import curve, metrics, quick, write_config
from trainer import contract, loop
from trainer.__main__ import main
from trainer.contract import OBJECTIVES, Decoding, Exit, TrainConfig
from trainer.generate import generate
from trainer.model import BadModel, load_adapter, load_base, load_judge
from trainer.rows import BadData

CPU = torch.device("cpu")
SHAPES = {"sft": list, "preferences": preference_rows, "thumbs": thumb_rows}


def folder_of(tmp_path: Path, kind: str) -> Path:
    if kind == "labels":
        rows = label_rows(CHANGED, 9)
        return write_snapshot(tmp_path / kind, train=rows[:26], validation=rows[26:31], test=rows[31:])
    rows, asked = shop_rows(CHANGED, 6), shop_rows(CHANGED, 2, held_out=True)
    made = SHAPES[kind]
    return write_snapshot(tmp_path / kind, train=made(rows[:20]), validation=made(rows[20:]), test=made(asked))


def run_of(tmp_path: Path, objective: str, **changes: Any) -> tuple[Path, dict[str, Any]]:
    config = quick(folder_of(tmp_path, OBJECTIVES[objective].rows), objective=objective, **changes)
    return tmp_path / "run", loop.train(config, tmp_path / "run")


@pytest.mark.parametrize(
    ("objective", "figure", "least"),
    [
        ("dpo", "preference_accuracy", 0.9),
        ("orpo", "preference_accuracy", 0.8),
        ("reward", "preference_accuracy", 0.9),
        ("kto", "margin", 0.05),
        ("classification", "accuracy", 0.8),
    ],
)
def test_an_objective_learns_what_its_rows_say_and_tells_its_own_figures(
    tmp_path: Path, objective: str, figure: str, least: float
) -> None:
    run, result = run_of(tmp_path, objective, epochs=6, learning_rate=2e-3)
    (*_, last) = metrics(run, "validation")
    assert set(OBJECTIVES[objective].metrics) <= last.keys()
    assert all(isinstance(last[name], float) for name in ("loss", *OBJECTIVES[objective].metrics))
    assert result["test"][figure] >= least, result["test"]
    assert result["best_validation_loss"] == min(row["loss"] for row in metrics(run, "validation"))
    assert result["objective"] == objective
    assert metrics(run)[-1]["loss"] < metrics(run)[0]["loss"]


def test_the_kept_weights_are_the_best_by_the_figure_that_was_named(tmp_path: Path) -> None:
    run, result = run_of(tmp_path, "reward", epochs=4, learning_rate=2e-3, best_metric="margin")
    margins = {row["step"]: row["margin"] for row in metrics(run, "validation")}
    assert result["validation"]["margin"] == margins[result["best_step"]] == max(margins.values())


def test_before_the_first_step_a_model_prefers_nothing_that_it_is_compared_with_itself_over(tmp_path: Path) -> None:
    run, _ = run_of(tmp_path, "dpo", epochs=1)
    assert metrics(run)[0]["loss"] == pytest.approx(0.6931, abs=1e-3)
    assert (run / contract.REFERENCE).is_file()


def test_what_dpo_made_is_a_chat_model(tmp_path: Path) -> None:
    run, _ = run_of(tmp_path, "dpo", epochs=1)
    base = load_base(contract.EMBEDDED, None, device=CPU, dtype=torch.float32)
    loaded = load_adapter(base, str(run / contract.ADAPTER))
    assert generate(loaded, [[{"role": "user", "content": "Hello!"}]], Decoding(max_new_tokens=20))[0].text


def test_a_classifier_reports_its_confusion_and_names_its_classes(tmp_path: Path) -> None:
    run, result = run_of(tmp_path, "classification", epochs=4)
    confusion = result["test"]["confusion"]
    assert confusion["classes"] == sorted(CHANGED) == json.loads((run / contract.ADAPTER / contract.LABELS).read_text())
    assert sum(map(sum, confusion["matrix"])) == result["test"]["rows"] == 5
    sample = metrics(run, "validation")[-1]["samples"][0]
    assert sample["reference"] in CHANGED
    assert sample["text"] in CHANGED


def test_a_scoring_model_is_read_back_with_its_head(tmp_path: Path) -> None:
    run, result = run_of(tmp_path, "reward", epochs=2, seed=4)
    config = quick(tmp_path / "preferences", objective="reward", initial_adapter=str(run / contract.ADAPTER), seed=9)
    learner, plan = loop.prepare(config)
    trainer = loop.Trainer(config, learner, plan, loop.RunFolder(tmp_path / "two"), loop.StopRequest(tmp_path / "two"))
    assert trainer.measuring.measure(plan.test)[0] == pytest.approx(result["test"]["loss"], abs=1e-5)
    assert load_judge(contract.EMBEDDED, None, (), device=CPU, dtype=torch.float32).heads == ("score",)


def test_rows_that_do_not_fit_the_objective_are_refused_with_what_would(tmp_path: Path) -> None:
    for kind, objective, says in (
        ("sft", "dpo", "kind 'preferences', and this one is of the kind 'sft'"),
        ("preferences", "sft", "Train on it with dpo or orpo or reward"),
        ("thumbs", "classification", "kind 'labels'"),
        ("labels", "kto", "Train on it with classification"),
    ):
        with pytest.raises(BadData, match=says):
            loop.train(quick(folder_of(tmp_path, kind), objective=objective), tmp_path / "run")


@pytest.mark.parametrize("objective", ["dpo", "kto", "classification"])
def test_a_stopped_run_of_any_objective_goes_on_exactly(
    tmp_path: Path, objective: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config = quick(folder_of(tmp_path, OBJECTIVES[objective].rows), objective=objective, lora_dropout=0.1, neftune_alpha=5.0)
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    loop.train(config, whole)
    stopped.mkdir()
    (stopped / contract.STOP).touch()
    assert main(["run", "--config", str(write_config(tmp_path, config)), "--out", str(stopped)]) == Exit.STOPPED
    assert main(["resume", str(stopped)]) == Exit.OK
    assert curve(stopped) == curve(whole)


@pytest.mark.slow
def test_a_killed_dpo_run_resumes_bit_for_bit(tmp_path: Path) -> None:
    data = folder_of(tmp_path, "preferences")
    config = quick(data, objective="dpo", epochs=4, accumulation=2, checkpoint_every=2, adapter="rslora", order="length")
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    loop.train(config, whole)
    command = [sys.executable, "-m", "trainer", "run", "--config", str(write_config(tmp_path, config)), "--out", str(killed)]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not (killed / contract.METRICS).exists() or len((killed / contract.METRICS).read_text().splitlines()) < 5:
        assert time.monotonic() < deadline
        assert child.poll() is None, "the run ended before it could be killed"
        time.sleep(0.002)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not (killed / contract.RESULT).exists()
    loop.train(config, killed, resume=True)
    assert curve(killed) == curve(whole)
    weights = f"{contract.ADAPTER}/adapter_model.safetensors"
    assert (killed / weights).read_bytes() == (whole / weights).read_bytes()


def test_a_run_does_not_go_on_without_what_it_compares_with(tmp_path: Path) -> None:
    run, _ = run_of(tmp_path, "dpo", epochs=1)
    (run / contract.REFERENCE).write_bytes(b"half")
    with pytest.raises(BadData, match="cannot go on"):
        loop.train(TrainConfig.from_json(json.loads((run / contract.CONFIG).read_text())), run, resume=True)


@pytest.mark.parametrize("adapter", ["rslora", "dora", "full", "last_layers"])
def test_every_adapter_learns(snapshot: Path, tmp_path: Path, adapter: str) -> None:
    rate = 3e-3 if adapter in contract.LORA_KINDS else 1e-3
    config = quick(snapshot, adapter=adapter, epochs=3, learning_rate=rate, last_layers=1)
    loop.train(config, tmp_path / "run")
    losses = [row["loss"] for row in metrics(tmp_path / "run", "validation")]
    assert losses[-1] < losses[0]
    name = contract.ADAPTER if adapter in contract.LORA_KINDS else contract.MODEL
    assert (tmp_path / "run" / name).is_dir()


def test_the_last_layers_are_trained_and_no_others() -> None:
    from trainer.model import load_for_training

    trained = [
        name
        for name, weight in load_for_training(TrainConfig(adapter="last_layers", last_layers=2)).model.named_parameters()
        if weight.requires_grad
    ]
    assert trained
    assert {name.split(".")[2] for name in trained} == {"2", "3"}


def test_noise_on_the_word_vectors_is_there_while_training_only(snapshot: Path) -> None:
    learner, plan = loop.prepare(quick(snapshot, neftune_alpha=5.0))
    lot = learner.lot(plan.train[:2])
    losses = {float(learner.losses(lot)[0].detach()) for _ in range(2) if learner.model.train()}
    assert len(losses) == 2
    with torch.no_grad():
        assert len({float(learner.losses(lot)[0]) for _ in range(2) if learner.model.eval()}) == 1


def test_a_curriculum_goes_from_short_to_long_once(snapshot: Path) -> None:
    from trainer.plan import batches

    config = quick(snapshot, order="length")
    _, plan = loop.prepare(config)
    lengths = [plan.train[place].length for batch in batches(config, plan, 0) for place in batch]
    assert lengths == sorted(lengths)
    later = [plan.train[place].length for batch in batches(config, plan, 1) for place in batch]
    assert sorted(later) == lengths != later


def test_a_curriculum_by_difficulty_needs_it_in_every_row(tmp_path: Path) -> None:
    rows = [row | {"metadata": {"difficulty": str(n % 3)}} for n, row in enumerate(shop_rows(CHANGED, 2))]
    config = quick(write_snapshot(tmp_path / "data", train=rows), order="difficulty")
    _, plan = loop.prepare(config)
    assert plan.keys == tuple(float(n % 3) for n in range(len(rows)))
    rows[3]["metadata"] = {}
    with pytest.raises(BadData, match="every training row"):
        loop.prepare(quick(write_snapshot(tmp_path / "data", train=rows), order="difficulty"))


def test_a_model_of_the_t5_family_learns_through_the_same_loop(tmp_path: Path) -> None:
    data = write_snapshot(tmp_path / "data", train=shop_rows(CHANGED, 9), validation=shop_rows(CHANGED, 2, held_out=True))
    config = quick(
        data,
        objective="seq2seq",
        base_model=write_t5(tmp_path / "t5"),
        adapter="full",
        epochs=12,
        learning_rate=1e-2,
        batch_size=8,
    )
    loop.train(config, tmp_path / "run")
    (*_, last) = metrics(tmp_path / "run", "validation")
    assert last["token_accuracy"] > 0.9
    assert any(sample["text"] == sample["reference"] for sample in last["samples"]), last["samples"]


@pytest.mark.slow
def test_bank_questions_are_sorted_by_intent(shared_data: Path, tmp_path: Path) -> None:
    import csv

    with (shared_data / "banking77" / "train.csv").open(encoding="utf-8") as file:
        texts: dict[str, list[str]] = {}
        for row in csv.DictReader(file):
            texts.setdefault(row["category"], []).append(row["text"])
    parts: dict[str, list[dict[str, object]]] = {"train": [], "validation": [], "test": []}
    for label in sorted(texts)[:8]:
        for number, text in enumerate(texts[label][:50]):
            part = "test" if number % 5 == 0 else "validation" if number % 10 == 1 else "train"
            parts[part].append({"id": f"{label}-{number}", "text": text, "label": label})
    folder = write_snapshot(tmp_path / "data", **parts)
    config = TrainConfig(
        data=str(folder), objective="classification", epochs=6, learning_rate=2e-3, max_length=64, best_metric="accuracy"
    )
    result = loop.train(config, tmp_path / "run")
    assert result["test"]["rows"] == 80
    assert result["test"]["accuracy"] >= 0.7, result["test"]


def test_four_bits_need_their_package(snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.model.importlib.util.find_spec", lambda name: None)
    with pytest.raises(BadModel, match="needs the package bitsandbytes"):
        loop.train(quick(snapshot, adapter="qlora"), tmp_path / "run")


def test_lora_learns_on_a_base_in_four_bits(snapshot: Path, tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes")
    loop.train(quick(snapshot, adapter="qlora", epochs=3), tmp_path / "run")
    losses = [row["loss"] for row in metrics(tmp_path / "run", "validation")]
    assert losses[-1] < losses[0]
    assert not (tmp_path / "run" / contract.ADAPTER / contract.BASE).exists()
