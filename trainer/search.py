"""A search for a recipe: trials of one config with other values, each a run of its own, one after another.

Promised: a search that was killed goes on with the trial that it was at, from that trial's checkpoint, and asks for the same
trials as one that was never killed; only the best trial's weights are kept. A trial that cannot be (a value that contradicts
another or leaves no row to learn from, a loss that is no number, too little memory) is marked as failed and the search goes
on. Rows that cannot be read end it before the first trial.

Not promised: that the best of few trials is better than chance; folds tell more than one validation split does.
"""

from __future__ import annotations

import logging
import math
import shutil
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import torch
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages.journal import JournalFileBackend, JournalStorage
from optuna.trial import FrozenTrial, TrialState

from trainer import contract, stored
from trainer.contract import SPLITS, ConfigError, TrainConfig, read_json
from trainer.data import BadTemplate
from trainer.device import free_memory, ran_out_of_memory
from trainer.folder import RunFolder, StopRequest, write_json
from trainer.folds import write_folds
from trainer.loop import NotFinite, Stopped, train
from trainer.model import BadModel, choose_device
from trainer.rows import BadData, read_rows, read_split
from trainer.spaces import Dimension, SearchConfig

log = logging.getLogger("trainer")
_STATES = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}
_FAILURES = (ConfigError, BadData, BadModel, BadTemplate, NotFinite, MemoryError, torch.OutOfMemoryError)
"""What ends a trial and not the search."""
_WARM_UP = 4
"""Trials before the first may be pruned."""


class Pruned(Exception):
    """A trial that is behind the median of the others."""


def search(config: SearchConfig, out: Path, *, resume: bool = False) -> dict[str, Any]:
    """Search, or go on searching; returns what `result.json` holds. Raises Stopped, BadData, ConfigError."""
    out.mkdir(parents=True, exist_ok=True)
    stop = StopRequest(out)
    if resume:
        stop.clear()
    write_json(out / contract.SEARCH, config.to_json())
    (out / contract.ERROR).unlink(missing_ok=True)
    with stop.listening():
        return Search(config, out, stop).run()


