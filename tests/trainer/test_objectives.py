from __future__ import annotations

import pytest
import torch

from tests.trainer.conftest import CHANGED, shop_rows
from trainer.chatters import Dpo, Imitation, Kto, Orpo
from trainer.contract import TrainConfig
from trainer.data import Example
from trainer.learner import Learner, Lot
from trainer.model import Loaded, fold_lora, load_chat_for_training, unfold_lora
from trainer.objectives import TrainedLogits
from trainer.rows import Row


def examples(loaded: Loaded, count: int, weights: tuple[float, ...] = (1.0,)) -> list[Example]:
    rows = [
        Row(str(row["id"]), tuple(row["messages"]), weights[n % len(weights)], {})  # type: ignore[arg-type]
        for n, row in enumerate(shop_rows(CHANGED, 4)[:count])
    ]
    encoded = [loaded.format.encode(row, max_length=256) for row in rows]
    return [example for example in encoded if example is not None]


def loss_of(learner: Learner, lots: list[Lot]) -> torch.Tensor:
    """The loss of one step over these lots, as the loop puts it together."""
    if learner.looks_ahead:
        with torch.no_grad():
            learner.look_ahead(lots)
    totals = [sum(parts) for parts in zip(*(lot.totals for lot in lots), strict=True)]
    return sum((learner.losses(lot)[0] / torch.tensor(totals)).sum() for lot in lots)  # type: ignore[return-value]


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
    learner = Imitation(TrainConfig(), mini)
    assert float(loss_of(learner, [learner.lot(chosen)])) == pytest.approx(float(reference_loss(mini, chosen)), abs=1e-5)


def test_the_lora_gradients_are_those_of_plain_peft_and_transformers() -> None:
    loaded = load_chat_for_training(TrainConfig(seed=3))
    for name, parameter in loaded.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.05)
    chosen = examples(loaded, 5)
    trained = [parameter for parameter in loaded.model.parameters() if parameter.requires_grad]
    expected = torch.autograd.grad(reference_loss(loaded, chosen), trained)
    assert fold_lora(loaded.model) == 28
    learner = Imitation(TrainConfig(), loaded)
    loss = loss_of(learner, [learner.lot(chosen)])
    for ours, theirs in zip(torch.autograd.grad(loss, trained), expected, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)


def test_folding_is_undone() -> None:
    loaded = load_chat_for_training(TrainConfig())
    fold_lora(loaded.model)
    unfold_lora(loaded.model)
    assert not [layer for layer in loaded.model.modules() if "forward" in vars(layer)]


def test_dropout_keeps_pefts_own_forward_pass() -> None:
    assert fold_lora(load_chat_for_training(TrainConfig(lora_dropout=0.1)).model) == 0


@pytest.mark.parametrize("kind", [Imitation, Dpo, Orpo, Kto])
def test_one_accumulated_step_has_the_gradient_of_one_large_batch(mini: Loaded, kind: type[Learner]) -> None:
    learner, weights = kind(TrainConfig(), mini), list(mini.model.parameters())
    made = shop_rows(CHANGED, 4)[:9]
    rows = [
        Row(str(row["id"]), tuple(row["messages"]), (1.0, 0.5, 3.0)[n % 3], {}, rejected="No.", desirable=n % 2 == 0)  # type: ignore[arg-type]
        for n, row in enumerate(made)
    ]
    lessons = list(learner.lessons(rows, 256))
    expected = torch.autograd.grad(loss_of(learner, [learner.lot(lessons)]), weights)
    parts = [learner.lot(lessons[start:end]) for start, end in ((0, 2), (2, 7), (7, 9))]
    for ours, theirs in zip(torch.autograd.grad(loss_of(learner, parts), weights), expected, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)


def test_a_row_of_weight_two_counts_like_two_rows(mini: Loaded) -> None:
    learner = Imitation(TrainConfig(), mini)
    (one,), (heavy,) = examples(mini, 1), examples(mini, 1, weights=(2.0,))
    other = examples(mini, 2)[1]
    twice, weighted = learner.lot([one, one, other]), learner.lot([heavy, other])
    assert weighted.totals == twice.totals
    assert float(loss_of(learner, [twice])) == pytest.approx(float(loss_of(learner, [weighted])), rel=1e-5)


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
    places = torch.tensor([1, 2])
    assert torch.allclose(logits_of(tokens, places), mini.model(input_ids=tokens).logits[0, 1:3])
