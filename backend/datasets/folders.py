"""Snapshot folders on the disk: written whole or not at all, read-only from then on, checked against their manifest."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from backend.datasets.manifests import MANIFEST, faults, to_bytes
from backend.errors import IntegrityViolated, ServiceUnavailable

READ_ONLY = 0o444


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Make `folder` with these files in one step: a temporary folder beside it, synced, then renamed.

    Raises ServiceUnavailable when the disk is full or cannot be written; nothing is left behind then.
    """
    temporary = folder.with_name(f".{folder.name}.{uuid4().hex[:8]}")
    try:
        temporary.mkdir(parents=True)
        for name, data in files.items():
            with (temporary / name).open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            (temporary / name).chmod(READ_ONLY)
        _sync(temporary)
        if folder.exists():  # left by a freeze that was killed before it was saved: no snapshot names it
            shutil.rmtree(folder)
        temporary.rename(folder)
        _sync(folder.parent)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        raise ServiceUnavailable(
            "The disk is full, so the snapshot was not made. Free some space and try again."
            if full
            else "The snapshots folder cannot be written, so the snapshot was not made. Ask whoever runs this server."
        ) from error


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove(folder: Path) -> None:
    """Take a folder away that no snapshot names."""
    shutil.rmtree(folder, ignore_errors=True)


def verify(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Raises IntegrityViolated, naming the files, unless the folder is byte for byte what was frozen."""
    expected = {MANIFEST: to_bytes(manifest)}
    found = {name: _hash(folder / name) for name in manifest["files"]}
    wrong = faults(manifest, found)
    of_manifest = _hash(folder / MANIFEST)
    if of_manifest is None or of_manifest[0] != hashlib.sha256(expected[MANIFEST]).hexdigest():
        wrong.append(f"{MANIFEST} is missing or was changed")
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
