"""What the trainer is asked and what it leaves behind: a config and a snapshot folder in, a run folder out.

Standard library only, so that the backend may import it in a process that must never load torch.

Snapshot folder (made by `backend.datasets`, read by the trainer): one JSONL a split and a manifest. Every line has
``"id": str, "group": str, "weight": float, "metadata": {str: str}``, and by the snapshot's kind (M = messages, a list of
``{"role": "system"|"user"|"assistant", "content": str}``):
  sft          ``"messages": M``; the last message is the assistant's reference answer
  preferences  ``"prompt": M, "chosen": M, "rejected": M``; the latter two are one assistant message each
  thumbs       ``"messages": M, "desirable": bool``; the verdict is on the last message, an answer
  labels       ``"label": str`` and ``"text": str`` or ``"messages": M``
Several rows may be of one question: they name it as ``"record": str`` then, and its approved answer as ``"reference": str``.
Rows made from other rows say ``"synthetic": true``; they and weights other than 1 stand in train alone.

Run folder: the file names below. `metrics.jsonl` has one object a line, with ``event``:
  train       step, epoch, loss (what the objective minimises), learning_rate, grad_norm, tokens_per_second, seconds,
              memory_bytes (the most so far), mfu (share of a known GPU's speed)
  validation  step, epoch, loss, the objective's own figures (`OBJECTIVES`), bleu and rouge_l over the measured answers,
              samples ([{prompt, reference, text}, …])
  memory      step, parts: memory ran out, and batches are read in so many parts from here on
  checkpoint  step, path
`status.json` is replaced atomically: state, step, total_steps, epoch, message, updated (seconds since the epoch).

Exit codes of the program are in `Exit`. A run stops at the next step boundary, with a checkpoint, when the file `STOP`
appears in its folder or it gets SIGTERM.

Not promised: anything about a folder that another version of this module wrote.
"""

from __future__ import annotations

import dataclasses
import enum
from dataclasses import dataclass
from typing import Any, Self

from trainer.evaluations import Decoding as Decoding
from trainer.evaluations import EvaluateConfig as EvaluateConfig
from trainer.evaluations import ModelSpec as ModelSpec
from trainer.learnable import EMBEDDED as EMBEDDED
from trainer.learnable import LIKENESS as LIKENESS
from trainer.learnable import LOWER_IS_BETTER as LOWER_IS_BETTER
from trainer.learnable import OBJECTIVES as OBJECTIVES
from trainer.learnable import ROW_KINDS as ROW_KINDS
from trainer.learnable import SPLITS as SPLITS
from trainer.learnable import WRITERS as WRITERS
from trainer.learnable import metrics_of as metrics_of
from trainer.told import ConfigError as ConfigError
from trainer.told import describe, from_json
from trainer.told import read_json as read_json

# Snapshot folder, one JSONL for each of SPLITS
MANIFEST = "manifest.json"

# Run folder
CONFIG = "config.json"
METRICS = "metrics.jsonl"
STATUS = "status.json"
LOG = "log.txt"
STOP = "STOP"
ERROR = "error.json"
"""``{"kind": "out_of_memory"|"disk_full"|"not_finite"|"bad_data"|"bad_config"|"bad_model"|"crash", "message": str}``."""
CHECKPOINTS = "checkpoints"
ADAPTER = "adapter"
"""The final LoRA weights (PEFT's format), present when the run finished and `adapter` is one of `LORA_KINDS`."""
BASE = "base.json"
"""Beside an adapter's weights: ``{"fingerprint": str}`` of the base weights that it was trained on."""
LABELS = "labels.json"
"""Beside a classifier's weights: its classes' names in the order of its outputs."""
COMPILED = "compiled"
"""Compiled layers, for this run when it goes on."""
LESSONS = "lessons"
"""The tokens of many rows (in a search's folder, for all its trials); gone when the run or search has finished."""
LOCK = ".lock"
"""Held by the process that trains in the folder."""
ENDS = "ends"
"""How each process ended, where there were several; gone when the run has ended."""
CLUSTER = "cluster"
"""What Ray Train writes; gone when the run has ended."""
MODEL = "model"
"""The final full weights, present when the run finished and `adapter` is not one of `LORA_KINDS`."""
REFERENCE = "reference.safetensors"
"""Log-probabilities of the answers under the model as it was before the first step, computed once (DPO, KTO)."""
RESULT = "result.json"
"""Written last: objective, best_step and its figures (``validation``), figures on the test rows (``test``, with a
classifier's confusion matrix), best_validation_loss, steps, tokens, seconds, tokens_per_second, peak_memory_bytes, device."""

