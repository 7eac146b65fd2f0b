"""What the loop finds out without learning: losses and figures over rows, what the starting model thought, samples.

Several processes read a share each and add up what they found; all of them get the same figures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from trainer import checkpoint, stored
from trainer.contract import SPLITS, TrainConfig
from trainer.learner import Learner, Lot
from trainer.lessons import Lesson
from trainer.picked import put
from trainer.plan import Plan, batches_to_measure, parted
from trainer.rows import BadData
from trainer.samples import speak
from trainer.speed import as_written
from trainer.world import World


class Measuring:
    """The eyes of one run."""

    def __init__(
        self, config: TrainConfig, plan: Plan, learner: Learner, among: World, autocast: AbstractContextManager[Any]
    ) -> None:
        self._config, self._plan, self._learner, self._world, self._autocast = config, plan, learner, among, autocast
        self._model, self._device = learner.loaded.model, learner.loaded.device
        self._laid: tuple[list[list[int]], int, list[Lot]] | None = None

    def lots(self, rows: list[Lesson], parts: int = 1) -> list[Lot]:
        """This process's share of a batch in at most so many lots. All processes have as many: where one has too few rows,
        its last lots are void.
        """
        mine = self._world.share(rows)
        laid = [self._learner.lot(part) for part in parted(mine, parts)] if mine else []
        lacking = len(list(parted(rows[: self._world.most(rows)], parts))) - len(laid)
        return laid + [replace(self._learner.lot(rows[:1]), void=True)] * lacking if lacking else laid

    def laid(self, lessons: Sequence[Lesson], window: list[list[int]], parts: int) -> list[Lot]:
        """The batches of a window of places in `lessons`, on the device. Those that were asked for last are still there, so
        that the next ones can be asked for ahead."""
        if self._laid is None or self._laid[0] is not window or self._laid[1] != parts:
            rows = [[lessons[place] for place in places] for places in window]
            lots = [lot.to(self._device) for chosen in rows for lot in self.lots(chosen, parts)]
            self._laid = window, parts, lots
        return self._laid[2]

    def shares(self, lots: Sequence[Lot]) -> tuple[torch.Tensor, int]:
        """What each of the losses' sums is multiplied by: one over the total of all lots of all processes; and their tokens."""
        told = [(*lot.totals, lot.token_count) if not lot.void else (0.0,) * (len(lot.totals) + 1) for lot in lots]
        totals: Sequence[float] = [sum(parts) for parts in zip(*told, strict=True)]
        if self._world.size > 1:
            totals = self._world.total(torch.tensor(totals, dtype=torch.float64)).tolist()
        shares = put(torch.tensor([1 / total if total else 0.0 for total in totals[:-1]]), self._device)
        return shares, round(totals[-1])

    @torch.no_grad()
    def look_ahead(self, lots: Sequence[Lot]) -> None:
        """Before the losses of these lots are asked for."""
        if self._learner.looks_ahead:
            with self._autocast:
                self._world.inside(self._learner.look_ahead, [lot.to(self._device) for lot in lots])

    @torch.no_grad()
    def measure(self, lessons: Sequence[Lesson]) -> tuple[float, dict[str, Any]]:
        """The loss over lessons, as while training but without dropout, noise and smoothing, and the objective's figures."""
        self._model.eval()
        lots = [
            lot
            for places in batches_to_measure(self._config, self._plan, lessons)
            for lot in self.lots([lessons[place] for place in places])
        ]
        self.look_ahead(lots)
        sums, tally = torch.zeros(len(lots[0].totals), device=self._device), dict[str, torch.Tensor]()
        for lot in lots:
            with self._autocast, as_written(self._learner):
                losses, told = self._world.inside(self._learner.losses, lot.to(self._device))
            if lot.void:
                losses, told = losses * 0, {name: value * 0 for name, value in told.items()}
            sums += losses
            tally = {name: tally.get(name, 0) + value for name, value in told.items()}
        loss = float(self._world.total((sums * self.shares(lots)[0]).sum()))
        self._model.train()
        return loss, self._learner.figures(loss, {name: self._world.total(value) for name, value in tally.items()})

    def with_reference(self, path: Path, *, begun: bool, between: Callable[[], None]) -> Plan:
        """The plan with what the starting model thinks of its lessons: read back, or worked out and kept in `path`. Raises
        BadData when that is gone and the run has `begun`.
        """
        plan, lessons = self._plan, {name: getattr(self._plan, name) for name in SPLITS}
        kept = checkpoint.read_reference(path, plan.data_hash)
        if self._world.any(kept is None or any(len(kept[name]) != len(lessons[name]) for name in lessons)):
            if begun:
                raise BadData(f"{path.name} is missing or damaged, so this run cannot go on; start a new run instead.")
            kept = {name: self._log_probs(found, between) for name, found in lessons.items()}
            if self._world.is_chief:
                checkpoint.write_reference(path, kept, plan.data_hash)
        assert kept is not None
        found: dict[str, Any] = {name: stored.refer(lessons[name], told) for name, told in kept.items()}
        return replace(plan, train=found["train"], validation=found["validation"], test=found["test"])

    @torch.no_grad()
    def _log_probs(self, lessons: Sequence[Lesson], between: Callable[[], None]) -> torch.Tensor:
        """[lessons, 2]: what the model thinks of them; `between` is called between batches."""
        self._model.eval()
        found = torch.zeros((len(lessons), 2))
        for places in batches_to_measure(self._config, self._plan, lessons):
            between()
            for lot in self.lots([lessons[place] for place in places]):
                with self._autocast:
                    values = self._world.inside(self._learner.log_probs, lot.to(self._device)).float().cpu()
                if not lot.void:
                    found[self._world.share(places)] = values
        return self._world.total(found)

    @torch.no_grad()
    def spoken(self) -> tuple[list[dict[str, str]], dict[str, float]]:
        """Samples, and how alike they are to the reference answers."""
        self._model.eval()
        with as_written(self._learner):
            said = self._world.inside(speak, self._learner, self._plan.validation_rows, self._config.measured_answers)
        self._model.train()
        return self._world.chiefs(said)
