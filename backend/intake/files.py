"""A file as it will be imported: recognised, previewed, read and checked row by row. Nothing here stores anything."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from backend.access.vault import Keys
from backend.detectors.privacy import DEFAULT, PrivacyRules
from backend.errors import InvalidInput
from backend.intake.batches import SIZE, Drafter, Recipe
from backend.intake.conversations import Imported, convert
from backend.intake.drafts import Making
from backend.intake.mapping import Mapping
from backend.intake.readers import registry
from backend.intake.readers.rows import Limits, Reading, Rejected, Row
from backend.intake.shapes import Kind, Recognition, recognise
from backend.intake.spool import Spool
from backend.jobs.crew import helpers, in_order
from backend.settings import Settings

EXTENSIONS = registry.EXTENSIONS
"""File name endings to offer in a file chooser."""
PREVIEW_ROWS = 20
_NAME_MAX = 300
_BY_LINE = frozenset({"csv", "tsv", "jsonl"})
_ALONE = 8
"""Batches that are checked here before others help."""

Progress = Callable[[float, str], None]
"""Told the share that is done, from 0 to 1, and what is being done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the user chose beside the mapping."""

    mask: bool = False
    """Mask personal data at once, as a revision that can be undone."""
    as_faqs: bool = False
    """Take the rows as FAQs instead of as records."""
    approved: bool = False
    """The FAQs are already approved."""
    general: bool = False
    """General talk, mixed into snapshots by a stated share, and not of the project's own subject."""
    rules: PrivacyRules = DEFAULT
    """What the project treats as personal data; set from its settings."""
    keys: Keys | None = None
    """The project's keys, where masks are to be stand-ins; set from its rules."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a file looks like before anything is stored."""

    name: str
    format: str
    detail: str
    columns: tuple[str, ...]
    recognition: Recognition
    rows: list[Row]
    """The first rows that can be read."""

    @property
    def looks_like_faqs(self) -> bool:
        """Whether FAQs are the likelier meaning."""
        return self.recognition.kind is Kind.FAQ

    @property
    def needs_a_person(self) -> bool:
        """Whether somebody has to say which column is which."""
        return self.recognition.mapping is None or self.recognition.kind is Kind.PROMPTS


def limits_of(settings: Settings) -> Limits:
    """The limits that the settings set."""
    return Limits(max_bytes=settings.import_max_bytes, max_rows=settings.import_max_rows)


def preview(content: Path | bytes, name: str, *, limits: Limits) -> Preview:
    """Recognise a file by its first rows; raises UnreadableFile for one that cannot be read. Stores nothing."""
    reading = registry.read(content, name, limits=limits)
    rows = _first_rows(reading)
    recognition = recognise(reading.columns, rows)
    return Preview(clean_name(name), reading.format, reading.detail, reading.columns, recognition, rows)


def try_mapping(looked: Preview, mapping: Mapping) -> list[Imported | Rejected]:
    """What the first rows would become under this mapping."""
    mapping.check(looked.columns)
    return [convert(row, mapping) for row in looked.rows]


@dataclass(frozen=True, slots=True)
class Taken:
    """A file that was read and checked, ready to be stored. Close the spool when it is stored, or when it is not."""

    name: str
    format: str
    mapping: Mapping
    options: Options
    spool: Spool


def take(
    content: Path | bytes, name: str, *, mapping: Mapping | None, options: Options, settings: Settings, progress: Progress
) -> Taken:
    """Read, repair and check every row, a long file in several processes. Raises InvalidInput when none can be taken. Stores
    nothing.
    """
    progress(0.0, "Reading")
    reading = registry.read(content, name, limits=limits_of(settings))
    mapping = mapping or _recognised(reading)
    mapping.check(reading.columns)
    if unstorable := [column for column in mapping.columns() if storable(column) != column]:
        raise InvalidInput(f"The column {unstorable[0][:60]!r} has a name that cannot be stored. Leave it out of the mapping.")
    making = Making(settings.text_max_chars, options.rules, options.mask, options.keys.stand_ins if options.keys else None)
    drafter = Drafter(Recipe(mapping, making, options.as_faqs))
    spool = Spool(settings.data if settings.data.is_dir() else None)
    try:
        lines = _line_count(content) if reading.format in _BY_LINE else 0
        batches = in_order(drafter, _batched(reading), workers=helpers(settings.clean_workers), alone=_ALONE)
        for batch in batches:
            spool.add(batch)
            share = min(1.0, batch.last_line / lines) if lines else 0.5
            progress(0.5 * share, f"Checking row {spool.rows:,}")
        if spool.drafts + spool.faqs == 0:
            raise _nothing(spool.rows, spool.first_rejected[0], "Check which column is which.")
    except BaseException:
        spool.close()
        raise
    return Taken(clean_name(name), reading.format, mapping, options, spool)


def _batched(rows: Iterable[Row | Rejected]) -> Iterator[list[Row | Rejected]]:
    rest = iter(rows)
    while batch := list(itertools.islice(rest, SIZE)):
        yield batch


def _line_count(content: Path | bytes) -> int:
    if isinstance(content, bytes):
        return content.count(b"\n")
    with content.open("rb") as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))


def _first_rows(reading: Reading) -> list[Row]:
    """The first rows that can be read. Raises InvalidInput where there are none, with why."""
    rows = reading.head(PREVIEW_ROWS)
    if not rows:
        bad = sum(1 for _ in reading)
        first = next(iter(reading), None)
        if isinstance(first, Rejected):
            raise _nothing(bad, first, "")
    return rows


def _nothing(rows: int, first: Rejected, advice: str) -> InvalidInput:
    return InvalidInput(
        f"None of the {rows:,} rows can be taken, so nothing was stored. The first, at line {first.line}: "
        f"{first.reason}. {advice}".strip()
    )


def _recognised(reading: Reading) -> Mapping:
    recognition = recognise(reading.columns, _first_rows(reading))
    if recognition.mapping is None:
        raise InvalidInput(recognition.explanation)
    return recognition.mapping


def content_digest(content: Path | bytes, as_faqs: bool) -> str:
    """SHA-256 of the file; as FAQs it is another one, because a file may be wanted as both."""
    digest = hashlib.sha256()
    if isinstance(content, bytes):
        digest.update(content)
    else:
        with content.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    return hashlib.sha256(f"faqs {digest.hexdigest()}".encode()).hexdigest() if as_faqs else digest.hexdigest()


def clean_name(name: str) -> str:
    """The file's name without folders and unprintable signs."""
    plain = "".join(char for char in storable(PurePath(name.replace("\\", "/")).name) if char.isprintable())
    return plain[-_NAME_MAX:] or "file"


def storable(text: str) -> str:
    """The text without what a database cannot hold: NUL and half characters are replaced."""
    return text.replace("\x00", "\ufffd").encode(errors="replace").decode()