# Search folder: a run folder for each trial, and these
SEARCH = "search.json"
"""What was asked (`trainer.spaces.SearchConfig`)."""
TRIALS = "trials.json"
"""``{"metric", "direction", "trials": [{number, state, params, value, values, steps, seconds, message}, …]}``, replaced whole;
state is running, complete, pruned or failed."""
STUDY = "study.log"
"""Optuna's journal, from which a search goes on. RESULT holds the best trial: number, value, params, config."""

# Evaluation folder
REPORT = "report.json"
"""``{"models": {label: {n, loss, perplexity, bits_per_byte, bleu, bleu_signature, rouge_l, exact_match, distinct_1, distinct_2,
burstiness, extracted, exposure, copied, holdout, …}}}``, each with its n as ``<name>_n`` where that is another one, and low and
high in ``intervals``; beside it ``suites``: what canaries, copies and holdout were measured on, null where they were not.
``holdout_of`` names a model's holdout: models of the T5 family have another than the embedded chat model. Of a classifier it is
{n, accuracy, macro_f1, loss, confusion}, of a reward model {n, preference_accuracy, margin, loss}, with intervals."""
RESPONSES = "responses.jsonl"
"""One object a model and row: label, id, prompt, reference, text, loss, tokens, complete, exact_match, rouge_l,
sentence_bleu, seconds. `prompt` is the last message before the answer; the whole conversation is the row of that id. Of a
classifier, text and reference are classes, with the share that it gives its own; of a reward model: chosen, rejected, right."""
PROBE_ANSWERS = "probe_answers.jsonl"
"""One object a model and probe: label, id, text."""

# Models folder that the engine serves: one folder a model version, holding this file
SERVED = "served.json"
"""``{"base_model": str, "revision": str|None, "adapter": path|None}``; the folder's name is the model's name in the API."""


LORA_KINDS = ("lora", "rslora", "dora", "qlora")
"""Adapters that leave the base weights as they are."""


