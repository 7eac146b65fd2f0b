"""Evaluation of models that write nothing: classifiers on rows with classes, reward models on rows with preferred answers.

Of a classifier: accuracy with Wilson's interval, macro-F1 (the mean F1 of the classes that occur) with a percentile bootstrap
over rows, the loss, and what was taken for what. A row whose class the model does not have is one that it gets wrong; it has
no loss. Of a reward model: the share of pairs in which the preferred answer has the higher score (a tie is half a pair), the
mean margin of the scores, and the loss. Rows count once each, whatever their weights.

Not promised: that losses and margins compare between models with other classes or another scale.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from trainer import contract, lessons
from trainer.contract import EvaluateConfig
from trainer.figures import bootstrap, ratio_bounds, wilson
from trainer.folder import write_json, write_lines
from trainer.model import BadModel, LoadedReader
from trainer.opening import Kind, open_model
from trainer.readers import scores_of
from trainer.rows import BadData, Row, read_split
from trainer.steps import Tokens, laid

_BATCH = 16
Lines = list[dict[str, Any]]


def evaluate(config: EvaluateConfig, out: Path) -> dict[str, Any]:
    """Writes what each model says of each row and then `report.json` into `out`. Raises BadData or BadModel."""
    report: dict[str, Any] = {"split": config.split, "models": {}, "suites": None}
    responses: Lines = []
    for spec in config.models:
        started, loaded = time.monotonic(), open_model(spec, config.device, Kind.JUDGE)
        assert isinstance(loaded, LoadedReader)
        made, summary = (_sort if loaded.classes else _score)(loaded, _rows(config, loaded))
        responses += [{"label": spec.label} | line for line in made]
        report["models"][spec.label] = summary | {
            "seconds": round(time.monotonic() - started, 3),
            "device": str(loaded.device),
        }
    out.mkdir(parents=True, exist_ok=True)
    write_lines(out / contract.RESPONSES, responses)
    write_json(out / contract.REPORT, report)
    return report


def _rows(config: EvaluateConfig, loaded: LoadedReader) -> list[Row]:
    objective = "classification" if loaded.classes else "reward"
    rows = read_split(Path(config.data), config.split, objective)[: config.limit]
    if not rows:
        raise BadData(f"{config.split}.jsonl has no rows to evaluate on.")
    return rows


# --- classifiers ---


@dataclass(frozen=True, slots=True)
class _Sorted:
    """A row with the class that the model put it into."""

    row: Row
    said: str
    share: float
    """How sure the model was of it, from 0 to 1."""
    loss: float | None


def _sort(loaded: LoadedReader, rows: Sequence[Row]) -> tuple[Lines, dict[str, Any]]:
    found = list(_sorted(loaded, rows))
    names = sorted({*loaded.classes, *(row.label for row in rows)})
    place = {name: number for number, name in enumerate(names)}
    truly, said = (
        np.array([place[name] for name in told]) for told in ([one.row.label for one in found], [one.said for one in found])
    )
    count, right = len(found), int((truly == said).sum())

    def matrix(drawn: np.ndarray) -> list[list[int]]:
        cells = np.bincount(truly * len(names) + said, weights=drawn, minlength=len(names) ** 2)
        return cells.reshape(len(names), -1).astype(int).tolist()

    whole = matrix(np.ones(count))
    known = np.array([one.loss for one in found if one.loss is not None])
    bounds = {
        "accuracy": wilson(right, count),
        "macro_f1": bootstrap(count, lambda drawn: scores_of(matrix(drawn))["macro_f1"]),
        "loss": ratio_bounds(known, np.ones(len(known))),
    }
    summary = {
        "kind": "classifier",
        **_counted(count, loss=len(known)),
        **scores_of(whole),
        "loss": float(known.mean()) if len(known) else None,
        "confusion": {"classes": names, "matrix": whole},
        "intervals": {name: list(told) for name, told in bounds.items() if told is not None},
    }
    lines = [
        {
            "id": one.row.id,
            "prompt": one.row.messages[-1]["content"],
            "reference": one.row.label,
            "text": one.said,
            "share": one.share,
            "loss": one.loss,
            "exact_match": one.said == one.row.label,
        }
        for one in found
    ]
    return lines, summary


def _sorted(loaded: LoadedReader, rows: Sequence[Row]) -> list[_Sorted]:
    texts = [loaded.format.encode(row.messages, max_length=loaded.context, cut=True) or () for row in rows]
    found = []
    for row, logits in zip(rows, _logits(loaded, texts), strict=True):
        shares = torch.log_softmax(logits, dim=-1)
        best, known = int(shares.argmax()), row.label in loaded.classes
        loss = -float(shares[loaded.classes.index(row.label)]) if known else None
        found.append(_Sorted(row, loaded.classes[best], float(shares[best].exp()), loss))
    return found


# --- reward models ---


def _score(loaded: LoadedReader, rows: Sequence[Row]) -> tuple[Lines, dict[str, Any]]:
    pairs = [pair for pair in lessons.text_pairs(rows, loaded.format, loaded.context) if pair is not None]
    if not pairs:
        raise BadModel("None of the rows fits into what this model can read.")
    scores = _logits(loaded, [*(pair.chosen for pair in pairs), *(pair.rejected for pair in pairs)]).view(2, -1).double()
    margins = (scores[0] - scores[1]).numpy()
    count, won, losses = len(pairs), float((margins > 0).sum() + (margins == 0).sum() / 2), np.logaddexp(0, -margins)
    bounds = {
        "preference_accuracy": wilson(won, count),
        "margin": ratio_bounds(margins, np.ones(count)),
        "loss": ratio_bounds(losses, np.ones(count)),
    }
    summary = {
        "kind": "reward model",
        **_counted(count),
        "too_long": len(rows) - count,
        "preference_accuracy": won / count,
        "margin": float(margins.mean()),
        "loss": float(losses.mean()),
        "intervals": {name: list(told) for name, told in bounds.items() if told is not None},
    }
    lines = [
        {"id": pair.id, "chosen": chosen, "rejected": rejected, "right": chosen > rejected}
        for pair, (chosen, rejected) in zip(pairs, scores.T.tolist(), strict=True)
    ]
    return lines, summary


def _counted(count: int, **others: int) -> dict[str, int]:
    return {"n": count, **{f"{name}_n": value for name, value in others.items()}}


@torch.inference_mode()
def _logits(loaded: LoadedReader, texts: Sequence[Tokens]) -> torch.Tensor:
    """[texts, outputs], on the CPU. A text without a token is read as padding."""
    found: dict[int, torch.Tensor] = {}
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
    for start in range(0, len(order), _BATCH):
        chosen = order[start : start + _BATCH]
        tokens, present = laid([texts[index] or (loaded.format.tokenizer.pad_token_id,) for index in chosen], loaded)
        logits = loaded.model(input_ids=tokens, attention_mask=present.long()).logits
        found |= dict(zip(chosen, logits.float().cpu(), strict=True))
    return torch.stack([found[index] for index in range(len(texts))])
