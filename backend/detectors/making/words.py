"""Words that the generator and the gazetteer know beside those of the packages, from `words.txt`."""

from __future__ import annotations

from pathlib import Path


def _read(path: Path) -> dict[str, list[str]]:
    held: dict[str, list[str]] = {}
    section: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = held.setdefault(line[1:-1], [])
        elif line and not line.startswith("#"):
            section += [word for word in line.split("|") if word]
    return held


WORDS = _read(Path(__file__).with_name("words.txt"))
"""The lists by name: nations, regions, firms and what their names are made of, trades, forms of address, things, marks."""
