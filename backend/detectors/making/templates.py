"""The generator's templates, from `templates.txt`."""

from __future__ import annotations

import re
from pathlib import Path

_FILE = Path(__file__).parent / "templates.txt"
PIECE = re.compile(r"\{(\w+)\}")
"""A placeholder."""


def templates() -> list[str]:
    """The templates, without comments."""
    return [line for line in _FILE.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]


def context_words() -> list[str]:
    """The words that the templates are made of, in lower case: they may be features of the tagger."""
    plain = (PIECE.sub(" ", line.replace("\\n", " ")).lower() for line in templates())
    return sorted({word for line in plain for word in re.findall(r"[^\W\d_]+", line)})
