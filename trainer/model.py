"""Loads base models and their LoRA adapters: the embedded one by name, a folder, or a Hugging Face hub id.

Weights come from safetensors only and no code from a model's repository is run. A model that cannot be had raises BadModel
with what to do about it. `fold_lora` swaps PEFT's forward pass of small layers for an equal one with fewer operations.
"""

from __future__ import annotations

import hashlib
import json
import types
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import peft
import torch
import transformers
from peft.tuners.lora import Linear as LoraLinear

from trainer.contract import BASE, EMBEDDED, TrainConfig
from trainer.data import BadTemplate, ChatFormat

EMBEDDED_FOLDER = Path(__file__).with_name("touchstone_mini")
_FOLDED_UP_TO = 1024
"""Layers up to this width train faster with W + BA formed once a pass; wider ones would pay for a whole weight gradient."""

transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()


class BadModel(ValueError):
    """A model or adapter that cannot be loaded; the message says what to do."""


@dataclass(slots=True)
class Loaded:
    """A model on its device with the format that it speaks. `fingerprint` is its base weights'."""

    model: Any
    format: ChatFormat
    device: torch.device
    fingerprint: str = ""

    @property
    def context(self) -> int:
        """The longest text in tokens that the model can take."""
        return int(getattr(self.model.config, "max_position_embeddings", 0) or 2048)


def choose_device(name: str) -> torch.device:
    """'auto' takes CUDA where there is one. Raises BadModel when CUDA is asked for and missing."""
    if name == "cuda" and not torch.cuda.is_available():
        raise BadModel("device is 'cuda', but there is no CUDA device here; use 'auto' or 'cpu'.")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def choose_dtype(precision: str, device: torch.device) -> torch.dtype:
    """'auto' is bf16 on a GPU that has it, else fp32."""
    if device.type == "cuda" and precision in ("auto", "bf16") and torch.cuda.is_bf16_supported():
        return torch.bfloat16
    if precision == "bf16":
        raise BadModel("precision is 'bf16', but this device has no bf16; use 'fp32' or 'auto'.")
    return torch.float32


def load_base(name: str, revision: str | None, *, device: torch.device, dtype: torch.dtype) -> Loaded:
    """The base model without adapter, in evaluation mode. Raises BadModel."""
    source, options = _source(name, revision)
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(source, trust_remote_code=False, **options)
        model = transformers.AutoModelForCausalLM.from_pretrained(
            source, dtype=dtype, trust_remote_code=False, use_safetensors=True, **options
        )
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise BadModel(_explain(name, revision, error)) from error
    stops = model.generation_config.eos_token_id if model.generation_config else None
    try:
        chat = ChatFormat(tokenizer, stop_ids=stops if isinstance(stops, list) else [] if stops is None else [stops])
    except BadTemplate as error:
        raise BadModel(f"'{name}' cannot be used: {error}") from error
    model.to(device).eval()
    return Loaded(model, chat, device, fingerprint(model))


def _source(name: str, revision: str | None) -> tuple[str, dict[str, Any]]:
    if name == EMBEDDED:
        return str(EMBEDDED_FOLDER), {}
    if Path(name).is_dir():
        return name, {}
    return name, {"revision": revision} if revision else {}


def _explain(name: str, revision: str | None, error: Exception) -> str:
    reason = " ".join(str(error).split())[:300]
    if name == EMBEDDED:
        command = f"python -m trainer base --out {EMBEDDED_FOLDER}"
        return f"The embedded model is damaged or missing; build it with '{command}'. ({reason})"
    if Path(name).is_dir():
        return f"The folder {name} holds no causal language model in safetensors format with its tokenizer. ({reason})"
    pinned = f" at revision {revision}" if revision else ""
    return (
        f"The model '{name}'{pinned} could not be loaded. It is neither a folder here nor in the local Hugging Face cache, or "
        f"the hub cannot be reached, or it is no causal language model. Check the id and the network, log in with 'hf auth "
        f"login' if it is gated, or give the folder of a downloaded model, or '{EMBEDDED}'. ({reason})"
    )


def fingerprint(model: Any) -> str:
    """A hash of up to 64 numbers of each tensor, in bf16: quick, and the same in any precision."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        flat = tensor.detach().reshape(-1)
        few = flat[:: max(1, flat.numel() // 64)][:64].to(torch.bfloat16).to("cpu", torch.float32)
        digest.update(f"{name}{tuple(tensor.shape)}".encode() + few.numpy().tobytes())
    return digest.hexdigest()


def name_base(loaded: Loaded, adapter: Path) -> None:
    """Write into an adapter's folder which base weights it was trained on."""
    (adapter / BASE).write_text(json.dumps({"fingerprint": loaded.fingerprint}), encoding="utf-8")


