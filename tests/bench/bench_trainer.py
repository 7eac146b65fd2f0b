"""This trainer against Hugging Face's Trainer and TRL's: ``python -m tests.bench.bench_trainer``.

The same rows, base weights, LoRA setting, seed, learning rates and (packing apart) batches and optimizer steps, one CPU thread.
On a CPU the embedded model learns; where there is a GPU, random weights of real architectures do instead, one after another.
Every contestant is a process of its own, so its peak memory is its own; they take turns, several rounds each, and the best
round counts, because other work on the machine only ever slows a round down. The first steps count for nobody: that is where
memory is found and layers are compiled. All count the same tokens: those of the conversations, without padding. Speeds are
given by the clock and by processor time; on an idle machine the two agree, on a busy one the second is the fair one. The loss
curves' distance is the mean gap in nats between curves smoothed over ten steps.

On a GPU a step has as many conversations for all, in one pass here and in as many passes as fit for the others. MFU is the
share of the vendor's figure, and beside it of a large bf16 product that was timed just before. A contestant that fails is named
with what it said, and the others go on. Prints a line as each contestant ends, and one JSON object. Needs no registry and no
network.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tests.bench.contestants import CONTESTANTS, ON_CPU, ON_GPU
from tests.trainer.conftest import write_snapshot
from trainer import corpus
from trainer.contract import EMBEDDED, TrainConfig

EPOCHS, BATCH, ROWS = 1, 16, 480
SPREAD, GPU_MEDIAN, GPU_LONGEST = 0.8, 350, 2048
"""Of the log-normal lengths, in tokens."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """A real model's shape, how many conversations it reads, and in a step, and the goal in tokens a second on one H200."""

    kind: str
    sizes: dict[str, Any]
    rows: int
    batch: int
    goal: int


