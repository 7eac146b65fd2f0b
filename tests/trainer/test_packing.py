"""Packed rows: which conversations share one, that they do not see each other, and that nothing else changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from tests.trainer.test_loop import curve, metrics, quick, status
from tests.trainer.test_objectives import examples, loss_of
from trainer import attention, contract, loop
from trainer.attention import Kernel, Packed, keeps_apart
from trainer.chatters import Imitation
from trainer.contract import ConfigError, TrainConfig
from trainer.folder import StopRequest
from trainer.loop import Stopped
from trainer.model import BadModel, Loaded
from trainer.objectives import TrainedLogits
from trainer.packing import pack, room_for
from trainer.rows import BadData

CPU = torch.device("cpu")
PACKED = {"packing": "on", "batch_tokens": 256}


@given(st.lists(st.integers(1, 90), min_size=1, max_size=60), st.integers(60, 100), st.integers(0, 3), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_every_conversation_is_in_one_row_an_epoch_and_rows_keep_to_their_room(
    lengths: list[int], room: int, seed: int, epoch: int
) -> None:
    rows = pack(lengths, capacity=room, seed=seed, epoch=epoch)
    assert sorted(place for row in rows for place in row) == list(range(len(lengths)))
    assert all(len(row) == 1 or sum(lengths[place] for place in row) <= room for row in rows)
    assert rows == pack(lengths, capacity=room, seed=seed, epoch=epoch)
    assert len(rows) == len(pack(lengths, capacity=room, seed=seed + 1, epoch=epoch + 1))
    # Best fit: no two rows would fit into one.
    sums = sorted(sum(lengths[place] for place in row) for row in rows)
    assert len(sums) < 2 or sums[0] + sums[1] > room


def test_epochs_differ_in_what_shares_a_row() -> None:
    lengths = [10, 20, 30] * 20
    first, second = (pack(lengths, capacity=60, seed=0, epoch=epoch) for epoch in (0, 1))
    assert sorted(map(sorted, first)) != sorted(map(sorted, second))


def test_room_is_made_for_a_batch_of_conversations_and_for_the_longest() -> None:
    assert room_for([10, 20, 30], batch_size=4) == 80
    assert room_for([10, 10, 90], batch_size=1) == 90


def gradients(learner: Imitation, lots: list[Any]) -> tuple[float, tuple[torch.Tensor, ...]]:
    loss = loss_of(learner, lots)
    return float(loss.detach()), torch.autograd.grad(loss, list(learner.model.parameters()))


def weighted(mini: Loaded) -> list[Any]:
    return examples(mini, 7, weights=(1.0, 0.5, 3.0))


def same(one: tuple[float, tuple[torch.Tensor, ...]], other: tuple[float, tuple[torch.Tensor, ...]]) -> None:
    assert one[0] == pytest.approx(other[0], abs=1e-5)
    for mine, theirs in zip(one[1], other[1], strict=True):
        assert torch.allclose(mine, theirs, atol=1e-5)


def test_a_packed_batch_has_the_loss_and_the_gradients_of_the_padded_one(mini: Loaded) -> None:
    chosen = weighted(mini)
    padded, packed = Imitation(TrainConfig(), mini), Imitation(TrainConfig(**PACKED), mini)
    assert (padded.packs, packed.packs) == (False, True)
    one_row = packed.lot(chosen)
    assert one_row.tokens.shape == (1, sum(example.length for example in chosen))
    same(gradients(packed, [one_row]), gradients(padded, [padded.lot(chosen)]))


def test_a_conversation_does_not_see_the_one_before_it(mini: Loaded) -> None:
    learner = Imitation(TrainConfig(**PACKED), mini)
    first, second, other = weighted(mini)[:3]
    silent = [replace(one, weight=0.0) for one in (first, other)]
    alone = loss_of(learner, [learner.lot([second])]).item()
    for one in silent:
        assert loss_of(learner, [learner.lot([one, second])]).item() == pytest.approx(alone, abs=1e-6)
    # Positions that go on through the row are what a leak looks like; they must be seen by the comparison above.
    lot = learner.lot([silent[0], second])
    assert lot.packed is not None
    leaking = replace(lot, packed=replace(lot.packed, positions=torch.arange(lot.tokens.shape[1]).unsqueeze(0)))
    assert abs(loss_of(learner, [leaking]).item() - alone) > 1e-2


def test_a_model_whose_texts_would_see_each_other_is_found_out(mini: Loaded) -> None:
    logits_of = TrainedLogits(mini.model)
    assert keeps_apart(mini.model, logits_of, CPU)

    def without_positions(tokens: torch.Tensor, places: torch.Tensor, packed: Packed | None = None) -> torch.Tensor:
        return logits_of(tokens, places)

    assert not keeps_apart(mini.model, without_positions, CPU)


def test_packing_a_model_that_does_not_keep_texts_apart_is_refused(mini: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = mini.model.model.forward
    monkeypatch.setattr(mini.model.model, "forward", lambda *args, position_ids=None, **said: plain(*args, **said))
    with pytest.raises(BadModel, match="see each other"):
        Imitation(TrainConfig(**PACKED), mini)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"packing": "on", "objective": "dpo"}, "'dpo'"),
        ({"packing": "on", "order": "length"}, "order 'length'"),
        ({"packing": "on", "neftune_alpha": 5.0}, "neftune"),
        ({"batch_tokens": 100}, "at least max_length"),
    ],
)
def test_what_cannot_be_packed_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        TrainConfig(**changes)


def by_text(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, bounds: torch.Tensor, **said: Any) -> torch.Tensor:
    """Varlen attention, a text at a time."""
    out = torch.empty_like(query)
    for start, end in zip(bounds.tolist(), bounds.tolist()[1:], strict=False):
        texts = [part[start:end].transpose(0, 1).unsqueeze(0) for part in (query, key, value)]
        out[start:end] = functional.scaled_dot_product_attention(*texts, is_causal=True, **said)[0].transpose(0, 1)
    return out


def as_of_torch_2_10(
    query: Any, key: Any, value: Any, cu_seq_q: Any, cu_seq_k: Any, max_q: int, max_k: int, is_causal: bool = False
) -> torch.Tensor:
    assert is_causal
    assert max_q == max_k == int(cu_seq_q.diff().max())
    return by_text(query, key, value, cu_seq_q)


def as_of_torch_2_13(
    query: Any, key: Any, value: Any, cu_seq_q: Any, cu_seq_k: Any, max_q: int, max_k: int, *,
    scale: float | None = None, window_size: tuple[int, int] = (-1, -1), enable_gqa: bool = False,
) -> torch.Tensor:  # fmt: skip
    assert window_size == (-1, 0)
    return by_text(query, key, value, cu_seq_q, scale=scale, enable_gqa=enable_gqa)


@pytest.mark.parametrize("kernel", [as_of_torch_2_10, as_of_torch_2_13])
def test_varlen_attention_of_any_torch_gives_the_loss_of_the_mask(
    mini: Loaded, monkeypatch: pytest.MonkeyPatch, kernel: Any
) -> None:
    padded = Imitation(TrainConfig(), mini)
    expected = gradients(padded, [padded.lot(weighted(mini))])
    monkeypatch.setattr(attention, "find_kernel", lambda device, dtype: Kernel.of(kernel))
    packed = Imitation(TrainConfig(), mini)
    assert packed.packs, "'auto' packs where there is varlen attention"
    assert mini.model.config._attn_implementation == attention.NAME
    same(gradients(packed, [packed.lot(weighted(mini))]), expected)
    # Rows that are not packed still have their own attention: the padded batch is read as before.
    same(gradients(padded, [padded.lot(weighted(mini))]), expected)


def test_varlen_attention_that_does_not_keep_texts_apart_is_not_used(mini: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    def leaks(query: Any, key: Any, value: Any, cu_seq_q: Any, cu_seq_k: Any, a: int, b: int, *, is_causal: bool) -> Any:
        return by_text(query, key, value, torch.tensor([0, len(query)]))

    before = mini.model.config._attn_implementation
    monkeypatch.setattr(attention, "find_kernel", lambda device, dtype: Kernel.of(leaks))
    assert not Imitation(TrainConfig(), mini).packs
    assert mini.model.config._attn_implementation == before
    assert Imitation(TrainConfig(**PACKED), mini).packs, "the mask of transformers is there still"


def test_a_window_or_a_scale_that_the_kernel_does_not_know_is_not_passed_over() -> None:
    old, new = Kernel.of(as_of_torch_2_10), Kernel.of(as_of_torch_2_13)
    assert new.options(scaling=0.5, width=16, window=8) == {"scale": 0.5, "window_size": (7, 0)}
    assert old.options(scaling=0.25, width=16, window=None) == {"is_causal": True}
    with pytest.raises(attention.Unfit, match="window"):
        old.options(scaling=0.25, width=16, window=8)
    with pytest.raises(attention.Unfit, match="scaled"):
        old.options(scaling=0.5, width=16, window=None)


def test_a_cpu_has_no_varlen_attention_and_does_not_pack_by_itself(mini: Loaded) -> None:
    assert attention.find_kernel(CPU, torch.float32) is None
    assert not Imitation(TrainConfig(), mini).packs


class BeforeTheFourthStep(StopRequest):
    asked = 0

    def __bool__(self) -> bool:
        self.asked += 1
        return self.asked == 4


def test_a_packed_run_that_is_stopped_goes_on_bit_for_bit(snapshot: Path, tmp_path: Path) -> None:
    tight = {"packing": "on", "batch_tokens": 80, "max_length": 80, "measured_answers": 0, "record": "nothing"}
    config = quick(snapshot, **tight, epochs=3, lora_dropout=0.1, accumulation=2)
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert loop.train(config, whole)["packed"]
    steps = status(whole)["total_steps"]

    with pytest.raises(Stopped):
        loop.train(config, stopped, stop=BeforeTheFourthStep(stopped))
    assert status(stopped)["step"] == 3 < steps
    loop.train(config, stopped, resume=True)
    assert curve(stopped) == curve(whole)
    assert len(metrics(stopped)) == steps
    weights = Path(contract.ADAPTER) / "adapter_model.safetensors"
    assert (stopped / weights).read_bytes() == (whole / weights).read_bytes()


def test_a_packed_run_learns_what_a_padded_one_learns(snapshot: Path, tmp_path: Path) -> None:
    # All rows fit into one step either way, so the two runs see the same rows in every step.
    config = {"batch_size": 32, "epochs": 3, "measured_answers": 0, "record": "nothing"}
    loop.train(quick(snapshot, **config), tmp_path / "padded")
    loop.train(quick(snapshot, **config, packing="on"), tmp_path / "packed")
    padded, packed = (metrics(tmp_path / name) for name in ("padded", "packed"))
    assert [row["loss"] for row in packed] == pytest.approx([row["loss"] for row in padded], abs=1e-4)
    validated = [metrics(tmp_path / name, "validation")[-1]["loss"] for name in ("padded", "packed")]
    assert validated[0] == pytest.approx(validated[1], abs=1e-4)


def test_resuming_with_another_packing_is_refused(snapshot: Path, tmp_path: Path) -> None:
    config = quick(snapshot, **PACKED, epochs=1, measured_answers=0, record="nothing")
    loop.train(config, tmp_path / "run")
    with pytest.raises(BadData, match="packed"):
        loop.train(replace(config, packing="off"), tmp_path / "run", resume=True)
