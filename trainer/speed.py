"""What makes steps faster or smaller without changing what is learned: checkpointing, compiled layers, liger-kernel's parts.

`settle` decides for a run and says what it did. Whether activations are worked out twice is decided by an estimate of the
largest batch's memory (`needed`), made from the model's shape before anything is computed. Layers are compiled for rows of any
length at once, and every layer of a kind shares what was compiled for the first; `pays` says where that is worth the wait.

Not promised: results equal to the bit with and without compiled layers or other kernels; they are equal up to rounding.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import logging
import os
import shutil
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from trainer import objectives, stored
from trainer.contract import COMPILED, OBJECTIVES, TrainConfig
from trainer.device import USABLE, memory_of
from trainer.learner import Learner
from trainer.model import BadModel, choose_dtype, layers_of

if TYPE_CHECKING:
    from trainer.plan import Plan

log = logging.getLogger("trainer")

WORTH_COMPILING = 2e16
"""Operations of a run from which compiled layers save more time than compiling takes: about two minutes of a large GPU at what
plain layers reach of it."""
BUSY = 16_384
"""Tokens of a pass that keep a large GPU busy: with few, it waits for the program that tells it what to do."""
_STEPS = 100
"""Steps that a pass over the data keeps where rows are made longer for a GPU's sake."""
BACKEND = "inductor"
"""What turns layers into kernels."""
_VARIANTS = 32
"""Kinds of passes that a layer may be compiled for (the first layer, those that forget, with and without gradients); beyond
PyTorch's eight it would go on uncompiled without a word."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What of a model decides how much memory its activations take."""

    layers: int
    width: int
    inner: int
    """Width of the layers' inner part."""
    vocabulary: int
    fixed: int
    """Bytes of weights, gradients and the optimizer."""
    number: int
    """Bytes of a number in the forward pass."""


