"""Loads base models and their LoRA adapters: the embedded one by name, a folder, or a Hugging Face hub id.

Weights come from safetensors only and no code from a model's repository is run. A model that cannot be had raises BadModel
with what to do about it. `fold_lora` swaps PEFT's forward pass of small layers for an equal one with fewer operations.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import types
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import peft
import torch
import transformers
from peft.tuners.lora import Linear as LoraLinear

from trainer.contract import BASE, EMBEDDED, LABELS, OBJECTIVES, TrainConfig
from trainer.data import BadTemplate, ChatFormat, TextFormat

EMBEDDED_FOLDER = Path(__file__).with_name("touchstone_mini")
_HEADS = ("score", "classifier")
"""What models call the head that scores or sorts texts. Its outputs are this run's, so it is new whatever it held."""
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
        return context_of(self.model)


@dataclass(slots=True)
class LoadedReader:
    """A model that does not chat: it scores a text, sorts it into `classes`, or (T5) reads it whole and then writes."""

    model: Any
    format: TextFormat
    device: torch.device
    fingerprint: str = ""
    classes: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()
    """Its parts that are new: they are trained whole and saved with an adapter."""

    @property
    def context(self) -> int:
        """The longest text in tokens that the model can take."""
        return context_of(self.model)


def context_of(model: Any) -> int:
    """The longest text in tokens that a model can take."""
    return int(getattr(model.config, "max_position_embeddings", 0) or 2048)


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


def load_base(name: str, revision: str | None, *, device: torch.device, dtype: torch.dtype, four_bits: bool = False) -> Loaded:
    """The base model without adapter, in evaluation mode. Raises BadModel."""
    extra = _four_bits(dtype, device) if four_bits else {}
    tokenizer, model = _fetch(transformers.AutoModelForCausalLM, name, revision, dtype=dtype, **extra)
    stops = model.generation_config.eos_token_id if model.generation_config else None
    try:
        chat = ChatFormat(tokenizer, stop_ids=stops if isinstance(stops, list) else [] if stops is None else [stops])
    except BadTemplate as error:
        raise BadModel(f"'{name}' cannot be used: {error}") from error
    if four_bits:
        _settle_four_bits(model)
        # What is hashed are whole weights, so an adapter that was trained on 4 bits names none and fits wherever its shapes do.
        return Loaded(model.eval(), chat, device)
    model.to(device).eval()
    return Loaded(model, chat, device, fingerprint(model))


def load_judge(
    name: str, revision: str | None, classes: tuple[str, ...], *, device: torch.device, dtype: torch.dtype
) -> LoadedReader:
    """The base model under a fresh head: one output a class, or a single one, a score, where there are no classes."""
    tokenizer, (model, found) = _fetch(
        transformers.AutoModelForSequenceClassification,
        name,
        revision,
        dtype=dtype,
        num_labels=len(classes) or 1,
        ignore_mismatched_sizes=True,
        output_loading_info=True,
    )
    format_ = _text_format(name, tokenizer)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    model.config.pad_token_id = tokenizer.pad_token_id
    if classes:
        model.config.id2label = dict(enumerate(classes))
        model.config.label2id = {name: number for number, name in enumerate(classes)}
    model.to(device).eval()
    fresh = sorted(str(key).rpartition(".")[0] for key in found["missing_keys"])
    heads = tuple(dict.fromkeys([*fresh, *(head for head in _HEADS if hasattr(model, head))]))
    return LoadedReader(model, format_, device, fingerprint(model, besides=heads), classes, heads)


def load_translator(name: str, revision: str | None, *, device: torch.device, dtype: torch.dtype) -> LoadedReader:
    """A model of the T5 family. Raises BadModel."""
    tokenizer, model = _fetch(transformers.AutoModelForSeq2SeqLM, name, revision, dtype=dtype)
    if tokenizer.eos_token_id is None or model.config.decoder_start_token_id is None:
        raise BadModel(f"'{name}' cannot be used: it names no end token or no token that its decoder starts with.")
    format_ = _text_format(name, tokenizer)
    model.to(device).eval()
    return LoadedReader(model, format_, device, fingerprint(model))


