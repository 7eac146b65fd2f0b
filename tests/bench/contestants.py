"""One contestant of the trainer's benchmark, in a process of its own so that its peak memory is its own.

``python -m tests.bench.contestants NAME CONFIG OUT [HALVINGS]`` trains by the config and prints one JSON object: seconds a step
by the clock and of processor time, tokens a step, steps, the loss of every step and the most memory. All start from the same
weights and the same fresh adapter, see the same rows and take the same learning rates.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from transformers import DataCollatorForSeq2Seq, Trainer, TrainerCallback, TrainingArguments

from trainer import loop
from trainer.contract import METRICS, TrainConfig, read_json
from trainer.data import Example
from trainer.device import device_name, peak_memory
from trainer.flops import peak_of
from trainer.folder import RunFolder, StopRequest
from trainer.model import unfold_lora
from trainer.preflight import describe

WARMUP_STEPS = 3
MICRO = {"defaults": 8, "tuned": 16}
"""Conversations that the others read at a time on a GPU: TRL's default, and twice that; a step adds up as many passes as it
takes, because the logits of all its tokens would not fit. Where these do not fit either, `main` is told to halve them."""
Moment = tuple[float, float]


def now() -> Moment:
    """Seconds by the clock and of processor time. Nobody is made to wait for a GPU: all read its loss once a step."""
    return time.perf_counter(), time.process_time()


class Clock(TrainerCallback):
    """Notes when each step of Hugging Face's Trainer ends."""

    def __init__(self) -> None:
        self.times: list[Moment] = []

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:
        self.times.append(now())


def told(
    config: TrainConfig, times: Sequence[Moment], losses: Sequence[float], learner: Any, plan: Any, started: float
) -> dict[str, Any]:
    """What a contestant that `started` then says of itself; its steps are those between the warm-up and the end."""
    device = learner.loaded.device
    wall, cpu = (last - first for first, last in zip(times[WARMUP_STEPS], times[-1], strict=True))
    steps = len(times) - 1 - WARMUP_STEPS
    return {
        "steps": len(times), "tokens_a_step": plan.tokens * config.epochs / len(times), "seconds": wall / steps,
        "processor_seconds": cpu / steps, "warm_up_seconds": times[WARMUP_STEPS][0] - started,
        "peak_memory_bytes": peak_memory(device), "peak": peak_of(device_name(device)),
        "operations_a_token": plan.arithmetic(learner.model), "losses": list(losses), "device": device_name(device),
        "versions": {name: version(name) for name in ("torch", "transformers", "peft", "trl") if find_spec(name)},
    }  # fmt: skip


