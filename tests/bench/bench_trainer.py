"""This trainer against Hugging Face's Trainer and TRL's: ``python -m tests.bench.bench_trainer``.

The same rows, base weights, LoRA setting, seed, learning rates and (packing apart) batches and optimizer steps, one CPU thread.
On a CPU the embedded model learns; where there is a GPU, random weights of a real architecture do instead.
Every contestant is a process of its own, so its peak memory is its own; they take turns, several rounds each, and the best
round counts, because other work on the machine only ever slows a round down. All count the same tokens: those of the
conversations, without padding. Speeds are given by the clock and by processor time; on an idle machine the two agree, on a
busy one the second is the fair one. The loss curves' distance is the mean gap in nats between curves smoothed over ten steps.
Prints one JSON object. Needs no registry.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

from tests.bench.contestants import CONTESTANTS
from tests.trainer.conftest import write_snapshot
from trainer import corpus
from trainer.contract import EMBEDDED, TrainConfig

EPOCHS, BATCH, ROWS = 1, 16, 480
SPREAD, GPU_MEDIAN, GPU_LONGEST = 0.8, 350, 2048
"""Of the log-normal lengths, in tokens."""
_WORDS_A_TOKEN = 0.55
"""Of the embedded tokenizer on the corpus, about: it only sets where the median lies."""
_SMOOTH = 10
ONCE = {"trl_defaults"}
"""Takes minutes where a CPU has no bf16 of its own, and is far behind in any round."""


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


def random_weights(folder: Path) -> Path:
    """Qwen3-0.6B's architecture with random weights, under the embedded model's tokenizer."""
    from transformers import AutoTokenizer, Qwen3Config, Qwen3ForCausalLM

    from trainer.model import EMBEDDED_FOLDER

    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(EMBEDDED_FOLDER)
    config = Qwen3Config(
        vocab_size=151_936, hidden_size=1024, intermediate_size=3072, num_hidden_layers=28, num_attention_heads=16,
        num_key_value_heads=8, head_dim=128, max_position_embeddings=GPU_LONGEST, tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    Qwen3ForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def child(name: str, config: Path, out: Path) -> dict[str, Any]:
    """What one contestant says. Raises RuntimeError with the end of its output when it failed."""
    command = [sys.executable, "-m", "tests.bench.contestants", name, str(config), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
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


def row(rounds: list[dict[str, Any]], own: dict[str, Any]) -> dict[str, Any]:
    """A contestant's line of the table."""
    best = {clock: min(found[clock] for found in rounds) for clock in ("seconds", "processor_seconds")}
    first = rounds[0]
    return {
        "steps": first["steps"],
        "tokens_per_second": round(first["tokens_a_step"] / best["seconds"]),
        "tokens_per_processor_second": round(first["tokens_a_step"] / best["processor_seconds"]),
        "peak_memory_mb": round(max(found["peak_memory_bytes"] for found in rounds) / 1e6),
        "mfu": first["mfu"],
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


def compare(config: TrainConfig, folder: Path, rounds: int) -> dict[str, Any]:
    """Runs every contestant `rounds` times, in turns, and returns the table."""
    path = folder / "config.json"
    path.write_text(json.dumps(config.to_json()))
    plan = child("plan", path, folder)
    said: dict[str, list[dict[str, Any]]] = {name: [] for name in CONTESTANTS}
    for number in range(rounds):
        for name, found in said.items():
            if number and name in ONCE:
                continue
            found.append(child(name, path, folder / f"{name}-{number}"))
            print(f"{name}: {found[-1]['seconds']:.3f} s a step", file=sys.stderr)
    own = said["touchstone"]
    table = {name: row(found, own[0]) for name, found in said.items()}
    clocks = ("tokens_per_second", "tokens_per_processor_second")
    return {
        "device": own[0]["device"],
        "base_model": Path(config.base_model).name,
        "rows": plan["rows"],
        "tokens": plan["tokens"],
        "trained_share": plan["trained_share"],
        "packed": own[0]["packed"],
        "contestants": table,
        "ratio_to": {
            name: {clock: round(table["touchstone"][clock] / line[clock], 2) for clock in clocks}
            for name, line in table.items()
            if name != "touchstone"
        },
        "plan": estimated(plan, own),
    }


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="how often each contestant runs (default: %(default)s)")
    parser.add_argument("--rows", type=int, default=ROWS, help="conversations (default: %(default)s)")
    parser.add_argument(
        "--median", type=int, default=0, help="log-normal lengths with this median in tokens (0: the corpus's own)"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        longest = 512 if options.median else 256
        made = long_rows(options.rows, options.median, longest) if options.median else shop_rows(options.rows)
        write_snapshot(folder / "cpu" / "data", train=made)
        small = {"batch_size": BATCH, "epochs": EPOCHS, "checkpoint_every": 10_000, "record": "nothing"}
        config = TrainConfig(
            data=str(folder / "cpu" / "data"),
            base_model=EMBEDDED,
            device="cpu",
            max_length=longest,
            **small,  # type: ignore[arg-type]
        )
        gpu, table = torch.cuda.is_available(), dict[str, Any]()
        if gpu:
            write_snapshot(folder / "gpu" / "data", train=long_rows(options.rows, options.median or GPU_MEDIAN, GPU_LONGEST))
            large = TrainConfig(
                data=str(folder / "gpu" / "data"), base_model=str(random_weights(folder / "gpu" / "base")), device="cuda",
                max_length=GPU_LONGEST, learning_rate=2e-4, **small,  # type: ignore[arg-type]
            )  # fmt: skip
            table["gpu"] = compare(large, folder / "gpu", options.rounds)
        else:
            table["gpu"] = "left out: there is no GPU here"
            table["cpu"] = {"threads": 1} | compare(config, folder / "cpu", options.rounds)
        print(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
