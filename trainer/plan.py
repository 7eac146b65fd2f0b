"""The plan of a run: its rows as lessons, the order of its batches, its steps and their learning rates."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from trainer import data, packing, stored
from trainer.contract import TrainConfig
from trainer.flops import per_token
from trainer.learner import Learner
from trainer.lessons import Lesson
from trainer.rows import BadData, Row, RowFile
from trainer.speed import busy_room


@dataclass(frozen=True, slots=True)
class Plan:
    """The rows of a run as lessons, and how many steps they make."""

    train: Sequence[Lesson]
    validation: list[Lesson]
    test: list[Lesson]
    validation_rows: list[Row]
    steps_per_epoch: int
    total_steps: int
    too_long: int
    shortened: int
    data_hash: str
    evaluate_at: frozenset[int] = field(default_factory=frozenset)
    keys: tuple[float, ...] | None = None
    """What the first pass is ordered by; None where it is shuffled."""
    room: int = 0
    """Tokens of one packed row; 0 where every conversation has a row of its own."""

    def arithmetic(self, model: Any) -> float:
        """Operations a token of training takes, over these rows."""
        lengths = stored.lengths(self.train)
        seen = sum(length * length for length in lengths) / sum(lengths)
        return per_token(model, trained_share=self.trained_share, length=seen)

    @property
    def tokens(self) -> int:
        """Tokens that the model reads in one pass over the training rows."""
        return sum(stored.token_counts(self.train))

    @property
    def trained_share(self) -> float:
        """Share of those that carry loss."""
        return sum(stored.trained_counts(self.train)) / self.tokens


def make_plan(
    config: TrainConfig, rows: dict[str, Sequence[Row]], learner: Learner, context: int, folder: Path | None = None
) -> Plan:
    """Encodes the snapshot; the lessons of a large one lie in `folder`. Raises BadData when nothing is left to train on, or to
    validate on where that is asked for."""
    length = min(config.max_length, context)
    measured = {split: learner.lessons(rows[split], length) for split in ("validation", "test")}
    fitting = {split: [lesson for lesson in lessons if lesson is not None] for split, lessons in measured.items()}
    train, too_long = _to_train_on(config, learner, rows["train"], length, folder)
    if not train:
        reason = f"all {len(rows['train'])} are longer than {length} tokens or have weight 0"
        raise BadData(f"There is nothing to train on: {reason if rows['train'] else 'train.jsonl is empty'}.")
    if not fitting["validation"]:
        _refuse_without_validation(config, len(rows["validation"]), length)
    lengths = stored.lengths(train)
    room = _room(config, learner, train, lengths) if learner.packs else 0
    passes = math.ceil(len(train) / config.batch_size)
    if room:
        passes = len(packing.pack(lengths, capacity=room, seed=config.seed, epoch=0))
    per_epoch = math.ceil(passes / config.accumulation)
    evaluations = config.evaluations_per_epoch
    return Plan(
        train=train,
        validation=fitting["validation"],
        test=fitting["test"],
        validation_rows=list(rows["validation"]),
        steps_per_epoch=per_epoch,
        total_steps=per_epoch * config.epochs,
        too_long=too_long,
        shortened=stored.shortened(train),
        data_hash=_data_hash(train, fitting["validation"], room),
        evaluate_at=frozenset(max(1, round(part * per_epoch / evaluations)) for part in range(1, evaluations + 1)),
        keys=_keys(config, train, rows["train"]),
        room=room,
    )


def _room(config: TrainConfig, learner: Learner, train: Sequence[Lesson], lengths: Sequence[int]) -> int:
    """Tokens of a packed row: what is asked for, or about as many as a batch has and as keep a GPU busy."""
    asked = config.batch_tokens or packing.room_for(lengths, batch_size=config.batch_size)
    if config.batch_tokens or config.accumulation > 1 or config.batch_size != TrainConfig().batch_size:
        return asked
    share = sum(stored.trained_counts(train)) / sum(lengths)
    return max(asked, busy_room(config, learner, tokens=sum(lengths), trained_share=share))


def _to_train_on(
    config: TrainConfig, learner: Learner, rows: Sequence[Row], length: int, folder: Path | None
) -> tuple[Sequence[Lesson], int]:
    """What is learned from rows with a weight, and how many rows are too long."""
    if isinstance(rows, RowFile):
        key = stored.key_of(rows.path, objective=config.objective, signature=learner.signature, length=length)
        kept = stored.keep(folder, key, lambda: learner.lessons(rows, length))
        return kept, kept.too_long
    fitting = [lesson for lesson in learner.lessons(rows, length) if lesson is not None]
    return [lesson for lesson in fitting if lesson.weight > 0], len(rows) - len(fitting)


def _refuse_without_validation(config: TrainConfig, given: int, length: int) -> None:
    """Nothing can stop a run early or tell its best weights but rows that it is validated on."""
    asked = f"early_stopping {config.early_stopping}" if config.early_stopping else ""
    if config.best_metric != "loss":
        asked = f"{asked} and best_metric {config.best_metric}" if asked else f"best_metric {config.best_metric}"
    if asked:
        reason = f"all {given} are longer than {length} tokens or cannot be used" if given else "validation.jsonl is empty"
        raise BadData(
            f"There are no validation rows, which {asked} would go by: {reason}. Freeze a snapshot with some, or set "
            "early_stopping to 0 and best_metric to loss."
        )


def _data_hash(train: Sequence[Lesson], validation: Sequence[Lesson], room: int) -> str:
    """What decides, with the seed, which rows go together and which weights are best: a run that is resumed must have the
    same."""
    found = hashlib.sha256()
    if isinstance(train, stored.Stored):
        found.update(train.digest.encode())
    else:
        for lesson in train:
            found.update(json.dumps(asdict(lesson)).encode())  # type: ignore[call-overload]
    found.update(str(room or "").encode())
    for lesson in validation:
        found.update(b"\n" + json.dumps(asdict(lesson)).encode())  # type: ignore[call-overload]
    return found.hexdigest()


def _keys(config: TrainConfig, train: Sequence[Lesson], rows: Sequence[Row]) -> tuple[float, ...] | None:
    if config.order == "shuffled":
        return None
    if config.order == "length":
        return tuple(map(float, stored.lengths(train)))
    difficulty = {row.id: row.metadata.get("difficulty", "") for row in rows}
    try:
        return tuple(float(difficulty[lesson.id]) for lesson in train)
    except ValueError as error:
        raise BadData(
            "order 'difficulty' needs a number under 'difficulty' in the metadata of every training row. Use another order, or "
            "add it before freezing."
        ) from error


def batches(config: TrainConfig, plan: Plan, epoch: int) -> list[list[int]]:
    """The places in `plan.train` that go together in one pass over the data, in their order."""
    if plan.keys is not None and epoch == 0:
        return data.in_order(plan.keys, batch_size=config.batch_size)
    lengths = stored.lengths(plan.train)
    if plan.room:
        return packing.pack(lengths, capacity=plan.room, seed=config.seed, epoch=epoch)
    return data.batches(lengths, batch_size=config.batch_size, seed=config.seed, epoch=epoch)


def batches_to_measure(config: TrainConfig, plan: Plan, lessons: Sequence[Lesson]) -> list[list[int]]:
    """The places in `lessons` that are read together where nothing is learned: in their rows, or by length."""
    lengths = stored.lengths(lessons)
    if plan.room:
        return packing.pack(lengths, capacity=plan.room, seed=config.seed, epoch=0)
    return data.in_order(lengths, batch_size=config.batch_size)


def windows(order: list[list[int]], size: int, *, start: int) -> Iterator[list[list[int]]]:
    """Accumulation windows of an epoch, from the `start`-th on."""
    return (order[at : at + size] for at in range(start * size, len(order), size))


def parted(rows: list[Lesson], parts: int) -> Iterator[list[Lesson]]:
    """The rows in at most so many parts, as even as can be."""
    size = -(-len(rows) // parts)
    return (rows[at : at + size] for at in range(0, len(rows), size))


def learning_rate(config: TrainConfig, step: int, total_steps: int) -> float:
    """The rate of a step (the first is 0): up from near 0 over the warm-up, then along the schedule towards 0."""
    warmup = max(1, round(config.warmup_share * total_steps))
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    done = (step - warmup) / max(1, total_steps - warmup)
    falling = {"constant": 1.0, "linear": 1 - done, "cosine": 0.5 * (1 + math.cos(math.pi * done))}
    return config.learning_rate * falling[config.schedule]
