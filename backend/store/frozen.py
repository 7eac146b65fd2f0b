"""A snapshot's folder against its manifest: what freezing promises and what a run relies on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backend.errors import IntegrityViolated

MANIFEST = "manifest.json"


def manifest_bytes(manifest: Mapping[str, Any]) -> bytes:
    """The manifest as it stands in its file."""
    return (json.dumps(manifest, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


def verify(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Raises IntegrityViolated, naming the files, unless the folder is byte for byte what was frozen."""
    content = manifest_bytes(manifest)
    expected = {name: (entry["sha256"], entry["bytes"]) for name, entry in manifest["files"].items()}
    expected[MANIFEST] = (hashlib.sha256(content).hexdigest(), len(content))
    wrong = []
    for name, hash_and_size in expected.items():
        found = _hash(folder / name)
        if found != hash_and_size:
            wrong.append(f"{name} {'is missing' if found is None else 'was changed'}")
    if wrong:
        raise IntegrityViolated(
            f"The snapshot's folder {folder.name} is not what was frozen: {'; '.join(wrong)}. "
            "Restore it from a backup, or freeze a new snapshot."
        )


def _hash(path: Path) -> tuple[str, int] | None:
    digest, size = hashlib.sha256(), 0
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
                size += len(block)
    except OSError:
        return None
    return digest.hexdigest(), size
