"""Formats that people keep their knowledge in: workbooks, Parquet, Word, PDF, HTML, Markdown, transcripts, mail, archives."""

from __future__ import annotations

import io
from typing import Any

import pytest

from backend.errors import UnreadableFile
from backend.intake.archives import is_archive, members
from backend.intake.readers.mail import own_words
from backend.intake.readers.registry import read
from backend.intake.readers.rows import Limits, Rejected, Row
from backend.intake.shapes import Kind, recognise
from tests.backend.intake.example_files import archive, letter, mailbox, portable, word, workbook


def rows(content: bytes, name: str, **options: Any) -> list[dict[str, Any]]:
    return [item.values for item in read(content, name, **options) if isinstance(item, Row)]


def rejected(content: bytes, name: str) -> list[Rejected]:
    return [item for item in read(content, name) if isinstance(item, Rejected)]


def kind(content: bytes, name: str) -> Kind:
    reading = read(content, name)
    return recognise(reading.columns, reading.head()).kind


def talk(*texts: str) -> list[dict[str, str]]:
    return [{"role": "assistant" if place % 2 else "user", "content": text} for place, text in enumerate(texts)]


def test_a_workbooks_sheets_with_one_header_are_one_table_and_others_are_named() -> None:
    book = workbook(
        {
            "May": [["prompt", "response", "order"], ["Do you ship?", "Yes & fast", 17.0], ["Late?", "No", 2.5]],
            "June": [["prompt", "response", "order"], ["Hi", "Hello", ""]],
            "Notes": [["who", "what"], ["me", "x"]],
        }
    )
    assert [list(row.values()) for row in rows(book, "chats.xlsx")] == [
        ["Do you ship?", "Yes & fast", "17"], ["Late?", "No", "2.5"], ["Hi", "Hello", ""],
    ]  # fmt: skip
    assert [bad.reason for bad in rejected(book, "chats.xlsx")] == ["the sheet 'Notes' has other columns than 'May'"]
    assert kind(book, "named-wrongly.csv") is Kind.PAIRS


def test_parquet_keeps_lists_of_messages() -> None:
    import pyarrow
    import pyarrow.parquet

    stream = io.BytesIO()
    table = pyarrow.table({"messages": [talk("Hi", "Hello")], "channel": ["mail"]})
    pyarrow.parquet.write_table(table, stream)
    assert rows(stream.getvalue(), "chats.parquet") == [{"messages": talk("Hi", "Hello"), "channel": "mail"}]
    assert kind(stream.getvalue(), "chats.parquet") is Kind.OPENAI


def test_a_word_manual_becomes_questions_to_be_confirmed_with_their_passages() -> None:
    manual = word(
        [
            ("Shop manual", 1),
            ("Returns", 2),
            ("A rug may be sent back within 30 days.", 0),
            ("Keep the receipt for that.", 0),
            ("How long is the warranty?", 2),
            ("Two years on every lamp and every frame.", 0),
        ]
    )
    found = rows(manual, "manual.docx")
    assert [(row["question"], row["section"]) for row in found] == [
        ("What should I know about returns?", "Shop manual"),
        ("How long is the warranty?", "Shop manual"),
    ]
    assert found[0]["passage"] == found[0]["answer"] == "A rug may be sent back within 30 days.\nKeep the receipt for that."
    assert kind(manual, "manual.docx") is Kind.FAQ


def test_a_pdf_with_questions_and_answers_is_read_page_by_page() -> None:
    file = portable(
        [["Q: Do you ship to Alaska?", "A: Yes, in five days.", "It costs 9 dollars."], ["Q: Is it free?", "A: No."]]
    )
    assert rows(file, "faq.pdf") == [
        {"question": "Do you ship to Alaska?", "answer": "Yes, in five days.\nIt costs 9 dollars.", "section": ""},
        {"question": "Is it free?", "answer": "No.", "section": ""},
    ]


