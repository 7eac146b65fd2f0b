"""Cross-validation: a snapshot's train and validation rows dealt into k parts, each of which is validated on once.

Rows of one group (a conversation, a cluster of near duplicates) stay in one part, so that nothing that is validated on was
learned from. The seed and the groups' names alone decide, so a search that goes on finds the same parts. The test rows stay
aside and are copied to no fold's training.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from pathlib import Path

from trainer.contract import MANIFEST
from trainer.folder import write_json
from trainer.rows import BadData


def deal(groups: dict[str, int], folds: int, seed: int) -> dict[str, int]:
    """Group → part, from 0; parts are as even as the groups' sizes (in rows) allow. Raises BadData for too few groups."""
    if len(groups) < folds:
        raise BadData(f"{folds} folds need at least as many groups of rows; this snapshot has {len(groups)}. Take fewer folds.")
    by_chance = sorted(groups, key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).hexdigest())
    sizes, part_of = [0] * folds, {}
    for name in sorted(by_chance, key=lambda name: -groups[name]):  # stable: chance decides among equals
        part = sizes.index(min(sizes))
        part_of[name] = part
        sizes[part] += groups[name]
    return part_of


def write_folds(snapshot: Path, out: Path, *, folds: int, seed: int) -> list[Path]:
    """A snapshot folder for each fold; those that are there already are left as they are. Raises BadData."""
    lines: dict[str, list[str]] = defaultdict(list)
    for split in ("train", "validation"):
        for number, line in enumerate(_lines(snapshot / f"{split}.jsonl")):
            lines[_group(line, f"{split}-{number}")].append(line)
    part_of = deal({name: len(found) for name, found in lines.items()}, folds, seed)
    made = []
    for fold in range(folds):
        folder = out / f"{fold + 1}"
        made.append(folder)
        if (folder / MANIFEST).exists():
            continue
        folder.mkdir(parents=True, exist_ok=True)
        inside = {name for name, part in part_of.items() if part == fold}
        _write(folder / "train.jsonl", [line for name, found in lines.items() if name not in inside for line in found])
        _write(folder / "validation.jsonl", [line for name, found in lines.items() if name in inside for line in found])
        _write(folder / "test.jsonl", [])
        write_json(folder / MANIFEST, {"fold": fold + 1, "of": folds, "seed": seed})
    return made


def _lines(path: Path) -> list[str]:
    try:
        return [line for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise BadData(f"{path} cannot be read as UTF-8 text: {error}") from error


def _group(line: str, otherwise: str) -> str:
    try:
        value = json.loads(line)
    except ValueError as error:
        raise BadData(f"A row is no JSON: {line[:80]}") from error
    return str(value.get("group") or value.get("record") or value.get("id") or otherwise)


def _write(path: Path, lines: list[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
