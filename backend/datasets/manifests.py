"""What a snapshot's folder holds, byte for byte, and the manifest that says so.

Pure: rows in, lines and hashes out. The same rows, splits and settings always give the same bytes and the same content
hash, whenever and under whatever name they are frozen.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.vocabulary import Split

VERSION = 1
NAMED = 200
"""Left-out records that a manifest names; the counts are always whole."""


@dataclass(frozen=True, slots=True)
class FrozenRow:
    """A row of a snapshot: an approved revision with the approval that let it in."""

    record_id: int
    revision_id: int
    approval_id: int | None
    split: Split
    group: str
    content_hash: str
    messages: tuple[Mapping[str, str], ...]
    slices: Mapping[str, str]

    def to_line(self) -> str:
        """The row as the trainer reads it (see `trainer.contract`), with its line break."""
        value = {
            "id": str(self.record_id),
            "messages": [{"role": message["role"], "content": message["content"]} for message in self.messages],
            "group": self.group,
            "weight": 1.0,
            "metadata": dict(sorted(self.slices.items())),
        }
        return json.dumps(value, ensure_ascii=False) + "\n"


def file_name(split: Split) -> str:
    """The file of a split."""
    return f"{split.value}.jsonl"


def files_of(rows: Iterable[FrozenRow]) -> dict[str, bytes]:
    """The bytes of each split's file, rows in the order given. Every split has a file, if an empty one."""
    lines: dict[Split, list[str]] = {split: [] for split in Split}
    for row in rows:
        lines[row.split].append(row.to_line())
    return {file_name(split): "".join(part).encode() for split, part in lines.items()}


def build(
    *,
    project: str,
    seed: int,
    ratios: Mapping[str, float],
    rows: Sequence[FrozenRow],
    files: Mapping[str, bytes],
    duplicates: Mapping[int, int],
    left_out: Mapping[str, Sequence[int]],
) -> dict[str, Any]:
    """The manifest. `duplicates` maps a record that was left out to the equal one that stayed; `left_out` gives reasons."""
    content = {name: {"sha256": sha256(data), "bytes": len(data), "rows": data.count(b"\n")} for name, data in files.items()}
    return {
        "version": VERSION,
        "project": project,
        "seed": seed,
        "ratios": dict(ratios),
        "rows": len(rows),
        "counts": {split.value: sum(row.split is split for row in rows) for split in Split},
        "groups": len({row.group for row in rows}),
        "slices": _slices(rows),
        "duplicates": {"count": len(duplicates), "kept_instead": {str(k): v for k, v in list(duplicates.items())[:NAMED]}},
        "left_out": {reason: {"count": len(ids), "records": list(ids)[:NAMED]} for reason, ids in left_out.items() if ids},
        "files": content,
        "content_hash": sha256(json.dumps({name: content[name]["sha256"] for name in sorted(content)}).encode()),
    }


def _slices(rows: Sequence[FrozenRow]) -> dict[str, dict[str, dict[str, int]]]:
    """Metadata key → value → rows a split; values of a key that is nearly one a row (an id, say) are not listed."""
    counts: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for row in rows:
        for key, value in row.slices.items():
            counts[key][str(value)][row.split.value] += 1
    return {
        key: {value: dict(sorted(splits.items())) for value, splits in sorted(values.items())}
        for key, values in sorted(counts.items())
        if len(values) <= 50
    }


def sha256(data: bytes) -> str:
    """64 hex digits."""
    return hashlib.sha256(data).hexdigest()