def test_html_gives_terms_with_their_text_and_runs_nothing() -> None:
    page = b"""<html><head><title>x</title><style>p{}</style></head><body><h2>Shipping</h2><dl><dt>Do you ship?</dt>
    <dd>Yes, <b>fast</b>.</dd><dt>Is it free?</dt><dd>No<script>alert(1)</script>, 9&nbsp;dollars.</dd></dl></body></html>"""
    assert [(row["question"], row["answer"], row["section"]) for row in rows(page, "faq.html")] == [
        ("Do you ship?", "Yes, fast.", "Shipping"),
        ("Is it free?", "No, 9\xa0dollars.", "Shipping"),
    ]


def test_markdown_headings_that_ask_are_questions() -> None:
    text = (
        b"FAQ\n===\n\n### Do you *really* ship?\n\nYes, [see](https://x.example/a) it.\n\n- fast\n- cheap\n\n"
        b"### Why?\n\n```\n# no heading\n```\n"
    )
    assert [(row["question"], row["answer"]) for row in rows(text, "faq.md")] == [
        ("Do you *really* ship?", "Yes, see it.\n- fast\n- cheap"),
        ("Why?", "```\n# no heading\n```"),
    ]


def test_a_transcript_is_told_by_its_speakers_names() -> None:
    text = (
        "[10:02] Support (Bo): Welcome!\n[10:02] Kim: Where is order 7?\n[10:03] Support (Bo): It left today.\nIt comes soon.\n"
        "[10:04] Kim: thanks\n\n-----\n\nLee: Do you ship?\nSupport (Bo): Yes.\n"
    )
    found = rows(text.encode(), "export.txt")
    assert [row["messages"] for row in found] == [
        talk("Where is order 7?", "It left today.\nIt comes soon."), talk("Do you ship?", "Yes."),
    ]  # fmt: skip
    assert kind(text.encode(), "export.txt") is Kind.OPENAI


def test_a_text_file_that_is_a_table_stays_one() -> None:
    assert rows(b"prompt\tresponse\nNote: a\tb: c\n", "table.txt") == [{"prompt": "Note: a", "response": "b: c"}]


def test_a_mailbox_becomes_threads_without_quotes_and_signatures() -> None:
    box = mailbox(
        [
            letter(1, sender="Ann <ann@home.example>", subject="Broken lamp",
                   text="Hello,\nmy lamp is broken.\n\nBest regards,\nAnn Example\nSome Street 5"),
            letter(3, sender="x@home.example", subject="Anybody?", text="Is anybody there?"),
            letter(2, sender="Help <help@shop.example>", subject="Re: Broken lamp", after=1, kind="text/html; charset=utf-8",
                   text="<p>Send it back,<br>we replace it.</p><blockquote>my lamp is broken</blockquote>"),
            letter(4, sender="ann@home.example", subject="Re: Broken lamp", after=2,
                   text="How?\n\nOn Mon, 5 Jan 2026 at 10:00, Help <help@shop.example>\nwrote:\n> Send it back"),
            letter(5, sender="help@shop.example", subject="Re: Broken lamp", after=4, text="By post.\n\n-- \nHelp desk"),
        ]
    )  # fmt: skip
    found = rows(box, "support.mbox")
    assert [row["messages"] for row in found] == [
        talk("Broken lamp\n\nHello,\nmy lamp is broken.", "Send it back,\nwe replace it.", "How?", "By post.")
    ]
    assert found[0]["thread"] == "1@mail.example"
    assert [bad.reason for bad in rejected(box, "support.mbox")] == ["nobody answered this message"]


def test_a_single_mail_that_nobody_answered_brings_nothing_in_and_says_so() -> None:
    one = letter(1, sender="a@home.example", subject="Hi", text="Are you open?").encode()
    assert (rows(one, "one.eml"), [bad.reason for bad in rejected(one, "one.eml")]) == ([], ["nobody answered this message"])


@pytest.mark.parametrize(
    "quoted",
    [
        "-----Original Message-----\nFrom: a@b.example\nold",
        "From: Ann\nSent: Monday\nTo: Help\nSubject: Lamp\n\nold",
        "Am 5.1.2026 um 10:00 schrieb Ann <a@b.example>:\n> old",
        "Sent from my phone of some kind",
        "> old",
    ],
)
def test_what_a_mail_repeats_is_left_out(quoted: str) -> None:
    assert own_words(f"From Monday on we are open.\n\n{quoted}") == "From Monday on we are open."


