"""Evaluation: models answer the same prompts and are measured against the same references, side by side.

Loss and perplexity are of the reference answer's tokens and average over tokens, not rows. BLEU is sacrebleu's corpus score
(0–100) with its signature; ROUGE-L is the F-measure (0–1) over lower-cased words of any script, without a stemmer; exact match
ignores case and runs of white space. Not promised: that losses compare between models with different tokenizers.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from trainer import contract
from trainer.contract import EvaluateConfig, ModelSpec
from trainer.folder import write_json
from trainer.generate import generate
from trainer.likeness import compare_texts, corpus_bleu
from trainer.model import Loaded, choose_device, choose_dtype, load_adapter, load_base
from trainer.objectives import TrainedLogits, token_log_probs
from trainer.rows import BadData, Row, read_questions


@dataclass(frozen=True, slots=True)
class RowLoss:
    """The reference answer's negative log-likelihood in nats, summed over its tokens."""

    total: float
    tokens: int


def evaluate(config: EvaluateConfig, out: Path) -> dict[str, Any]:
    """Writes `responses.jsonl` and then `report.json` into `out`; returns the report. Raises BadData or BadModel."""
    torch.set_num_threads(config.threads)
    rows = read_questions(Path(config.data), config.split)[: config.limit]
    if not rows:
        raise BadData(f"{config.split}.jsonl has no rows to evaluate on.")
    out.mkdir(parents=True, exist_ok=True)
    report: dict[str, Any] = {"split": config.split, "decoding": config.to_json()["decoding"], "models": {}}
    temporary = out / f".{contract.RESPONSES}.tmp"
    with temporary.open("w", encoding="utf-8") as file:
        for spec in config.models:
            responses, summary = _evaluate_one(spec, rows, config)
            file.writelines(json.dumps(response, ensure_ascii=False) + "\n" for response in responses)
            report["models"][spec.label] = summary
    temporary.replace(out / contract.RESPONSES)
    write_json(out / contract.REPORT, report)
    return report


def _evaluate_one(spec: ModelSpec, rows: list[Row], config: EvaluateConfig) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    device, started = choose_device(config.device), time.monotonic()
    loaded = load_base(spec.base_model, spec.revision, device=device, dtype=choose_dtype("auto", device))
    if spec.adapter is not None:
        loaded = load_adapter(loaded, spec.adapter)
    losses = row_losses(loaded, rows)
    answers = generate(loaded, [row.prompt for row in rows], config.decoding)
    responses = [
        {
            "label": spec.label,
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
        for row, answer, loss in zip(rows, answers, losses, strict=True)
    ]
    summary = summarise(responses, [loss for loss in losses if loss is not None])
    return responses, summary | {"seconds": round(time.monotonic() - started, 3), "device": str(device)}


def summarise(responses: Sequence[dict[str, Any]], losses: Sequence[RowLoss]) -> dict[str, Any]:
    """The figures of one model over its responses. Each metric has its own n."""
    bleu, signature = corpus_bleu([row["text"] for row in responses], [row["reference"] for row in responses])
    count, tokens = len(responses), sum(loss.tokens for loss in losses)
    return {
        "n": count,
        "loss": sum(loss.total for loss in losses) / tokens if tokens else None,
        "perplexity": perplexity(losses),
        "loss_n": len(losses),
        "reference_tokens": tokens,
        "bleu": bleu,
        "bleu_signature": signature,
        "bleu_n": count,
        "rouge_l": sum(row["rouge_l"] for row in responses) / count,
        "rouge_l_n": count,
        "exact_match": sum(row["exact_match"] for row in responses) / count,
        "exact_match_n": count,
        "complete": sum(row["complete"] for row in responses) / count,
        "mean_tokens": sum(row["tokens"] for row in responses) / count,
    }


def perplexity(losses: Sequence[RowLoss]) -> float | None:
    """exp of the mean NLL per token over all tokens; a long answer counts more than a short one."""
    tokens = sum(loss.tokens for loss in losses)
    return math.exp(min(sum(loss.total for loss in losses) / tokens, 700.0)) if tokens else None


@torch.inference_mode()
def row_losses(loaded: Loaded, rows: Sequence[Row]) -> list[RowLoss | None]:
    """The loss of every row's reference answer; None for rows that do not fit the model's context."""
    logits_of = TrainedLogits(loaded.model)
    encoded = [loaded.format.encode(row, max_length=loaded.context) for row in rows]
    examples = {index: example for index, example in enumerate(encoded) if example is not None}
    found: dict[int, RowLoss] = {}
    for index in sorted(examples, key=lambda index: examples[index].length):
        example = examples[index].last_answer()
        if example.trained_count:
            tokens, trained = (torch.tensor([part], device=loaded.device) for part in (example.tokens, example.trained))
            values, _ = token_log_probs(logits_of, tokens, trained[:, 1:])
            found[index] = RowLoss(-float(values.sum()), example.trained_count)
    return [found.get(index) for index in range(len(rows))]
