"""Learners whose result is a chat model: SFT, DPO, ORPO, KTO."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch

from trainer import attention, lessons, objectives
from trainer.contract import Decoding, TrainConfig
from trainer.data import ChatFormat, Example
from trainer.generate import generate
from trainer.learner import Learner, Lot, Tally, lay, lay_in_one_row, preferences
from trainer.lessons import Pair, Thumb
from trainer.model import BadModel, Loaded, choose_dtype
from trainer.objectives import TrainedLogits
from trainer.picked import Picked
from trainer.rows import Row

SAMPLE_DECODING = Decoding(max_new_tokens=48)
"""Of the answers that are looked at while a model learns."""


class Chatting(Learner):
    """What learners of chat models share."""

    def __init__(self, config: TrainConfig, loaded: Loaded) -> None:
        super().__init__(config, loaded)
        self.format: ChatFormat = loaded.format
        self.chat = loaded
        self.logits_of = TrainedLogits(loaded.model)
        self._settle()

    def _settle(self) -> None:
        """Decides how the model attends."""
        if self.chat.device.type == "cuda":
            attention.spare_masks(self.model, self.logits_of, self.chat.device)

    def answers(self, rows: Sequence[Row]) -> list[str]:
        """Greedy answers."""
        return [answer.text for answer in generate(self.chat, [row.prompt for row in rows], SAMPLE_DECODING)]


class Imitation(Chatting):
    """SFT. Conversations share a row where the config and the device say so and the model keeps them apart."""

    def _settle(self) -> None:
        self.packs = self._can_pack()
        if not self.packs:
            super()._settle()

    def _can_pack(self) -> bool:
        config, loaded = self.config, self.chat
        if config.packing == "off" or config.unpackable:
            return False
        dtype = choose_dtype(config.precision, loaded.device)
        kernel = attention.find_kernel(loaded.device, dtype)
        if kernel is None and config.packing == "auto":
            return False
        if kernel is not None:
            before = attention.use(loaded.model, kernel, dtype)
            if self._keeps_apart():
                return True
            loaded.model.set_attn_implementation(before)
        if config.packing == "on" and not self._keeps_apart():
            raise BadModel("packing 'on' does not fit this model: texts in one row would see each other. Use 'auto' or 'off'.")
        return config.packing == "on"

    def _keeps_apart(self) -> bool:
        return attention.keeps_apart(self.model, self.logits_of, self.chat.device)

    def lessons(self, rows: Sequence[Row], length: int) -> Iterator[Example | None]:
        """Conversations."""
        return lessons.examples(rows, self.format, length)

    def lot(self, chosen: Sequence[Example]) -> Lot:
        """Each trained token with its row's weight."""
        tokens, marks = [example.tokens for example in chosen], [example.trained for example in chosen]
        total = sum(example.weight * example.trained_count for example in chosen)
        if self.packs:
            worth = [[example.weight if mark else 0.0 for mark in example.trained] for example in chosen]
            return lay_in_one_row(tokens, worth, chosen, totals=(total,))
        counts = [example.weight for example in chosen]
        return lay(tokens, marks, chosen, pad=self.pad, counts=counts, totals=(total,))

    def losses(self, lot: Lot) -> tuple[torch.Tensor, Tally]:
        """Nats, and how many tokens would be the likeliest."""
        picked = lot.picked
        logits = self.logits_of(lot.tokens, picked.places, lot.packed)
        return imitate(logits, picked.targets, picked.counts, label_smoothing=self.doubt(), nats=self.nats)

    def figures(self, loss: float, tally: dict[str, Any]) -> dict[str, Any]:
        """Perplexity and token accuracy."""
        return {"perplexity": perplexity(loss)} | super().figures(loss, tally)


def imitate(
    logits: torch.Tensor,
    targets: torch.Tensor,
    weights: torch.Tensor,
    *,
    label_smoothing: float,
    nats: Callable[..., torch.Tensor] = objectives.sft,
) -> tuple[torch.Tensor, Tally]:
    """Nats of the target tokens, and how many of them would be the likeliest."""
    loss = nats(logits, targets, weights, label_smoothing=label_smoothing).unsqueeze(0)
    if torch.is_grad_enabled():
        return loss, {}
    right = ((logits.argmax(dim=-1) == targets) * weights).sum()
    return loss, {"token_accuracy": right, "weight": weights.sum()}


def perplexity(loss: float) -> float:
    """exp of the mean loss a token."""
    return math.exp(min(loss, 700.0))


class Preference(Chatting):
    """What DPO and ORPO share: two answers to one prompt."""

    def lessons(self, rows: Sequence[Row], length: int) -> Iterator[Pair | None]:
        """Pairs."""
        return lessons.pairs(rows, self.format, length)

    def lot(self, chosen: Sequence[Pair]) -> Lot:
        """The chosen answers, then the rejected ones in the same order."""
        said = [*(pair.chosen for pair in chosen), *(pair.rejected for pair in chosen)]
        return lay([one.tokens for one in said], [one.trained for one in said], chosen, pad=self.pad)


class Dpo(Preference):
    """Direct preference optimisation."""

    compares = True

    def log_probs(self, lot: Lot) -> torch.Tensor:
        """[lessons, 2]: the log-probability of each answer."""
        values = objectives.token_log_probs(self.logits_of, lot.tokens, lot.picked)
        return objectives.sum_by_row(values, lot.picked.rows, len(lot.tokens)).view(2, -1).T

    def losses(self, lot: Lot) -> tuple[torch.Tensor, Tally]:
        """A loss a pair; the implied rewards of both answers."""
        ratios = self.log_probs(lot) - lot.reference
        each = objectives.dpo(ratios, beta=self.config.beta, label_smoothing=self.doubt())
        loss = (each * lot.weights).sum().unsqueeze(0)
        return (loss, {}) if torch.is_grad_enabled() else (loss, preferences(self.config.beta * ratios, lot.weights))


