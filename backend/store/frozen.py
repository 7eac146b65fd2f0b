"""Snapshots by their number, and their folders against their manifests: what freezing promises and a run relies on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlmodel import Session, col, select

from backend.errors import IntegrityViolated, NotFound
from backend.store.models import Snapshot

MANIFEST = "manifest.json"


def snapshot_id(session: Session, project_id: int, number: int | None) -> int:
    """The id of the project's snapshot with this number, or of its newest. Raises NotFound."""
    query = select(Snapshot.id).where(Snapshot.project_id == project_id).order_by(col(Snapshot.number).desc())
    if number is not None:
        query = query.where(Snapshot.number == number)
    found = session.exec(query).first()
    if found is None:
        raise NotFound(f"This project has no snapshot {number}." if number else "This project has no snapshot yet. Freeze one.")
    return found


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
