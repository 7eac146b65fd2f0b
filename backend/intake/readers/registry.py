"""Which reader reads which file. A new family of formats is one module here and one line in `_FAMILIES`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from backend.intake.readers import delimited, jsonfiles
from backend.intake.readers.encodings import Encoding, recognise
from backend.intake.readers.rows import Limits, Reading, Source

Reader = Callable[[Source, Encoding, Limits], Reading]

_FAMILIES: tuple[tuple[frozenset[str], Reader], ...] = (
    (delimited.EXTENSIONS - {"txt"}, delimited.read),
    (jsonfiles.EXTENSIONS, jsonfiles.read),
)
EXTENSIONS = tuple(sorted(delimited.EXTENSIONS | jsonfiles.EXTENSIONS))
"""File name endings that are worth offering in a file chooser."""


def read(content: Path | bytes, filename: str, *, limits: Limits | None = None, encoding: str | None = None) -> Reading:
    """Recognises the file by its ending, else by how it begins; nothing but the beginning is parsed yet.

    Raises UnreadableFile for a file that cannot be read at all, with what to do about it.
    """
    limits = limits or Limits()
    source = Source(content, filename)
    recognised = recognise(source, limits, encoding)
    extension = filename.rsplit(".", 1)[-1].lower() if "." in filename else ""
    with recognised.open(source, newline="") as file:
        is_json = jsonfiles.looks_like(file.read(4096))
    for extensions, reader in _FAMILIES:
        if extension in extensions and (is_json or extension not in jsonfiles.EXTENSIONS):
            return reader(source, recognised, limits)
    if extension in jsonfiles.EXTENSIONS:
        raise source.refuse("is not JSON: it begins neither with [ nor with {.")
    return (jsonfiles.read if is_json else delimited.read)(source, recognised, limits)
