"""What makes steps faster or smaller without changing what is learned: checkpointing, compiled layers, liger-kernel's parts.

`settle` decides for a run and says what it did. Whether activations are worked out twice is decided by an estimate of the
largest batch's memory (`needed`), made from the model's shape before anything is computed.

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
from typing import Any

import torch

from trainer import stored
from trainer.contract import COMPILED, TrainConfig
from trainer.device import USABLE, memory_of
from trainer.learner import Learner
from trainer.model import BadModel, choose_dtype, layers_of
from trainer.plan import Plan

log = logging.getLogger("trainer")


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


def settle(config: TrainConfig, learner: Learner, plan: Plan) -> None:
    """Gives the model the kernels, the checkpointing and the compiled layers that the config asks for. Raises BadModel."""
    model, device = learner.model, learner.loaded.device
    if config.kernels == "liger":
        _take_liger(_inner(model), device)
    every = _every(config, learner, plan)
    if every:
        _checkpoint(_inner(model), every)
        log.info("one layer in %d works its activations out twice", every)
    if config.compile == "on":
        _compile(model, device)


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
    try:
        model.activation_checkpointing_enable(every_n_layers=every)
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


def _compile(model: Any, device: torch.device) -> None:
    """Each layer by itself: compiling takes as long as for one layer, because all are alike."""
    if device.type == "cpu" and not any(shutil.which(name) for name in (os.environ.get("CXX") or "g++", "clang++")):
        raise BadModel("compile 'on' needs a C++ compiler here (g++), which cannot be found; use 'off'.")
    if device.type == "cuda" and importlib.util.find_spec("triton") is None:
        raise BadModel("compile 'on' needs Triton, which cannot be found; use 'off'.")
    for layer in layers_of(model):
        layer.compile(dynamic=True)


def keep_compiled(config: TrainConfig, out: Path) -> None:
    """Compiled layers are kept in the run folder, so that a run that goes on finds them; a folder named by
    TORCHINDUCTOR_CACHE_DIR is used instead."""
    if config.compile == "on":
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str((out / COMPILED).resolve()))


def as_written(config: TrainConfig) -> AbstractContextManager[Any]:
    """Within, layers are not compiled anew: validation and generation have shapes of their own."""
    return torch.compiler.set_stance("force_eager") if config.compile == "on" else contextlib.nullcontext()
