"""The one training loop: batches, accumulation, validation, checkpoints, stopping and going on.

Promised: a run that was killed and resumed on a CPU in fp32 has bit for bit the losses of one that never was; a stopped or
failed run keeps a checkpoint whose weights are finite; the finished run's weights are the best ones by the named figure.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from trainer import checkpoint, contract, stored, world
from trainer.contract import TrainConfig
from trainer.device import device_name, free_memory, peak_memory, ran_out_of_memory
from trainer.flops import peak_of
from trainer.folder import Onlooker, RunFolder, StopRequest, write_json
from trainer.learner import Learner, Lot
from trainer.measuring import Measuring
from trainer.model import choose_dtype, name_base
from trainer.plan import Plan, batches, learning_rate, windows
from trainer.preparing import prepare
from trainer.recorders import recorders
from trainer.rows import BadData
from trainer.world import ALONE, World

log = logging.getLogger("trainer")

_LOWER = "Lower the learning rate or use precision fp32."

Watch = Callable[[int, float], None]
"""Told the step and the named figure after every validation; what it raises ends the run."""


class Stopped(Exception):
    """The run stopped on request at a step boundary; a checkpoint was kept."""


class NotFinite(ArithmeticError):
    """The loss or its gradient became NaN or infinite."""


@dataclass(slots=True)
class Position:
    """Where a run stands. Saved with every checkpoint; together with the seed it decides which batch comes next."""

    step: int = 0
    best_value: float | None = None
    best_loss: float | None = None
    best_step: int | None = None
    best_figures: dict[str, Any] = field(default_factory=dict)
    worse: int = 0
    tokens: int = 0
    seconds: float = 0.0
    ended_early: bool = False
    parts: int = 1
    """Parts that a batch is read in; doubled whenever memory runs out."""
    data_hash: str = ""
    base: str = ""


def train(
    config: TrainConfig,
    out: Path,
    *,
    resume: bool = False,
    stop: StopRequest | None = None,
    watch: Watch | None = None,
    among: World = ALONE,
    parts: int = 1,
) -> dict[str, Any]:
    """Trains, or goes on training, and returns what `result.json` holds. Raises Stopped, NotFinite, BadData, BadModel, and
    whatever `watch` raises. Of several processes `among` each other every one calls it. Batches are read in `parts` at least.
    """
    run = RunFolder(out) if among.is_chief else Onlooker(out)
    if stop is None:
        stop = StopRequest(out)
        if resume:
            stop.clear()
    with stop.listening():
        if among.is_chief:
            write_json(out / contract.CONFIG, config.to_json())
            (out / contract.ERROR).unlink(missing_ok=True)
        run.status("running", step=0, total_steps=0, epoch=0.0, message="loading the model")
        trainer = Trainer(config, *prepare(config, out, among), run, stop, watch, among)
        trainer.position.parts = parts
        run.recorders = recorders(config, out) if among.is_chief else []
        try:
            trainer.begin(resume=resume)
            return trainer.run()
        finally:
            for recorder in run.recorders:
                recorder.close()


class Trainer:
    """One run in progress: the model, its optimizer, where it stands and what it has written."""

    def __init__(
        self,
        config: TrainConfig,
        learner: Learner,
        plan: Plan,
        run: RunFolder,
        stop: StopRequest,
        watch: Watch | None = None,
        among: World = ALONE,
    ) -> None:
        self.config, self.learner, self.plan, self._run, self._stop, self._watch = config, learner, plan, run, stop, watch
        self.loaded, self.world = (loaded := learner.loaded), among
        among.take(loaded.model, config)
        learner.shared = among.total
        self._weights = list(checkpoint.trainable(loaded.model).values())
        self.optimizer = torch.optim.AdamW(self._weights, lr=config.learning_rate, weight_decay=config.weight_decay, fused=True)
        # Full training keeps fp32 weights and computes in bf16 where the device has it; LoRA's base is in bf16 itself.
        dtype = choose_dtype(config.precision, loaded.device)
        self._autocast = torch.autocast(loaded.device.type, torch.bfloat16, enabled=dtype == torch.bfloat16)
        self.measuring = Measuring(config, plan, learner, among, self._autocast)
        self.position = Position(data_hash=plan.data_hash, base=loaded.fingerprint)
        self._updating, self._marked = False, time.monotonic()
        self._coming: list[list[int]] | None = None
        self._peak = (peak_of(device_name(loaded.device)) or 0.0) * among.size
        self._flops = plan.arithmetic(loaded.model)

    def begin(self, *, resume: bool) -> None:
        """Starts at step 0, or where the newest sound checkpoint stands."""
        restored = self._restore() if resume else None
        if restored is not None:
            for reason in restored.skipped:
                log.warning("%s An older checkpoint is used.", reason)
            position = Position(**restored.state)
            if position.data_hash != self.plan.data_hash:
                raise BadData("The rows, or how they are packed, are not those it began with; start a new run instead.")
            if position.base != self.loaded.fingerprint:
                raise BadData("The base model's weights are not those that this run began with; start a new run instead.")
            self.position = replace(position, parts=max(position.parts, self.position.parts))
            log.info("resumed at step %d from %s", position.step, restored.path.name)
        elif self.world.rank:
            torch.manual_seed(self.config.seed + 7919 * self.world.rank)  # so that processes drop out different numbers
        self._run.rewind(self.position.step)
        log.info("%d rows, %d steps on %s", len(self.plan.train), self.plan.total_steps, self.loaded.device)
        if self.world.size > 1:
            log.info("%d processes, %s", self.world.size, self.config.strategy)
        if self.plan.too_long or self.plan.shortened:
            log.info("%d rows left out as too long, %d shortened", self.plan.too_long, self.plan.shortened)
        self._status("running")
        if self.learner.compares:
            path = self._run.path / contract.REFERENCE
            self.plan = self.measuring.with_reference(path, begun=self.position.step > 0, between=self._stop_if_asked)

    def _restore(self) -> checkpoint.Restored | None:
        restored = checkpoint.restore(self._run.checkpoints, model=self.loaded.model, optimizer=self.optimizer)
        if restored is not None:
            if len(restored.random) == self.world.size:
                checkpoint.restore_random(restored.random[self.world.rank])
            else:
                torch.manual_seed(self.config.seed + 7919 * self.world.rank + restored.state["step"])
        return restored

    def run(self) -> dict[str, Any]:
        """Trains to the end and writes the weights and the result."""
        self.loaded.model.train()
        self._marked = time.monotonic()
        try:
            self._train_steps()
        except (NotFinite, torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if self.world.size == 1 or isinstance(error, NotFinite):  # what befell one process alone the others do not know
                self._keep_what_is_sound()
            raise
        return self._finish()

    def _train_steps(self) -> None:
        while self.position.step < self.plan.total_steps and not self.position.ended_early:
            epoch, at = divmod(self.position.step, self.plan.steps_per_epoch)
            order = batches(self.config, self.plan, epoch)
            todo = list(windows(order, self.config.accumulation, start=at))
            for window, self._coming in zip(todo, [*todo[1:], None], strict=True):
                self._stop_if_asked()
                self._one_step_that_fits(window)
                self._after_step()
                if self.position.ended_early:
                    break

    def _one_step_that_fits(self, window: list[list[int]]) -> None:
        """One step. Where memory runs out, batches are halved and read one after another: the step stays the same step."""
        while True:
            try:
                self.one_step(self.measuring.laid(self.plan.train, window, self.position.parts))
                return
            except (MemoryError, RuntimeError) as error:
                divisible = self.world.size == 1 and self.position.parts < max(map(len, window))
                if not ran_out_of_memory(error) or self._updating or not divisible:
                    raise
                self.optimizer.zero_grad(set_to_none=True)
                self.position.parts *= 2
                log.warning("out of memory (%s): batches are read in %d parts from now on", error, self.position.parts)
            free_memory(self.loaded.device)
            self._run.metric("memory", step=self.position.step, parts=self.position.parts)

    def one_step(self, window: list[Lot]) -> None:
        """Forward and backward over the accumulation window, then one optimizer step."""
        started = time.monotonic()
        rate = learning_rate(self.config, self.position.step, self.plan.total_steps)
        lots = [lot.to(self.loaded.device) for lot in window]
        (shares, tokens), loss = self.measuring.shares(lots), torch.zeros((), device=self.loaded.device)
        self.measuring.look_ahead(lots)
        for place, lot in enumerate(lots, start=1):
            with self.world.adding_up(last=place == len(lots)):
                with self._autocast:
                    part = self.world.inside(self._part, lot, shares)
                # Gradients are averaged over the processes, and the shares are of all of them.
                (part * (0.0 if lot.void else self.world.size)).backward()
            if not lot.void:
                loss += part.detach()
        norm = torch.nn.utils.clip_grad_norm_(self._weights, self.config.max_grad_norm or math.inf)
        told = torch.stack((self.world.total(loss), world.joint(norm).to(loss.dtype)))
        if self._coming is not None:
            # While a GPU is at this step, which it was told of and has not done yet.
            self.measuring.laid(self.plan.train, self._coming, self.position.parts)
        loss_value, norm_value = told.tolist()
        if not (math.isfinite(loss_value) and math.isfinite(norm_value)):
            raise NotFinite(f"The loss became {loss_value} (gradient {norm_value}) at step {self.position.step + 1}. {_LOWER}")
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self._updating = True
        self.optimizer.step()
        self._updating = False
        self.optimizer.zero_grad(set_to_none=True)
        self._count(tokens, time.monotonic() - started, loss_value, norm_value, rate)

    def _part(self, lot: Lot, shares: torch.Tensor) -> torch.Tensor:
        return (self.learner.losses(lot)[0] * shares).sum()

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
            memory_bytes=peak_memory(self.loaded.device),
            **({"mfu": round(tokens * self._flops / max(seconds, 1e-9) / self._peak, 4)} if self._peak else {}),
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
        loss, figures = self.measuring.measure(self.plan.validation)
        samples, likeness = self.measuring.spoken()
        figures |= likeness
        shown = {name: value for name, value in figures.items() if name in contract.metrics_of(self.config.objective)}
        where = {"step": self.position.step, "epoch": round(self._epoch, 4)}
        self._run.metric("validation", **where, loss=loss, **shown, samples=samples)
        told = ", ".join(f"{name} {value:.4f}" for name, value in {"loss": loss, **shown}.items())
        log.info("step %d/%d validation: %s", self.position.step, self.plan.total_steps, told)
        self._keep_if_best(loss, figures)

    def _keep_if_best(self, loss: float, figures: dict[str, Any]) -> None:
        position, name = self.position, self.config.best_metric
        value = loss if name == "loss" else figures[name]
        if not (math.isfinite(loss) and math.isfinite(value)):
            raise NotFinite(f"On the validation rows {name} became {value} (loss {loss}) at step {position.step}. {_LOWER}")
        best, lower = position.best_value, name in contract.LOWER_IS_BETTER
        if best is None or (value < best if lower else value > best):
            position.best_value, position.best_step, position.worse = value, position.step, 0
            position.best_loss, position.best_figures = loss, figures
            weights = checkpoint.whole_weights(self.loaded.model)
            if self.world.is_chief:
                checkpoint.save_best(self._run.checkpoints, weights=weights)
        else:
            position.worse += 1
        position.ended_early = 0 < self.config.early_stopping <= position.worse
        if self._watch is not None:
            self._watch(position.step, value)

    def _checkpoint(self) -> None:
        weights = checkpoint.whole_weights(self.loaded.model)
        optimizer, random = world.whole_state(self.optimizer), self.world.gathered(checkpoint.random_state())
        if self.world.is_chief:
            path = checkpoint.save(
                self._run.checkpoints,
                weights=weights,
                optimizer=optimizer,
                random=random,
                state=asdict(self.position),
                keep=self.config.keep_checkpoints,
            )
            self._run.metric("checkpoint", step=self.position.step, path=str(path.relative_to(self._run.path)))
        self.world.wait()

    def _status(self, state: str, message: str = "") -> None:
        self._run.status(state, step=self.position.step, total_steps=self.plan.total_steps, epoch=self._epoch, message=message)

    def _stop_if_asked(self) -> None:
        if not self.world.any(bool(self._stop)):
            return
        self._checkpoint()
        self._status("stopped", "stopped on request; resume goes on from here")
        raise Stopped(f"Stopped at step {self.position.step} of {self.plan.total_steps}; a checkpoint was kept.")

    def _keep_what_is_sound(self) -> None:
        """After a failure between two updates the weights are those of the last whole step: keep them."""
        if self._is_finite() and not self._updating and self.position.step > 0:
            self.optimizer.zero_grad(set_to_none=True)
            self._checkpoint()

    def _is_finite(self) -> bool:
        return not self.world.any(not all(bool(torch.isfinite(world.own(weight)).all()) for weight in self._weights))

    def _finish(self) -> dict[str, Any]:
        if not self._is_finite():
            raise NotFinite(f"The weights are no numbers after step {self.position.step}. {_LOWER}")
        if self.position.step >= self.plan.total_steps or self.position.ended_early:
            self._checkpoint()
        self.world.wait()
        if not checkpoint.load_best(self._run.checkpoints, model=self.loaded.model) and self.position.best_step is not None:
            raise checkpoint.Damaged(f"The best weights (of step {self.position.best_step}) are gone; start a new run.")
        self.loaded.model.eval()
        self._save_final()
        position = self.position
        result = {
            "objective": self.config.objective,
            "validation": position.best_figures,
            "test": self._test_figures(),
            "best_step": position.best_step or position.step,
            "best_validation_loss": position.best_loss,
            "steps": position.step,
            "ended_early": position.ended_early,
            "tokens": position.tokens,
            "seconds": round(position.seconds, 3),
            "tokens_per_second": round(position.tokens / max(position.seconds, 1e-9), 1),
            "batch_parts": position.parts,
            "peak_memory_bytes": self.world.greatest(peak_memory(self.loaded.device)),
            "processes": self.world.size,
            "device": device_name(self.loaded.device),
            "rows": len(self.plan.train),
            "rows_too_long": self.plan.too_long,
            "rows_shortened": self.plan.shortened,
            "packed": bool(self.plan.room),
        }
        if self.world.is_chief:
            write_json(self._run.path / contract.RESULT, result)
            stored.forget(self._run.path)
        self._status("finished")
        return result

    def _test_figures(self) -> dict[str, Any]:
        """What the final weights do on the test rows. Answers that are imitated are judged by an evaluation instead."""
        if self.config.objective == "sft" or not self.plan.test:
            return {}
        loss, figures = self.measuring.measure(self.plan.test)
        self.loaded.model.eval()
        return {"rows": len(self.plan.test), "loss": loss} | figures

    def _save_final(self) -> None:
        """Write the model as its library does; where its parts lie with several processes, they are put together first."""
        model, name = self.loaded.model, contract.ADAPTER if self.config.uses_lora else contract.MODEL
        state = self.world.whole_state_of(model, trained_alone=self.config.uses_lora)

        def fill(target: Path) -> None:
            model.save_pretrained(target, **({} if state is None else {"state_dict": state}))
            name_base(self.loaded, target)
            if not self.config.uses_lora:
                self.loaded.format.tokenizer.save_pretrained(target)

        if self.world.is_chief:
            checkpoint.write_whole(self._run.path / name, fill)