class Search:
    """One search in progress."""

    def __init__(self, config: SearchConfig, out: Path, stop: StopRequest) -> None:
        self.config, self.out, self._stop = config, out, stop
        self._folder = RunFolder(out)
        self._refuse_bad_rows()
        towards: Any = config.direction
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        storage = JournalStorage(JournalFileBackend(str(out / contract.STUDY)))
        self.study = optuna.create_study(
            storage=storage, study_name="search", direction=towards, load_if_exists=True, pruner=self._pruner()
        )
        self._space = {name: _distribution(one) for name, one in config.space.items()}
        self._data = [Path(config.config.data)]
        if config.folds:
            self._data = write_folds(self._data[0], out / "folds", folds=config.folds, seed=config.config.seed)

    def _refuse_bad_rows(self) -> None:
        """What is wrong with the snapshot is wrong with every trial. Folds part its rows anew, so they share nothing yet."""
        folder, objective = Path(self.config.config.data), self.config.config.objective
        if self.config.folds:
            for split in SPLITS[:2]:
                read_split(folder, split, objective)
        else:
            read_rows(folder, objective)

    def run(self) -> dict[str, Any]:
        """Every trial, then the best one."""
        while (trial := self._next()) is not None:
            self._try(trial)
            self._tell()
        best = self._best()
        if best is None:
            said = next((one.user_attrs.get("message", "") for one in self.study.trials), "")
            raise ConfigError(f"No trial ended well, so there is no best one. The first: {said}")
        result = self._result(best)
        write_json(self.out / contract.RESULT, result)
        stored.forget(self.out)
        self._status("finished")
        return result

    # --- trials ---

    def _next(self) -> optuna.trial.Trial | None:
        """The trial that was at work when the search was killed, or a new one; None when there are enough."""
        if self._stop:
            self._stop_here()
        trials = [one for one in self.study.trials if one.state is not TrialState.WAITING]
        waits = len(trials) < len(self.study.trials)
        for frozen in trials:
            if frozen.state is TrialState.RUNNING:
                return optuna.trial.Trial(self.study, frozen._trial_id)
        seconds = sum(one.user_attrs.get("seconds", 0.0) for one in trials)
        if len(trials) >= self.config.most_trials or 0 < self.config.hours * 3600 <= seconds:
            return None
        # Seeded by the trial's number, so that a search that goes on draws what it would have drawn.
        self.study.sampler = self._sampler(self.config.config.seed + len(trials))
        if self.config.method == "grid" and self._space and not waits:
            self.study.enqueue_trial(self.config.grid()[len(trials)])
        return self.study.ask(self._space)

    def _sampler(self, seed: int) -> optuna.samplers.BaseSampler:
        if self.config.method != "tpe":
            return optuna.samplers.RandomSampler(seed=seed)
        return optuna.samplers.TPESampler(seed=seed, n_startup_trials=min(10, max(3, self.config.trials // 3)))

    def _pruner(self) -> optuna.pruners.BasePruner:
        return optuna.pruners.MedianPruner(n_startup_trials=_WARM_UP) if self.config.prune else optuna.pruners.NopPruner()

    def _try(self, trial: optuna.trial.Trial) -> None:
        self._tell()
        self._status("running", f"trial {trial.number + 1}: {_told(trial.params)}")
        log.info("trial %d of at most %d: %s", trial.number + 1, self.config.most_trials, _told(trial.params))
        started = time.monotonic() - trial.user_attrs.get("seconds", 0.0)
        state, value, message = TrialState.COMPLETE, None, ""
        try:
            value = self._measure(trial)
        except Pruned:
            state = TrialState.PRUNED
        except Stopped:
            trial.set_user_attr("seconds", time.monotonic() - started)
            self._stop_here()
        except (*_FAILURES, RuntimeError) as error:
            if not isinstance(error, _FAILURES) and not ran_out_of_memory(error):
                raise
            state, message = TrialState.FAIL, str(error)[:500]
            log.warning("trial %d failed: %s", trial.number + 1, message)
        trial.set_user_attr("seconds", round(time.monotonic() - started, 3))
        trial.set_user_attr("message", message)
        self.study.tell(trial, value, state=state)
        self._clear_up(trial.number)
        free_memory(choose_device(self.config.config.device))

    def _measure(self, trial: optuna.trial.Trial) -> float:
        """The metric of one trial: of its run, or the mean over its folds."""
        values: list[float] = []
        folder = self.folder_of(trial.number)
        for fold, data in enumerate(self._data, start=1):
            config = replace(self.config.config, **trial.params, data=str(data))
            part = folder / f"fold-{fold}" if self.config.folds else folder
            values.append(self._value_of(config, part, None if self.config.folds else self._watcher(trial)))
            trial.set_user_attr("values", values)
            if self.config.folds:
                trial.report(statistics.fmean(values), fold)
                self._prune_if_hopeless(trial, fold < len(self._data))
        return statistics.fmean(values)

    def _value_of(self, config: TrainConfig, folder: Path, watch: Callable[[int, float], None] | None) -> float:
        result = folder / contract.RESULT
        if not result.exists():
            train(config, folder, resume=(folder / contract.CHECKPOINTS).exists(), stop=self._stop, watch=watch)
        told = read_json(result)
        value = told["best_validation_loss"] if config.best_metric == "loss" else told["validation"].get(config.best_metric)
        if value is None:
            raise ConfigError("There are no validation rows to compare trials by. Freeze a snapshot with some, or use folds.")
        if not math.isfinite(value):
            raise NotFinite(f"The validation's {config.best_metric} became {value}: the learning rate may be too high.")
        return float(value)

    def _watcher(self, trial: optuna.trial.Trial) -> Callable[[int, float], None]:
        def watch(step: int, value: float) -> None:
            trial.report(value, step)
            self._prune_if_hopeless(trial, True)

        return watch

    def _prune_if_hopeless(self, trial: optuna.trial.Trial, goes_on: bool) -> None:
        if goes_on and trial.should_prune():
            raise Pruned

    # --- what is left ---

    def folder_of(self, number: int) -> Path:
        """A trial's run folder; trials count from 1 for people."""
        return self.out / f"trial-{number + 1:04d}"

    def _best(self) -> FrozenTrial | None:
        complete = [one for one in self.study.trials if one.state is TrialState.COMPLETE]
        sign = 1 if self.config.direction == "minimize" else -1
        return min(complete, key=lambda one: (sign * (one.value or 0.0), one.number), default=None)

    def _clear_up(self, number: int) -> None:
        """Checkpoints go once a trial has ended, and the weights of all but the best."""
        best = self._best()
        for frozen in self.study.trials[: number + 1]:
            folder = self.folder_of(frozen.number)
            keeps = best is not None and frozen.number == best.number and not self.config.folds
            for part in (folder, *folder.glob("fold-*")):
                shutil.rmtree(part / contract.CHECKPOINTS, ignore_errors=True)
                if not keeps:
                    for name in (contract.ADAPTER, contract.MODEL):
                        shutil.rmtree(part / name, ignore_errors=True)

    def _row(self, frozen: FrozenTrial) -> dict[str, Any]:
        said = frozen.user_attrs
        return {
            "number": frozen.number + 1,
            "state": _STATES.get(frozen.state, "running"),
            "params": frozen.params,
            "value": frozen.value if frozen.state is TrialState.COMPLETE else None,
            "values": said.get("values", []),
            "steps": max(frozen.intermediate_values, default=0),
            "seconds": said.get("seconds", 0.0),
            "message": said.get("message", ""),
        }

    def _tell(self) -> None:
        rows = [self._row(one) for one in self.study.trials]
        write_json(
            self.out / contract.TRIALS, {"metric": self.config.metric, "direction": self.config.direction, "trials": rows}
        )

    def _result(self, best: FrozenTrial) -> dict[str, Any]:
        rows = [self._row(one) for one in self.study.trials]
        chosen = replace(self.config.config, **best.params)
        return {
            "metric": self.config.metric,
            "direction": self.config.direction,
            "folds": self.config.folds,
            "trials": len(rows),
            "pruned": sum(row["state"] == "pruned" for row in rows),
            "failed": sum(row["state"] == "failed" for row in rows),
            "seconds": round(sum(row["seconds"] for row in rows), 3),
            "best": {**self._row(best), "config": chosen.to_json()},
        }

    def _status(self, state: str, message: str = "") -> None:
        done = sum(one.state is not TrialState.RUNNING for one in self.study.trials)
        self._folder.status(state, step=done, total_steps=self.config.most_trials, epoch=0.0, message=message)

    def _stop_here(self) -> None:
        self._tell()
        self._status("stopped", "stopped on request; resume goes on from here")
        raise Stopped("The search stopped; what its trials have found is kept, and resume goes on with the next.")


def _distribution(one: Dimension) -> BaseDistribution:
    if one.choices:
        return CategoricalDistribution(one.choices)
    if one.whole:
        return IntDistribution(int(one.low), int(one.high), log=one.log, step=int(one.step) or 1)
    return FloatDistribution(one.low, one.high, log=one.log, step=one.step or None)


def _told(params: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in params.items())
