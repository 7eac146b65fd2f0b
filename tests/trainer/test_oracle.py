"""Every objective against TRL's trainer for it: the same batch, the same loss, the same gradients."""

from __future__ import annotations

import copy
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.trainer.conftest import CHANGED, shop_rows
from trainer import chatters, readers
from trainer.contract import EMBEDDED, TrainConfig
from trainer.learner import Learner, Lot
from trainer.model import Loaded, load_base, load_judge
from trainer.rows import Row

trl = pytest.importorskip("trl")
CPU = torch.device("cpu")
CLOSE = 1e-5


def rows() -> list[Row]:
    """Preference rows of different lengths; every third is a thumb up."""
    made = shop_rows(CHANGED, 3)
    answers = [str(row["messages"][-1]["content"]) for row in made]  # type: ignore[index]
    return [
        Row(
            str(row["id"]), tuple(row["messages"]), 1.0, {}, rejected=f"{answers[n - 1]} {answers[n - 2]}", desirable=n % 3 == 0
        )  # type: ignore[arg-type]
        for n, row in enumerate(made[:6])
    ]


def moved(model: Any) -> Any:
    """A copy that has learned something since."""
    torch.manual_seed(3)
    later = copy.deepcopy(model)
    with torch.no_grad():
        for weight in later.parameters():
            weight += torch.randn_like(weight) * 0.02
    return later


@pytest.fixture(scope="module")
def start() -> Loaded:
    torch.set_num_threads(1)
    return load_base(EMBEDDED, None, device=CPU, dtype=torch.float32)


def learner(kind: type[Learner], start: Loaded, model: Any = None, count: int = 6, **config: Any) -> tuple[Any, Lot]:
    """A learner on a model that is no longer where it started, and one lot that knows what the start thought."""
    made = kind(TrainConfig(**config), replace(start, model=model or moved(start.model)))
    lessons = list(made.lessons(rows()[:count], 256))
    if made.compares:
        with torch.no_grad():
            before = kind(TrainConfig(**config), start).log_probs(made.lot(lessons))
        lessons = [replace(lesson, reference=tuple(pair)) for lesson, pair in zip(lessons, before.tolist(), strict=True)]
    return made, made.lot(lessons)


def compare(made: Learner, lot: Lot, trainer: Any, inputs: dict[str, torch.Tensor]) -> None:
    """Loss and gradients of the learner and of TRL's trainer for the same weights are equal."""
    weights = dict(made.model.named_parameters())
    if made.looks_ahead:
        with torch.no_grad():
            made.look_ahead([lot])
    sums, _ = made.losses(lot)
    ours = sum(part / total for part, total in zip(sums, lot.totals, strict=True))
    mine = torch.autograd.grad(ours, list(weights.values()), allow_unused=True)
    trainer.model.load_state_dict(made.model.state_dict())
    trainer.model.train()
    theirs = trainer.compute_loss(trainer.model, inputs)
    other = dict(trainer.model.named_parameters())
    expected = torch.autograd.grad(theirs, [other[name] for name in weights], allow_unused=True)
    assert float(ours) == pytest.approx(float(theirs), abs=CLOSE)
    assert float(ours) > 0.01
    for name, one, two in zip(weights, mine, expected, strict=True):
        assert (one is None) == (two is None), name
        if one is not None:
            assert torch.allclose(one, two, atol=CLOSE), (name, float((one - two).abs().max()))
    assert max(float(gradient.abs().max()) for gradient in mine if gradient is not None) > 1e-3


def settings(tmp_path: Path) -> dict[str, Any]:
    # The environment variable lets TRL's experimental trainers be used without a word.
    os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"
    common = {"output_dir": str(tmp_path), "use_cpu": True, "report_to": [], "per_device_train_batch_size": 6, "bf16": False}
    return common | {"gradient_checkpointing": False, "disable_tqdm": True}


def dataset(shape: str) -> Any:
    from datasets import Dataset

    said = [{"role": "assistant", "content": "Yes."}]
    row: dict[str, Any] = {"prompt": [{"role": "user", "content": "Hi"}]}
    row |= {"chosen": said, "rejected": said} if shape == "pairs" else {"completion": said}
    return Dataset.from_list([row | ({"label": n % 2 == 0} if shape == "thumbs" else {}) for n in range(6)])


def completion_inputs(lot: Lot, part: slice = slice(None)) -> dict[str, torch.Tensor]:
    mask = torch.cat((torch.zeros(len(lot.tokens), 1), (lot.trained > 0).float()), dim=1).long()
    return {"input_ids": lot.tokens[part], "attention_mask": lot.present[part].long(), "completion_mask": mask[part]}


