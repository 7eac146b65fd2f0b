"""Evaluation: models answer the same prompts and are measured against the same references, side by side.

Loss, perplexity and bits per byte are of the reference answer's tokens. BLEU is sacrebleu's corpus score (0–100) with its
signature; ROUGE-L is the F-measure (0–1) over lower-cased words of any script, without a stemmer; exact match ignores case and
runs of white space. Beside them stand what a model gives away of single rows that were learned (`regurgitation`), what it
forgets (`holdout`, the same rows for models of one kind), and its answers to further prompts, which whoever asks them measures.

Chat models and models of the T5 family may stand side by side; what scores or sorts texts is measured apart (`judges`). Not
promised: that losses compare between models with different tokenizers; bits per byte do.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from trainer import contract, holdout, judges, regurgitation
from trainer.contract import Decoding, EvaluateConfig, ModelSpec
from trainer.figures import ratio_bounds, summarise
from trainer.folder import write_json, write_lines
from trainer.generate import generate
from trainer.likeness import compare_texts
from trainer.losses import RowLoss, bits_per_byte, perplexity
from trainer.model import BadModel, Loaded, LoadedReader
from trainer.opening import Kind, kind_of, open_model
from trainer.regurgitation import Nest
from trainer.rows import BadData, Message, Row, read_answers, read_prompts, read_questions
from trainer.voices import answer_losses

PROBE_LONGEST = 64
"""Tokens of an answer to a further prompt: how it begins tells enough."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What every model is asked and held against."""

    rows: list[Row]
    probes: list[tuple[str, list[Message]]]
    nest: Nest | None
    learned: Path | None
    """The snapshot folder whose training rows were learned from, where it is at hand: there may be too many for memory."""
    kinds: dict[str, Kind]
    """What the models are, by label."""
    holdouts: dict[Kind, str]
    """The rows that models of a kind are held against for what they forget."""
    decoding: Decoding

    @property
    def suites(self) -> dict[str, Any]:
        """What the report tells of it."""
        nest, copies, names = self.nest, None, sorted(set(self.holdouts.values()))
        if self.learned is not None:
            copies = {"answers": sum(1 for _ in read_answers(self.learned, "train")), "words": regurgitation.GRAM}
        return {
            "canaries": nest and {"count": len(nest.canaries), "space": nest.space, "among": regurgitation.AMONG},
            "copies": copies,
            "holdout": {"name": " and ".join(names), "rows": sum(len(holdout.rows_of(name)) for name in names)},
            "probes": len(self.probes),
        }


def evaluate(config: EvaluateConfig, out: Path) -> dict[str, Any]:
    """Writes the answers and then `report.json` into `out`; returns the report. Raises BadData or BadModel."""
    torch.set_num_threads(config.threads)
    kinds = {spec.label: kind_of(spec) for spec in config.models}
    if Kind.JUDGE in kinds.values():
        return judges.evaluate(_alike(config, kinds), out)
    rows = read_questions(Path(config.data), config.split)[: config.limit]
    if not rows:
        raise BadData(f"{config.split}.jsonl has no rows to evaluate on.")
    asked = _gather(config, rows, kinds)
    out.mkdir(parents=True, exist_ok=True)
    report: dict[str, Any] = {"split": config.split, "decoding": config.to_json()["decoding"], "models": {}}
    responses: list[dict[str, Any]] = []
    probes: list[dict[str, Any]] = []
    for spec in config.models:
        made, told, summary = _evaluate_one(spec, asked, config.device)
        responses += made
        probes += told
        report["models"][spec.label] = summary
    write_lines(out / contract.PROBE_ANSWERS, probes)
    write_lines(out / contract.RESPONSES, responses)
    report["suites"] = asked.suites
    write_json(out / contract.REPORT, report)
    return report


def _alike(config: EvaluateConfig, kinds: dict[str, Kind]) -> EvaluateConfig:
    """The same, if all of its models are of one kind. Raises BadModel."""
    if len(set(kinds.values())) > 1:
        named = "; ".join(f"{label} is a {kind}" for label, kind in kinds.items())
        raise BadModel(f"Models that answer and models that judge are not measured by the same figures: {named}.")
    return config


def _gather(config: EvaluateConfig, rows: list[Row], kinds: dict[str, Kind]) -> _Asked:
    folder = Path(config.learned or config.data)
    alike = {kind: [spec for spec in config.models if kinds[spec.label] is kind] for kind in kinds.values()}
    return _Asked(
        rows=rows,
        probes=read_prompts(Path(config.probes)) if config.probes else [],
        nest=regurgitation.find_nest(folder),
        learned=folder if (folder / "train.jsonl").exists() else None,
        kinds=kinds,
        holdouts={kind: holdout.choose(models) for kind, models in alike.items()},
        decoding=config.decoding,
    )


Lines = list[dict[str, Any]]


def _evaluate_one(spec: ModelSpec, asked: _Asked, device_name: str) -> tuple[Lines, Lines, dict[str, Any]]:
    """A model's responses, its answers to further prompts, and its figures."""
    kind, started = asked.kinds[spec.label], time.monotonic()
    loaded = open_model(spec, device_name, kind)
    losses = answer_losses(loaded, asked.rows)
    responses = _respond(spec.label, loaded, asked, losses)
    summary = summarise(responses, [loss for loss in losses if loss is not None])
    texts = [(row, response["text"]) for row, response in zip(asked.rows, responses, strict=True)]
    parts = [_forgotten(loaded, asked.holdouts[kind])]
    if asked.learned is not None:
        parts.append(regurgitation.find_copies(texts, read_answers(asked.learned, "train")))
    if asked.nest is not None:
        parts.append(regurgitation.look_for(asked.nest, loaded))
    for part in parts:
        summary["intervals"] |= part.pop("intervals", {})
        summary |= part
    short = Decoding(max_new_tokens=min(PROBE_LONGEST, asked.decoding.max_new_tokens))
    said = generate(loaded, [messages for _, messages in asked.probes], short)
    probes = [
        {"label": spec.label, "id": name, "text": answer.text} for (name, _), answer in zip(asked.probes, said, strict=True)
    ]
    return responses, probes, summary | {"seconds": round(time.monotonic() - started, 3), "device": str(loaded.device)}


def _respond(label: str, loaded: Loaded | LoadedReader, asked: _Asked, losses: Sequence[RowLoss | None]) -> Lines:
    answers = generate(loaded, [row.prompt for row in asked.rows], asked.decoding)
    return [
        {
            "label": label,
            "id": row.id,
            "prompt": row.prompt[-1]["content"] if row.prompt else "",
            "reference": row.reference,
            "text": answer.text,
            "loss": loss.total / loss.tokens if loss else None,
            "tokens": answer.tokens,
            "complete": answer.complete,
            **compare_texts(answer.text, row.reference),
            "seconds": round(answer.seconds, 4),
        }
        for row, answer, loss in zip(asked.rows, answers, losses, strict=True)
    ]


def _forgotten(loaded: Loaded | LoadedReader, name: str) -> dict[str, Any]:
    """Bits per byte and perplexity on rows that have nothing to do with what was taught."""
    losses = [loss for loss in answer_losses(loaded, holdout.rows_of(name)) if loss is not None]
    totals = np.array([loss.total for loss in losses]) / np.log(2)
    bounds = ratio_bounds(totals, np.array([loss.size for loss in losses], float)) if losses else None
    return {
        "holdout": bits_per_byte(losses),
        "holdout_of": name,
        "holdout_n": len(losses),
        "holdout_perplexity": perplexity(losses),
        "intervals": {"holdout": list(bounds)} if bounds else {},
    }
