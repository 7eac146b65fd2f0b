"""Where metrics are copied to: what TensorBoard and MLflow read back is what the run wrote."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from trainer import contract, loop
from trainer.catalogue import MODELS, fitting, known
from trainer.contract import EMBEDDED, OBJECTIVES, ConfigError, TrainConfig
from trainer.flops import peak_of, per_token
from trainer.model import Loaded, load_base
from trainer.recorders import FOLDER, MLflow


def events(run: Path, event: str) -> list[dict[str, float]]:
    rows = [json.loads(line) for line in (run / contract.METRICS).read_text().splitlines()]
    return [row for row in rows if row["event"] == event]


def test_a_run_writes_what_tensorboard_reads(snapshot: Path, tmp_path: Path) -> None:
    loop.train(TrainConfig(data=str(snapshot), batch_size=8, epochs=2, lora_rank=2, measured_answers=2), tmp_path)
    read = EventAccumulator(str(tmp_path / FOLDER))
    read.Reload()
    wrote = events(tmp_path, "train")
    assert [(one.step, one.value) for one in read.Scalars("train/loss")] == [
        (row["step"], pytest.approx(row["loss"])) for row in wrote
    ]
    assert wrote[-1]["memory_bytes"] > 1e7
    checked = events(tmp_path, "validation")
    assert [one.value for one in read.Scalars("validation/rouge_l")] == [pytest.approx(row["rouge_l"]) for row in checked]
    assert 0 <= checked[-1]["bleu"] <= 100
    assert b"reference:" in read.Tensors("samples/1")[0].tensor_proto.string_val[0]


def test_answers_are_not_written_out_where_nobody_measures_them(snapshot: Path, tmp_path: Path) -> None:
    config = TrainConfig(data=str(snapshot), batch_size=8, epochs=1, lora_rank=2, measured_answers=0, record="nothing")
    loop.train(config, tmp_path)
    (row,) = events(tmp_path, "validation")
    assert "bleu" not in row
    assert len(row["samples"]) == 3
    assert not (tmp_path / FOLDER).exists()
    with pytest.raises(ConfigError, match="best_metric rouge_l needs measured_answers above 0"):
        TrainConfig(best_metric="rouge_l", measured_answers=0)


def test_the_best_weights_can_be_those_of_the_likest_answers(snapshot: Path, tmp_path: Path) -> None:
    config = TrainConfig(data=str(snapshot), batch_size=8, epochs=2, lora_rank=2, best_metric="rouge_l", record="nothing")
    result = loop.train(config, tmp_path)
    assert result["validation"]["rouge_l"] == max(row["rouge_l"] for row in events(tmp_path, "validation"))


def test_mlflow_reads_back_what_was_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    recorder = MLflow(TrainConfig(data="somewhere", epochs=7), tmp_path)
    recorder.record("train", {"step": 3, "loss": 1.5, "note": "text", "flag": True})
    recorder.close()
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{tmp_path}/mlflow.db")
    (run,) = client.search_runs([client.get_experiment_by_name("touchstone").experiment_id])
    assert (run.data.metrics, run.data.params["epochs"], run.info.status) == ({"train.loss": 1.5}, "7", "FINISHED")


def test_a_tokens_arithmetic_is_that_of_the_formula(mini: Loaded) -> None:
    config = mini.model.config
    linear = sum(
        weight.numel()
        for name, weight in mini.model.named_parameters()
        if weight.ndim == 2 and "embed" not in name and "lm_head" not in name
    )
    for weight in mini.model.parameters():
        weight.requires_grad_(False)
    attention = 6 * config.num_hidden_layers * config.hidden_size * 50
    head = config.vocab_size * config.hidden_size
    assert per_token(mini.model, trained_share=0.5, length=50) == pytest.approx(4 * linear + 4 * 0.5 * head + attention)
    for weight in mini.model.parameters():
        weight.requires_grad_(True)
    whole = load_base(EMBEDDED, None, device=torch.device("cpu"), dtype=torch.float32)
    for weight in whole.model.parameters():
        weight.requires_grad_(True)
    assert per_token(whole.model, trained_share=0.0, length=0) == pytest.approx(6 * linear)


def test_known_gpus_have_a_peak_and_a_cpu_has_none() -> None:
    assert peak_of("NVIDIA H100 80GB HBM3") == peak_of("NVIDIA H200") == 989e12
    assert peak_of("cpu") is None


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_has_a_model_that_fits_and_whose_facts_are_told(objective: str) -> None:
    found = fitting(objective)
    assert found
    assert all(model.licence in model.said and model.memory("qlora") < model.memory("full") for model in found)


def test_the_embedded_model_is_in_the_catalogue_with_its_own_context(mini: Loaded) -> None:
    model = known(EMBEDDED)
    assert model is not None
    assert model.context == mini.context
    assert len({model.name for model in MODELS}) == len(MODELS)
