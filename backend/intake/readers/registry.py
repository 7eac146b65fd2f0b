"""Which reader reads which file. A new family of formats is one module here and one line below.

Files that are no text (workbooks, Word, PDF, Parquet, mail with any encoding) are told by how they begin, whatever their
name says; texts by their name's ending, and where that says nothing, by how they begin.
"""

from __future__ import annotations

from pathlib import Path

from backend.errors import UnreadableFile
from backend.intake.readers import delimited, documents, jsonfiles, mail, sheets
from backend.intake.readers.encodings import recognise
from backend.intake.readers.packed import ZIP, check_packed
from backend.intake.readers.rows import Limits, Reading, Source

ARCHIVE = "zip"
EXTENSIONS = tuple(
    sorted(delimited.EXTENSIONS | jsonfiles.EXTENSIONS | sheets.EXTENSIONS | documents.EXTENSIONS | mail.EXTENSIONS | {ARCHIVE})
)
"""File name endings that are worth offering in a file chooser."""
_OLD_OFFICE = b"\xd0\xcf\x11\xe0"


def read(content: Path | bytes, filename: str, *, limits: Limits | None = None, encoding: str | None = None) -> Reading:
    """Recognises the file and opens it; tables are read row by row later, documents and mail at once.

    Raises UnreadableFile for a file that cannot be read at all, with what to do about it.
    """
    limits = limits or Limits()
    source = Source(content, filename)
    extension = filename.rsplit(".", 1)[-1].lower() if "." in filename else ""
    if (size := source.size()) > limits.max_bytes:
        raise source.refuse(f"has {size:,} bytes; at most {limits.max_bytes:,} are taken. Split it into smaller files.")
    with source.open() as stream:
        head = stream.read(8)
    if (binary := _binary(source, head, extension, limits)) is not None:
        return binary
    if extension in mail.EXTENSIONS:
        return mail.read(source, limits)
    return _text(source, extension, limits, encoding)


def is_archive(content: Path | bytes, filename: str, limits: Limits) -> bool:
    """Whether this is a ZIP of files, not an Office file that is a ZIP inside. Raises UnreadableFile for a broken one."""
    source = Source(content, filename)
    with source.open() as stream:
        if stream.read(4) != ZIP:
            return False
    return not _office(source, limits)


def _office(source: Source, limits: Limits) -> str:
    """Which Office file a ZIP is: "docx", "xlsx" (any workbook), or neither."""
    names = {member.filename for member in check_packed(source, limits)}
    if "word/document.xml" in names:
        return "docx"
    if names & {"xl/workbook.xml", "xl/workbook.bin"} or {"mimetype", "content.xml"} <= names:
        return "xlsx"
    return ""


def _binary(source: Source, head: bytes, extension: str, limits: Limits) -> Reading | None:
    if head.startswith(ZIP):
        kind = _office(source, limits)
        if not kind:
            raise source.refuse("is a ZIP archive. Import it as one: its files are taken one by one.")
        return documents.read_word(source, limits) if kind == "docx" else sheets.read_book(source, limits)
    if head.startswith(_OLD_OFFICE):
        if extension in ("xls", "xlt"):
            return sheets.read_book(source, limits)
        raise source.refuse("is an old Office file. Save it as DOCX or XLSX.")
    if head.startswith(b"PAR1"):
        return sheets.read_parquet(source, limits)
    if head.startswith(b"%PDF"):
        return documents.read_pdf(source, limits)
    if extension in sheets.EXTENSIONS | documents.WORD | documents.PORTABLE and head.strip():
        raise source.refuse(f"is not what its name says: it does not begin as {extension.upper()} files do.")
    return None


def _text(source: Source, extension: str, limits: Limits, encoding: str | None) -> Reading:
    recognised = recognise(source, limits, encoding)
    with recognised.open(source, newline="") as file:
        head = file.read(4096)
    is_json = jsonfiles.looks_like(head)
    if extension in jsonfiles.EXTENSIONS:
        if not is_json:
            raise source.refuse("is not JSON: it begins neither with [ nor with {.")
        return jsonfiles.read(source, recognised, limits)
    if extension in documents.WEB:
        return documents.read_web(source, recognised, limits)
    if extension in documents.MARKDOWN:
        return documents.read_markdown(source, recognised, limits)
    if extension in delimited.EXTENSIONS - {"txt"}:
        return delimited.read(source, recognised, limits)
    if is_json and not documents.begins_with_a_time(head):
        return jsonfiles.read(source, recognised, limits)
    if mail.looks_like(head):
        return mail.read(source, limits)
    if (reading := documents.read_text(source, recognised, limits)) is not None:
        return reading
    try:
        return delimited.read(source, recognised, limits)
    except UnreadableFile as error:
        if extension != "txt":
            raise
        raise source.refuse("is neither a table nor a talk with speakers' names nor questions with answers.") from error
