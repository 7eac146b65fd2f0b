"""Documents that people read: DOCX, PDF, HTML, Markdown and plain text, taken apart into headings and paragraphs.

A scanned PDF has no text in it and is refused with that reason. Scripts and styles of HTML are left out; nothing in a
document is fetched or run. Not promised: the order of text in a PDF with columns.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from backend.intake.readers.encodings import Encoding
from backend.intake.readers.packed import check_packed
from backend.intake.readers.passages import SECTIONS, Block, Found, rows_of
from backend.intake.readers.rows import Limits, Reading, Rejected, Row, Source, limited

WORD, PORTABLE = frozenset({"docx"}), frozenset({"pdf"})
WEB, MARKDOWN = frozenset({"html", "htm", "xhtml"}), frozenset({"md", "markdown"})
EXTENSIONS = WORD | PORTABLE | WEB | MARKDOWN
MOST_PAGES = 2000
_BEGINNING = 256 * 1024
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_TEXTS = frozenset({"p", "li", "dd", "blockquote", "pre", "td", "figcaption", "address"})


def read_word(source: Source, limits: Limits) -> Reading:
    """A Word file. Raises UnreadableFile."""
    import docx
    from docx.opc.exceptions import OpcError

    check_packed(source, limits)
    try:
        with source.open() as stream:
            paragraphs = [(one.text, one.style.name if one.style else "") for one in docx.Document(stream).paragraphs]
    except (OpcError, KeyError, ValueError, OSError) as error:
        raise source.refuse("cannot be opened as a Word file; it may be broken.") from error
    blocks = [Block(text, _level(style), number) for number, (text, style) in enumerate(paragraphs, start=1) if text.strip()]
    return _document(source, limits, "docx", f"{len(blocks):,} paragraphs", blocks)


def _level(style: str | None) -> int:
    match = re.fullmatch(r"(?:Heading|Überschrift|Titre)\s*(\d)", style or "")
    return int(match[1]) if match else int(style in ("Title", "Titel"))


def read_pdf(source: Source, limits: Limits) -> Reading:
    """A PDF with text in it. Raises UnreadableFile, also for one that only holds pictures of text."""
    import pypdf
    from pypdf.errors import PyPdfError

    try:
        with source.open() as stream:
            file = pypdf.PdfReader(stream)
            if file.is_encrypted and not file.decrypt(""):
                raise source.refuse("is locked with a password. Save it without one.")
            if len(file.pages) > MOST_PAGES:
                raise source.refuse(f"has {len(file.pages):,} pages; at most {MOST_PAGES:,} are taken. Split it.")
            pages = [page.extract_text() or "" for page in file.pages]
    except (PyPdfError, KeyError, ValueError, TypeError, AttributeError, RecursionError, OSError) as error:
        raise source.refuse("cannot be read as a PDF; it may be broken.") from error
    if not any(page.strip() for page in pages):
        raise source.refuse("holds pictures of text, not text. Run it through text recognition (OCR) first.")
    blocks = [block for number, page in enumerate(pages, start=1) for block in plain_blocks(page, part=number)]
    return _document(source, limits, "pdf", f"{len(pages):,} pages", blocks)


def read_web(source: Source, encoding: Encoding, limits: Limits) -> Reading:
    """An HTML page."""
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(_text(source, encoding))
    tree.strip_tags(["script", "style", "noscript", "template", "nav", "svg"])
    blocks = list(_web_blocks(tree)) or list(plain_blocks(tree.text(separator="\n")))
    return _document(source, limits, "html", encoding.name, blocks)


def _web_blocks(tree: Any) -> Iterator[Block]:
    for number, node in enumerate(tree.css(", ".join([*_HEADINGS, *sorted(_TEXTS), "dt", "summary"])), start=1):
        if node.parent is not None and node.parent.tag in _TEXTS:  # its parent's text holds it already
            continue
        text = re.sub(r"[ \t\r\f\v]+", " ", node.text(separator=" " if node.tag != "pre" else "")).strip()
        text = re.sub(r" ([.,;:!?])", r"\1", re.sub(r"\s*\n\s*", " ", text) if node.tag != "pre" else text)
        if text:
            yield Block(text, _HEADINGS.get(node.tag, 6 if node.tag in ("dt", "summary") else 0), number)


def read_markdown(source: Source, encoding: Encoding, limits: Limits) -> Reading:
    """A Markdown file."""
    return _document(source, limits, "markdown", encoding.name, list(markdown_blocks(_text(source, encoding))))


def markdown_blocks(text: str) -> Iterator[Block]:
    """Headings by # or by a line of = or - below; fenced code stays text."""
    waiting: list[str] = []
    begin, fenced = 1, False
    for number, line in enumerate([*text.splitlines(), ""], start=1):
        fenced ^= line.lstrip().startswith(("```", "~~~"))
        heading = None if fenced else re.match(r"\s{0,3}(#{1,6})\s+(.*?)\s*#*\s*$", line)
        underlined = not fenced and len(waiting) == 1 and re.fullmatch(r"\s*(=+|-{2,})\s*", line)
        if heading or underlined or (not line.strip() and not fenced):
            if underlined:
                yield Block(_bare(waiting[0]), 1 if "=" in line else 2, begin)
            elif waiting:
                yield Block(_bare("\n".join(waiting)), 0, begin)
            waiting = []
            if heading and heading[2]:
                yield Block(_bare(heading[2]), len(heading[1]), number)
        else:
            begin = begin if waiting else number
            waiting.append(line)
    if waiting:
        yield Block("\n".join(waiting), 0, begin)


