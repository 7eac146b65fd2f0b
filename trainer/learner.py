"""What the one loop needs of an objective: rows to lessons, lessons to batches, a batch to its loss and its figures.

A learner's `losses` are sums, one for each of the batch's `totals`; the loop adds the sums up over an accumulation window
and divides each by the window's total. Figures are told on validation and test rows only; there labels are taken at face
value (no smoothing).
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from trainer import objectives
from trainer.attention import Packed
from trainer.contract import TrainConfig
from trainer.lessons import Lesson
from trainer.model import Loaded, LoadedReader
from trainer.picked import Picked, put
from trainer.rows import Row

Tally = dict[str, torch.Tensor]
"""Sums over rows; two of them are added up by name."""


@dataclass(frozen=True, slots=True)
class Lot:
    """Lessons side by side on the CPU, padded on the right. What a learner does not use is empty."""

    tokens: torch.Tensor
    trained: torch.Tensor
    """[texts, width - 1]: what every next-token prediction counts, 0 where nothing is trained."""
    weights: torch.Tensor
    """[lessons]"""
    totals: tuple[float, ...]
    """What the loss's sums are to be divided by."""
    token_count: int
    reference: torch.Tensor
    """[lessons, 2]: what the starting model thought."""
    labels: torch.Tensor
    present: torch.Tensor
    """[texts, width]: which tokens are no padding."""
    picked: Picked
    """The predictions that are looked at."""
    packed: Packed | None = None
    """Where the texts of one long row begin and end; None for a text a row."""
    void: bool = False
    """Whether it counts nothing: a pass that a process makes because the others make one."""

    def to(self, device: torch.device) -> Lot:
        """The same on a device."""
        names = ("tokens", "trained", "weights", "reference", "labels", "present")
        moved: dict[str, Any] = {name: put(getattr(self, name), device) for name in names}
        packed = self.packed.to(device) if self.packed else None
        return replace(self, **moved, picked=self.picked.to(device), packed=packed)


def lay(
    texts: Sequence[Sequence[int]],
    marks: Sequence[Sequence[bool]],
    rows: Sequence[Lesson],
    *,
    pad: int,
    counts: Sequence[float] = (),
    totals: Sequence[float] | None = None,
    labels: Sequence[int] = (),
) -> Lot:
    """Texts, with marks where tokens are trained, as one lot. `counts` say what the trained tokens of each text count, 1 where
    they are not given. Without `totals` the loss is divided by the sum of weights."""
    width = max(len(text) for text in texts)
    tokens = torch.full((len(texts), width), pad, dtype=torch.long)
    trained, present = torch.zeros((len(texts), width)), torch.zeros((len(texts), width), dtype=torch.bool)
    for index, text in enumerate(texts):
        tokens[index, : len(text)] = torch.tensor(text)
        present[index, : len(text)] = True
        if marks:
            trained[index, : len(text)] = torch.tensor(marks[index])
    if counts:
        trained *= torch.tensor(counts, dtype=torch.float32).unsqueeze(1)
    trained = trained[:, 1:].contiguous()
    weights = torch.tensor([row.weight for row in rows], dtype=torch.float32)
    return Lot(
        tokens=tokens,
        trained=trained,
        weights=weights,
        totals=tuple(totals) if totals is not None else (float(weights.sum()),),
        token_count=sum(row.token_count for row in rows),
        reference=torch.tensor([getattr(row, "reference", (0.0, 0.0)) for row in rows], dtype=torch.float32),
        labels=torch.tensor(labels, dtype=torch.long),
        present=present,
        picked=Picked.of(tokens, trained > 0, trained),
    )


def lay_in_one_row(
    texts: Sequence[Sequence[int]], marks: Sequence[Sequence[float]], rows: Sequence[Lesson], *, totals: Sequence[float]
) -> Lot:
    """Texts one after another; `marks` say what each token counts. A text's first token is predicted from nothing."""
    tokens = torch.tensor([token for text in texts for token in text]).unsqueeze(0)
    every = torch.tensor([0.0 if at == 0 else mark for text in marks for at, mark in enumerate(text)]).unsqueeze(0)
    trained = every[:, 1:].contiguous()
    return Lot(
        tokens=tokens,
        trained=trained,
        weights=torch.tensor([row.weight for row in rows], dtype=torch.float32),
        totals=tuple(totals),
        token_count=tokens.numel(),
        reference=torch.empty(0),
        labels=torch.empty(0),
        present=torch.ones_like(tokens, dtype=torch.bool),
        picked=Picked.of(tokens, trained > 0, trained),
        packed=Packed.of([len(text) for text in texts]),
    )


class Learner(abc.ABC):
    """One objective at work on one model."""

    compares = False
    """Whether it needs to know what the starting model thought of the answers."""
    looks_ahead = False
    """Whether it needs a look at a whole window before its losses."""
    packs = False
    """Whether its lots are one long row each."""
    compiled = False
    """Whether its model's layers, and `nats`, are compiled."""
    nats: Callable[..., torch.Tensor] = staticmethod(objectives.sft)
    """How likely tokens are, as `objectives.sft` says it."""

    def __init__(self, config: TrainConfig, loaded: Loaded | LoadedReader) -> None:
        self.config, self.loaded, self.model = config, loaded, loaded.model
        self.pad = int(loaded.format.tokenizer.pad_token_id or 0)
        self.shared: Callable[[torch.Tensor], torch.Tensor] = lambda sums: sums
        """Adds sums up over all processes that read a window together; here there is one."""

    @property
    def signature(self) -> str:
        """What decides, beside the objective and the greatest length, which lessons are made of rows."""
        return self.loaded.format.signature

    @abc.abstractmethod
    def lessons(self, rows: Sequence[Row], length: int) -> Iterator[Lesson | None]:
        """What is learned from each row, one at a time; None where it does not fit."""

    @abc.abstractmethod
    def lot(self, chosen: Sequence[Any]) -> Lot:
        """Lessons side by side."""

    @abc.abstractmethod
    def losses(self, lot: Lot) -> tuple[torch.Tensor, Tally]:
        """The sums to be minimised [totals], and what is told about the rows (empty while training)."""

    def log_probs(self, lot: Lot) -> torch.Tensor:
        """[lessons, 2]: the log-probabilities of each lesson's two answers, where it `compares`."""
        raise NotImplementedError

    def figures(self, loss: float, tally: dict[str, Any]) -> dict[str, Any]:
        """What people see, from the loss and the sums over all rows."""
        count = max(float(tally["weight"]), 1e-9)
        return {name: float(value) / count for name, value in tally.items() if name != "weight"}

    def answers(self, rows: Sequence[Row]) -> list[str]:
        """What the model says to the rows' prompts, for people to look at; nothing where it says nothing."""
        return []

    def look_ahead(self, window: Sequence[Lot]) -> None:
        """Called without gradients before the losses of a window are asked for, where it `looks_ahead`."""
        raise NotImplementedError

    def doubt(self) -> float:
        """Label smoothing, while training."""
        return self.config.label_smoothing if torch.is_grad_enabled() else 0.0


def preferences(rewards: torch.Tensor, weights: torch.Tensor) -> Tally:
    """What is told about pairs, from the rewards [pairs, 2] of the chosen and the rejected answers."""
    chosen, rejected = rewards.T
    told = {"preference_accuracy": chosen > rejected, "margin": chosen - rejected}
    told |= {"reward_chosen": chosen, "reward_rejected": rejected, "weight": torch.ones_like(chosen)}
    return {name: (value * weights).sum() for name, value in told.items()}
