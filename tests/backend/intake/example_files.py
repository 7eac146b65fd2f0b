"""One example of each format, made here so that it is a real file of its kind and small enough to read."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape


def archive(files: Mapping[str, bytes]) -> bytes:
    """A ZIP of these files."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return stream.getvalue()


def workbook(sheets: Mapping[str, Sequence[Sequence[str | float]]]) -> bytes:
    """An XLSX with these sheets."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    names = "".join(f'<sheet name="{name}" sheetId="{n}" r:id="r{n}"/>' for n, name in enumerate(sheets, 1))
    links = "".join(
        f'<Relationship Id="r{n}" Type="{office}/worksheet" Target="worksheets/sheet{n}.xml"/>'
        for n in range(1, len(sheets) + 1)
    )
    kinds = "".join(
        f'<Override PartName="/xl/worksheets/sheet{n}.xml" '
        'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>'
        for n in range(1, len(sheets) + 1)
    )
    files = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/xl/workbook.xml" '
        'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>' + kinds + "</Types>",
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{office}/officeDocument" '
        'Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>{names}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">{links}</Relationships>',
    }
    for number, rows in enumerate(sheets.values(), 1):
        files[f"xl/worksheets/sheet{number}.xml"] = (
            f'<worksheet xmlns="{main}"><sheetData>{"".join(map(_row, rows))}</sheetData></worksheet>'
        )
    return archive({name: content.encode() for name, content in files.items()})


def _row(cells: Sequence[str | float]) -> str:
    def cell(value: str | float) -> str:
        if isinstance(value, str):
            return f'<c t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'
        return f"<c><v>{value}</v></c>"

    return f"<row>{''.join(map(cell, cells))}</row>"


def portable(pages: Sequence[Sequence[str]]) -> bytes:
    """A PDF with these lines on its pages; no lines make a page without text."""
    kids = " ".join(f"{4 + 2 * place} 0 R" for place in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for place, lines in enumerate(pages):
        shown = "".join(f"({line}) Tj T* " for line in lines)
        stream = f"BT /F1 11 Tf 14 TL 50 800 Td {shown}ET"
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {5 + 2 * place} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>"
        )
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    out, places = "%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    size = len(objects) + 1
    table = f"xref\n0 {size}\n0000000000 65535 f \n{table}"
    return f"{out}{table}trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{len(out)}\n%%EOF\n".encode("latin-1")


def word(paragraphs: Sequence[tuple[str, int]]) -> bytes:
    """A DOCX of (text, heading level or 0)."""
    import docx

    document = docx.Document()
    for text, level in paragraphs:
        document.add_heading(text, level) if level else document.add_paragraph(text)
    stream = io.BytesIO()
    document.save(stream)
    return stream.getvalue()


def letter(
    number: int, *, sender: str, subject: str, text: str, after: int | None = None, kind: str = "text/plain; charset=utf-8"
) -> str:
    """A message as it stands in an EML file."""
    headers = [
        f"From: {sender}", f"Subject: {subject}", f"Message-ID: <{number}@mail.example>",
        f"Date: Mon, 05 Jan 2026 {8 + number:02d}:00:00 +0000", f"Content-Type: {kind}", "MIME-Version: 1.0",
    ]  # fmt: skip
    if after is not None:
        headers.append(f"In-Reply-To: <{after}@mail.example>")
    return "\n".join(headers) + f"\n\n{text}\n"


def mailbox(letters: Sequence[str]) -> bytes:
    """An MBOX of messages."""
    return "".join(f"From somebody@example.com Mon Jan  5 10:00:00 2026\n{one}\n" for one in letters).encode()
