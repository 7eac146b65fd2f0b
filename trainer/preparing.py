"""From a config to what the loop needs: the rows read, the model loaded, the lessons of its objective made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from trainer.chatters import Dpo, Imitation, Kto, Orpo
from trainer.contract import TrainConfig
from trainer.learner import Learner
from trainer.lessons import class_names
from trainer.model import fold_lora, load_for_training
from trainer.plan import Plan, make_plan
from trainer.readers import Classifier, Reward, Translator
from trainer.rows import read_rows
from trainer.speed import settle
from trainer.world import ALONE, World

LEARNERS: dict[str, Callable[[TrainConfig, Any], Learner]] = {
    "sft": Imitation,
    "seq2seq": Translator,
    "dpo": Dpo,
    "orpo": Orpo,
    "kto": Kto,
    "reward": Reward,
    "classification": Classifier,
}


def prepare(config: TrainConfig, folder: Path | None = None, among: World = ALONE) -> tuple[Learner, Plan]:
    """Reads the rows, loads the model and encodes the rows for it; many rows lie in `folder` then. Raises BadData, BadModel.

    Of several processes the chief is the first, so that the others find what it keeps there.
    """
    made = _prepare(config, folder) if among.is_chief else None
    among.wait()
    return made or _prepare(config, folder)


def _prepare(config: TrainConfig, folder: Path | None) -> tuple[Learner, Plan]:
    rows = read_rows(Path(config.data), config.objective)
    classes = class_names(rows["train"]) if config.objective == "classification" else ()
    loaded = load_for_training(config, classes)
    fold_lora(loaded.model)
    learner = LEARNERS[config.objective](config, loaded)
    plan = make_plan(config, rows, learner, loaded.context, folder)
    settle(config, learner, plan, folder)
    return learner, plan