def product(config: TrainConfig, out: Path) -> dict[str, Any]:
    """Operations a second of a large bf16 matrix product: what is left of the vendor's figure in practice."""
    size, times = 8192, 30
    one, other = (torch.randn(size, size, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    for _ in range(5):
        one @ other
    torch.cuda.synchronize()
    started = now()[0]
    for _ in range(times):
        one @ other
    torch.cuda.synchronize()
    return {"operations_a_second": 2 * size**3 * times / (now()[0] - started)}


def ours(config: TrainConfig, out: Path) -> dict[str, Any]:
    """This trainer, whole loop: batching, forward, backward, update, metrics file."""
    learner, plan = loop.prepare(config)
    trainer = loop.Trainer(config, learner, plan, RunFolder(out), StopRequest(out))
    times: list[Moment] = []
    after = trainer._after_step
    trainer._after_step = lambda: (after(), times.append(now()))  # type: ignore[method-assign]
    trainer.begin(resume=False)
    learner.model.train()
    started = now()[0]
    trainer._train_steps()
    rows = [json.loads(line) for line in (out / METRICS).read_text().splitlines()]
    losses = [row["loss"] for row in rows if row["event"] == "train"]
    return told(config, times, losses, learner, plan, started) | {
        "packed": bool(plan.room),
        "run_seconds": trainer.position.seconds,
        "conversations_a_pass": round(config.batch_size / trainer.position.parts),
    }


def stock(config: TrainConfig, **changes: Any) -> tuple[Any, Any]:
    """Model and plan for the others: nothing of this trainer's own is left on the model."""
    plain = {"packing": "off", "batch_tokens": 0, "compile": "off", "checkpointing": "off", "kernels": "plain"}
    learner, plan = loop.prepare(replace(config, **(plain | changes)))
    unfold_lora(learner.model)
    learner.model.set_attn_implementation("sdpa")
    return learner, plan


def common(config: TrainConfig, out: Path, *, rate_steps: int, micro: int, **extra: Any) -> dict[str, Any]:
    """Arguments that every other contestant has: on a GPU a step in passes of `micro` conversations."""
    gpu = torch.cuda.is_available()
    each = min(micro, config.batch_size) if gpu else config.batch_size
    return {
        "output_dir": str(out),
        "per_device_train_batch_size": each,
        "gradient_accumulation_steps": max(1, round(config.batch_size / each)),
        "num_train_epochs": config.epochs,
        "learning_rate": config.learning_rate,
        "lr_scheduler_type": "cosine",
        "warmup_steps": max(1, round(config.warmup_share * rate_steps)),
        "seed": config.seed,
        "use_cpu": not gpu,
        "report_to": [],
        "save_strategy": "no",
        "logging_steps": 1,
        "disable_tqdm": True,
        "dataloader_pin_memory": gpu,
    } | extra


def features(example: Example) -> dict[str, list[int]]:
    """A row as Hugging Face's and TRL's trainers take it."""
    labels = [token if trained else -100 for token, trained in zip(example.tokens, example.trained, strict=True)]
    return {"input_ids": list(example.tokens), "labels": labels}


def theirs(config: TrainConfig, out: Path, *, grouped: bool) -> dict[str, Any]:
    """Hugging Face's Trainer with dynamic padding, and with length groups where asked for."""
    learner, plan = stock(config)
    extra = {"train_sampling_strategy": "group_by_length" if grouped else "random", "bf16": torch.cuda.is_available()}
    trainer = Trainer(
        model=learner.model,
        args=TrainingArguments(**common(config, out, rate_steps=plan.total_steps, micro=MICRO["tuned"], **extra)),
        train_dataset=[features(example) for example in plan.train],  # type: ignore[arg-type]
        data_collator=DataCollatorForSeq2Seq(learner.loaded.format.tokenizer, padding=True),
        callbacks=[clock := Clock()],
    )
    return timed(config, trainer, clock, learner, plan)


def timed(config: TrainConfig, trainer: Any, clock: Clock, learner: Any, plan: Any) -> dict[str, Any]:
    """What a trainer of Hugging Face's kind says once it has trained."""
    started = now()[0]
    trainer.train()
    losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    said = told(config, clock.times, losses, learner, plan, started)
    return said | {"conversations_a_pass": round(len(plan.train) / len(clock.times) / trainer.args.gradient_accumulation_steps)}


def trls(config: TrainConfig, out: Path, *, tuned: bool = False, packed: str = "", bf16_off: bool = False) -> dict[str, Any]:
    """TRL's SFTTrainer: as it comes (in bf16 on a CPU too, which few have in hardware; on a GPU over weights in fp32, as it
    loads a model by its name), or so but for bf16, or tuned: no checkpointing, weights in bf16 on a GPU, full precision on a
    CPU, and in length groups or `packed` by a strategy, with flash-attn where that is installed."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    gpu = torch.cuda.is_available()
    learner, plan = stock(config, precision="auto" if tuned else "fp32")
    extra: dict[str, Any] = {"max_length": config.max_length}
    if bf16_off:
        extra |= {"bf16": False}
    if tuned:
        extra |= {"gradient_checkpointing": False, "bf16": gpu}
        extra |= {} if packed else {"train_sampling_strategy": "group_by_length"}
    micro = MICRO["tuned" if tuned else "defaults"]
    if packed:
        # As many tokens a step as the others have, in as many rows as that takes, all at once where they fit.
        rows = max(1, round(plan.tokens / plan.steps_per_epoch / config.max_length))
        each = max(1, rows * MICRO["tuned"] // 16)
        extra |= {"packing": True, "packing_strategy": packed, "per_device_train_batch_size": each}
        extra |= {"gradient_accumulation_steps": max(1, round(rows / each))}
        if gpu and find_spec("flash_attn") is not None:
            learner.model.set_attn_implementation("flash_attention_2")
    trainer = SFTTrainer(
        model=learner.model,
        args=SFTConfig(**common(config, out, rate_steps=plan.total_steps, micro=micro, **extra)),
        train_dataset=Dataset.from_list([features(example) for example in plan.train]),
        processing_class=learner.loaded.format.tokenizer,
        callbacks=[clock := Clock()],
    )
    return timed(config, trainer, clock, learner, plan)


CONTESTANTS: dict[str, Any] = {
    "touchstone": ours,
    "hf_trainer_dynamic_padding": lambda config, out: theirs(config, out, grouped=False),
    "hf_trainer_length_groups": lambda config, out: theirs(config, out, grouped=True),
    "trl_defaults": trls,
    "trl_defaults_but_bf16": lambda config, out: trls(config, out, bf16_off=True),
    "trl_tuned_packed": lambda config, out: trls(config, out, tuned=True, packed="bfd"),
    "trl_tuned_wrapped": lambda config, out: trls(config, out, tuned=True, packed="wrapped"),
    "trl_tuned_length_groups": lambda config, out: trls(config, out, tuned=True),
}
"""By name; "plan" beside them tells what the preflight says, and "product" how fast a GPU multiplies. Rows that are wrapped are
cut anywhere and see each other; without flash-attn that is TRL's fastest."""
ON_CPU = [name for name in CONTESTANTS if name != "trl_tuned_wrapped"]
ON_GPU = [name for name in CONTESTANTS if name != "trl_defaults_but_bf16"]


def main() -> None:
    """Runs one and prints what it says, as the last line."""
    name, config_path, out = sys.argv[1:4]
    for kind in MICRO:
        MICRO[kind] = max(1, MICRO[kind] >> int(sys.argv[4] if len(sys.argv) > 4 else 0))
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TRL_EXPERIMENTAL_SILENCE": "1"}
    config = TrainConfig.from_json(read_json(Path(config_path)))
    torch.set_num_threads(config.threads)
    others = {"plan": lambda config, out: describe(config), "product": product}
    said = (CONTESTANTS | others)[name](config, Path(out))
    print(json.dumps(said))


if __name__ == "__main__":
    main()
