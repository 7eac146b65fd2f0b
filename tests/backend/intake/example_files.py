"""One example of each format, made here so that it is a real file of its kind and small enough to read."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
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


def columnar(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """A Parquet file of these rows."""
    import pyarrow
    import pyarrow.parquet

    stream = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(list(rows)), stream)
    return stream.getvalue()


def lines(*rows: Mapping[str, Any]) -> bytes:
    """A JSONL file of these rows."""
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def listed(*rows: Mapping[str, Any]) -> bytes:
    """A JSON file with a list of these rows."""
    return json.dumps(list(rows), indent=1).encode()


@dataclass(frozen=True)
class Example:
    """A small real file and what an import makes of it by what it recognises, with nothing chosen by hand."""

    name: str
    content: bytes
    recognised: str
    records: tuple[tuple[str, str], ...] = ()
    """(prompt, answer) of each record."""
    faqs: tuple[str, ...] = ()
    """The questions, where the rows are taken as FAQs."""
    bad: tuple[tuple[int, str], ...] = ()
    """(line or part, reason) of each row that cannot be taken."""
    labels: tuple[str, ...] = ()
    """"up", "down" or the rejected answer of each judgement that comes along."""

    def __str__(self) -> str:
        return f"{self.name}-{self.recognised}"


def _turns(*texts: str, keys: tuple[str, str, str, str] = ("role", "content", "user", "assistant")) -> list[dict[str, str]]:
    role, content, user, assistant = keys
    return [{role: assistant if place % 2 else user, content: text} for place, text in enumerate(texts)]


_SHAREGPT = ("from", "value", "human", "gpt")
_YES = (("Do you ship?", "Yes."),)
_TALK = _turns("Do you ship?", "Yes.")
_ASKED = [{"role": "user", "content": "Do you ship?"}]
_THREAD = [
    letter(1, sender="Ann <ann@home.example>", subject="Lamp", text="It is broken.\n\nBest regards,\nAnn"),
    letter(2, sender="help@shop.example", subject="Re: Lamp", after=1, text="Send it back.\n\n> It is broken.\n\n-- \nHelp"),
    letter(3, sender="bob@home.example", subject="Hello?", text="Is anybody there?"),
]
_MANUAL = (("Shop manual", 1), ("Returns", 2), ("A rug may be sent back within 30 days of purchase.", 0))
_UNANSWERED = "nobody answered this message"

EXAMPLES = (
    Example("pairs.csv", b"prompt,response,channel\nDo you ship?,Yes.,mail\n,Nothing.,mail\n", "prompt and response", _YES,
            bad=((3, "the prompt is empty"),)),
    Example("odd.csv", "sep=;\r\nKunde;Agent\r\n\"Päckchen; wo?\";Unterwegs – bald.\r\nnur eins\r\n".encode("cp1252")
            .replace(b"Kunde", b"Customer"), "prompt and response", (("Päckchen; wo?", "Unterwegs – bald."),),
            bad=((4, "has 1 cells, but the header has 2"),)),
    Example("pairs.tsv", b"prompt\tresponse\nDo you ship?\tYes.\n", "prompt and response", _YES),
    Example("wrapped.json", json.dumps({"data": [{"prompt": "Do you ship?", "response": "Yes."}, 7]}).encode(),
            "prompt and response", _YES, bad=((1, "is not a JSON object"),)),
    Example("pairs.jsonl", lines({"prompt": "Do you ship?", "completion": "Yes."}) + b"{broken\n", "prompt and response", _YES,
            bad=((2, "is not valid JSON"),)),
    Example("talks.parquet", columnar([{"messages": _TALK, "channel": "mail"}, {"messages": _ASKED, "channel": "mail"}]),
            "OpenAI messages", _YES, bad=((2, "no answer"),)),
    Example("talks.xlsx", workbook({"May": [["prompt", "response"], ["Do you ship?", "Yes."], ["", "No."]],
                                    "Notes": [["who", "what"], ["me", "x"]]}), "prompt and response", _YES,
            bad=((3, "the prompt is empty"), (1, "the sheet 'Notes' has other columns than 'May'"))),
    Example("manual.docx", word(_MANUAL), "FAQ", faqs=("What should I know about returns?",)),
    Example("faq.pdf", portable([["Q: Do you ship?", "A: Yes, in five days."], ["Q: Is it free?", "A: No."]]), "FAQ",
            faqs=("Do you ship?", "Is it free?")),
    Example("faq.html", b"<h2>Shipping</h2><dl><dt>Do you ship?</dt><dd>Yes.<script>x</script></dd></dl>", "FAQ",
            faqs=("Do you ship?",)),
    Example("faq.md", b"### Do you ship?\n\nYes, **everywhere**.\n\n### Is it free?\n\nNo.\n", "FAQ",
            faqs=("Do you ship?", "Is it free?")),
    Example("faq.txt", b"Q: Do you ship?\nA: Yes.\n\nQ: Is it free?\nA: No.\n", "FAQ", faqs=("Do you ship?", "Is it free?")),
    Example("chat.txt", b"[10:02] Support: Welcome!\n[10:02] Kim: Do you ship?\n[10:03] Support: Yes.\n[10:04] Kim: thanks\n"
            b"\n-----\n\nLee: Hello?\n", "OpenAI messages", _YES, bad=((8, "no answer"),)),
    Example("one.eml", _THREAD[2].encode(), "nothing", bad=((3, _UNANSWERED),)),
    Example("box.mbox", mailbox(_THREAD), "OpenAI messages", (("Lamp\n\nIt is broken.", "Send it back."),),
            bad=((3, _UNANSWERED),)),
    Example("alpaca.json", listed({"instruction": "Do you", "input": "ship?", "output": "Yes."}), "Alpaca",
            (("Do you\nship?", "Yes."),)),
    Example("sharegpt.json", listed({"conversations": _turns("Do you ship?", "Yes.", keys=_SHAREGPT)}, {"conversations": "x"}),
            "ShareGPT", _YES, bad=((14, "not valid JSON"),)),
    Example("openai.jsonl", lines({"messages": _TALK}, {"messages": [{"role": "narrator", "content": "x"}]}), "OpenAI messages",
            _YES, bad=((2, "the role 'narrator'"),)),
    Example("dpo.jsonl", lines({"prompt": "Do you ship?", "chosen": "Yes.", "rejected": "No idea."}), "preference pairs (DPO)",
            _YES, labels=("No idea.",)),
    Example("dpo-turns.jsonl", lines({"prompt": _ASKED, "chosen": _TALK[1:], "rejected": _turns("x", "No idea.")[1:]}),
            "preference pairs (DPO)", _YES, labels=("No idea.",)),
    Example("kto.jsonl", lines({"prompt": "Do you ship?", "completion": "Yes.", "label": True},
                               {"prompt": "Is it free?", "completion": "Maybe.", "label": False}),
            "answers with a thumb (KTO)", (*_YES, ("Is it free?", "Maybe.")), labels=("up", "down")),
    Example("survey.csv", b"Question,Answer,Rating\nDo you ship?,Yes.,5\nIs it free?,Maybe.,1\nWhy?,So.,3\n",
            "answers with ratings (survey)", (*_YES, ("Is it free?", "Maybe."), ("Why?", "So.")), labels=("up", "down")),
)  # fmt: skip
"""Every format and every shape. A mail that nobody answered stands for EML alone: it is read, and the reason is told."""
MAILS = Example("mails.zip", archive({f"{number}.eml": one.encode() for number, one in enumerate(_THREAD)}), "OpenAI messages",
                (("Lamp\n\nIt is broken.", "Send it back."),), bad=((3, _UNANSWERED),))  # fmt: skip
"""Mails that were saved one by one, and are a thread."""