def _bare(text: str) -> str:
    """Without the marks of emphasis and with links as their words."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)\s]*(?:\s+\"[^\"]*\")?\)", r"\1", text)
    return re.sub(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1", r"\2", text).strip()


def plain_blocks(text: str, *, part: int | None = None) -> Iterator[Block]:
    """Paragraphs of plain text. A short line without an end mark, before longer text, is taken for a heading."""
    lines = [(number, line.rstrip()) for number, line in enumerate(text.splitlines(), start=1)]
    waiting: list[str] = []
    begin = 1
    for place, (number, line) in enumerate(lines):
        following = next((later for _, later in lines[place + 1 : place + 3] if later.strip()), "")
        if _is_heading(line, following):
            if waiting:
                yield Block("\n".join(waiting), 0, begin)
            waiting = []
            yield Block(line.strip(), 2 if re.match(r"\s*\d+\.\d", line) else 1, part or number)
        elif line.strip():
            begin = begin if waiting else part or number
            waiting.append(line)
        elif waiting:
            yield Block("\n".join(waiting), 0, begin)
            waiting = []
    if waiting:
        yield Block("\n".join(waiting), 0, begin)


def _is_heading(line: str, following: str) -> bool:
    text = line.strip()
    if not 2 < len(text) <= 70 or len(text.split()) > 9 or re.search(r"[.,;:!]$", text) or re.match(r"\s*[-*•]", line):
        return False
    starts = text[:1].isupper() or bool(re.match(r"\d+(\.\d+)*\.?\s+\S", text))
    return starts and ":" not in text and len(following.strip()) > max(20, len(text))


def begins_with_a_time(head: str) -> bool:
    """Whether a text begins as transcripts do, and not as a list: [10:02] or [2026-01-05 10:02]."""
    return bool(re.match(r"\s*\[(?:[\d./-]{8,10},?[ T])?\d{1,2}:\d\d", head))


def read_text(source: Source, encoding: Encoding, limits: Limits) -> Reading | None:
    """Plain text that is a transcript or a list of questions and answers; None where it looks like a table.

    Its beginning says which: a long table is not read whole for that.
    """
    with encoding.open(source, newline=None) as file:
        beginning = file.read(_BEGINNING)
        goes_on = bool(file.read(1))
    columns, found = rows_of(list(plain_blocks(beginning)))
    if not found or columns == SECTIONS:
        return None
    if goes_on:
        columns, found = rows_of(list(plain_blocks(_text(source, encoding))))
    return _reading(source, limits, "text", encoding.name, columns, found) if found and columns != SECTIONS else None


def _text(source: Source, encoding: Encoding) -> str:
    with encoding.open(source, newline=None) as file:
        return str(file.read())


def _document(source: Source, limits: Limits, kind: str, detail: str, blocks: list[Block]) -> Reading:
    columns, found = rows_of(blocks)
    if not found:
        raise source.refuse(
            "holds no talk, no questions with answers and no headings with text under them. Put headings in, or import a table."
        )
    return _reading(source, limits, kind, detail, columns, found)


def _reading(source: Source, limits: Limits, kind: str, detail: str, columns: tuple[str, ...], found: list[Found]) -> Reading:
    make: Callable[[], Iterator[Row | Rejected]] = lambda: limited(  # noqa: E731 - each iteration begins anew
        (Row(one.part, one.values) for one in found), source, limits
    )
    return Reading(kind, detail, columns, make)