def check_fits(loaded: Loaded, adapter: str) -> None:
    """Raise BadModel for an adapter of other base weights, which would load without a word and answer nonsense.

    An adapter from elsewhere, which does not name its base weights, passes.
    """
    try:
        named = json.loads((Path(adapter) / BASE).read_text(encoding="utf-8"))["fingerprint"]
    except FileNotFoundError:
        return
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadModel(f"The adapter folder {adapter} is damaged: its {BASE} cannot be read.") from error
    if named != loaded.fingerprint:
        raise BadModel(
            f"The adapter {adapter} was trained on other base weights than these, and would answer nonsense. Train again "
            "from the same snapshot, or bring the earlier base model back."
        )


def load_adapter(loaded: Loaded, adapter: str, *, trainable: bool = False) -> Loaded:
    """The base model with LoRA weights from a folder on top. Raises BadModel."""
    check_fits(loaded, adapter)
    if not (Path(adapter) / "adapter_config.json").is_file():
        raise BadModel(f"{adapter} is not an adapter folder: it has no adapter_config.json.")
    try:
        model = peft.PeftModel.from_pretrained(loaded.model, adapter, is_trainable=trainable)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        reason = " ".join(str(error).split())[:300]
        raise BadModel(f"The adapter {adapter} does not fit this base model. ({reason})") from error
    return Loaded(model if trainable else model.eval(), loaded.format, loaded.device, loaded.fingerprint)


def load_for_training(config: TrainConfig) -> Loaded:
    """The model of a training run with its trainable weights in fp32. Sets the thread count and the seed."""
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    device = choose_device(config.device)
    dtype = choose_dtype(config.precision, device) if config.adapter == "lora" else torch.float32
    loaded = load_base(config.base_model, config.revision, device=device, dtype=dtype)
    if config.adapter == "full":
        loaded.model.requires_grad_(True)
        return loaded
    if config.initial_adapter is not None:
        return load_adapter(loaded, config.initial_adapter, trainable=True)
    return Loaded(_with_lora(loaded.model, config), loaded.format, device, loaded.fingerprint)


def _with_lora(model: Any, config: TrainConfig) -> Any:
    targets: Any = [name.strip() for name in config.lora_targets.split(",") if name.strip()]
    lora = peft.LoraConfig(
        r=config.lora_rank,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        target_modules="all-linear" if targets == ["all-linear"] else targets,
        task_type="CAUSAL_LM",
    )
    try:
        return peft.get_peft_model(model, lora)
    except ValueError as error:
        raise BadModel(f"lora_targets '{config.lora_targets}' does not fit this model: {error}") from error


def fold_lora(model: Any) -> int:
    """Replaces the forward pass of small LoRA layers by one product with W + s·BA; returns how many were replaced.

    Equal to PEFT's own pass up to rounding. Layers with dropout, DoRA, several adapters or quantised weights keep PEFT's.
    """
    folded = 0
    for layer in model.modules():
        if isinstance(layer, LoraLinear) and _foldable(layer):
            layer.forward = types.MethodType(_folded_forward, layer)
            folded += 1
    return folded


def unfold_lora(model: Any) -> None:
    """Gives every layer PEFT's own forward pass back."""
    for layer in model.modules():
        if isinstance(layer, LoraLinear) and "forward" in vars(layer):
            del layer.forward


def _foldable(layer: Any) -> bool:
    weight = layer.base_layer.weight
    return (
        type(layer.base_layer) is torch.nn.Linear
        and weight.dtype == torch.float32
        and max(weight.shape) <= _FOLDED_UP_TO
        and list(layer.active_adapters) == ["default"]
        and list(layer.lora_A) == ["default"]
        and not layer.lora_variant
        and not layer.lora_bias["default"]
        and not layer.fan_in_fan_out
        and isinstance(layer.lora_dropout["default"], torch.nn.Identity)
    )


def _folded_forward(layer: Any, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
    base = layer.base_layer
    if layer.disable_adapters or layer.merged:
        return base(x)
    up, down = layer.lora_B["default"].weight, layer.lora_A["default"].weight
    return torch.nn.functional.linear(x, torch.addmm(base.weight, up, down, alpha=layer.scaling["default"]), base.bias)
