"""Looks into ZIP files (and the Office files that are ZIPs inside) before anything unpacks them.

Refused: too many members, more bytes than the limits allow, a ratio that only a bomb has, members with a password. Names
are never used as paths: only their last part is kept, and nothing is written to disk.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import PurePosixPath

from backend.intake.readers.rows import Limits, Source

MOST_MEMBERS = 2000
MOST_RATIO = 200
"""Unpacked bytes for each packed one; text packs by 3 to 20."""
_FREE = 1 << 20
"""Up to here the ratio does not matter: a few repeated lines pack very well."""
ZIP = b"PK\x03\x04"


def check_packed(source: Source, limits: Limits) -> list[zipfile.ZipInfo]:
    """The members of a ZIP; none for a file that is no ZIP. Raises UnreadableFile."""
    with source.open() as stream:
        if stream.read(4) != ZIP:
            return []
    try:
        with source.open() as stream, zipfile.ZipFile(stream) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise source.refuse("is a broken ZIP archive. Pack it again.") from error
    if len(members) > MOST_MEMBERS:
        raise source.refuse(f"holds {len(members):,} files; at most {MOST_MEMBERS:,} are taken. Split it.")
    size, packed = sum(member.file_size for member in members), sum(member.compress_size for member in members)
    if size > limits.max_bytes:
        raise source.refuse(f"unpacks to {size:,} bytes; at most {limits.max_bytes:,} are taken. Split it.")
    if size > _FREE and size > MOST_RATIO * max(1, packed):
        raise source.refuse("unpacks to far more than a file of texts would, so it was not opened.")
    if any(member.flag_bits & 1 for member in members):
        raise source.refuse("is locked with a password. Pack it without one.")
    return members


def unpack(source: Source, limits: Limits) -> Iterator[tuple[str, bytes]]:
    """(name, content) of each member, in order. Raises UnreadableFile where a member is broken or larger than it says."""
    members = check_packed(source, limits)
    with source.open() as stream, zipfile.ZipFile(stream) as archive:
        for member in members:
            try:
                with archive.open(member) as file:
                    content = file.read(member.file_size + 1)
            except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, RuntimeError) as error:
                raise source.refuse(f"has a broken member {member.filename[:80]!r}. Pack it again.") from error
            if len(content) > member.file_size:
                raise source.refuse(f"has a member {member.filename[:80]!r} that is larger than it says.")
            yield PurePosixPath(member.filename.replace("\\", "/")).name, content