class Exit(enum.IntEnum):
    """Exit codes of `python -m trainer`."""

    OK = 0
    CRASH = 1
    BAD_INPUT = 2
    STOPPED = 3
    """Stopped at a step boundary on request; a checkpoint was kept and `resume` goes on from it."""
    OUT_OF_MEMORY = 4
    DISK_FULL = 5
    NOT_FINITE = 6
    """The loss became NaN or infinite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """One training run. Every field has a sentence of help; contradictions are refused at construction."""

    data: str = describe("The snapshot folder: train.jsonl, validation.jsonl, test.jsonl, manifest.json.", default="")
    base_model: str = describe(
        "The model to start from: 'touchstone-mini', a folder, or a Hugging Face hub id.", default=EMBEDDED
    )
    revision: str | None = describe("The hub revision (commit) to pin, for a hub id.", default=None)
    initial_adapter: str | None = describe(
        "Start from this earlier LoRA adapter folder instead of fresh weights.", default=None
    )
    objective: str = describe(
        "What is learned. " + " ".join(f"'{name}' {objective.help}." for name, objective in OBJECTIVES.items()),
        default="sft",
        choices=tuple(OBJECTIVES),
    )
    adapter: str = describe(
        "'lora' trains small added matrices, 'rslora' scales them so that large ranks learn well, 'dora' also trains each "
        "weight's length, 'qlora' keeps the base in 4 bits; 'full' trains every weight, 'last_layers' the last few layers.",
        default="lora",
        choices=(*LORA_KINDS, "full", "last_layers"),
    )
    last_layers: int = describe("Layers that the adapter 'last_layers' trains.", default=2, minimum=1)
    lora_rank: int = describe("Size of the LoRA matrices: more learns more and needs more memory.", default=16, minimum=1)
    lora_alpha: int = describe("Strength of the LoRA update; twice the rank is usual.", default=32, minimum=1)
    lora_dropout: float = describe("Share of LoRA inputs dropped while training, against overfitting.", default=0.0)
    lora_targets: str = describe(
        "Which layers get LoRA: 'all-linear', or module names with commas (q_proj,v_proj).", default="all-linear"
    )
    beta: float = describe(
        "DPO and KTO: how strongly the model is held to where it started; ORPO: the weight of the comparison.",
        default=0.1,
        objectives=("dpo", "orpo", "kto"),
    )
    desirable_weight: float = describe(
        "KTO: what a thumb up counts; raise it where they are rare.", default=1.0, objectives=("kto",)
    )
    undesirable_weight: float = describe(
        "KTO: what a thumb down counts; raise it where they are rare.", default=1.0, objectives=("kto",)
    )
    label_smoothing: float = describe(
        "Share of doubt in every label (SFT, DPO, classification): 0.1 helps where some labels are wrong.",
        default=0.0,
        objectives=("sft", "seq2seq", "dpo", "classification"),
    )
    neftune_alpha: float = describe("Noise on the word vectors while training, against overfitting; 5 is usual.", default=0.0)
    learning_rate: float = describe("Step size. LoRA takes more (1e-4 to 3e-3) than full training (1e-5).", default=3e-3)
    schedule: str = describe(
        "How the learning rate falls after the warm-up.", default="cosine", choices=("cosine", "linear", "constant")
    )
    warmup_share: float = describe("Share of the steps over which the learning rate rises from 0.", default=0.05)
    weight_decay: float = describe("Pulls weights towards 0, against overfitting.", default=0.0)
    max_grad_norm: float = describe("Gradients longer than this are shortened to it; 0 switches it off.", default=1.0)
    batch_size: int = describe("Conversations in one forward pass.", default=16, minimum=1)
    accumulation: int = describe("Passes whose gradients are added up before one step.", default=1, minimum=1)
    epochs: int = describe("Times that every conversation is seen.", default=15, minimum=1)
    max_length: int = describe("Longest conversation in tokens; longer ones lose their oldest turns.", default=256, minimum=16)
    order: str = describe(
        "Curriculum: 'shuffled', or the first pass from short to long, or by the rows' metadata 'difficulty' (a number) from "
        "low to high; later passes are shuffled.",
        default="shuffled",
        choices=("shuffled", "length", "difficulty"),
    )
    evaluations_per_epoch: int = describe("Validations in one pass over the data.", default=1, minimum=1)
    early_stopping: int = describe(
        "Stop after this many validations without improvement; 0 never stops early.", default=0, minimum=0
    )
    best_metric: str = describe(
        "The figure on the validation rows that decides which weights are kept and when to stop early.",
        default="loss",
        choices=("loss", *dict.fromkeys(name for objective in OBJECTIVES.values() for name in objective.metrics), *LIKENESS),
    )
    measured_answers: int = describe(
        "Validation answers that are written out at every validation, for BLEU and ROUGE-L; 0 leaves them out.",
        default=8,
        minimum=0,
        objectives=WRITERS,
    )
    record: str = describe(
        "Copies the metrics to TensorBoard's files in the run folder, to MLflow (MLFLOW_TRACKING_URI), or to both.",
        default="tensorboard",
        choices=("nothing", "tensorboard", "mlflow", "both"),
    )
    checkpoint_every: int = describe("Steps between checkpoints that a stopped run resumes from.", default=50, minimum=1)
    keep_checkpoints: int = describe("Checkpoints kept; the oldest go first.", default=2, minimum=1)
    seed: int = describe("The same seed, data and machine give the same run.", default=0, minimum=0)
    precision: str = describe("'auto': bf16 on a GPU that has it, else fp32.", default="auto", choices=("auto", "fp32", "bf16"))
    packing: str = describe(
        "Whether several conversations share a row, without seeing each other: 'auto' does so where a GPU has attention for "
        "it; elsewhere batches of like lengths are faster.",
        default="auto",
        choices=("auto", "on", "off"),
        objectives=("sft",),
    )
    batch_tokens: int = describe(
        "Tokens in one packed row; 0 makes room for about batch_size conversations and, where batch_size is left as it is, for "
        "as many as keep a GPU busy while a pass still has a hundred steps.",
        default=0,
        minimum=0,
        objectives=("sft",),
    )
    checkpointing: str = describe(
        "'on' forgets what the layers worked out and does it again on the way back: much less memory, a third more time. "
        "'auto' does so where a GPU's memory would not hold it.",
        default="auto",
        choices=("auto", "on", "off"),
    )
    compile: str = describe(
        "'on' compiles the model's layers in the first steps: a minute or more at the start, faster steps on a GPU after. "
        "'auto' does so on a GPU where the run is long enough for that.",
        default="auto",
        choices=("auto", "on", "off"),
    )
    kernels: str = describe(
        "'liger' takes faster parts of the package liger-kernel (norm, rotary positions, gated layers), on a GPU with Triton.",
        default="plain",
        choices=("plain", "liger"),
    )
    device: str = describe("'auto' takes a GPU when there is one.", default="auto", choices=("auto", "cpu", "cuda"))
    threads: int = describe("CPU threads; 1 is fastest on a shared machine.", default=1, minimum=1)
    processes: int = describe(
        "Processes on each machine, one for each GPU. They share out every batch, so a step stays the same step: raise "
        "batch_size with them.",
        default=1,
        minimum=1,
    )
    nodes: int = describe(
        "Machines that the run is spread over; more than 1 needs a Ray cluster (TOUCHSTONE_LAUNCHER=ray).", default=1, minimum=1
    )
    strategy: str = describe(
        "Of several processes: 'ddp' gives each the whole model, 'fsdp' a part of every layer, where one GPU is too small.",
        default="ddp",
        choices=("ddp", "fsdp"),
    )

    def __post_init__(self) -> None:
        for spec in dataclasses.fields(self):
            value, choices, minimum = getattr(self, spec.name), spec.metadata.get("choices"), spec.metadata.get("minimum")
            if choices is not None and value not in choices:
                raise ConfigError(f"{spec.name} must be one of {', '.join(choices)}; it is {value!r}.")
            if minimum is not None and value < minimum:
                raise ConfigError(f"{spec.name} must be at least {minimum}; it is {value!r}.")
        if self.seed >= 2**63:
            raise ConfigError(f"seed must be below 2**63; it is {self.seed}.")
        if not self.learning_rate > 0:
            raise ConfigError("learning_rate must be above 0.")
        if not 0 <= self.lora_dropout < 1:
            raise ConfigError("lora_dropout must be at least 0 and below 1.")
        if not 0 <= self.warmup_share < 1:
            raise ConfigError("warmup_share must be at least 0 and below 1.")
        if self.weight_decay < 0 or self.max_grad_norm < 0:
            raise ConfigError("weight_decay and max_grad_norm must not be negative.")
        if not 0 <= self.label_smoothing < 0.5:
            raise ConfigError("label_smoothing must be at least 0 and below 0.5.")
        if min(self.desirable_weight, self.undesirable_weight, self.neftune_alpha) < 0 or not self.beta > 0:
            raise ConfigError("beta must be above 0; the KTO weights and neftune_alpha must not be negative.")
        if self.best_metric not in metrics_of(self.objective):
            known = ", ".join(metrics_of(self.objective))
            raise ConfigError(
                f"best_metric must be one of {known} for the objective {self.objective}; it is {self.best_metric!r}."
            )
        if self.best_metric in LIKENESS and not self.measured_answers:
            raise ConfigError(f"best_metric {self.best_metric} needs measured_answers above 0.")
        if self.initial_adapter is not None and not self.uses_lora:
            raise ConfigError("initial_adapter needs adapter='lora' or another of its kind.")
        if self.precision == "bf16" and self.device == "cpu":
            raise ConfigError("precision 'bf16' is for a GPU; on a CPU use 'fp32' or 'auto'.")
        if self.packing == "on" and self.unpackable:
            raise ConfigError(f"packing 'on' does not go with {self.unpackable}; use 'auto' or 'off'.")
        if self.strategy == "fsdp" and self.adapter == "qlora":
            raise ConfigError("strategy 'fsdp' does not go with adapter 'qlora', whose weights cannot be cut; use 'ddp'.")
        if self.batch_size < self.members:
            raise ConfigError(
                f"batch_size must be at least {self.members}, a conversation for each process; it is {self.batch_size}."
            )
        if 0 < self.batch_tokens < self.max_length:
            raise ConfigError(f"batch_tokens must be 0 or at least max_length ({self.max_length}); it is {self.batch_tokens}.")

    @property
    def unpackable(self) -> str:
        """The setting that keeps conversations in rows of their own, or nothing."""
        if self.objective != "sft":
            return f"the objective '{self.objective}'"
        if self.order != "shuffled":
            return f"order '{self.order}'"
        return "neftune_alpha, whose noise goes by the length of each text" if self.neftune_alpha else ""

    @property
    def members(self) -> int:
        """How many processes train together."""
        return self.processes * self.nodes

    @property
    def uses_lora(self) -> bool:
        """Whether small added matrices are trained and the base weights stay as they are."""
        return self.adapter in LORA_KINDS

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict; `from_json` of it gives an equal config."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Raises ConfigError for an unknown field or a value of the wrong type."""
        return from_json(cls, value)
