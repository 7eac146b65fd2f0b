"""The one training loop: batches, accumulation, validation, checkpoints, stopping and going on.

Promised: a run that was killed and resumed on a CPU in fp32 has bit for bit the losses of one that never was; a stopped or
failed run keeps a checkpoint whose weights are finite; the finished run's weights are the best ones by validation loss.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import resource
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from trainer import checkpoint, contract, data
from trainer.contract import Decoding, TrainConfig
from trainer.data import BadData, Example, Row
from trainer.folder import RunFolder, StopRequest, write_json
from trainer.generate import generate
from trainer.model import Loaded, choose_dtype, fold_lora, load_for_training, name_base
from trainer.objectives import Batch, TrainedLogits, batch_loss, collate

log = logging.getLogger("trainer")

_SAMPLES = 3
_SAMPLE_DECODING = Decoding(max_new_tokens=48)


class Stopped(Exception):
    """The run stopped on request at a step boundary; a checkpoint was kept."""


class NotFinite(ArithmeticError):
    """The loss or its gradient became NaN or infinite."""


@dataclass(slots=True)
class Position:
    """Where a run stands. Saved with every checkpoint; together with the seed it decides which batch comes next."""

    step: int = 0
    best_loss: float | None = None
    best_step: int | None = None
    worse: int = 0
    tokens: int = 0
    seconds: float = 0.0
    ended_early: bool = False
    data_hash: str = ""
    base: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """The rows of a run as tokens, and how many steps they make."""

    train: list[Example]
    validation: list[Example]
    validation_rows: list[Row]
    steps_per_epoch: int
    total_steps: int
    too_long: int
    shortened: int
    data_hash: str
    evaluate_at: frozenset[int] = field(default_factory=frozenset)


def make_plan(config: TrainConfig, chat: data.ChatFormat, context: int) -> Plan:
    """Reads and encodes the snapshot. Raises BadData when nothing is left to train on."""
    folder, length = Path(config.data), min(config.max_length, context)
    rows, validation_rows = data.read_split(folder, "train"), data.read_split(folder, "validation")
    train, too_long = _encode(rows, chat, length)
    validation, _ = _encode(validation_rows, chat, length)
    train = [example for example in train if example.weight > 0 and example.trained_count]
    if not train:
        reason = f"all {len(rows)} are longer than {length} tokens or have weight 0" if rows else "train.jsonl is empty"
        raise BadData(f"There is nothing to train on: {reason}.")
    micro_batches = math.ceil(len(train) / config.batch_size)
    per_epoch = math.ceil(micro_batches / config.accumulation)
    evaluations = config.evaluations_per_epoch
    return Plan(
        train=train,
        validation=[example for example in validation if example.trained_count],
        validation_rows=validation_rows,
        steps_per_epoch=per_epoch,
        total_steps=per_epoch * config.epochs,
        too_long=too_long,
        shortened=sum(example.dropped_turns > 0 for example in train),
        data_hash=hashlib.sha256(json.dumps([asdict(example) for example in train]).encode()).hexdigest(),
        evaluate_at=frozenset(max(1, round(part * per_epoch / evaluations)) for part in range(1, evaluations + 1)),
    )


def _encode(rows: list[Row], chat: data.ChatFormat, length: int) -> tuple[list[Example], int]:
    encoded = [chat.encode(row, max_length=length) for row in rows]
    kept = [example for example in encoded if example is not None]
    return kept, len(encoded) - len(kept)


def learning_rate(config: TrainConfig, step: int, total_steps: int) -> float:
    """The rate of a step (the first is 0): up from near 0 over the warm-up, then along the schedule towards 0."""
    warmup = max(1, round(config.warmup_share * total_steps))
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    done = (step - warmup) / max(1, total_steps - warmup)
    falling = {"constant": 1.0, "linear": 1 - done, "cosine": 0.5 * (1 + math.cos(math.pi * done))}
    return config.learning_rate * falling[config.schedule]


def train(config: TrainConfig, out: Path, *, resume: bool = False) -> dict[str, Any]:
    """Trains, or goes on training, and returns what `result.json` holds. Raises Stopped, NotFinite, BadData, BadModel."""
    run = RunFolder(out)
    stop = StopRequest(out)
    if resume:
        stop.clear()
    with stop.listening():
        write_json(out / contract.CONFIG, config.to_json())
        (out / contract.ERROR).unlink(missing_ok=True)
        run.status("running", step=0, total_steps=0, epoch=0.0, message="loading the model")
        loaded = load_for_training(config)
        trainer = Trainer(config, loaded, make_plan(config, loaded.format, loaded.context), run, stop)
        trainer.begin(resume=resume)
        return trainer.run()


class Trainer:
    """One run in progress: the model, its optimizer, where it stands and what it has written."""

    def __init__(self, config: TrainConfig, loaded: Loaded, plan: Plan, run: RunFolder, stop: StopRequest) -> None:
        self.config, self.loaded, self.plan, self._run, self._stop = config, loaded, plan, run, stop
        self._weights = list(checkpoint.trainable(loaded.model).values())
        self.optimizer = torch.optim.AdamW(self._weights, lr=config.learning_rate, weight_decay=config.weight_decay, fused=True)
        # Full training keeps fp32 weights and computes in bf16 where the device has it; LoRA's base is in bf16 itself.
        dtype = choose_dtype(config.precision, loaded.device)
        self._autocast = torch.autocast(loaded.device.type, torch.bfloat16, enabled=dtype == torch.bfloat16)
        fold_lora(loaded.model)
        self._logits_of = TrainedLogits(loaded.model)
        self._lengths = [len(example.tokens) for example in plan.train]
        self.position = Position(data_hash=plan.data_hash, base=loaded.fingerprint)
        self._updating = False
        self._marked = time.monotonic()

    def begin(self, *, resume: bool) -> None:
        """Starts at step 0, or where the newest sound checkpoint stands."""
        restored = (
            checkpoint.restore(self._run.checkpoints, model=self.loaded.model, optimizer=self.optimizer) if resume else None
        )
        if restored is not None:
            for reason in restored.skipped:
                log.warning("%s An older checkpoint is used.", reason)
            position = Position(**restored.state)
            if position.data_hash != self.plan.data_hash:
                raise BadData("The training rows are not those that this run began with; start a new run instead.")
            if position.base != self.loaded.fingerprint:
                raise BadData("The base model's weights are not those that this run began with; start a new run instead.")
            self.position = position
            log.info("resumed at step %d from %s", position.step, restored.path.name)
        self._run.rewind(self.position.step)
        log.info("%d rows, %d steps on %s", len(self.plan.train), self.plan.total_steps, self.loaded.device)
        if self.plan.too_long or self.plan.shortened:
            log.info("%d rows left out as too long, %d shortened", self.plan.too_long, self.plan.shortened)
        self._status("running")

    def run(self) -> dict[str, Any]:
        """Trains to the end and writes the weights and the result."""
        self.loaded.model.train()
        self._marked = time.monotonic()
        try:
            self._train_steps()
        except (NotFinite, torch.OutOfMemoryError, MemoryError, RuntimeError):
            self._keep_what_is_sound()
            raise
        return self._finish()

    def _train_steps(self) -> None:
        while self.position.step < self.plan.total_steps and not self.position.ended_early:
            epoch, at = divmod(self.position.step, self.plan.steps_per_epoch)
            order = data.batches(self._lengths, batch_size=self.config.batch_size, seed=self.config.seed, epoch=epoch)
            for window in _windows(order, self.config.accumulation, start=at):
                if self._stop:
                    self._stop_here()
                self._one_step([collate([self.plan.train[i] for i in rows], pad_id=self._pad) for rows in window])
                self._after_step()
                if self.position.ended_early:
                    break

    @property
    def _pad(self) -> int:
        return int(self.loaded.format.tokenizer.pad_token_id or 0)

    def _one_step(self, window: list[Batch]) -> None:
        """Forward and backward over the accumulation window, then one optimizer step."""
        started = time.monotonic()
        rate = learning_rate(self.config, self.position.step, self.plan.total_steps)
        total_weight = sum(batch.weight for batch in window)
        loss = torch.zeros((), device=self.loaded.device)
        for batch in window:
            with self._autocast:
                part = batch_loss(self._logits_of, batch, device=self.loaded.device) / total_weight
            part.backward()
            loss += part.detach()
        norm = torch.nn.utils.clip_grad_norm_(self._weights, self.config.max_grad_norm or math.inf)
        loss_value, norm_value = torch.stack((loss, norm.to(loss.dtype))).tolist()
        if not (math.isfinite(loss_value) and math.isfinite(norm_value)):
            raise NotFinite(
                f"The loss became {loss_value} (gradient {norm_value}) at step {self.position.step + 1}. Lower the learning "
                f"rate ({self.config.learning_rate}) or use precision fp32."
            )
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self._updating = True
        self.optimizer.step()
        self._updating = False
        self.optimizer.zero_grad(set_to_none=True)
        self._count(sum(batch.token_count for batch in window), time.monotonic() - started, loss_value, norm_value, rate)

    def _count(self, tokens: int, seconds: float, loss: float, norm: float, rate: float) -> None:
        position = self.position
        position.step += 1
        position.tokens += tokens
        position.seconds += seconds
        self._run.metric(
            "train",
            step=position.step,
            epoch=round(self._epoch, 4),
            loss=loss,
            learning_rate=rate,
            grad_norm=norm,
            tokens_per_second=round(tokens / max(seconds, 1e-9), 1),
            seconds=round(position.seconds, 4),
        )

    @property
    def _epoch(self) -> float:
        return self.position.step / self.plan.steps_per_epoch

    def _after_step(self) -> None:
        step = self.position.step
        at = (step - 1) % self.plan.steps_per_epoch + 1
        if at in self.plan.evaluate_at:
            self._validate()
        if step % self.config.checkpoint_every == 0 and step < self.plan.total_steps:
            self._checkpoint()
        if time.monotonic() - self._marked > 0.5:
            self._marked = time.monotonic()
            self._status("running")

    def _validate(self) -> None:
        if not self.plan.validation:
            return
        loss = self.validation_loss()
        samples = self._samples()
        self._run.metric(
            "validation",
            step=self.position.step,
            epoch=round(self._epoch, 4),
            loss=loss,
            perplexity=math.exp(min(loss, 700.0)),
            samples=samples,
        )
        log.info("step %d/%d validation loss %.4f", self.position.step, self.plan.total_steps, loss)
        if self.position.best_loss is None or loss < self.position.best_loss:
            self.position.best_loss, self.position.best_step, self.position.worse = loss, self.position.step, 0
            checkpoint.save_best(self._run.checkpoints, model=self.loaded.model)
        else:
            self.position.worse += 1
        self.position.ended_early = 0 < self.config.early_stopping <= self.position.worse

    @torch.no_grad()
    def validation_loss(self) -> float:
        """Nats per trained token over the validation rows, weighted by tokens."""
        self.loaded.model.eval()
        total = weight = 0.0
        order = sorted(range(len(self.plan.validation)), key=lambda index: len(self.plan.validation[index].tokens))
        for start in range(0, len(order), self.config.batch_size):
            chosen = [self.plan.validation[index] for index in order[start : start + self.config.batch_size]]
            batch = collate(chosen, pad_id=self._pad)
            with self._autocast:
                total += float(batch_loss(self._logits_of, batch, device=self.loaded.device))
            weight += batch.weight
        self.loaded.model.train()
        return total / weight if weight else math.nan

    def _samples(self) -> list[dict[str, str]]:
        rows = self.plan.validation_rows[:_SAMPLES]
        self.loaded.model.eval()
        answers = generate(self.loaded, [row.prompt for row in rows], _SAMPLE_DECODING)
        self.loaded.model.train()
        return [
            {"prompt": row.prompt[-1]["content"], "reference": row.reference, "text": answer.text}
            for row, answer in zip(rows, answers, strict=True)
        ]

    def _checkpoint(self) -> None:
        path = checkpoint.save(
            self._run.checkpoints,
            model=self.loaded.model,
            optimizer=self.optimizer,
            state=asdict(self.position),
            keep=self.config.keep_checkpoints,
        )
        self._run.metric("checkpoint", step=self.position.step, path=str(path.relative_to(self._run.path)))

    def _status(self, state: str, message: str = "") -> None:
        self._run.status(state, step=self.position.step, total_steps=self.plan.total_steps, epoch=self._epoch, message=message)

    def _stop_here(self) -> None:
        self._checkpoint()
        self._status("stopped", "stopped on request; resume goes on from here")
        raise Stopped(f"Stopped at step {self.position.step} of {self.plan.total_steps}; a checkpoint was kept.")

    def _keep_what_is_sound(self) -> None:
        """After a failure between two updates the weights are those of the last whole step: keep them."""
        finite = all(bool(torch.isfinite(weight).all()) for weight in self._weights)
        if finite and not self._updating and self.position.step > 0:
            self.optimizer.zero_grad(set_to_none=True)
            self._checkpoint()

    def _finish(self) -> dict[str, Any]:
        if self.position.step >= self.plan.total_steps or self.position.ended_early:
            self._checkpoint()
        checkpoint.load_best(self._run.checkpoints, model=self.loaded.model)
        self.loaded.model.eval()
        name = contract.ADAPTER if self.config.adapter == "lora" else contract.MODEL
        checkpoint.write_whole(self._run.path / name, self._save_final)
        position = self.position
        result = {
            "best_step": position.best_step or position.step,
            "best_validation_loss": position.best_loss,
            "steps": position.step,
            "ended_early": position.ended_early,
            "tokens": position.tokens,
            "seconds": round(position.seconds, 3),
            "tokens_per_second": round(position.tokens / max(position.seconds, 1e-9), 1),
            "peak_memory_bytes": peak_memory(self.loaded.device),
            "device": device_name(self.loaded.device),
            "rows": len(self.plan.train),
            "rows_too_long": self.plan.too_long,
            "rows_shortened": self.plan.shortened,
        }
        write_json(self._run.path / contract.RESULT, result)
        self._status("finished")
        return result

    def _save_final(self, target: Path) -> None:
        self.loaded.model.save_pretrained(target)
        if self.config.adapter == "full":
            self.loaded.format.tokenizer.save_pretrained(target)
        else:
            name_base(self.loaded, target)


def _windows(order: list[list[int]], size: int, *, start: int) -> Iterator[list[list[int]]]:
    """Accumulation windows of an epoch, from the `start`-th on."""
    return (order[at : at + size] for at in range(start * size, len(order), size))


def peak_memory(device: torch.device) -> int:
    """The most memory that was in use, in bytes: of the GPU, or of this process."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def device_name(device: torch.device) -> str:
    """What the run ran on, in words."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
