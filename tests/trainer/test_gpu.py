"""What a GPU would be told to do, looked at without one.

Torch's own varlen attention runs here with kernels for the CPU put under it, so its signature, its gradients and what compiling
makes of it are the real ones. The `meta` device has shapes and no numbers: a tensor that was left on the CPU, or a look at a
number, fails there as it would slow a GPU down. How fast any of it is cannot be seen here.
"""

from __future__ import annotations

import importlib
import itertools
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from tests.trainer.test_loop import quick
from tests.trainer.test_oracle import rows
from trainer import attention, loop, speed
from trainer.attention import Kernel
from trainer.chatters import Imitation
from trainer.contract import TrainConfig
from trainer.folder import RunFolder, StopRequest
from trainer.learner import Lot
from trainer.model import load_chat_for_training
from trainer.plan import Plan

torch_varlen = pytest.importorskip("torch.nn.attention.varlen")
CPU, CUDA, META = (torch.device(name) for name in ("cpu", "cuda", "meta"))


def texts(bounds: torch.Tensor) -> Iterator[slice]:
    ends = bounds.tolist()
    return (slice(start, end) for start, end in itertools.pairwise(ends))


def forward(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, bounds: torch.Tensor, _: Any, __: int, ___: int,
    is_causal: bool = False, scale: float | None = None, window: Any = None, *rest: Any,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:  # fmt: skip
    assert is_causal
    out = torch.empty_like(query)
    for text in texts(bounds):
        parts = [part[text].transpose(0, 1).unsqueeze(0) for part in (query, key, value)]
        alone = scaled_dot_product_attention(parts[0], parts[1], parts[2], is_causal=True, scale=scale, enable_gqa=True)
        out[text] = alone[0].transpose(0, 1)
    return out, torch.zeros(query.shape[1], query.shape[0]), torch.zeros(2, dtype=torch.uint64)


def backward(
    grad: torch.Tensor, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, out: torch.Tensor, lse: torch.Tensor,
    bounds: torch.Tensor, _: Any, __: int, ___: int, is_causal: bool, random: Any, scale: float | None = None, *rest: Any,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:  # fmt: skip
    times, scale = query.shape[1] // key.shape[1], scale or query.shape[-1] ** -0.5
    found = tuple(torch.zeros_like(part) for part in (query, key, value))

    def fold(each: torch.Tensor) -> torch.Tensor:
        return each.view(-1, times, *each.shape[1:]).sum(1).transpose(0, 1)

    for text in texts(bounds):
        asks, told = (part[text].transpose(0, 1).float() for part in (query, grad))
        keys, values = (part[text].transpose(0, 1).float().repeat_interleave(times, 0) for part in (key, value))
        ahead = torch.ones(asks.shape[1], asks.shape[1], dtype=torch.bool).triu(1)
        shares = (asks @ keys.transpose(1, 2) * scale).masked_fill(ahead, -math.inf).softmax(-1)
        moved = told @ values.transpose(1, 2)
        moved = shares * (moved - (moved * shares).sum(-1, keepdim=True)) * scale
        found[0][text] = (moved @ keys).transpose(0, 1)
        found[1][text] = fold(moved.transpose(1, 2) @ asks)
        found[2][text] = fold(shares.transpose(1, 2) @ told)
    return found  # type: ignore[return-value]


@pytest.fixture(scope="module", autouse=True)
def kernels_for_the_cpu() -> None:
    torch_varlen._varlen_attn.register_kernel("cpu")(forward)
    torch_varlen._varlen_attn_backward.register_kernel("cpu")(backward)


def packing(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> Imitation:
    """SFT as on a GPU: base weights in bf16, LoRA's in fp32, torch's varlen attention."""
    found = Kernel.of(torch_varlen.varlen_attn)
    monkeypatch.setattr(attention, "find_kernel", lambda device, dtype: found)
    config = TrainConfig(**({"device": "cpu"} | changes))
    loaded = load_chat_for_training(config)
    for weight in loaded.model.parameters():
        if config.uses_lora and not weight.requires_grad:
            weight.data = weight.data.bfloat16()
    learner = Imitation(config, loaded)
    learner.model.train()
    assert learner.packs
    return learner


def lots(learner: Imitation, *sizes: int) -> list[Lot]:
    """Packed rows of so many conversations."""
    found = [lesson for lesson in learner.lessons(rows(), 256) if lesson]
    return [learner.lot(found[:size]) for size in sizes]


def gradients(learner: Imitation, lot: Lot) -> tuple[torch.Tensor, list[torch.Tensor]]:
    learner.model.zero_grad()
    with torch.autocast(lot.tokens.device.type if lot.tokens.is_cuda else "cpu", torch.bfloat16):
        loss = learner.losses(lot)[0].sum() / lot.totals[0]
    loss.backward()
    return loss.detach(), [weight.grad.clone() for weight in learner.model.parameters() if weight.grad is not None]


def test_torchs_varlen_attention_takes_what_it_is_given_and_gives_the_loss_of_the_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    learner = packing(monkeypatch)
    (lot,) = lots(learner, 6)
    loss, grads = gradients(learner, lot)
    learner.model.set_attn_implementation("sdpa")
    expected, masked = gradients(learner, lot)
    assert loss.item() == pytest.approx(expected.item(), rel=5e-3)
    assert len(grads) == len(masked) > 0
    one, other = (torch.cat([grad.flatten() for grad in found]) for found in (grads, masked))
    assert torch.nn.functional.cosine_similarity(one, other, dim=0) > 0.99


def test_rows_of_any_length_are_compiled_once_and_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    testing, dynamo = importlib.import_module("torch._dynamo.testing"), importlib.import_module("torch._dynamo")
    counted = testing.CompileCounterWithBackend("eager")
    monkeypatch.setattr(speed, "BACKEND", counted)
    monkeypatch.setattr(speed.shutil, "which", lambda name: name)
    learner = packing(monkeypatch, compile="on", checkpointing="on")
    chosen = lots(learner, 3, 5, 2, 6, 4)
    plain = [gradients(learner, lot)[0] for lot in chosen]
    dynamo.reset()
    dynamo.utils.counters.clear()
    speed.settle(learner.config, learner, Plan([], [], [], [], 1, 1, 0, 0, ""))
    losses, frames = [], []
    for lot in chosen:
        losses.append(gradients(learner, lot)[0])
        frames.append(counted.frame_count)
    dynamo.reset()
    assert [loss.item() for loss in losses] == pytest.approx([loss.item() for loss in plain], rel=2e-3)
    assert frames[0] <= 4, "the first layer, whose input needs no gradient, the others, and the loss"
    assert set(frames) == {frames[0]}
    assert not dynamo.utils.counters["graph_break"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_packed_and_compiled_step_on_a_gpu_gives_the_loss_of_the_mask() -> None:
    config = TrainConfig(device="cuda", compile="on", checkpointing="off")
    learner = Imitation(config, load_chat_for_training(config))
    learner.model.train()
    assert learner.packs
    found = [lot.to(CUDA) for lot in lots(learner, 6, 4)]
    plain = [gradients(learner, lot)[0].item() for lot in found]
    speed.settle(config, learner, Plan([], [], [], [], 1, 1, 0, 0, "", room=1024))
    compiled = [gradients(learner, lot)[0].item() for lot in found]
    with speed.as_written(learner):
        learner.model.set_attn_implementation("sdpa")
        masked = [gradients(learner, lot)[0].item() for lot in found]
    assert plain == pytest.approx(masked, rel=1e-2)
    assert compiled == pytest.approx(masked, rel=1e-2)


@pytest.mark.parametrize("adapter", ["lora", "dora", "full"])
def test_a_step_leaves_nothing_on_the_cpu_and_looks_at_no_number(adapter: str, monkeypatch: pytest.MonkeyPatch) -> None:
    learner = packing(monkeypatch, adapter=adapter)
    (lot,) = lots(learner, 5)
    learner.model.to(META)
    loss, grads = gradients(learner, lot.to(META))
    assert loss.device == META
    assert all(grad.device == META for grad in grads)
    norm = torch.nn.utils.clip_grad_norm_([weight for weight in learner.model.parameters() if weight.requires_grad], 1.0)
    assert norm.device == META
    with pytest.raises(RuntimeError):
        norm.item()


def test_the_next_batch_is_laid_before_a_steps_numbers_are_asked_for(
    snapshot: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = quick(snapshot, device="cpu", epochs=1, batch_size=5)
    learner, plan = loop.prepare(config)
    trainer = loop.Trainer(config, learner, plan, RunFolder(tmp_path), StopRequest(tmp_path))
    done: list[str] = []

    def noting(what: str, act: Any) -> Any:
        def noted(one: Any) -> Any:
            done.append(what)
            return act(one)

        return noted

    monkeypatch.setattr(learner, "lot", noting("laid", learner.lot))
    monkeypatch.setattr(torch.Tensor, "tolist", noting("asked", torch.Tensor.tolist))
    monkeypatch.setattr(trainer, "_after_step", lambda: None)
    learner.model.train()
    trainer._train_steps()
    assert plan.total_steps == 4
    assert done == ["laid", "laid", "asked", "laid", "asked", "laid", "asked", "asked"]


@pytest.fixture
def big_gpu(monkeypatch: pytest.MonkeyPatch) -> Imitation:
    """A learner that believes it is on a GPU with 141 GB; nothing is computed there."""
    learner = packing(monkeypatch)
    learner.loaded.device = CUDA
    monkeypatch.setattr(speed, "memory_of", lambda device: 141 * 10**9)
    monkeypatch.setattr(speed, "choose_dtype", lambda precision, device: torch.bfloat16)
    monkeypatch.setattr(speed, "_lacking", lambda device: "")
    return learner


def test_rows_are_as_long_as_keeps_a_gpu_busy_while_there_are_steps_enough_and_memory(
    big_gpu: Imitation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def room(tokens: int, **changes: Any) -> int:
        return speed.busy_room(replace(big_gpu.config, **changes), big_gpu, tokens=tokens, trained_share=0.5)

    assert room(10**9) == speed.BUSY
    assert room(10**9, processes=2) == 2 * speed.BUSY
    assert room(50_000) == 500
    monkeypatch.setattr(speed, "memory_of", lambda device: 10**9 // 2)
    assert room(10**9) < speed.BUSY
    assert room(10**9) <= room(10**9, checkpointing="on")
    big_gpu.loaded.device = CPU
    assert room(10**9) == 0


def test_long_runs_of_chat_models_compile_by_themselves_on_a_gpu_alone(big_gpu: Imitation) -> None:
    example = next(lesson for lesson in big_gpu.lessons(rows(), 256) if lesson)
    plan = Plan([example], [], [], [], 1, 1, 0, 0, "")
    work = plan.arithmetic(big_gpu.model) * plan.tokens
    long = replace(big_gpu.config, epochs=math.ceil(speed.WORTH_COMPILING / work))
    assert speed.pays(long, big_gpu, plan)
    shorter: list[dict[str, Any]] = [{"epochs": 1}]
    others: list[dict[str, Any]] = [{"adapter": "qlora"}, {"adapter": "dora"}, {"kernels": "liger"}, {"objective": "reward"}]
    for change in [*shorter, *others, {"processes": 2}]:
        assert not speed.pays(replace(long, **change), big_gpu, plan)
    big_gpu.loaded.device = CPU
    assert not speed.pays(long, big_gpu, plan)


def test_layers_forget_by_the_name_that_older_transformers_have() -> None:
    class Older:
        every = 0

        def gradient_checkpointing_enable(self, every_n_layers: int) -> None:
            self.every = every_n_layers

        def disable_input_require_grads(self) -> None:
            pass

    model = Older()
    speed._checkpoint(model, 4)
    assert model.every == 4
