"""Snapshot folders on the disk: written whole or not at all, read-only from then on."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

from backend.errors import ServiceUnavailable

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
