"""A step asks a GPU for no numbers, which it would have to wait for. Watched on a CPU, where the same operations are called."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from tests.trainer.conftest import write_t5
from tests.trainer.test_loop import quick
from tests.trainer.test_oracle import rows
from tests.trainer.test_packing import as_of_torch_2_13
from trainer import attention, loop
from trainer.attention import Kernel
from trainer.chatters import Imitation
from trainer.contract import TrainConfig
from trainer.folder import RunFolder, StopRequest
from trainer.learner import Learner, Lot
from trainer.model import Loaded, load_for_training
from trainer.picked import Picked
from trainer.preparing import LEARNERS

CPU = torch.device("cpu")
ASKING = ("nonzero", "_local_scalar_dense", "is_nonzero", "masked_select", "unique", "repeat_interleave.Tensor", "aten.equal")


class Asked(AssertionError):
    """An operation whose result the program has to wait for."""


class Waits(TorchDispatchMode):
    """Raises Asked, but for looks at a mask within transformers where those are allowed."""

    def __init__(self, *, masks: bool = False) -> None:
        super().__init__()
        self._masks = masks

    def __torch_dispatch__(self, function: Any, types: Any, given: Any = (), named: Any = None) -> Any:
        name = str(function)
        parts = [part for one in given for part in (one if isinstance(one, list | tuple) else [one])]
        by_mask = "aten.index" in name and any(
            isinstance(part, torch.Tensor) and part.dtype == torch.bool for part in parts[1:]
        )
        if by_mask or any(asking in name for asking in ASKING):
            within = any(frame.filename.endswith("masking_utils.py") for frame in traceback.extract_stack())
            if not (self._masks and within):
                raise Asked(name)
        return function(*given, **(named or {}))


def learner_of(objective: str, tmp_path: Path, **changes: Any) -> tuple[Learner, Lot]:
    base = {"base_model": write_t5(tmp_path / "t5")} if objective == "seq2seq" else {}
    config = TrainConfig(objective=objective, **({"device": "cpu"} | base | changes))
    learner = LEARNERS[objective](config, load_for_training(config, ("a", "b") if objective == "classification" else ()))
    learner.model.train()
    made = [replace(row, label="ab"[number % 2], weight=(1.0, 0.5)[number % 2]) for number, row in enumerate(rows())]
    return learner, learner.lot([lesson for lesson in learner.lessons(made, 256) if lesson])


def step(learner: Learner, lot: Lot, device: torch.device = CPU) -> torch.Tensor:
    """What the loop does with a batch, up to its gradients."""
    lot = lot.to(device)
    if learner.looks_ahead:
        with torch.no_grad():
            learner.look_ahead([lot])
    loss = learner.losses(lot)[0].sum()
    loss.backward()
    return torch.cat(
        [loss.detach().view(1), *(weight.grad.flatten() for weight in learner.model.parameters() if weight.grad is not None)]
    )


@pytest.mark.parametrize("objective", ["sft", "dpo", "orpo", "kto"])
def test_a_step_of_a_chat_model_asks_for_nothing_and_is_the_same_step(objective: str, tmp_path: Path) -> None:
    learner, lot = learner_of(objective, tmp_path)
    expected = step(learner, lot)
    learner.model.zero_grad()
    with pytest.raises(Asked), Waits():  # transformers looks for packed rows
        step(learner, lot)
    learner.model.zero_grad()
    assert attention.spare_masks(learner.model, learner.logits_of, CPU)
    with Waits():
        found = step(learner, lot)
    assert torch.equal(found, expected)
    assert found[1:].any()


def test_a_step_over_a_packed_row_asks_for_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bounds: list[int] = []

    def kernel(query: Any, key: Any, value: Any, cu_seq_q: Any, cu_seq_k: Any, max_q: int, max_k: int, **said: Any) -> Any:
        with pause():  # stands in for a kernel that reads the bounds on the device
            bounds.append(len(cu_seq_q))
            return as_of_torch_2_13(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, **said)

    monkeypatch.setattr(attention, "find_kernel", lambda device, dtype: Kernel(kernel, Kernel.of(as_of_torch_2_13).takes))
    learner, lot = learner_of("sft", tmp_path)
    assert learner.packs
    bounds.clear()
    with Waits():
        step(learner, lot)
    assert bounds[-1] == 7


def test_the_loop_asks_once_a_step_at_its_end(snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = quick(snapshot, accumulation=2, device="cpu")
    learner, plan = loop.prepare(config)
    assert isinstance(learner, Imitation)
    assert attention.spare_masks(learner.model, learner.logits_of, CPU)
    trainer = loop.Trainer(config, learner, plan, RunFolder(tmp_path / "run"), StopRequest(tmp_path / "run"))
    lots = [learner.lot(plan.train[:4]), learner.lot(plan.train[4:8])]
    trainer.one_step(lots)  # the optimizer makes its state
    asked: list[str] = []
    told = torch.Tensor.tolist
    monkeypatch.setattr(torch.Tensor, "tolist", lambda values: asked.append("tolist") or told(values))
    with Waits():
        trainer.one_step(lots)
    assert asked == ["tolist"]
    assert trainer.position.step == 2


@contextmanager
def pause() -> Iterator[None]:
    from torch.utils._python_dispatch import _disable_current_modes

    with _disable_current_modes():
        yield


@pytest.mark.parametrize("objective", ["reward", "classification", "seq2seq"])
def test_a_step_of_another_model_asks_for_nothing_of_its_own(objective: str, tmp_path: Path) -> None:
    learner, lot = learner_of(objective, tmp_path)
    with Waits(masks=True):
        step(learner, lot)


def test_masks_that_choose_are_noticed() -> None:
    values, chosen = torch.arange(6.0).view(2, 3), torch.tensor([[True, False, True], [False, True, False]])
    for asks in (lambda: values[chosen], chosen.nonzero, values.sum().item, lambda: bool(chosen.all())):
        with pytest.raises(Asked), Waits():
            asks()


def test_what_is_picked_is_what_a_mask_would_choose() -> None:
    tokens = torch.arange(20).view(4, 5)
    chosen = torch.tensor([[1, 0, 0, 1], [0, 0, 0, 0], [0, 1, 1, 1], [1, 0, 0, 0]], dtype=torch.bool)
    counts = torch.rand(4, 4)
    picked = Picked.of(tokens, chosen, counts)
    assert picked.targets.tolist() == tokens[:, 1:][chosen].tolist() == [1, 4, 12, 13, 14, 16]
    assert torch.equal(tokens.flatten()[picked.places] + 1, picked.targets)
    assert (picked.rows.tolist(), len(picked), picked.first) == ([0, 0, 2, 2, 2, 3], 6, 2)
    assert torch.equal(picked.counts, counts[chosen])
    for half, part in zip(picked.halves(tokens), (slice(0, 2), slice(2, 4)), strict=True):
        alone = Picked.of(tokens[part], chosen[part], counts[part])
        for name in ("places", "targets", "rows", "counts"):
            assert torch.equal(getattr(half, name), getattr(alone, name)), name


def windowed(window: int) -> Any:
    from transformers import MistralConfig, MistralForCausalLM

    torch.manual_seed(2)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 50}
    model = MistralForCausalLM(MistralConfig(**sizes, num_key_value_heads=2, sliding_window=window, attn_implementation="sdpa"))
    return model.eval()


def test_a_model_that_looks_back_over_a_window_keeps_to_it(mini: Loaded) -> None:
    from trainer.objectives import TrainedLogits

    tokens, places = torch.arange(1, 25).view(2, 12), torch.arange(24)
    whole, narrow = windowed(50), windowed(4)
    expected = TrainedLogits(narrow)(tokens, places)
    assert not torch.allclose(expected, TrainedLogits(whole)(tokens, places), atol=1e-3)
    for model in (whole, narrow):
        before = TrainedLogits(model)(tokens, places)
        assert attention.spare_masks(model, TrainedLogits(model), CPU)
        assert torch.allclose(TrainedLogits(model)(tokens, places), before, atol=1e-6)


def test_a_model_that_goes_without_masks_answers_as_before_and_is_saved_without_a_word_of_it(
    mini: Loaded, tmp_path: Path
) -> None:
    learner = Imitation(TrainConfig(), mini)
    asked = rows()
    before = learner.answers(asked)
    assert len({len(text) for text in before}) > 2
    assert attention.spare_masks(mini.model, learner.logits_of, CPU)
    assert learner.answers(asked) == before
    mini.model.save_pretrained(tmp_path)
    assert attention.MASKLESS not in (tmp_path / "config.json").read_text()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("objective", ["sft", "dpo", "orpo", "kto"])
def test_a_step_on_a_gpu_waits_for_nothing(objective: str, tmp_path: Path) -> None:
    learner, lot = learner_of(objective, tmp_path, device="cuda")
    device = learner.loaded.device
    step(learner, lot, device)
    torch.cuda.synchronize()
    try:
        torch.cuda.set_sync_debug_mode("error")
        step(learner, lot, device)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_masks_are_left_to_a_model_that_attends_in_a_way_of_its_own(mini: Loaded) -> None:
    from trainer.objectives import TrainedLogits

    logits_of = TrainedLogits(mini.model)
    mini.model.config.attention_chunk_size = 64
    assert not attention.spare_masks(mini.model, logits_of, CPU)
    mini.model.config.attention_chunk_size = None
    plain = mini.model.model.forward

    def reads_masks(input_ids: torch.Tensor, attention_mask: Any = None, **said: Any) -> Any:
        told = {} if attention_mask is None else {"position_ids": torch.zeros_like(input_ids)}
        return plain(input_ids, **said, **told)

    mini.model.model.forward = reads_masks
    assert not attention.spare_masks(mini.model, logits_of, CPU)
    assert mini.model.config._attn_implementation == "sdpa"
