"""Checkpoints that are whole or not there: written to a temp folder, synced, hashed, then renamed into place.

A checkpoint holds the trainable weights, the optimizer, the random number generators and the position in the run. It is
read back only if every file has the hash that its manifest names; of damaged ones the newest sound one is taken.
Files are read without unpickling arbitrary objects.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from trainer.world import cut_state, like, whole

BEST = "best"
_MANIFEST = "manifest.json"
_WEIGHTS, _OPTIMIZER, _STATE = "weights.safetensors", "optimizer.pt", "state.json"


class Damaged(ValueError):
    """A checkpoint folder whose files do not match its manifest; the message says which."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put back: the run's state and where it was read from."""

    state: dict[str, Any]
    random: list[dict[str, Any]]
    """The random number generators' states of each process."""
    path: Path
    skipped: tuple[str, ...]
    """Why newer checkpoints were passed over."""


def trainable(model: Any) -> dict[str, torch.Tensor]:
    """The weights that training changes, by name."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def step_name(step: int) -> str:
    """The folder name of the checkpoint of a step."""
    return f"step-{step:08d}"


def whole_weights(model: Any) -> dict[str, torch.Tensor]:
    """The trainable weights with all their parts, on the CPU. Asked of all processes where they are cut."""
    return {name: whole(weight).contiguous() for name, weight in trainable(model).items()}


def save(
    folder: Path,
    *,
    weights: dict[str, torch.Tensor],
    optimizer: dict[str, Any],
    random: Sequence[dict[str, Any]],
    state: dict[str, Any],
    keep: int,
) -> Path:
    """Writes the checkpoint of ``state["step"]`` and then removes all but the newest `keep`."""
    path = folder / step_name(state["step"])

    def fill(target: Path) -> None:
        save_file(weights, target / _WEIGHTS)
        with (target / _OPTIMIZER).open("wb") as file:  # by its path torch would not say that the disk is full
            torch.save({"optimizer": optimizer, "random": list(random)}, file)
        (target / _STATE).write_text(json.dumps(state), encoding="utf-8")

    write_whole(path, fill)
    for old in _newest_first(folder)[keep:]:
        shutil.rmtree(old)
    return path


def save_best(folder: Path, *, weights: dict[str, torch.Tensor]) -> None:
    """Keeps weights as the best so far."""
    write_whole(folder / BEST, lambda target: save_file(weights, target / _WEIGHTS))


def load_best(folder: Path, *, model: Any) -> bool:
    """Puts the best weights back; False when none were kept. Raises Damaged."""
    before = folder / f".{BEST}.old"
    if not (folder / BEST).is_dir() and before.is_dir():
        before.rename(folder / BEST)  # killed between the two renames of `write_whole`
    if not (folder / BEST).is_dir():
        return False
    verify(folder / BEST)
    _put_back(model, folder / BEST / _WEIGHTS)
    return True


def restore(folder: Path, *, model: Any, optimizer: Any) -> Restored | None:
    """Puts the newest sound checkpoint's weights and optimizer back; None when there is none."""
    skipped = []
    for path in _newest_first(folder):
        try:
            verify(path)
        except Damaged as error:
            skipped.append(str(error))
            continue
        _put_back(model, path / _WEIGHTS)
        saved = torch.load(path / _OPTIMIZER, weights_only=True, map_location="cpu")
        optimizer.load_state_dict(cut_state(saved["optimizer"], list(trainable(model).values())))
        return Restored(json.loads((path / _STATE).read_text(encoding="utf-8")), saved["random"], path, tuple(skipped))
    return None


def write_reference(path: Path, values: dict[str, torch.Tensor], data_hash: str) -> None:
    """Keeps what the starting model thought of the answers, with the hash of the rows that they are of."""
    temporary = path.with_name(f".{path.name}.tmp")
    save_file({name: value.contiguous() for name, value in values.items()}, temporary, metadata={"data_hash": data_hash})
    sync(temporary)
    os.replace(temporary, path)


def read_reference(path: Path, data_hash: str) -> dict[str, torch.Tensor] | None:
    """What was kept; None where nothing sound was, or for other rows."""
    try:
        with safe_open(path, framework="pt") as file:
            if (file.metadata() or {}).get("data_hash") != data_hash:
                return None
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  it is no mapping
    except (OSError, SafetensorError):
        return None


def _put_back(model: Any, path: Path) -> None:
    saved, own = load_file(path), trainable(model)
    if saved.keys() != own.keys():
        raise Damaged(f"{path} holds weights of another model or LoRA setting.")
    with torch.no_grad():
        for name, weight in own.items():
            weight.copy_(like(saved[name], weight))


def random_state() -> dict[str, Any]:
    """Where the random number generators of this process stand."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {"cpu": torch.get_rng_state(), "cuda": cuda}


def restore_random(saved: dict[str, Any]) -> None:
    """Puts them back."""
    torch.set_rng_state(saved["cpu"])
    if saved["cuda"] and torch.cuda.is_available() and len(saved["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(saved["cuda"])


def write_whole(path: Path, fill: Callable[[Path], None]) -> None:
    """Makes the folder `path` with what `fill` writes, or leaves what was there: never a half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        fill(temporary)
        files = sorted(file for file in temporary.rglob("*") if file.is_file())
        manifest = {str(file.relative_to(temporary)): _digest(file) for file in files}
        (temporary / _MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        for file in [*files, temporary / _MANIFEST, temporary]:
            sync(file)
        replaced = path.with_name(f".{path.name}.old")
        shutil.rmtree(replaced, ignore_errors=True)
        if path.exists():
            path.rename(replaced)
        temporary.rename(path)
        sync(path.parent)
        shutil.rmtree(replaced, ignore_errors=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def verify(path: Path) -> None:
    """Raises Damaged unless every file has the hash that the manifest names."""
    try:
        manifest = json.loads((path / _MANIFEST).read_text(encoding="utf-8"))
        wrong = [name for name, digest in manifest.items() if _digest(path / name) != digest]
    except (OSError, ValueError, AttributeError) as error:
        raise Damaged(f"{path} is incomplete: {error}") from error
    if wrong:
        raise Damaged(f"{path} is damaged: {', '.join(wrong)} differs from its manifest.")


def _newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*"), reverse=True)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Waits until the file or folder is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
