"""Opens a model as what it is: a chat model, one of the T5 family, or one that scores or sorts texts.

An adapter's own files say what it was trained for, and a model's config what it is built as. What says nothing of the kind is
taken for a chat model. Not promised: to tell models apart that name themselves wrongly.
"""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Any

import torch
import transformers

from trainer.contract import EMBEDDED, LABELS, ModelSpec
from trainer.model import (
    BadModel,
    Loaded,
    LoadedReader,
    choose_device,
    choose_dtype,
    load_adapter,
    load_base,
    load_judge,
    load_translator,
)


class Kind(StrEnum):
    """What a model does."""

    CHAT = "chat model"
    WRITER = "model of the T5 family"
    JUDGE = "model that scores or sorts texts"


def kind_of(spec: ModelSpec) -> Kind:
    """What the model is, without loading its weights."""
    task = _read(Path(spec.adapter) / "adapter_config.json").get("task_type") if spec.adapter else None
    if task in _TASKS:
        return _TASKS[task]
    return Kind.CHAT if spec.base_model == EMBEDDED else _kind_of_base(spec)


_TASKS = {"CAUSAL_LM": Kind.CHAT, "SEQ_2_SEQ_LM": Kind.WRITER, "SEQ_CLS": Kind.JUDGE}
_JUDGES = "ForSequenceClassification"


def _kind_of_base(spec: ModelSpec) -> Kind:
    config = _config(spec)
    if any(str(name).endswith(_JUDGES) for name in getattr(config, "architectures", None) or ()):
        return Kind.JUDGE
    return Kind.WRITER if getattr(config, "is_encoder_decoder", False) else Kind.CHAT


def _config(spec: ModelSpec) -> Any:
    """The base model's config; nothing where it cannot be had, which loading the model says better."""
    pinned = {"revision": spec.revision} if spec.revision and not Path(spec.base_model).is_dir() else {}
    for here in (True, False):  # a hub that cannot be reached is waited for
        try:
            return transformers.AutoConfig.from_pretrained(
                spec.base_model, trust_remote_code=False, local_files_only=here, **pinned
            )
        except (OSError, ValueError, KeyError):
            continue
    return None


def _read(path: Path) -> dict[str, Any]:
    """An object in a file; nothing where there is none to read, which loading the model says better."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def open_base(
    spec: ModelSpec, kind: Kind, device: torch.device, dtype: torch.dtype, classes: tuple[str, ...] | None = None
) -> Loaded | LoadedReader:
    """The base model without the adapter, of the kind that the adapter needs; with these classes, or those that the model's
    files name. Raises BadModel.
    """
    name, revision = spec.base_model, spec.revision
    if kind is Kind.WRITER:
        return load_translator(name, revision, device=device, dtype=dtype)
    if kind is Kind.JUDGE:
        return load_judge(name, revision, _classes(spec) if classes is None else classes, device=device, dtype=dtype)
    return load_base(name, revision, device=device, dtype=dtype)


def open_model(spec: ModelSpec, device: str = "auto", kind: Kind | None = None) -> Loaded | LoadedReader:
    """The model with its adapter, where it has one. Raises BadModel."""
    where = choose_device(device)
    loaded: Any = open_base(spec, kind or kind_of(spec), where, choose_dtype("auto", where))
    opened: Loaded | LoadedReader = load_adapter(loaded, spec.adapter) if spec.adapter is not None else loaded
    return opened


def labels_in(folder: Path) -> tuple[str, ...]:
    """The classes that a run wrote beside its weights, in the order of the model's outputs, or none. Raises BadModel."""
    try:
        return tuple(str(name) for name in json.loads((folder / LABELS).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, TypeError) as error:
        raise BadModel(f"{folder / LABELS} cannot be read, so the classes are not known. Train again.") from error


def _classes(spec: ModelSpec) -> tuple[str, ...]:
    """A classifier's classes in the order of its outputs; none of a model that scores. Raises BadModel."""
    if found := labels_in(Path(spec.adapter or spec.base_model)):
        return found
    named: dict[int, str] = (getattr(_config(spec), "id2label", None) or {}) if spec.adapter is None else {}
    return tuple(named[place] for place in sorted(named)) if len(named) > 1 else ()