class Orpo(Preference):
    """Odds ratio preference optimisation: the likelihood of the whole chosen text, and the odds of the two answers."""

    def lot(self, chosen: Sequence[Pair]) -> Lot:
        """The likelihood is divided by the chosen texts' tokens, the comparison by the pairs."""
        laid = super().lot(chosen)
        tokens = sum(pair.weight * (pair.chosen.length - 1) for pair in chosen)
        read = laid.trained > 0
        read[: len(chosen)] = laid.present[: len(chosen), 1:]
        return replace(laid, totals=(tokens, *laid.totals), picked=Picked.of(laid.tokens, read, laid.trained))

    def losses(self, lot: Lot) -> tuple[torch.Tensor, Tally]:
        """Two sums: nats of the chosen texts, and the comparison."""
        picked, texts = lot.picked, len(lot.tokens)
        values = objectives.token_log_probs(self.logits_of, lot.tokens, picked)
        said, whose = values[: picked.first], picked.rows[: picked.first]
        nats = -(said * lot.weights.index_select(0, whose)).sum()
        answers = objectives.sum_by_row(values * (picked.counts > 0), picked.rows, texts) / lot.trained.sum(dim=1)
        means = answers.view(2, -1).T
        compared = (objectives.orpo(means, beta=self.config.beta) * lot.weights).sum()
        loss = torch.stack((nats, compared))
        if torch.is_grad_enabled():
            return loss, {}
        odds = objectives.log_odds(means)
        told = {"preference_accuracy": odds > 0, "log_odds": odds, "weight": torch.ones_like(odds)}
        return loss, {name: (value * lot.weights).sum() for name, value in told.items()}


class Kto(Chatting):
    """Kahneman-Tversky optimisation. Straying is measured over the whole window, so accumulating changes nothing."""

    compares = looks_ahead = True

    def __init__(self, config: TrainConfig, loaded: Loaded) -> None:
        super().__init__(config, loaded)
        self._kl = torch.zeros((), device=loaded.device)

    def lessons(self, rows: Sequence[Row], length: int) -> Iterator[Thumb | None]:
        """Answers with their verdicts."""
        return lessons.thumbs(rows, self.format, length)

    def lot(self, chosen: Sequence[Thumb]) -> Lot:
        """The answers, then the stray ones in the same order."""
        said = [*(thumb.said for thumb in chosen), *(thumb.stray for thumb in chosen)]
        labels = [int(thumb.desirable) for thumb in chosen]
        return lay([one.tokens for one in said], [one.trained for one in said], chosen, pad=self.pad, labels=labels)

    def log_probs(self, lot: Lot) -> torch.Tensor:
        """[lessons, 2]: the log-probability of the answer and of the stray one."""
        return torch.stack((self._said(lot), self._stray(lot)), dim=1)

    def _said(self, lot: Lot) -> torch.Tensor:
        return self._half(lot.tokens[: len(lot.weights)], lot.picked.halves(lot.tokens)[0])

    def _stray(self, lot: Lot) -> torch.Tensor:
        return self._half(lot.tokens[len(lot.weights) :], lot.picked.halves(lot.tokens)[1])

    def _half(self, tokens: torch.Tensor, picked: Picked) -> torch.Tensor:
        values = objectives.token_log_probs(self.logits_of, tokens, picked)
        return objectives.sum_by_row(values, picked.rows, len(tokens))

    def look_ahead(self, window: Sequence[Lot]) -> None:
        """How far the model has strayed, by answers that belong to other prompts."""
        strayed = [self._stray(lot) - lot.reference[:, 1] for lot in window]  # of void lots too: all processes make each pass
        ratios = [values for lot, values in zip(window, strayed, strict=True) if not lot.void]
        total = torch.cat(ratios).sum() if ratios else torch.zeros((), device=self.loaded.device)
        total, count = self.shared(torch.stack((total, torch.full_like(total, sum(map(len, ratios))))))
        self._kl = (total / count).clamp(min=0)

    def losses(self, lot: Lot) -> tuple[torch.Tensor, Tally]:
        """A loss a row; the implied rewards."""
        ratios = self._said(lot) - lot.reference[:, 0]
        good = lot.labels.bool()
        worth = torch.where(good, self.config.desirable_weight, self.config.undesirable_weight)
        each = objectives.kto(ratios, good, self._kl, beta=self.config.beta)
        loss = (each * worth * lot.weights).sum().unsqueeze(0)
        if torch.is_grad_enabled():
            return loss, {}
        rewards, up, down = self.config.beta * ratios * lot.weights, good * lot.weights, ~good * lot.weights
        tally = {"up": (rewards * good).sum(), "down": (rewards * ~good).sum(), "ups": up.sum(), "downs": down.sum()}
        return loss, tally

    def figures(self, loss: float, tally: dict[str, Any]) -> dict[str, Any]:
        """Mean rewards of both kinds of answers, how far they are apart, and the straying."""
        up, down = (float(tally[name] / max(float(tally[f"{name}s"]), 1e-9)) for name in ("up", "down"))
        return {"margin": up - down, "kl": float(self._kl), "reward_desirable": up, "reward_undesirable": down}
