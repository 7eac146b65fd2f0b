"""What a run would do, told before it starts: rows, tokens, steps and one conversation with its trained tokens marked."""

from __future__ import annotations

from typing import Any

from trainer.contract import TrainConfig
from trainer.data import ChatFormat, Example
from trainer.loop import make_plan
from trainer.model import choose_device, choose_dtype, load_base


def describe(config: TrainConfig) -> dict[str, Any]:
    """The plan of a run as a JSON-ready dict. Raises BadData or BadModel as the run itself would."""
    device = choose_device(config.device)
    loaded = load_base(config.base_model, config.revision, device=device, dtype=choose_dtype(config.precision, device))
    plan = make_plan(config, loaded.format, loaded.context)
    return {
        "rows": len(plan.train),
        "validation_rows": len(plan.validation),
        "tokens": sum(len(example.tokens) for example in plan.train),
        "trained_tokens": sum(example.trained_count for example in plan.train),
        "longest": max(len(example.tokens) for example in plan.train),
        "rows_too_long": plan.too_long,
        "rows_shortened": plan.shortened,
        "steps": plan.total_steps,
        "device": str(device),
        "stop_token": loaded.format.tokenizer.convert_ids_to_tokens(loaded.format.stop_id),
        "example": marked(plan.train[0], loaded.format),
    }


def marked(example: Example, chat: ChatFormat) -> list[dict[str, Any]]:
    """The conversation as runs of text, each with whether it is trained."""
    runs: list[dict[str, Any]] = []
    start = 0
    for end in range(1, len(example.tokens) + 1):
        if end == len(example.tokens) or example.trained[end] != example.trained[start]:
            text = chat.tokenizer.decode(list(example.tokens[start:end]), skip_special_tokens=False)
            runs.append({"text": str(text), "trained": example.trained[start]})
            start = end
    return runs