_LLAMA3 = {"rope_type": "llama3", "rope_theta": 5e5, "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
_QWEN3 = {"vocab_size": 151_936, "num_key_value_heads": 8, "head_dim": 128, "rms_norm_eps": 1e-6}
ARCHITECTURES = {
    "qwen3-0.6b": Architecture(
        "qwen3",
        _QWEN3
        | {"hidden_size": 1024, "intermediate_size": 3072, "num_hidden_layers": 28, "num_attention_heads": 16}
        | {"tie_word_embeddings": True, "max_position_embeddings": 40_960},
        rows=2000,
        batch=48,
        goal=110_000,
    ),
    "llama-3.2-1b": Architecture(
        "llama",
        {"vocab_size": 128_256, "hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16, "head_dim": 64}
        | {"num_attention_heads": 32, "num_key_value_heads": 8, "tie_word_embeddings": True, "rms_norm_eps": 1e-5}
        | {"max_position_embeddings": 131_072, "rope_parameters": _LLAMA3 | {"original_max_position_embeddings": 8192}},
        rows=2000,
        batch=48,
        goal=80_000,
    ),
    "qwen3-8b": Architecture(
        "qwen3",
        _QWEN3
        | {"hidden_size": 4096, "intermediate_size": 12_288, "num_hidden_layers": 36, "num_attention_heads": 32}
        | {"tie_word_embeddings": False, "max_position_embeddings": 40_960},
        rows=500,
        batch=16,
        goal=14_500,
    ),
}
_WORDS_A_TOKEN = 0.55
"""Of the embedded tokenizer on the corpus, about: it only sets where the median lies."""
_SMOOTH = 10
ONCE = {"trl_defaults"}
"""Takes minutes where a CPU has no bf16 of its own, and is far behind in any round."""
SETTING: dict[str, Any] = {"epochs": EPOCHS, "checkpoint_every": 10_000, "record": "nothing"}


def shop_rows(count: int) -> list[dict[str, Any]]:
    """Conversations of one to three turns, half of their tokens trained."""
    conversations = itertools.islice(corpus.conversations(seed=11), count)
    return [{"id": str(number), "messages": messages, "weight": 1.0} for number, messages in enumerate(conversations)]


def long_rows(count: int, median: int, longest: int) -> list[dict[str, Any]]:
    """One question and one answer of like length each, whose lengths together are log-normal."""
    rng = random.Random(11)
    words = " ".join(turn["content"] for talk in itertools.islice(corpus.conversations(seed=3), 400) for turn in talk).split()
    made: list[dict[str, Any]] = []
    for number in range(count):
        tokens = min(longest * 0.9, rng.lognormvariate(math.log(median), SPREAD))
        half, start = max(2, int(tokens * _WORDS_A_TOKEN / 2)), rng.randrange(len(words) // 2)
        said = [" ".join(words[at : at + half]) for at in (start, start + half)]
        messages = [{"role": role, "content": text} for role, text in zip(("user", "assistant"), said, strict=True)]
        made.append({"id": str(number), "messages": messages, "weight": 1.0})
    return made


def random_weights(shape: Architecture, folder: Path, device: str) -> Path:
    """That architecture with random weights in bf16, made on the device, under the embedded model's tokenizer."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    from trainer.model import EMBEDDED_FOLDER

    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(EMBEDDED_FOLDER)
    ids = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    config = AutoConfig.for_model(shape.kind, **shape.sizes, **ids)
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def child(name: str, config: Path, out: Path) -> dict[str, Any]:
    """What one contestant says; where memory ran out, with half as many conversations at a time, up to thrice. Raises
    RuntimeError with the end of its output when it failed."""
    for halved in range(4):
        command = [sys.executable, "-m", "tests.bench.contestants", name, str(config), str(out), str(halved)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        shutil.rmtree(out, ignore_errors=True)
        if "out of memory" not in done.stderr[-2000:]:
            break
    if done.returncode:
        raise RuntimeError(f"{name} failed:\n{done.stderr[-2000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def smooth(losses: list[float]) -> list[float]:
    """Means of ten steps each."""
    return [sum(part) / len(part) for part in (losses[at : at + _SMOOTH] for at in range(0, len(losses), _SMOOTH))]


def distance(ours: list[float], theirs: list[float]) -> float:
    """Nats between two curves, on average; a longer one is cut."""
    pairs = list(zip(smooth(ours), smooth(theirs), strict=False))
    return round(sum(abs(one - other) for one, other in pairs) / len(pairs), 4)


def row(rounds: list[dict[str, Any]], own: dict[str, Any], gemm: float | None) -> dict[str, Any]:
    """A contestant's line of the table."""
    best = {clock: min(found[clock] for found in rounds) for clock in ("seconds", "processor_seconds")}
    first = rounds[0]
    work = first["tokens_a_step"] / best["seconds"] * first["operations_a_token"]
    return {
        "steps": first["steps"],
        "tokens_per_second": round(first["tokens_a_step"] / best["seconds"]),
        "tokens_per_processor_second": round(first["tokens_a_step"] / best["processor_seconds"]),
        "tokens_a_step": round(first["tokens_a_step"]),
        "conversations_a_pass": first["conversations_a_pass"],
        "seconds_before_the_steps_that_count": round(min(found["warm_up_seconds"] for found in rounds), 1),
        "peak_memory_mb": round(max(found["peak_memory_bytes"] for found in rounds) / 1e6),
        "mfu": round(work / first["peak"], 3) if first["peak"] else None,
        "share_of_measured_product": round(work / gemm, 3) if gemm else None,
        "last_loss": round(smooth(first["losses"])[-1], 4),
        "distance_to_touchstones_losses": distance(own["losses"], first["losses"]),
    }


def estimated(plan: dict[str, Any], rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """The plan's estimate beside what was measured, in the round that took the middle time."""
    middle = sorted(rounds, key=lambda found: found["run_seconds"])[len(rounds) // 2]
    seconds, memory = middle["run_seconds"], middle["peak_memory_bytes"]
    return {
        "estimated_seconds": plan["estimated_seconds"],
        "measured_seconds": round(seconds, 1),
        "time_error": round(plan["estimated_seconds"] / seconds - 1, 3),
        "estimated_memory_mb": round(plan["estimated_peak_memory_bytes"] / 1e6),
        "measured_memory_mb": round(memory / 1e6),
        "memory_error": round(plan["estimated_peak_memory_bytes"] / memory - 1, 3),
    }


def take_turns(names: Sequence[str], path: Path, folder: Path, rounds: int) -> dict[str, list[dict[str, Any]]]:
    """What the contestants say, round by round. One that fails says so once and is out."""
    said: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for number in range(rounds):
        for name, found in said.items():
            if number and (name in ONCE or "failed" in found[-1]):
                continue
            try:
                told = child(name, path, folder / f"{name}-{number}")
            except RuntimeError as error:
                found[:] = [{"failed": str(error).splitlines()[-1][:300]}]
                print(error, file=sys.stderr, flush=True)
                continue
            found.append(told)
            rate, memory = told["tokens_a_step"] / told["seconds"], told["peak_memory_bytes"] / 1e9
            line = f"{name}: {rate:,.0f} tokens/s, {told['seconds']:.3f} s a step, {memory:.1f} GB"
            print(line, file=sys.stderr, flush=True)
    return said


def compare(config: TrainConfig, folder: Path, rounds: int, names: Sequence[str]) -> dict[str, Any]:
    """Runs every contestant `rounds` times, in turns, and returns the table."""
    path = folder / "config.json"
    path.write_text(json.dumps(config.to_json()))
    plan = child("plan", path, folder / "plan")
    product = child("product", path, folder / "product")["operations_a_second"] if config.device == "cuda" else None
    said = take_turns(names, path, folder, rounds)
    own = said["touchstone"]
    if "failed" in own[0]:
        raise RuntimeError(own[0]["failed"])
    table = {name: found[0] if "failed" in found[0] else row(found, own[0], product) for name, found in said.items()}
    clocks = ("tokens_per_second", "tokens_per_processor_second")
    return {
        "device": own[0]["device"],
        "versions": own[0]["versions"],
        "base_model": Path(config.base_model).name,
        "rows": plan["rows"],
        "tokens": plan["tokens"],
        "trained_share": plan["trained_share"],
        "packed": own[0]["packed"],
        "measured_product_tflops": round(product / 1e12) if product else None,
        "contestants": table,
        "ratio_to": {
            name: {clock: round(table["touchstone"][clock] / line[clock], 2) for clock in clocks}
            for name, line in table.items()
            if name != "touchstone" and "failed" not in line
        },
        "plan": estimated(plan, own),
    }


def on_gpu(name: str, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """The table of one architecture, whose weights are gone after."""
    shape = ARCHITECTURES[name]
    made = long_rows(options.rows or shape.rows, options.median or GPU_MEDIAN, GPU_LONGEST)
    write_snapshot(folder / "data", train=made)
    base = random_weights(shape, folder / name, "cuda")
    torch.cuda.empty_cache()
    config = TrainConfig(
        data=str(folder / "data"), base_model=str(base), device="cuda", max_length=GPU_LONGEST, learning_rate=2e-4,
        batch_size=shape.batch, compile=options.compile, kernels=options.kernels, **SETTING,
    )  # fmt: skip
    names = [contestant for contestant in (options.only or ON_GPU) if contestant in CONTESTANTS]
    table = compare(config, folder, options.rounds or 1, list(dict.fromkeys(["touchstone", *names])))
    shutil.rmtree(folder)
    return {"goal_tokens_per_second": shape.goal} | table


def on_cpu(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """The table of the embedded model."""
    longest, rows = 512 if options.median else 256, options.rows or ROWS
    made = long_rows(rows, options.median, longest) if options.median else shop_rows(rows)
    write_snapshot(folder / "data", train=made)
    config = TrainConfig(
        data=str(folder / "data"), base_model=EMBEDDED, device="cpu", max_length=longest, batch_size=BATCH, **SETTING
    )
    names = [contestant for contestant in (options.only or ON_CPU) if contestant in CONTESTANTS]
    return {"threads": 1} | compare(config, folder, options.rounds or 3, list(dict.fromkeys(["touchstone", *names])))


def asked() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=0, help="how often each contestant runs (0: thrice, once on a GPU)")
    parser.add_argument("--rows", type=int, default=0, help=f"conversations (0: {ROWS} on a CPU, on a GPU as each model needs)")
    parser.add_argument(
        "--median", type=int, default=0, help="log-normal lengths with this median in tokens (0: on a CPU the corpus's own)"
    )
    parser.add_argument("--models", nargs="+", choices=[*ARCHITECTURES], default=[*ARCHITECTURES], help="on a GPU")
    parser.add_argument("--only", nargs="+", choices=[*CONTESTANTS], default=[], help="contestants beside this trainer")
    parser.add_argument("--kernels", choices=("plain", "liger"), default="plain", help="this trainer's, on a GPU")
    parser.add_argument("--compile", choices=("on", "off"), default="on", help="this trainer's layers, on a GPU")
    return parser.parse_args()


def main() -> None:
    """Prints the table."""
    options, table = asked(), dict[str, Any]()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        if torch.cuda.is_available():
            table["gpu"] = {}
            for model in options.models:
                print(model, file=sys.stderr, flush=True)
                table["gpu"][model] = on_gpu(model, Path(name) / "gpu", options)
                print(json.dumps({model: table["gpu"][model]}), file=sys.stderr, flush=True)
        else:
            table["gpu"] = "left out: there is no GPU here"
            table["cpu"] = on_cpu(Path(name) / "cpu", options)
        print(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
