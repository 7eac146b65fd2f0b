from __future__ import annotations

import pytest
import torch

from tests.trainer.conftest import CHANGED, shop_rows
from trainer.contract import TrainConfig
from trainer.data import Example, Row
from trainer.model import Loaded, fold_lora, load_for_training, unfold_lora
from trainer.objectives import TrainedLogits, batch_loss, collate

CPU = torch.device("cpu")


def examples(loaded: Loaded, count: int, weights: tuple[float, ...] = (1.0,)) -> list[Example]:
    rows = [
        Row(str(row["id"]), tuple(row["messages"]), weights[n % len(weights)], {})  # type: ignore[arg-type]
        for n, row in enumerate(shop_rows(CHANGED, 4)[:count])
    ]
    encoded = [loaded.format.encode(row, max_length=256) for row in rows]
    return [example for example in encoded if example is not None]


def reference_loss(loaded: Loaded, chosen: list[Example]) -> torch.Tensor:
    """transformers' own loss on a padded, masked batch."""
    width = max(len(example.tokens) for example in chosen)
    fill = [width - len(example.tokens) for example in chosen]
    tokens = torch.tensor([list(example.tokens) + [0] * pad for example, pad in zip(chosen, fill, strict=True)])
    mask = torch.tensor([[1] * len(example.tokens) + [0] * pad for example, pad in zip(chosen, fill, strict=True)])
    labels = tokens.clone()
    for row, example in enumerate(chosen):
        labels[row, [n for n in range(width) if n >= len(example.tokens) or not example.trained[n]]] = -100
    return loaded.model(input_ids=tokens, attention_mask=mask, labels=labels).loss


def test_the_loss_is_that_of_transformers_on_the_same_batch(mini: Loaded) -> None:
    chosen = examples(mini, 7)
    batch = collate(chosen, pad_id=0)
    ours = batch_loss(TrainedLogits(mini.model), batch, device=CPU) / batch.weight
    assert float(ours) == pytest.approx(float(reference_loss(mini, chosen)), abs=1e-5)


def test_the_lora_gradients_are_those_of_plain_peft_and_transformers() -> None:
    loaded = load_for_training(TrainConfig(seed=3))
    for name, parameter in loaded.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.05)
    chosen = examples(loaded, 5)
    trained = [parameter for parameter in loaded.model.parameters() if parameter.requires_grad]
    expected = torch.autograd.grad(reference_loss(loaded, chosen), trained)
    assert fold_lora(loaded.model) == 28
    batch = collate(chosen, pad_id=0)
    loss = batch_loss(TrainedLogits(loaded.model), batch, device=CPU) / batch.weight
    for ours, theirs in zip(torch.autograd.grad(loss, trained), expected, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)


def test_folding_is_undone() -> None:
    loaded = load_for_training(TrainConfig())
    fold_lora(loaded.model)
    unfold_lora(loaded.model)
    assert not [layer for layer in loaded.model.modules() if "forward" in vars(layer)]


def test_dropout_keeps_pefts_own_forward_pass() -> None:
    assert fold_lora(load_for_training(TrainConfig(lora_dropout=0.1)).model) == 0


def test_one_accumulated_step_has_the_gradient_of_one_large_batch(mini: Loaded) -> None:
    chosen = examples(mini, 9, weights=(1.0, 0.5, 3.0))
    logits_of, weights = TrainedLogits(mini.model), list(mini.model.parameters())
    whole = collate(chosen, pad_id=0)
    expected = torch.autograd.grad(batch_loss(logits_of, whole, device=CPU) / whole.weight, weights)
    parts = [collate(chosen[start:end], pad_id=0) for start, end in ((0, 2), (2, 7), (7, 9))]
    total = sum(part.weight for part in parts)
    for part in parts:
        (batch_loss(logits_of, part, device=CPU) / total).backward()
    for weight, gradient in zip(weights, expected, strict=True):
        assert weight.grad is not None
        assert torch.allclose(weight.grad, gradient, atol=1e-5)


def test_a_row_of_weight_two_counts_like_two_rows(mini: Loaded) -> None:
    logits_of = TrainedLogits(mini.model)
    (one,), (heavy,) = examples(mini, 1), examples(mini, 1, weights=(2.0,))
    other = examples(mini, 2)[1]
    twice, weighted = collate([one, one, other], pad_id=0), collate([heavy, other], pad_id=0)
    assert weighted.weight == twice.weight
    sums = [float(batch_loss(logits_of, batch, device=CPU)) for batch in (twice, weighted)]
    assert sums[0] == pytest.approx(sums[1], rel=1e-5)


def test_a_model_that_scales_its_logits_goes_through_its_own_forward_pass(mini: Loaded) -> None:
    assert TrainedLogits(mini.model).direct
    plain = mini.model.forward

    def scaled(*args: object, **kwargs: object) -> object:
        result = plain(*args, **kwargs)
        result.logits = result.logits / 2
        return result

    mini.model.forward = scaled
    logits_of = TrainedLogits(mini.model)
    assert not logits_of.direct
    tokens = torch.tensor([[1, 5, 9, 12]])
    chosen = torch.tensor([[False, True, True]])
    assert torch.allclose(logits_of(tokens, chosen), mini.model(input_ids=tokens).logits[:, :-1][chosen])
