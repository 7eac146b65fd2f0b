from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.trainer.test_loop import curve, metrics, quick
from tests.trainer.test_objectives import loss_of
from trainer import contract, loop
from trainer.model import BadModel
from trainer.speed import Shape, choose, needed, shape_of

SMALL: dict[str, Any] = {"measured_answers": 0, "record": "nothing", "epochs": 1}
QWEN = Shape(layers=28, width=1024, inner=3072, vocabulary=151_936, fixed=2 * 10**9, number=2)


@pytest.mark.parametrize("adapter", ["lora", "full"])
def test_checkpointed_activations_change_nothing_but_memory(snapshot: Path, tmp_path: Path, adapter: str) -> None:
    kept: dict[str, int] = {}
    for mode in ("off", "on"):
        config = quick(snapshot, **SMALL, adapter=adapter, lora_dropout=0.1 if adapter == "lora" else 0.0, checkpointing=mode)
        learner, plan = loop.prepare(config)
        learner.model.train()
        count = 0

        def note(tensor: torch.Tensor) -> torch.Tensor:
            nonlocal count
            count += tensor.numel()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            loss_of(learner, [learner.lot(plan.train[:4])])
        kept[mode] = count
        loop.train(config, tmp_path / mode)
    assert curve(tmp_path / "on") == curve(tmp_path / "off")
    assert kept["on"] < kept["off"] / 2


def test_as_few_layers_as_will_do_forget_their_activations() -> None:
    def sized(every: int) -> int:
        return needed(QWEN, tokens=32_768, trained=16_384, every=every)

    assert sized(0) > sized(4) > sized(2) > sized(1) > QWEN.fixed
    for every in (0, 4, 2):
        assert choose(QWEN, tokens=32_768, trained=16_384, room=sized(every)) == every
    assert choose(QWEN, tokens=32_768, trained=16_384, room=sized(2) - 1) == 1
    assert choose(QWEN, tokens=32_768, trained=16_384, room=141 * 10**9) == 0


def test_a_model_has_the_shape_that_its_config_says(snapshot: Path) -> None:
    learner, _ = loop.prepare(quick(snapshot, adapter="full"))
    shape, config = shape_of(learner.model, torch.float32), learner.model.config
    assert (shape.layers, shape.width, shape.vocabulary) == (config.num_hidden_layers, config.hidden_size, config.vocab_size)
    assert shape.fixed == 16 * sum(weight.numel() for weight in learner.model.parameters())
    assert shape.number == 4


def test_kernels_that_are_not_there_are_refused_with_what_to_do(snapshot: Path) -> None:
    with pytest.raises(BadModel, match="use 'plain'"):
        loop.prepare(quick(snapshot, kernels="liger", device="cpu"))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_compiled_layers_train_as_plain_ones_do(snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Set, so that it is put back after: the run sets it only where nobody has.
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "x")
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR")
    config = SMALL | {"batch_size": 20, "epochs": 2}
    loop.train(quick(snapshot, **config), tmp_path / "plain")
    loop.train(quick(snapshot, **config, compile="on"), tmp_path / "compiled")
    plain, compiled = (metrics(tmp_path / name) for name in ("plain", "compiled"))
    assert [row["loss"] for row in compiled] == pytest.approx([row["loss"] for row in plain], abs=1e-4)
    assert any((tmp_path / "compiled" / contract.COMPILED).iterdir())


def test_compiling_without_a_compiler_is_refused_before_the_first_step(snapshot: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(BadModel, match=r"g\+\+"):
        loop.prepare(quick(snapshot, compile="on"))
