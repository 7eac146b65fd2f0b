"""Tokens per second of this trainer against Hugging Face's Trainer: ``python -m tests.bench.bench_trainer``.

The same rows, base weights, LoRA setting, seed, batch size, number of optimizer steps and one thread, on the embedded model.
The contestants take turns, several rounds each, and the best round counts, because other work on the machine only ever
slows a round down. All count the same tokens: those of the conversations, without padding. Speeds are given by the clock and
by processor time; on an idle machine the two agree, on a busy one the second is the fair one. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import DataCollatorForSeq2Seq, Trainer, TrainerCallback, TrainingArguments

from tests.trainer.conftest import write_snapshot
from trainer import corpus, loop
from trainer.contract import TrainConfig
from trainer.data import Example
from trainer.folder import RunFolder, StopRequest
from trainer.model import unfold_lora

EPOCHS, BATCH, WARMUP_STEPS = 2, 16, 3


def rows() -> list[dict[str, Any]]:
    """Some six hundred conversations of one to three turns, half of their tokens trained."""
    conversations = itertools.islice(corpus.conversations(seed=11), 600)
    return [{"id": str(number), "messages": messages, "weight": 1.0} for number, messages in enumerate(conversations)]


Moment = tuple[float, float]


def now() -> Moment:
    """Seconds by the clock and of processor time."""
    return time.perf_counter(), time.process_time()


def a_step(times: list[Moment]) -> Moment:
    """The mean step between the warm-up and the end."""
    steps = len(times) - 1 - WARMUP_STEPS
    wall, cpu = (last - first for first, last in zip(times[WARMUP_STEPS], times[-1], strict=True))
    return wall / steps, cpu / steps


class Clock(TrainerCallback):
    """Notes when each step of Hugging Face's Trainer ends."""

    def __init__(self) -> None:
        self.times: list[Moment] = []

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:
        self.times.append(now())


def ours(config: TrainConfig, folder: Path) -> Moment:
    """Seconds a step of this trainer, whole loop: batching, forward, backward, update, metrics file."""
    learner, plan = loop.prepare(config)
    trainer = loop.Trainer(config, learner, plan, RunFolder(folder), StopRequest(folder))
    times: list[Moment] = []
    after = trainer._after_step
    trainer._after_step = lambda: (after(), times.append(now()))  # type: ignore[method-assign]
    trainer.begin(resume=False)
    learner.model.train()
    trainer._train_steps()
    return a_step(times)


def theirs(config: TrainConfig, folder: Path, *, grouped: bool) -> Moment:
    """Seconds a step of Hugging Face's Trainer with dynamic padding, and with length groups where asked for."""
    learner, plan = loop.prepare(config)
    unfold_lora(learner.model)
    clock = Clock()
    arguments = TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=config.batch_size,
        num_train_epochs=config.epochs,
        learning_rate=config.learning_rate,
        lr_scheduler_type="cosine",
        seed=config.seed,
        use_cpu=True,
        report_to=[],
        save_strategy="no",
        logging_steps=10,
        disable_tqdm=True,
        train_sampling_strategy="group_by_length" if grouped else "random",
        dataloader_pin_memory=False,
    )
    collator = DataCollatorForSeq2Seq(learner.loaded.format.tokenizer, padding=True)
    Trainer(
        model=learner.model,
        args=arguments,
        train_dataset=[_features(example) for example in plan.train if isinstance(example, Example)],  # type: ignore[arg-type]
        data_collator=collator,
        callbacks=[clock],
    ).train()
    return a_step(clock.times)


def _features(example: Example) -> dict[str, list[int]]:
    labels = [token if trained else -100 for token, trained in zip(example.tokens, example.trained, strict=True)]
    return {"input_ids": list(example.tokens), "attention_mask": [1] * len(labels), "labels": labels}


def compare(rounds: int) -> dict[str, Any]:
    """Runs every contestant `rounds` times, in turns, and returns the table."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_snapshot(folder / "data", train=rows())
        config = TrainConfig(data=str(folder / "data"), batch_size=BATCH, epochs=EPOCHS, checkpoint_every=10_000)
        _, plan = loop.prepare(config)
        tokens_a_step = sum(lesson.token_count for lesson in plan.train) / plan.steps_per_epoch
        contestants: dict[str, Callable[[Path], Moment]] = {
            "touchstone": lambda path: ours(config, path),
            "hf_trainer_dynamic_padding": lambda path: theirs(config, path, grouped=False),
            "hf_trainer_length_groups": lambda path: theirs(config, path, grouped=True),
        }
        seconds: dict[str, list[Moment]] = {contestant: [] for contestant in contestants}
        for number in range(rounds):
            for contestant, run in contestants.items():
                seconds[contestant].append(run(folder / f"{contestant}-{number}"))
    by_clock, by_cpu = (
        {name: round(tokens_a_step / min(found[which] for found in rounds_)) for name, rounds_ in seconds.items()}
        for which in (0, 1)
    )
    return {
        "device": "cpu",
        "threads": 1,
        "rows": len(plan.train),
        "steps": plan.total_steps,
        "tokens_a_step": round(tokens_a_step),
        "tokens_per_second": by_clock,
        "tokens_per_processor_second": by_cpu,
        "ratio_to": {
            name: {
                "by_clock": round(by_clock["touchstone"] / speed, 2),
                "by_processor": round(by_cpu["touchstone"] / by_cpu[name], 2),
            }
            for name, speed in by_clock.items()
            if name != "touchstone"
        },
    }


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often each contestant runs (default: %(default)s)")
    print(json.dumps(compare(parser.parse_args().rounds), indent=1))


if __name__ == "__main__":
    main()
