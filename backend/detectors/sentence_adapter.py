"""A sentence model in the place of TF-IDF and SVD when topics are looked for; off unless a project asks for one by name.

It needs the package sentence-transformers, which is not installed with the product, and the model on this machine: nothing
is fetched, no code that comes with a model is run, and weights are read as safetensors only. It serves the clustering alone;
later records are put to topics by their words, so that neither the web process nor an import loads a model. Not promised:
better topics on every data set; measure it on yours.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from backend.errors import InvalidInput, ServiceUnavailable

_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,90}(/[A-Za-z0-9][\w.-]{0,90})?", flags=re.ASCII)
_BATCH = 64


def is_installed() -> bool:
    """Whether sentence-transformers can be imported."""
    return importlib.util.find_spec("sentence_transformers") is not None


def checked_name(model: str) -> str:
    """The model's name as it is published, such as "sentence-transformers/all-MiniLM-L6-v2"; a path is refused."""
    if not _NAME.fullmatch(model.strip()) or ".." in model:
        raise InvalidInput("Name a sentence model as it is published, such as sentence-transformers/all-MiniLM-L6-v2.")
    return model.strip()


class Sentences:
    """A model in memory. `model` is a loaded `SentenceTransformer`; without it the one called `name` is loaded."""

    def __init__(self, model: Any = None, *, name: str = "") -> None:
        self._model = model if model is not None else _load(checked_name(name))

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """A vector for each text, of length 1."""
        found = self._model.encode(list(texts), batch_size=_BATCH, normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(found, dtype=float)


def _load(name: str) -> Any:
    if not is_installed():
        raise ServiceUnavailable(
            "Sentence models need the package sentence-transformers, which is not installed. Topics by words need nothing more."
        )
    make = importlib.import_module("sentence_transformers").SentenceTransformer
    try:
        return make(name, local_files_only=True, trust_remote_code=False, model_kwargs={"use_safetensors": True})
    except (OSError, ValueError) as error:
        raise ServiceUnavailable(f"The sentence model {name} is not on this machine. Nothing was fetched.") from error
