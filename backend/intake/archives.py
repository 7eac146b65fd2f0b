"""A ZIP of files as the files in it, each looked at on its own. Nothing here stores anything.

Files that only a computer left there (folders' marks, thumbnails) are passed over; an archive in an archive is not opened,
and says so. What may be unpacked at all is held by `readers.packed`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.errors import TouchstoneError
from backend.intake.files import Preview, clean_name, preview
from backend.intake.readers import registry
from backend.intake.readers.mail import mailbox_of
from backend.intake.readers.packed import unpack
from backend.intake.readers.rows import Limits, Source

_LEFT_BEHIND = frozenset({"thumbs.db", "desktop.ini", "__macosx"})


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive: what it was recognised as, or the problem that keeps it out."""

    name: str
    content: bytes
    looked: Preview | None
    problem: str = ""

    @property
    def can_be_taken(self) -> bool:
        """Whether it can be imported by what was recognised, with nobody saying which column is which."""
        return self.looked is not None and not self.looked.needs_a_person

    @property
    def what(self) -> str:
        """What it is, or why it stays out, for people."""
        if self.looked is None:
            return self.problem
        recognised = f"{self.looked.recognition.kind} ({self.looked.format})"
        return recognised if self.can_be_taken else f"{recognised}: import it alone and choose its columns"


def is_archive(content: Path | bytes, name: str, *, limits: Limits) -> bool:
    """Whether this file is a ZIP of files. Raises UnreadableFile for a broken or dangerous one."""
    return registry.is_archive(content, name, limits)


def members(content: Path | bytes, name: str, *, limits: Limits) -> list[Member]:
    """The files of an archive. Raises UnreadableFile for one that is broken, too large, or holds no file."""
    source = Source(content, name)
    inside = [
        (inner, data)
        for inner, data in unpack(source, limits)
        if inner and not inner.startswith(".") and inner.lower() not in _LEFT_BEHIND
    ]
    found = [_member(clean_name(inner), data, limits) for inner, data in with_mails_joined(inside)]
    if not found:
        raise source.refuse("is an empty archive.")
    return found


def with_mails_joined(files: Sequence[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """The files, with mails that were saved one by one as one mailbox: only together are they threads."""
    mails = [content for name, content in files if name.lower().endswith(".eml")]
    if len(mails) < 2:
        return list(files)
    others = [(name, content) for name, content in files if not name.lower().endswith(".eml")]
    return [*others, (f"{len(mails)} mails.mbox", mailbox_of(mails))]


def _member(name: str, content: bytes, limits: Limits) -> Member:
    try:
        if registry.is_archive(content, name, limits):
            return Member(name, b"", None, "is an archive in an archive. Unpack it and import it alone.")
        return Member(name, content, preview(content, name, limits=limits))
    except TouchstoneError as error:
        return Member(name, b"", None, error.message)
