"""Batches on their way from the file to the database. They lie in a temporary file without a name, so that memory stays flat,
the database is not locked while rows are checked, and a killed import leaves nothing behind.
"""

from __future__ import annotations

import array
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from backend.intake.batches import LISTED, Batch, Packed, unpacked
from backend.intake.drafts import KEY_BYTES
from backend.intake.readers.rows import Rejected

_IN_MEMORY = 8 << 20


class Spool:
    """The batches of one import, in order. `folder` is where the temporary file may lie."""

    def __init__(self, folder: Path | None = None) -> None:
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=str(folder) if folder else None)  # noqa: SIM115 - closed by close()
        self._sizes = array.array("Q")
        self._keys = bytearray()
        self.drafts = self.versions = self.faqs = self.rejected = 0
        self.first_rejected: list[Rejected] = []

    def close(self) -> None:
        """Give the file up."""
        self._file.close()

    @property
    def rows(self) -> int:
        """Rows of the file, also those that cannot be taken."""
        return self.drafts + self.faqs + self.rejected

    def add(self, batch: Packed) -> None:
        """Put a batch at the end."""
        self._file.write(batch.content)
        self._sizes.append(len(batch.content))
        self._keys += batch.keys
        self.drafts += batch.drafts
        self.versions += batch.versions
        self.faqs += batch.faqs
        self.rejected += batch.rejected
        self.first_rejected += batch.first_rejected[: LISTED - len(self.first_rejected)]

    def __iter__(self) -> Iterator[Batch]:
        """Every batch from the first on; one iteration at a time."""
        self._file.seek(0)
        for size in self._sizes:
            yield unpacked(self._file.read(size))

    def keys(self) -> npt.NDArray[np.uint64]:
        """The duplicate key of each draft, as two numbers."""
        return np.frombuffer(bytes(self._keys), dtype=np.uint64).reshape(-1, KEY_BYTES // 8)