def _text_format(name: str, tokenizer: Any) -> TextFormat:
    try:
        return TextFormat(tokenizer)
    except BadTemplate as error:
        raise BadModel(f"'{name}' cannot be used: {error}") from error


def _fetch(kind: Any, name: str, revision: str | None, **options: Any) -> tuple[Any, Any]:
    """Tokenizer and model. Raises BadModel."""
    source, pinned = _source(name, revision)
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(source, trust_remote_code=False, **pinned)
        model = kind.from_pretrained(source, trust_remote_code=False, use_safetensors=True, **pinned, **options)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise BadModel(_explain(name, revision, error)) from error
    return tokenizer, model


def _four_bits(dtype: torch.dtype, device: torch.device) -> dict[str, Any]:
    if importlib.util.find_spec("bitsandbytes") is None:
        raise BadModel(
            "adapter 'qlora' needs the package bitsandbytes, which is not installed here; install it, or use 'lora'."
        )
    quantisation = transformers.BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype
    )
    # The weights are made on the device; of several processes each has a GPU of its own.
    where: int | str = torch.cuda.current_device() if device.type == "cuda" else "cpu"
    return {"quantization_config": quantisation, "device_map": {"": where}}


def _settle_four_bits(model: Any) -> None:
    """On CPUs with AVX512-BF16 a pass in evaluation mode would repack the weights so that nothing trains through them."""
    from bitsandbytes.nn import Linear4bit

    for layer in model.modules():
        if isinstance(layer, Linear4bit):
            layer.support_avx512bf16_for_cpu = False


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
        return f"The folder {name} holds no model of the needed kind in safetensors format with its tokenizer. ({reason})"
    pinned = f" at revision {revision}" if revision else ""
    return (
        f"The model '{name}'{pinned} could not be loaded. It is neither a folder here nor in the local Hugging Face cache, or "
        f"the hub cannot be reached, or it is no model of the needed kind. Check the id and the network, log in with 'hf auth "
        f"login' if it is gated, or give the folder of a downloaded model, or '{EMBEDDED}'. ({reason})"
    )


