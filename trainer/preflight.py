"""What a run would do, told before it starts: rows, tokens, steps, one conversation with its trained tokens marked, and how
long it takes and how much memory it needs on this device, from a few steps that are then forgotten.

Not promised: the time on a machine whose other work comes and goes.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trainer import speed, stored
from trainer.contract import TrainConfig
from trainer.data import ChatFormat, Example
from trainer.device import USABLE, memory_of, peak_memory
from trainer.folder import RunFolder, StopRequest
from trainer.learner import Learner
from trainer.lessons import Lesson, Pair, Text, TextPair, Thumb, Translation
from trainer.loop import Trainer, prepare
from trainer.model import choose_dtype
from trainer.plan import Plan, batches
from trainer.speed import shape_of

_TRIALS = 2


def describe(config: TrainConfig) -> dict[str, Any]:
    """The plan of a run as a JSON-ready dict. Raises BadData or BadModel as the run itself would."""
    learner, plan = prepare(config)
    trained, tokens = sum(stored.trained_counts(plan.train)), plan.tokens
    told = _shown(learner, plan)
    return {
        "objective": config.objective,
        "rows": len(plan.train),
        "validation_rows": len(plan.validation),
        "test_rows": len(plan.test),
        "tokens": tokens,
        "trained_tokens": trained,
        "trained_share": round(trained / tokens, 4),
        "longest": max(stored.lengths(plan.train)),
        "rows_too_long": plan.too_long,
        "rows_shortened": plan.shortened,
        "packed": bool(plan.room),
        "steps_per_epoch": plan.steps_per_epoch,
        "steps": plan.total_steps,
        "device": str(learner.loaded.device),
        **_fit(_estimate(config, learner, plan, tokens), config, learner, plan),
        **told,
    }


def _estimate(config: TrainConfig, learner: Learner, plan: Plan, tokens: int) -> dict[str, Any]:
    """Seconds for the whole run without validations, and the most memory, from the largest batch and one of middle size."""
    counts = stored.token_counts(plan.train)
    by_size = sorted(batches(config, plan, 1), key=lambda places: sum(counts[place] for place in places))
    largest, middle = ([plan.train[place] for place in by_size[at]] for at in (-1, len(by_size) // 2))
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(config, learner, plan, RunFolder(Path(folder)), StopRequest(Path(folder)))
        learner.model.train()
        _timed(trainer, largest)
        sizes = [(_read(rows) * config.accumulation, _mean_time(trainer, rows)) for rows in (middle, largest)]
    start, rate = line(*sizes)
    # What is compared with the starting model is read once more before the first step.
    passes = config.epochs + (1 / 3 if learner.compares else 0)
    return {
        "estimated_seconds": round(start * plan.total_steps + rate * tokens * passes, 1),
        "estimated_peak_memory_bytes": peak_memory(learner.loaded.device),
        "largest_batch_tokens": _read(largest),
    }


def line(small: tuple[float, float], large: tuple[float, float]) -> tuple[float, float]:
    """What a step costs at least, and what a token costs on top, from two steps' (tokens, seconds). Steps of like size, or
    times that noise has turned round, say nothing about the former."""
    (tokens, seconds), (more_tokens, more_seconds) = small, large
    if more_tokens >= 1.2 * tokens and more_seconds > seconds:
        rate = min((more_seconds - seconds) / (more_tokens - tokens), more_seconds / more_tokens)
        return more_seconds - rate * more_tokens, rate
    return 0.0, (seconds + more_seconds) / (tokens + more_tokens)


def _read(rows: Sequence[Lesson]) -> int:
    return sum(row.token_count for row in rows)


def _fit(estimate: dict[str, Any], config: TrainConfig, learner: Learner, plan: Plan) -> dict[str, Any]:
    """Whether the run fits into this device's memory, the largest batch that would, and what would if it does not."""
    most = memory_of(learner.loaded.device)
    if most is None:
        return estimate
    needed, longest = estimate["estimated_peak_memory_bytes"], max(stored.lengths(plan.train))
    fits = needed <= most * USABLE
    largest = config.batch_size + most_more(config, learner, plan, longest, int(most * USABLE) - needed)
    largest = max(0, min(largest, len(plan.train)))
    why = f"It needs about {needed / 1e9:.1f} of {most / 1e9:.1f} GB."
    if fits:
        why += f" A batch of about {largest:,} conversations as long as the longest ({longest:,} tokens) would fit."
    elif largest:
        why += f" Take a batch size of at most {largest:,} and more accumulation, shorter conversations, or QLoRA."
    else:
        why += f" Not one conversation of {longest:,} tokens fits: lower that, or take QLoRA or a smaller model."
    return estimate | {"fits": fits, "fits_why": why, "largest_batch": largest}


def most_more(config: TrainConfig, learner: Learner, plan: Plan, longest: int, spare: int) -> int:
    """How many more of the longest conversations fit into so many bytes, or, below 0, how many fewer there must be. By the
    model's shape; within a third of what was measured on a CPU."""
    shape = shape_of(learner.model, choose_dtype(config.precision, learner.loaded.device))
    every = int(config.checkpointing == "on")
    trained = round(longest * plan.trained_share)
    each = speed.needed(shape, tokens=longest, trained=trained, every=every) - shape.fixed
    return math.floor(spare / each) * config.members


def _mean_time(trainer: Trainer, rows: Sequence[Lesson]) -> float:
    return sum(_timed(trainer, rows) for _ in range(_TRIALS)) / _TRIALS


def _timed(trainer: Trainer, rows: Sequence[Lesson]) -> float:
    started = time.monotonic()
    share = rows[:: trainer.config.members]  # what one of several processes reads; that they wait for each other is left out
    trainer.one_step([trainer.learner.lot(share) for _ in range(trainer.config.accumulation)])
    return time.monotonic() - started


def _shown(learner: Learner, plan: Plan) -> dict[str, Any]:
    """The first row as the model reads it, and whether its end is trained."""
    tokenizer, first = learner.loaded.format.tokenizer, plan.train[0]
    if isinstance(first, Text | TextPair):
        tokens = first.tokens if isinstance(first, Text) else first.chosen
        return {"example": marked(tokens, [False] * len(tokens), tokenizer)}
    if isinstance(first, Translation):
        tokens, trained = (*first.source, *first.target), [False] * len(first.source) + [True] * len(first.target)
        stop = tokenizer.convert_ids_to_tokens(first.target[-1])
        return {"example": marked(tokens, trained, tokenizer), "stop_token": stop, "stop_token_trained": True}
    assert isinstance(first, Example | Pair | Thumb)
    chat = learner.loaded.format
    assert isinstance(chat, ChatFormat)
    example = first if isinstance(first, Example) else first.chosen if isinstance(first, Pair) else first.said
    ends = [token for token, trained in zip(example.tokens, example.trained, strict=True) if trained]
    return {
        "example": marked(example.tokens, example.trained, tokenizer),
        "stop_token": tokenizer.convert_ids_to_tokens(chat.stop_id),
        "stop_token_trained": chat.stop_id in ends,
    }


def marked(tokens: Sequence[int], trained: Sequence[bool], tokenizer: Any) -> list[dict[str, Any]]:
    """The text as runs, each with whether it is trained."""
    runs: list[dict[str, Any]] = []
    start = 0
    for end in range(1, len(tokens) + 1):
        if end == len(tokens) or trained[end] != trained[start]:
            text = tokenizer.decode(list(tokens[start:end]), skip_special_tokens=False)
            runs.append({"text": str(text), "trained": trained[start]})
            start = end
    return runs