def needed(shape: Shape, *, tokens: int, trained: int, every: int) -> int:
    """Bytes that a step over `tokens` tokens, `trained` of them with logits, takes at most. `every` n-th layer forgets what
    it worked out; 0 lets all keep it.

    A layer keeps about ten vectors of its width, four of its inner part, and two in fp32 for its norms (Korthikanti 2022,
    for gated layers without attention scores, which today's kernels do not keep).
    """
    layer = tokens * (shape.number * (10 * shape.width + 4 * shape.inner) + 8 * shape.width)
    entry = tokens * shape.number * shape.width
    forgetful = -(-shape.layers // every) if every else 0
    kept = (shape.layers - forgetful) * layer + forgetful * entry + (layer if forgetful else 0)
    logits = trained * shape.vocabulary * (2 * shape.number + 8)
    return shape.fixed + kept + logits


def choose(shape: Shape, *, tokens: int, trained: int, room: int) -> int:
    """Which layers forget, so that a step fits into `room` bytes: 0 for none, else every n-th, as few as will do."""
    for every in (0, 4, 2):
        if needed(shape, tokens=tokens, trained=trained, every=every) <= room:
            return every
    return 1


def busy_room(config: TrainConfig, learner: Learner, *, tokens: int, trained_share: float) -> int:
    """Tokens of a packed row that keep all of a run's GPUs busy, fewer where a pass over `tokens` would be few steps, or where
    not all layers could keep their activations; 0 on a CPU, which is as busy with any."""
    device = learner.loaded.device
    memory = memory_of(device) if device.type == "cuda" else None
    if memory is None:
        return 0
    room, every = min(BUSY * config.members, tokens // _STEPS), int(config.checkpointing == "on")
    shape = shape_of(learner.model, choose_dtype(config.precision, device))
    while room > 1:
        one = -(-room // config.members)
        if needed(shape, tokens=one, trained=round(one * trained_share), every=every) <= memory * USABLE:
            break
        room //= 2
    return room


def shape_of(model: Any, dtype: torch.dtype) -> Shape:
    """The shape of a model that is ready to be trained with AdamW."""
    config = model.config
    width = int(getattr(config, "hidden_size", 0) or getattr(config, "d_model", 0))
    fixed = 0
    for weight in model.parameters():
        fixed += weight.numel() * (weight.element_size() + (12 if weight.requires_grad else 0))
    return Shape(
        layers=int(getattr(config, "num_hidden_layers", 0) or getattr(config, "num_layers", 0)),
        width=width,
        inner=int(getattr(config, "intermediate_size", 0) or getattr(config, "d_ff", 0) or 4 * width),
        vocabulary=int(config.vocab_size),
        fixed=fixed,
        number=torch.finfo(dtype).bits // 8,
    )


def settle(config: TrainConfig, learner: Learner, plan: Plan, folder: Path | None = None) -> None:
    """Gives the model the kernels, the checkpointing and the compiled layers that the config asks for; these are kept in
    `folder`. Raises BadModel."""
    model, device = learner.model, learner.loaded.device
    if config.kernels == "liger":
        _take_liger(_inner(model), device)
    every = _every(config, learner, plan)
    if every:
        _checkpoint(_inner(model), every)
        log.info("one layer in %d works its activations out twice", every)
    if config.compile == "on" or (config.compile == "auto" and pays(config, learner, plan)):
        _keep_compiled(folder)
        _compile(learner, forgiving=config.compile == "auto")
        log.info("the layers are compiled in the first steps, which takes a minute or more")


def pays(config: TrainConfig, learner: Learner, plan: Plan) -> bool:
    """Whether a run by itself compiles its layers: a long one of a chat model without others' kernels, in one process, on a GPU
    with all that it takes."""
    if learner.loaded.device.type != "cuda" or _lacking(learner.loaded.device):
        return False
    # DoRA's layers fall apart into pieces when they are compiled; those of 4-bit weights were not tried.
    plain = config.adapter not in ("dora", "qlora") and config.kernels == "plain" and OBJECTIVES[config.objective].chats
    if config.members > 1 or not plain:
        return False
    return plan.arithmetic(learner.model) * plan.tokens * config.epochs >= WORTH_COMPILING


def _inner(model: Any) -> Any:
    """The model without its adapter."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def _every(config: TrainConfig, learner: Learner, plan: Plan) -> int:
    if config.checkpointing != "auto":
        return int(config.checkpointing == "on")
    device = learner.loaded.device
    total = memory_of(device) if device.type == "cuda" else None
    if total is None:
        return 0
    longest = max(stored.token_counts(plan.train))
    tokens = -(-(plan.room or config.batch_size * longest) // config.members)
    trained = round(tokens * plan.trained_share)
    shape = shape_of(learner.model, choose_dtype(config.precision, device))
    return choose(shape, tokens=tokens, trained=trained, room=int(total * USABLE))


def _checkpoint(model: Any, every: int) -> None:
    # The newer name came with transformers 5.2x; the older one is going.
    enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
    try:
        enable(every_n_layers=every)
    except (AttributeError, TypeError, ValueError) as error:
        raise BadModel(f"checkpointing does not fit this model ({error}); use 'off'.") from error
    # Gradients find their way to the adapter's weights without those of the word vectors.
    model.disable_input_require_grads()


def _take_liger(model: Any, device: torch.device) -> None:
    missing = [name for name in ("triton", "liger_kernel") if importlib.util.find_spec(name) is None]
    if device.type != "cuda" or missing:
        why = f"{' and '.join(missing)} cannot be found" if missing else "this run has no GPU"
        raise BadModel(f"kernels 'liger' needs a GPU, Triton and the package liger-kernel ({why}); use 'plain'.")
    patches = importlib.import_module("liger_kernel.transformers.monkey_patch")
    if model.config.model_type not in patches.MODEL_TYPE_TO_APPLY_LIGER_FN:
        raise BadModel(f"kernels 'liger' does not know models of the kind '{model.config.model_type}'; use 'plain'.")
    # The loss stays the trainer's: it forms logits of trained tokens alone.
    wanted = {"rope": True, "rms_norm": True, "swiglu": True, "cross_entropy": False, "fused_linear_cross_entropy": False}
    patches._apply_liger_kernel_to_instance(model=model, **wanted)


def _lacking(device: torch.device) -> str:
    """What compiling needs and cannot be found here, or nothing."""
    compilers = (
        (os.environ.get("CXX") or "g++", "clang++") if device.type == "cpu" else (os.environ.get("CC") or "gcc", "clang")
    )
    if device.type == "cuda" and importlib.util.find_spec("triton") is None:
        return "Triton"
    return "" if any(shutil.which(name) for name in compilers) else f"a C compiler ({compilers[0]})"


def _compile(learner: Learner, *, forgiving: bool) -> None:
    """Each layer by itself, because all are alike, and the loss; for any length of a row. Where it is `forgiving`, what cannot
    be compiled goes on as it is. Raises BadModel."""
    if lacking := _lacking(learner.loaded.device):
        raise BadModel(f"compile 'on' needs {lacking}, which cannot be found here; use 'off'.")
    settings: Any = importlib.import_module("torch._dynamo.config")
    settings.recompile_limit = max(settings.recompile_limit, _VARIANTS)
    # Lengths vary from row to row; numbers such as LoRA's scale do not, and as inputs they would be worked on by the CPU.
    settings.specialize_float = True
    settings.suppress_errors = forgiving
    for layer in layers_of(learner.model):
        layer.compile(dynamic=True, backend=BACKEND)
    learner.nats = torch.compile(objectives.sft, dynamic=True, backend=BACKEND)
    learner.compiled = True


def _keep_compiled(folder: Path | None) -> None:
    """Compiled layers are kept in the run folder, so that a run that goes on finds them; a folder named by
    TORCHINDUCTOR_CACHE_DIR is used instead."""
    if folder is not None:
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str((folder / COMPILED).resolve()))


def as_written(learner: Learner) -> AbstractContextManager[Any]:
    """Within, layers are not compiled anew: validation and generation have shapes of their own."""
    return torch.compiler.set_stance("force_eager") if learner.compiled else contextlib.nullcontext()
