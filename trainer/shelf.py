"""The models that the engine holds in memory: found by name in a folder, loaded when asked for, the least used dropped.

They are chat models and models of the T5 family; what scores or sorts texts has nothing to say. Base weights are loaded once
and shared by all adapters on them. Names are restricted, so that none can lead out of the folder. Not safe for several threads
at once: the engine gives it one.
"""

from __future__ import annotations

import contextlib
import itertools
import re
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import peft

from trainer.contract import EMBEDDED, SERVED, ConfigError, ModelSpec, read_json
from trainer.model import BadModel, Loaded, LoadedReader, check_fits, choose_device, choose_dtype
from trainer.opening import Kind, kind_of, open_base

_NAME = re.compile(r"[A-Za-z0-9._-]{1,80}")


class UnknownModel(LookupError):
    """No model of that name is served."""


def is_name(name: str) -> bool:
    """Whether the text may be a model's name."""
    return _NAME.fullmatch(name) is not None and name.strip(".") != ""


def served_names(folder: Path) -> list[str]:
    """The names that can be asked for right now; the embedded base model is always one."""
    try:
        found = {path.parent.name for path in folder.glob(f"*/{SERVED}") if is_name(path.parent.name)}
    except OSError:
        found = set()
    return sorted(found | {EMBEDDED})


def find(folder: Path, name: str) -> ModelSpec:
    """What the name stands for. Read anew each time: a folder may appear or change at any moment. Raises UnknownModel."""
    if name == EMBEDDED:
        return ModelSpec(label=name)
    if not is_name(name) or not (folder / name / SERVED).is_file():
        raise UnknownModel(name)
    try:
        value = read_json(folder / name / SERVED)
    except ConfigError as error:
        raise BadModel(f"The model '{name}' cannot be served: its {SERVED} is unreadable.") from error
    adapter = value.get("adapter")
    adapter = None if adapter is None else str((folder / name / adapter).resolve())
    return ModelSpec(
        label=name, base_model=value.get("base_model") or EMBEDDED, revision=value.get("revision"), adapter=adapter
    )


@dataclass(slots=True)
class _Base:
    """One base model; `wrapped` is PEFT's view of it once an adapter was put on it."""

    plain: Loaded | LoadedReader
    wrapped: Any = None
    adapters: dict[str, str] = field(default_factory=dict)


class Shelf:
    """Loaded models by what they are made of, at most `keep` of them."""

    def __init__(self, folder: Path, *, keep: int) -> None:
        self.folder, self._keep = folder, max(1, keep)
        self._bases: dict[tuple[str, str | None], _Base] = {}
        self._used: OrderedDict[tuple[str, str | None, str | None], None] = OrderedDict()
        self._counter = itertools.count()

    @contextlib.contextmanager
    def model(self, name: str) -> Iterator[Loaded | LoadedReader]:
        """The named model, ready to generate while the context lasts. Raises UnknownModel or BadModel."""
        spec = find(self.folder, name)
        key = (spec.base_model, spec.revision, _stamp(spec.adapter))
        base = self._base(spec)
        if spec.adapter is not None:
            self._put_on(base, spec, str(key[2]))
        self._used[key] = None
        self._used.move_to_end(key)
        self._drop_unused()
        if spec.adapter is not None:
            base.wrapped.set_adapter(base.adapters[str(key[2])])
            yield replace(base.plain, model=base.wrapped)
        elif base.wrapped is not None:
            with base.wrapped.disable_adapter():
                yield replace(base.plain, model=base.wrapped)
        else:
            yield base.plain

    @property
    def loaded(self) -> int:
        """How many models are in memory."""
        return len(self._used)

    def _base(self, spec: ModelSpec) -> _Base:
        key = (spec.base_model, spec.revision)
        if key not in self._bases:
            kind, device = _speaking(spec), choose_device("auto")
            self._bases[key] = _Base(open_base(spec, kind, device, choose_dtype("auto", device)))
        return self._bases[key]

    def _put_on(self, base: _Base, spec: ModelSpec, stamp: str) -> None:
        path = str(spec.adapter)
        if stamp in base.adapters:
            return
        if not (Path(path) / "adapter_config.json").is_file():
            raise BadModel("The model's adapter folder is missing or incomplete.")
        _speaking(spec)
        check_fits(base.plain, path)
        name = f"adapter{next(self._counter)}"  # PEFT allows no dots in its names
        try:
            if base.wrapped is None:
                base.wrapped = peft.PeftModel.from_pretrained(base.plain.model, path, adapter_name=name)
            else:
                base.wrapped.load_adapter(path, adapter_name=name)
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            raise BadModel("The model's adapter does not fit its base model.") from error
        base.wrapped.eval()
        base.adapters[stamp] = name

    def _drop_unused(self) -> None:
        while len(self._used) > self._keep:
            base_model, revision, stamp = self._used.popitem(last=False)[0]
            base = self._bases[(base_model, revision)]
            if stamp is not None:
                base.wrapped.delete_adapter(base.adapters.pop(stamp))
                if not base.adapters:
                    base.plain.model, base.wrapped = base.wrapped.unload(), None
            if not any(key[:2] == (base_model, revision) for key in self._used):
                del self._bases[(base_model, revision)]


def _speaking(spec: ModelSpec) -> Kind:
    """What the model is. Raises BadModel for one that writes no answers."""
    kind = kind_of(spec)
    if kind is Kind.JUDGE:
        raise BadModel(f"The model '{spec.label}' scores or sorts texts. It writes no answers, so it cannot be served.")
    return kind


def _stamp(adapter: str | None) -> str | None:
    """The adapter's place and the time of its config: a rewritten adapter is another one."""
    if adapter is None:
        return None
    try:
        return f"{adapter}@{(Path(adapter) / 'adapter_config.json').stat().st_mtime_ns}"
    except OSError:
        return adapter