def fingerprint(model: Any, *, besides: tuple[str, ...] = ()) -> str:
    """A hash of up to 64 numbers of each tensor, in bf16: quick, and the same in any precision. `besides` names new heads."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        if name.startswith(besides):
            continue
        flat = tensor.detach().reshape(-1)
        few = flat[:: max(1, flat.numel() // 64)][:64].to(torch.bfloat16).to("cpu", torch.float32)
        digest.update(f"{name}{tuple(tensor.shape)}".encode() + few.numpy().tobytes())
    return digest.hexdigest()


def name_base(loaded: Loaded | LoadedReader, folder: Path) -> None:
    """Write into a folder of weights which base weights they were trained on, and the classes of a classifier."""
    if loaded.fingerprint:
        (folder / BASE).write_text(json.dumps({"fingerprint": loaded.fingerprint}), encoding="utf-8")
    if isinstance(loaded, LoadedReader) and loaded.classes:
        (folder / LABELS).write_text(json.dumps(loaded.classes, ensure_ascii=False), encoding="utf-8")


def check_fits(loaded: Loaded | LoadedReader, adapter: str) -> None:
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


L = TypeVar("L", Loaded, LoadedReader)


def load_adapter(loaded: L, adapter: str, *, trainable: bool = False) -> L:
    """The base model with LoRA weights from a folder on top. Raises BadModel."""
    return replace(loaded, model=_put_on(loaded, adapter, trainable=trainable))


def _put_on(loaded: Loaded | LoadedReader, adapter: str, *, trainable: bool) -> Any:
    check_fits(loaded, adapter)
    if not (Path(adapter) / "adapter_config.json").is_file():
        raise BadModel(f"{adapter} is not an adapter folder: it has no adapter_config.json.")
    try:
        model = peft.PeftModel.from_pretrained(loaded.model, adapter, is_trainable=trainable)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        reason = " ".join(str(error).split())[:300]
        raise BadModel(f"The adapter {adapter} does not fit this base model. ({reason})") from error
    return model if trainable else model.eval()


def load_for_training(config: TrainConfig, classes: tuple[str, ...] = ()) -> Loaded | LoadedReader:
    """The model of a training run with its trainable weights in fp32. Sets the thread count and the seed."""
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    device = choose_device(config.device)
    dtype = choose_dtype(config.precision, device) if config.uses_lora else torch.float32
    loaded = _load_for(config, classes, device, dtype)
    heads = loaded.heads if isinstance(loaded, LoadedReader) else ()
    if not config.uses_lora:
        _thaw(loaded.model, config, heads)
    elif config.initial_adapter is not None:
        loaded = replace(loaded, model=_put_on(loaded, config.initial_adapter, trainable=True))
    else:
        loaded = replace(loaded, model=_with_lora(loaded.model, config, heads))
    for parameter in loaded.model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    if config.neftune_alpha:
        add_noise(loaded.model, config.neftune_alpha)
    return loaded


def load_chat_for_training(config: TrainConfig) -> Loaded:
    """`load_for_training` for an objective whose result chats."""
    loaded = load_for_training(config)
    assert isinstance(loaded, Loaded)
    return loaded


def _load_for(config: TrainConfig, classes: tuple[str, ...], device: torch.device, dtype: torch.dtype) -> Loaded | LoadedReader:
    name, revision, four_bits = config.base_model, config.revision, config.adapter == "qlora"
    if OBJECTIVES[config.objective].chats:
        return load_base(name, revision, device=device, dtype=dtype, four_bits=four_bits)
    if four_bits:
        raise BadModel(f"adapter 'qlora' is for chat models; the objective '{config.objective}' takes 'lora' or 'dora'.")
    if config.objective == "seq2seq":
        return load_translator(name, revision, device=device, dtype=dtype)
    return load_judge(name, revision, classes, device=device, dtype=dtype)


def layers_of(model: Any) -> Any:
    """The model's layers: the longest list of parts in it, the last such. Raises BadModel where there is none."""
    stacks = [part for part in model.modules() if isinstance(part, torch.nn.ModuleList)]
    if not stacks:
        raise BadModel("This model's layers cannot be told apart; use adapter 'lora' or 'full', and compile 'off'.")
    return max(reversed(stacks), key=len)


def _thaw(model: Any, config: TrainConfig, heads: tuple[str, ...]) -> None:
    """Make all weights trainable, or those of the last layers and of a head that is new."""
    model.requires_grad_(config.adapter == "full")
    if config.adapter == "full":
        return
    for part in [*layers_of(model)[-config.last_layers :], *(model.get_submodule(head) for head in heads)]:
        part.requires_grad_(True)


_TASKS = {"reward": "SEQ_CLS", "classification": "SEQ_CLS", "seq2seq": "SEQ_2_SEQ_LM"}


def _with_lora(model: Any, config: TrainConfig, heads: tuple[str, ...]) -> Any:
    targets: Any = [name.strip() for name in config.lora_targets.split(",") if name.strip()]
    lora = peft.LoraConfig(
        r=config.lora_rank,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        target_modules="all-linear" if targets == ["all-linear"] else targets,
        use_rslora=config.adapter == "rslora",
        use_dora=config.adapter == "dora",
        modules_to_save=list(heads) or None,
        task_type=_TASKS.get(config.objective, "CAUSAL_LM"),
    )
    try:
        return peft.get_peft_model(model, lora)
    except ValueError as error:
        raise BadModel(f"lora_targets '{config.lora_targets}' does not fit this model: {error}") from error


def add_noise(model: Any, alpha: float) -> None:
    """NEFTune (Jain 2023): while training, uniform noise on the word vectors, the less the longer the text and the vector."""

    def shake(layer: Any, given: Any, vectors: torch.Tensor) -> torch.Tensor:
        if not layer.training or not torch.is_grad_enabled():
            return vectors
        size = alpha / (vectors.shape[1] * vectors.shape[2]) ** 0.5
        return vectors + torch.empty_like(vectors).uniform_(-size, size)

    model.get_input_embeddings().register_forward_hook(shake)


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
