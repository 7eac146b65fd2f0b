"""Which encoding a file is in, found by trial; files that hold no text are refused with what they are.

Not promised: to tell single-byte encodings apart. What is not Unicode is read as Windows-1252, or Latin-1 where that
does not fit; the preview shows it, and the caller may name another encoding.
"""

from __future__ import annotations

import codecs
import io
import re
from dataclasses import dataclass

from backend.intake.readers.rows import Limits, Source

_HEAD = 64 * 1024
_CHUNK = 1024 * 1024

_KNOWN = (
    (b"\x1f\x8b", "is compressed with gzip. Unpack it and import the file inside."),
    (b"SQLite format 3", "is a database. Export its table as CSV or JSONL."),
    (b"\x89PNG", "is a picture."),
    (b"\xff\xd8\xff", "is a picture."),
    (b"BZh", "is compressed with bzip2. Unpack it and import the file inside."),
    (b"\xfd7zXZ", "is compressed with xz. Unpack it and import the file inside."),
    (b"7z\xbc\xaf", "is a 7z archive. Unpack it and import the file inside."),
)
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x19\x1c-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Encoding:
    """A codec, and what is done with bytes that do not fit it.

    With "surrogateescape" a stray byte stays visible as half a character, and the row that holds it is rejected.
    """

    name: str
    errors: str = "strict"

    def open(self, source: Source, newline: str | None) -> io.TextIOWrapper:
        """The source as text."""
        return io.TextIOWrapper(source.open(), encoding=self.name, errors=self.errors, newline=newline)


def recognise(source: Source, limits: Limits, encoding: str | None = None) -> Encoding:
    """Raises UnreadableFile for an empty, too large, binary or undecodable file, saying what to do."""
    size = source.size()
    if size > limits.max_bytes:
        raise source.refuse(f"has {size:,} bytes; at most {limits.max_bytes:,} are taken. Split it into smaller files.")
    with source.open() as stream:
        head = stream.read(_HEAD)
    if not head.strip():
        raise source.refuse("is empty.")
    for magic, advice in _KNOWN:
        if head.startswith(magic):
            raise source.refuse(advice)
    if encoding is None:
        encoding = next((name for bom, name in _BOMS if head.startswith(bom)), None) or _without_bom(head)
    if encoding is not None:
        return _checked(source, encoding)
    found = _by_trial(source)
    junk = head.count(0) if found.name == "utf-8" else len(_CONTROL.findall(head))
    if junk > 0.01 * len(head):
        raise source.refuse("is not a text file, nor of any other kind that is read here.")
    return found


def _without_bom(head: bytes) -> str | None:
    """UTF-16 written without its mark: every other byte of Western text is zero."""
    pairs = max(1, len(head) // 2)
    even, odd = head[0::2].count(0) / pairs, head[1::2].count(0) / pairs
    if odd > 0.3 and even < 0.05:
        return "utf-16-le"
    if even > 0.3 and odd < 0.05:
        return "utf-16-be"
    return None


def _checked(source: Source, name: str) -> Encoding:
    try:
        with source.open() as stream:
            decoder = codecs.getincrementaldecoder(name)()
            while chunk := stream.read(_CHUNK):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
    except LookupError as error:
        raise source.refuse(f"cannot be read as {name[:20]!r}, which is no encoding.") from error
    except UnicodeError as error:
        raise source.refuse(f"is not valid {name}. Save it as UTF-8 and import it again.") from error
    return Encoding(name)


def _by_trial(source: Source) -> Encoding:
    """UTF-8, also with a few stray bytes; else a single-byte encoding."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    good = bad = 0
    undefined = False
    with source.open() as stream:
        while chunk := stream.read(_CHUNK):
            undefined = undefined or any(byte in chunk for byte in b"\x81\x8d\x8f\x90\x9d")
            text = decoder.decode(chunk)
            if not text.isascii():
                stray = len(re.findall("[\udc80-\udcff]", text))
                bad += stray
                good += len(re.findall("[^\x00-\x7f]", text)) - stray
    bad += len(decoder.decode(b"", final=True))
    if bad == 0:
        return Encoding("utf-8")
    if good >= bad:
        return Encoding("utf-8", "surrogateescape")
    return Encoding("latin-1" if undefined else "cp1252")
