"""Detoxify as a second flag for abusive language, for those who install it with its weights; off unless it is asked for.

`Detoxify` gives one score a text, the highest of its kinds of toxicity. It reads no settings and fetches nothing: without
the package, or without weights on this machine, it says so. Not promised: the speed of the built-in flag (a transformer on a
CPU is some thousand times slower), or that it knows hatred in polite words.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from backend.errors import ServiceUnavailable

KINDS = ("toxicity", "severe_toxicity", "obscene", "threat", "insult", "identity_attack", "sexual_explicit")
_BATCH = 32


def is_installed() -> bool:
    """Whether Detoxify can be imported."""
    return importlib.util.find_spec("detoxify") is not None


class Detoxify:
    """A model in memory. `engine` is a `detoxify.Detoxify`; without it one is made from a checkpoint and a folder with the
    base model's configuration and tokenizer, both on this machine.
    """

    def __init__(self, engine: Any = None, *, checkpoint: Path | None = None, base: Path | None = None) -> None:
        self._engine = engine if engine is not None else _engine(checkpoint, base)

    def scores(self, texts: Sequence[str]) -> np.ndarray:
        """For each text how sure the model is that it is abusive in any way, from 0 to 1. Shape (n,)."""
        found = [np.zeros(0)]
        for start in range(0, len(texts), _BATCH):
            said = self._engine.predict(list(texts[start : start + _BATCH]))
            found.append(np.max([np.asarray(said[kind], dtype=float) for kind in KINDS if kind in said], axis=0))
        return np.concatenate(found)


def _engine(checkpoint: Path | None, base: Path | None) -> Any:
    if not is_installed():
        raise ServiceUnavailable("Detoxify is not installed. The built-in flag needs nothing more.")
    if checkpoint is None or base is None or not checkpoint.is_file() or not base.is_dir():  # it would fetch both
        raise ServiceUnavailable("Detoxify needs a checkpoint and its base model's folder on this machine; name both.")
    made = importlib.import_module("detoxify").Detoxify
    return made(checkpoint=str(checkpoint), huggingface_config_path=str(base))