def test_sft_is_trls(start: Loaded, tmp_path: Path) -> None:
    made, lot = learner(chatters.Imitation, start)
    trainer = trl.SFTTrainer(
        model=copy.deepcopy(start.model),
        args=trl.SFTConfig(**settings(tmp_path)),
        train_dataset=dataset("answers"),
        processing_class=start.format.tokenizer,
    )
    labels = lot.tokens.clone()
    labels[:, 1:][lot.trained == 0] = -100
    labels[:, 0] = -100
    compare(made, lot, trainer, {"input_ids": lot.tokens, "attention_mask": lot.present.long(), "labels": labels})


def dpo_trainer(start: Loaded, tmp_path: Path, **extra: Any) -> Any:
    return trl.DPOTrainer(
        model=copy.deepcopy(start.model),
        ref_model=copy.deepcopy(start.model),
        args=trl.DPOConfig(**settings(tmp_path), **extra),
        train_dataset=dataset("pairs"),
        processing_class=start.format.tokenizer,
    )


def test_dpo_is_trls(start: Loaded, tmp_path: Path) -> None:
    made, lot = learner(chatters.Dpo, start, objective="dpo", beta=0.2)
    compare(made, lot, dpo_trainer(start, tmp_path, beta=0.2), completion_inputs(lot))


def test_dpo_with_doubt_in_the_labels_is_trls(start: Loaded, tmp_path: Path) -> None:
    # TRL keeps conservative DPO only as "aot", which sorts a batch first: of one pair there is nothing to sort.
    made, lot = learner(chatters.Dpo, start, count=1, objective="dpo", label_smoothing=0.2)
    trainer = dpo_trainer(start, tmp_path, loss_type=["aot"], label_smoothing=0.2)
    compare(made, lot, trainer, completion_inputs(lot))


def test_kto_is_trls(start: Loaded, tmp_path: Path) -> None:
    config = {"objective": "kto", "desirable_weight": 1.5, "undesirable_weight": 0.5}
    # A start that is worse at everything, so that the model has strayed from it (a straying below 0 counts as none).
    worse = replace(start, model=moved(start.model))
    made, lot = learner(chatters.Kto, worse, copy.deepcopy(start.model), **config)
    trainer = trl.KTOTrainer(
        model=copy.deepcopy(start.model),
        ref_model=copy.deepcopy(worse.model),
        args=trl.KTOConfig(**settings(tmp_path), desirable_weight=1.5, undesirable_weight=0.5),
        train_dataset=dataset("thumbs"),
        processing_class=start.format.tokenizer,
    )
    said, stray = completion_inputs(lot, slice(0, 6)), completion_inputs(lot, slice(6, 12))
    inputs = said | {f"KL_{name}": value for name, value in stray.items()} | {"label": lot.labels.bool()}
    compare(made, lot, trainer, inputs)
    assert float(made._kl) > 0


def test_orpo_is_trls(start: Loaded, tmp_path: Path) -> None:
    from trl.experimental.orpo import ORPOConfig, ORPOTrainer

    made, lot = learner(chatters.Orpo, start, objective="orpo", beta=0.3)
    trainer = ORPOTrainer(
        model=copy.deepcopy(start.model),
        args=ORPOConfig(**settings(tmp_path), beta=0.3, max_length=256),
        train_dataset=dataset("pairs"),
        processing_class=start.format.tokenizer,
    )
    inputs = {}
    for name, part in (("chosen", slice(0, 6)), ("rejected", slice(6, 12))):
        one = completion_inputs(lot, part)
        labels = one["input_ids"].masked_fill(one["completion_mask"] == 0, -100)
        inputs |= {f"{name}_input_ids": one["input_ids"], f"{name}_attention_mask": one["attention_mask"]}
        inputs[f"{name}_labels"] = labels
    compare(made, lot, trainer, inputs)


def test_reward_is_trls(tmp_path: Path) -> None:
    torch.manual_seed(5)
    judge = load_judge(EMBEDDED, None, (), device=CPU, dtype=torch.float32)
    made = readers.Reward(TrainConfig(objective="reward"), replace(judge, model=moved(judge.model)))
    lot = made.lot(list(made.lessons(rows(), 256)))
    trainer = trl.RewardTrainer(
        model=copy.deepcopy(judge.model),
        args=trl.RewardConfig(**settings(tmp_path)),
        train_dataset=dataset("pairs"),
        processing_class=judge.format.tokenizer,
    )
    compare(made, lot, trainer, {"input_ids": lot.tokens, "attention_mask": lot.present.long()})