def test_an_archives_files_are_looked_at_one_by_one() -> None:
    packed = archive(
        {
            "a/chats.csv": b"prompt,response\nHi,Hello\n",
            "../../etc/faq.md": b"### Do you ship?\n\nYes, everywhere.\n\n### Free?\n\nNo.\n",
            "a/.DS_Store": b"x", "__MACOSX/._chats.csv": b"x",
            "odd.csv": b"x,y\n1,2\n", "picture.png": b"\x89PNG....", "inner.zip": archive({"a.csv": b"q,a\n1,2\n"}),
        }
    )  # fmt: skip
    found = {member.name: member for member in members(packed, "export.zip", limits=Limits())}
    assert list(found) == ["chats.csv", "faq.md", "odd.csv", "picture.png", "inner.zip"]
    assert [member.can_be_taken for member in found.values()] == [True, True, False, False, False]
    assert "choose its columns" in found["odd.csv"].what
    assert "picture" in found["picture.png"].what
    assert "archive in an archive" in found["inner.zip"].what


def test_an_office_file_is_no_archive() -> None:
    assert is_archive(archive({"a.csv": b"q,a\n"}), "x.zip", limits=Limits())
    assert not is_archive(workbook({"A": [["q", "a"], ["x", "y"]]}), "x.xlsx", limits=Limits())
    assert not is_archive(b"q,a\n", "x.zip", limits=Limits())


@pytest.mark.parametrize(
    ("content", "name", "limits", "reason"),
    [
        (archive({"a.txt": b"0" * 50_000_000}), "bomb.zip", Limits(), "far more than a file of texts"),
        (archive({"a.txt": b"x" * 5000}), "big.zip", Limits(max_bytes=4000), "unpacks to 5,000 bytes"),
        (archive({f"{n}.txt": b"x" for n in range(2001)}), "many.zip", Limits(), "2,001 files"),
        (archive({}), "empty.zip", Limits(), "empty archive"),
        (archive({"a.csv": b"q,a\n" * 9})[:-30], "cut.zip", Limits(), "broken ZIP"),
    ],
    ids=["bomb", "big", "many", "empty", "cut"],  # an archive's bytes hold the time that it was made at
)
def test_dangerous_and_broken_archives_are_refused(content: bytes, name: str, limits: Limits, reason: str) -> None:
    with pytest.raises(UnreadableFile, match=reason):
        members(content, name, limits=limits)


@pytest.mark.parametrize(
    ("content", "name", "reason"),
    [
        (archive({"a.csv": b"q,a\n1,2\n"}), "a.csv", "is a ZIP archive"),
        (workbook({"A": [["only", "header"]]}), "a.xlsx", "no sheet with a header and rows"),
        (workbook({"A": [["q", "a"], ["x", "y"]]})[:-40], "a.xlsx", "broken ZIP"),
        (portable([[]]), "scan.pdf", "pictures of text"),
        (b"%PDF-1.4 nothing more", "a.pdf", "cannot be read as a PDF"),
        (b"plain words", "a.pdf", "does not begin as PDF"),
        (word([("No heading here, only this.", 0)]), "a.docx", "no headings"),
        (b"PAR1 cut off", "a.parquet", "Parquet"),
        (b"\xd0\xcf\x11\xe0" + b"x" * 600, "a.doc", "old Office file"),
        (b"\xd0\xcf\x11\xe0" + b"x" * 600, "a.xls", "cannot be opened as a workbook"),
        (b"From: a@b.example\n\n\n", "a.eml", "no message with text"),
        (b"Just a few words.\n", "a.txt", "neither a table nor a talk"),
    ],
)
def test_documents_that_cannot_be_read_are_refused_with_what_is_wrong(content: bytes, name: str, reason: str) -> None:
    with pytest.raises(UnreadableFile, match=reason):
        list(read(content, name))
