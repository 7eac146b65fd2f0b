"""What a snapshot's folder holds, byte for byte, and the manifest that says so.

Pure: rows in, lines and hashes out. The same rows, splits and settings always give the same bytes and the same content
hash, whenever and under whatever name they are frozen.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.vocabulary import MadeBy, Split

VERSION = 1
NAMED = 200
"""Left-out records that a manifest names; the counts are always whole."""


@dataclass(frozen=True, slots=True)
class FrozenRow:
    """A record in a snapshot: an approved revision with the approval that let it in, and the lines that it gives.

    Of approved answers it gives one line; of what people said about answers as many as there are labels on its question.
    """

    record_id: int
    revision_id: int
    approval_id: int | None
    split: Split
    group: str
    content_hash: str
    lines: tuple[Mapping[str, Any], ...]
    """What the lines hold beside the id, the group, the weight and the metadata."""
    slices: Mapping[str, str]
    numbered: bool = False
    """Whether several lines can be of one record: each has an id of its own then, and names its record."""
    weight: float = 1.0
    copies: int = 1
    made_by: MadeBy = MadeBy.PEOPLE

    @property
    def repeats(self) -> int:
        """How often its lines stand in the file: more than once in train alone."""
        return self.copies if self.split is Split.TRAIN else 1

    @property
    def count(self) -> int:
        """How many lines it gives in all."""
        return len(self.lines) * self.repeats

    @property
    def counts_as(self) -> float:
        """Its weight, which is for learning: what is measured, is measured on all alike."""
        return self.weight if self.split is Split.TRAIN else 1.0

    def to_lines(self) -> Iterator[str]:
        """The lines as the trainer reads them (see `trainer.contract`), each with its line break. The copies come after the
        first ones, under ids of their own.
        """
        record = {"record": str(self.record_id)}
        for copy in range(1, self.repeats + 1):
            for number, line in enumerate(self.lines, 1):
                name = f"{self.record_id}-{number}" if self.numbered else str(self.record_id)
                named: dict[str, Any] = {"id": name if copy == 1 else f"{name}.{copy}"}
                value = named | (record if self.numbered or copy > 1 else {})
                value |= {**line, "group": self.group, "weight": self.counts_as, "metadata": dict(sorted(self.slices.items()))}
                if self.made_by is not MadeBy.PEOPLE:
                    value["synthetic"] = True
                yield json.dumps(value, ensure_ascii=False) + "\n"


def file_name(split: Split) -> str:
    """The file of a split."""
    return f"{split.value}.jsonl"


def files_of(rows: Iterable[FrozenRow], *, after: Sequence[str] = ()) -> dict[str, bytes]:
    """The bytes of each split's file, rows in the order given, and the lines `after` those of train. Every split has a file,
    if an empty one.
    """
    lines: dict[Split, list[str]] = {split: [] for split in Split}
    for row in rows:
        lines[row.split].extend(row.to_lines())
    lines[Split.TRAIN].extend(after)
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
    told: Mapping[str, Any],
) -> dict[str, Any]:
    """The manifest. `duplicates` maps a record that was left out to the equal one that stayed; `left_out` gives reasons.

    `told` says what kind of labels the rows hold, and how they were made.
    """
    content = {name: {"sha256": sha256(data), "bytes": len(data), "rows": data.count(b"\n")} for name, data in files.items()}
    return {
        "version": VERSION,
        "project": project,
        "seed": seed,
        "ratios": dict(ratios),
        **told,
        "rows": sum(row.count for row in rows),
        "records": len(rows),
        "counts": {split.value: sum(row.count for row in rows if row.split is split) for split in Split},
        **_mitigated(rows),
        "groups": len({row.group for row in rows}),
        "slices": _slices(rows),
        "duplicates": {"count": len(duplicates), "kept_instead": {str(k): v for k, v in list(duplicates.items())[:NAMED]}},
        "left_out": {reason: {"count": len(ids), "records": list(ids)[:NAMED]} for reason, ids in left_out.items() if ids},
        "files": content,
        "content_hash": sha256(json.dumps({name: content[name]["sha256"] for name in sorted(content)}).encode()),
    }


def _mitigated(rows: Sequence[FrozenRow]) -> dict[str, Any]:
    """Of the train rows: how many are synthetic, by how they were made; how many stand more than once; how many weigh more
    or less than 1.
    """
    train = [row for row in rows if row.split is Split.TRAIN]
    made: Counter[str] = Counter()
    for row in train:
        if row.made_by is not MadeBy.PEOPLE:
            made[row.made_by.value] += row.count
    repeated = [row for row in train if row.copies > 1]
    weights = [row.weight for row in train if row.weight != 1.0]
    return {
        "synthetic": {"count": made.total(), "by": dict(sorted(made.items()))},
        "repeated": {"records": len(repeated), "rows_added": sum(row.count - len(row.lines) for row in repeated)},
        "weighted": {"records": len(weights)} | ({"least": min(weights), "most": max(weights)} if weights else {}),
    }


def _slices(rows: Sequence[FrozenRow]) -> dict[str, dict[str, dict[str, int]]]:
    """Metadata key → value → rows a split; values of a key that is nearly one a row (an id, say) are not listed."""
    counts: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for row in rows:
        for key, value in row.slices.items():
            counts[key][str(value)][row.split.value] += row.count
    return {
        key: {value: dict(sorted(splits.items())) for value, splits in sorted(values.items())}
        for key, values in sorted(counts.items())
        if len(values) <= 50
    }


def sha256(data: bytes) -> str:
    """64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def hash_of(lines: Sequence[Mapping[str, Any]]) -> str:
    """What tells whether the labels of a record changed between two snapshots."""
    return sha256(json.dumps(list(lines), ensure_ascii=True, sort_keys=True).encode())
