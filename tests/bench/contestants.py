"""One contestant of the trainer's benchmark, in a process of its own so that its peak memory is its own.

``python -m tests.bench.contestants NAME CONFIG OUT`` trains by the config and prints one JSON object: seconds a step by the
clock and of processor time, tokens a step, steps, the loss of every step and the most memory. All start from the same weights
and the same fresh adapter, see the same rows and take the same learning rates.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import DataCollatorForSeq2Seq, Trainer, TrainerCallback, TrainingArguments

from trainer import loop
from trainer.contract import METRICS, TrainConfig, read_json
from trainer.data import Example
from trainer.device import peak_memory
from trainer.flops import peak_of
from trainer.folder import RunFolder, StopRequest
from trainer.model import unfold_lora
from trainer.preflight import describe

WARMUP_STEPS = 3
Moment = tuple[float, float]


def now() -> Moment:
    """Seconds by the clock and of processor time."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter(), time.process_time()


class Clock(TrainerCallback):
    """Notes when each step of Hugging Face's Trainer ends."""

    def __init__(self) -> None:
        self.times: list[Moment] = []

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:
        self.times.append(now())


def told(config: TrainConfig, times: Sequence[Moment], losses: Sequence[float], learner: Any, plan: Any) -> dict[str, Any]:
    """What a contestant says of itself; its steps are those between the warm-up and the end."""
    device = learner.loaded.device
    wall, cpu = (last - first for first, last in zip(times[WARMUP_STEPS], times[-1], strict=True))
    steps = len(times) - 1 - WARMUP_STEPS
    a_step = plan.tokens * config.epochs / len(times)
    peak = peak_of(torch.cuda.get_device_name(device)) if device.type == "cuda" else None
    mfu = a_step * steps / wall * plan.arithmetic(learner.model) / peak if peak else None
    return {
        "steps": len(times), "tokens_a_step": a_step, "seconds": wall / steps, "processor_seconds": cpu / steps,
        "peak_memory_bytes": peak_memory(device), "mfu": mfu, "losses": list(losses), "device": str(device),
    }  # fmt: skip


def ours(config: TrainConfig, out: Path) -> dict[str, Any]:
    """This trainer, whole loop: batching, forward, backward, update, metrics file."""
    learner, plan = loop.prepare(config)
    trainer = loop.Trainer(config, learner, plan, RunFolder(out), StopRequest(out))
    times: list[Moment] = []
    after = trainer._after_step
    trainer._after_step = lambda: (after(), times.append(now()))  # type: ignore[method-assign]
    trainer.begin(resume=False)
    learner.model.train()
    trainer._train_steps()
    rows = [json.loads(line) for line in (out / METRICS).read_text().splitlines()]
    losses = [row["loss"] for row in rows if row["event"] == "train"]
    return told(config, times, losses, learner, plan) | {"packed": bool(plan.room), "run_seconds": trainer.position.seconds}


def common(config: TrainConfig, out: Path, *, rate_steps: int, **extra: Any) -> dict[str, Any]:
    """Arguments that every other contestant has."""
    return {
        "output_dir": str(out),
        "per_device_train_batch_size": config.batch_size,
        "num_train_epochs": config.epochs,
        "learning_rate": config.learning_rate,
        "lr_scheduler_type": "cosine",
        "warmup_steps": max(1, round(config.warmup_share * rate_steps)),
        "seed": config.seed,
        "use_cpu": not torch.cuda.is_available(),
        "report_to": [],
        "save_strategy": "no",
        "logging_steps": 1,
        "disable_tqdm": True,
        "dataloader_pin_memory": False,
    } | extra


def features(example: Example) -> dict[str, list[int]]:
    """A row as Hugging Face's and TRL's trainers take it."""
    labels = [token if trained else -100 for token, trained in zip(example.tokens, example.trained, strict=True)]
    return {"input_ids": list(example.tokens), "labels": labels}


def theirs(config: TrainConfig, out: Path, *, grouped: bool) -> dict[str, Any]:
    """Hugging Face's Trainer with dynamic padding, and with length groups where asked for."""
    learner, plan = loop.prepare(config)
    unfold_lora(learner.model)
    clock, gpu = Clock(), torch.cuda.is_available()
    sampling = "group_by_length" if grouped else "random"
    arguments = common(config, out, rate_steps=plan.total_steps, train_sampling_strategy=sampling, bf16=gpu)
    trainer = Trainer(
        model=learner.model,
        args=TrainingArguments(**arguments),
        train_dataset=[features(example) for example in plan.train],  # type: ignore[arg-type]
        data_collator=DataCollatorForSeq2Seq(learner.loaded.format.tokenizer, padding=True),
        callbacks=[clock],
    )
    trainer.train()
    return told(config, clock.times, [row["loss"] for row in trainer.state.log_history if "loss" in row], learner, plan)


def trls(
    config: TrainConfig, out: Path, *, tuned: bool = False, packed: bool = False, bf16_off: bool = False
) -> dict[str, Any]:
    """TRL's SFTTrainer: as it comes (in bf16 on a CPU too, which few have in hardware), or so but for bf16, or tuned: no
    checkpointing, full precision on a CPU, and packed or in length groups."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    learner, plan = loop.prepare(config)
    unfold_lora(learner.model)
    extra: dict[str, Any] = {"max_length": config.max_length}
    if bf16_off:
        extra |= {"bf16": False}
    if tuned:
        extra |= {"gradient_checkpointing": False, "bf16": torch.cuda.is_available()}
        extra |= {} if packed else {"train_sampling_strategy": "group_by_length"}
    if packed:
        # As many tokens a step as the others have, in as many rows as that takes.
        rows = max(1, round(plan.tokens / plan.steps_per_epoch / config.max_length))
        extra |= {"packing": True, "packing_strategy": "bfd", "per_device_train_batch_size": rows}
    clock = Clock()
    trainer = SFTTrainer(
        model=learner.model,
        args=SFTConfig(**common(config, out, rate_steps=plan.total_steps, **extra)),
        train_dataset=Dataset.from_list([features(example) for example in plan.train]),
        processing_class=learner.loaded.format.tokenizer,
        callbacks=[clock],
    )
    trainer.train()
    return told(config, clock.times, [row["loss"] for row in trainer.state.log_history if "loss" in row], learner, plan)


CONTESTANTS: dict[str, Any] = {
    "touchstone": ours,
    "hf_trainer_dynamic_padding": lambda config, out: theirs(config, out, grouped=False),
    "hf_trainer_length_groups": lambda config, out: theirs(config, out, grouped=True),
    "trl_defaults": trls,
    "trl_defaults_but_bf16": lambda config, out: trls(config, out, bf16_off=True),
    "trl_tuned_packed": lambda config, out: trls(config, out, tuned=True, packed=True),
    "trl_tuned_length_groups": lambda config, out: trls(config, out, tuned=True),
}
"""By name; "plan" beside them tells what the preflight says."""


def main() -> None:
    """Runs one and prints what it says, as the last line."""
    name, config_path, out = sys.argv[1:4]
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TRL_EXPERIMENTAL_SILENCE": "1"}
    config = TrainConfig.from_json(read_json(Path(config_path)))
    torch.set_num_threads(config.threads)
    said = describe(config) if name == "plan" else CONTESTANTS[name](config, Path(out))
    print(json.dumps(said))


if __name__ == "__main__":
    main()
