"""Learners of other models than chat models: T5 translators, reward models, classifiers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from trainer import lessons, objectives
from trainer.chatters import SAMPLE_DECODING, imitate, perplexity
from trainer.contract import TrainConfig
from trainer.data import TextFormat
from trainer.generate import generate
from trainer.learner import Learner, Lot, Tally, lay, preferences
from trainer.lessons import Text, TextPair, Translation
from trainer.model import LoadedReader
from trainer.rows import Row


class Reading(Learner):
    """What learners of other models share."""

    def __init__(self, config: TrainConfig, loaded: LoadedReader) -> None:
        super().__init__(config, loaded)
        self.format: TextFormat = loaded.format


class Translator(Reading):
    """Seq2seq: the encoder reads the prompt, the decoder learns to write the answer."""

    def __init__(self, config: TrainConfig, loaded: LoadedReader) -> None:
        super().__init__(config, loaded)
        self._start = int(loaded.model.config.decoder_start_token_id)

    def lessons(self, rows: Sequence[Row], length: int) -> Iterator[Translation | None]:
        """Prompts with their answers."""
        return lessons.translations(rows, self.format, length)

    def lot(self, chosen: Sequence[Translation]) -> Lot:
        """Sources, then targets after the token that the decoder starts with."""
        targets = [(self._start, *lesson.target) for lesson in chosen]
        texts = [*(lesson.source for lesson in chosen), *targets]
        marks = [[False] * len(lesson.source) for lesson in chosen]
        marks += [[False, *[True] * len(lesson.target)] for lesson in chosen]
        total = sum(lesson.weight * len(lesson.target) for lesson in chosen)
        counts = [lesson.weight for lesson in chosen] * 2
        return lay(texts, marks, chosen, pad=self.pad, counts=counts, totals=(total,))

    def losses(self, lot: Lot) -> tuple[torch.Tensor, Tally]:
        """As in SFT."""
        half = len(lot.tokens) // 2
        _, picked = lot.picked.halves(lot.tokens)
        logits = self.model(
            input_ids=lot.tokens[:half],
            attention_mask=lot.present[:half].long(),
            decoder_input_ids=lot.tokens[half:],
            decoder_attention_mask=lot.present[half:].long(),
            use_cache=False,
        ).logits
        chosen = logits.flatten(0, 1).index_select(0, picked.places)
        return imitate(chosen, picked.targets, picked.counts, label_smoothing=self.doubt())

    def figures(self, loss: float, tally: dict[str, Any]) -> dict[str, Any]:
        """As in SFT."""
        return {"perplexity": perplexity(loss)} | super().figures(loss, tally)

    def answers(self, rows: Sequence[Row]) -> list[str]:
        """Greedy answers."""
        return [answer.text for answer in generate(self.loaded, [row.prompt for row in rows], SAMPLE_DECODING)]


class Reward(Reading):
    """Bradley-Terry scores of whole conversations."""

    def lessons(self, rows: Sequence[Row], length: int) -> Iterator[TextPair | None]:
        """Pairs of texts."""
        return lessons.text_pairs(rows, self.format, length)

    def lot(self, chosen: Sequence[TextPair]) -> Lot:
        """The chosen texts, then the rejected ones in the same order."""
        return lay([*(pair.chosen for pair in chosen), *(pair.rejected for pair in chosen)], (), chosen, pad=self.pad)

    def losses(self, lot: Lot) -> tuple[torch.Tensor, Tally]:
        """A loss a pair."""
        logits = self.model(input_ids=lot.tokens, attention_mask=lot.present.long()).logits
        scores = logits.float().view(2, -1).T
        loss = (objectives.reward(scores) * lot.weights).sum().unsqueeze(0)
        if torch.is_grad_enabled():
            return loss, {}
        tally = preferences(scores, lot.weights)
        return loss, {name: tally[name] for name in ("preference_accuracy", "margin", "weight")}


class Classifier(Reading):
    """One of several classes a text."""

    def __init__(self, config: TrainConfig, loaded: LoadedReader) -> None:
        super().__init__(config, loaded)
        self.classes = loaded.classes

    @property
    def signature(self) -> str:
        """The classes' places decide too."""
        return "\n".join((super().signature, *self.classes))

    def lessons(self, rows: Sequence[Row], length: int) -> Iterator[Text | None]:
        """Texts with their classes."""
        return lessons.texts(rows, self.format, length, self.classes)

    def lot(self, chosen: Sequence[Text]) -> Lot:
        """Texts."""
        labels = [text.label for text in chosen]
        return lay([text.tokens for text in chosen], (), chosen, pad=self.pad, labels=labels)

    def losses(self, lot: Lot) -> tuple[torch.Tensor, Tally]:
        """A loss a text; how often each class was taken for each."""
        logits = self.model(input_ids=lot.tokens, attention_mask=lot.present.long()).logits
        each = objectives.classification(logits, lot.labels, label_smoothing=self.doubt())
        loss = (each * lot.weights).sum().unsqueeze(0)
        if torch.is_grad_enabled():
            return loss, {}
        count = len(self.classes)
        cells = lot.labels * count + logits.argmax(dim=-1)
        return loss, {"confusion": torch.bincount(cells, minlength=count * count).view(count, count)}

    def figures(self, loss: float, tally: dict[str, Any]) -> dict[str, Any]:
        """Accuracy, macro-F1 and the matrix; rows count once each, whatever their weights."""
        matrix = tally["confusion"].tolist()
        return scores_of(matrix) | {"confusion": {"classes": list(self.classes), "matrix": matrix}}

    def answers(self, rows: Sequence[Row]) -> list[str]:
        """The likeliest classes."""
        known = [text for text in lessons.texts(rows, self.format, self.config.max_length, self.classes) if text]
        if len(known) < len(rows):
            return []
        lot = self.lot(known).to(self.loaded.device)
        logits = self.model(input_ids=lot.tokens, attention_mask=lot.present.long()).logits
        return [self.classes[place] for place in logits.argmax(dim=-1).tolist()]


def scores_of(confusion: Sequence[Sequence[int]]) -> dict[str, float]:
    """Accuracy, and the mean F1 of the classes that occur, from how often class i (row) was taken for class j (column)."""
    places = range(len(confusion))
    right = [confusion[place][place] for place in places]
    truly = [sum(row) for row in confusion]
    said = [sum(confusion[row][place] for row in places) for place in places]
    f1 = [2 * right[place] / (truly[place] + said[place]) for place in places if truly[place] + said[place]]
    return {"accuracy": sum(right) / max(sum(truly), 1), "macro_f1": sum(f1) / max(len(f1), 1)}
