"""A file is imported whole or not at all, once, and nothing in it is changed in silence."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session, col, func, select

from backend.access.actors import Actor
from backend.access.audit import verify
from backend.conversations import Shape, content_hash, messages_from_json
from backend.errors import AlreadyDone, Forbidden, InvalidInput, NotFound, UnreadableFile
from backend.intake import importing, queries
from backend.intake.files import Options, limits_of, preview, try_mapping
from backend.intake.importing import Summary, import_file
from backend.intake.mapping import Mapping
from backend.settings import Settings
from backend.store.accounts import AuditEntry
from backend.store.database import Database
from backend.store.records import (
    Faq,
    FaqCitation,
    FaqRevision,
    Finding,
    Project,
    Record,
    RecordRevision,
    RejectedRow,
    Source,
)
from backend.vocabulary import FaqState, FindingKind, FindingStatus, RecordStatus, Role
from tests.factories import a_person, a_project

SETTINGS = Settings()


class Desk:
    """A project with a lead who imports."""

    def __init__(self, database: Database) -> None:
        self.database = database
        with database.writing() as session:
            project = a_project(session)
            self.project_id = project.id or 0
            self.lead = a_person(session, "l@example.org", project=project, role=Role.LEAD)
            self.expert = a_person(session, "e@example.org", project=project, role=Role.EXPERT)
            session.commit()

    def bring(
        self, content: Any, name: str = "pairs.jsonl", *, actor: Actor | None = None, settings: Settings = SETTINGS, **more: Any
    ) -> Summary:
        if isinstance(content, list):
            content = "".join(json.dumps(row) + "\n" for row in content).encode()
        mapping = more.pop("mapping", None)
        with self.database.writing() as session:
            return import_file(
                session=session,
                actor=actor or self.lead,
                project_id=self.project_id,
                name=name,
                content=content,
                settings=settings,
                mapping=mapping,
                options=Options(**more),
            )

    def all(self, table: Any, *where: Any) -> list[Any]:
        with self.database.reading() as session:
            return list(session.exec(select(table).where(*where).order_by(col(table.id))))

    def count(self, *tables: Any) -> list[int]:
        with self.database.reading() as session:
            return [session.exec(select(func.count()).select_from(table)).one() for table in tables]


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database)


@pytest.fixture
def desk_on_sqlite(sqlite: Database) -> Desk:
    return Desk(sqlite)


def pair(prompt: str, response: str = "Yes.", **more: Any) -> dict[str, Any]:
    return {"prompt": prompt, "response": response, **more}


def test_rows_become_pending_records_with_metadata_group_and_id(desk: Desk) -> None:
    rows = [
        pair("Do you ship?", id="a-1", group="chat 7", language="en", channel="mail"),
        pair("¿Envían?", "Sí.", id="a-2", group="chat 7", language="es", channel="chat"),
    ]
    summary = desk.bring(rows)
    assert (summary.rows, summary.imported, summary.rejected, summary.duplicates) == (2, 2, 0, 0)
    first, second = desk.all(Record)
    assert (first.prompt, first.answer, first.external_id, first.group) == ("Do you ship?", "Yes.", "a-1", "chat 7")
    assert (first.status, first.head, first.source_id) == (RecordStatus.PENDING, 1, summary.source_id)
    assert second.slices == {"language": "es", "channel": "chat"}
    (revision, _) = desk.all(RecordRevision)
    assert (revision.number, revision.author_id) == (1, desk.lead.account_id)
    assert revision.content_hash == first.content_hash == content_hash(messages_from_json(revision.messages))
    (entry,) = desk.all(AuditEntry)
    assert (entry.action, entry.detail["imported"]) == ("file_imported", 2)
    with desk.database.reading() as session:
        assert verify(session).broken_at is None


def test_the_same_content_is_imported_once_whatever_its_name(desk: Desk) -> None:
    desk.bring([pair("Do you ship?")], "first.jsonl")
    with pytest.raises(AlreadyDone, match=r"as “first\.jsonl” on"):
        desk.bring([pair("Do you ship?")], "second.jsonl")
    assert desk.count(Source, Record, AuditEntry) == [1, 1, 1]


def test_a_repair_is_a_second_revision_and_a_fixed_finding(desk: Desk) -> None:
    broken = "My wifeâ€™s cafe\u0301 \u200border"
    summary = desk.bring([pair(broken)])
    assert summary.repaired == 1
    (record,) = desk.all(Record)
    assert (record.prompt, record.head) == ("My wife’s café order", 2)
    first, second = desk.all(RecordRevision)
    assert first.messages[0]["content"] == broken
    assert (second.based_on, second.messages[0]["content"]) == (1, "My wife’s café order")
    assert second.reason.startswith("Repaired on import: ")
    (finding,) = desk.all(Finding)
    assert (finding.kind, finding.status, finding.revision_id) == (FindingKind.ENCODING, FindingStatus.FIXED, first.id)
    assert "accents composed (NFC)" in finding.detail["changes"]


def test_personal_data_is_found_and_masked_only_on_request(desk: Desk) -> None:
    text = "Write to ann@example.org or call +1 404 555 0123"
    left = desk.bring([pair(text)])
    assert left.findings == {"email": 1, "phone": 1}
    assert {(row.status, row.proposal) for row in desk.all(Finding)} == {
        (FindingStatus.OPEN, "[EMAIL]"),
        (FindingStatus.OPEN, "[PHONE]"),
    }
    masked = desk.bring([pair(f"Hi! {text}")], mask=True)
    assert (masked.masked, masked.findings) == (2, {})
    record = desk.all(Record)[-1]
    assert (record.prompt, record.head) == ("Hi! Write to [EMAIL] or call [PHONE]", 2)
    originals = desk.all(RecordRevision, RecordRevision.record_id == record.id)
    assert originals[0].messages[0]["content"] == f"Hi! {text}"
    rows = desk.all(Finding, Finding.record_id == record.id)
    assert [(row.status, row.revision_id) for row in rows] == [(FindingStatus.FIXED, originals[0].id)] * 2


def test_exact_duplicates_are_kept_and_point_to_the_first(desk: Desk) -> None:
    desk.bring([pair("Do you ship?")])
    summary = desk.bring([pair("do  you SHIP?", "yes."), pair("Do you ship?", "No."), pair("Hello?"), pair("Hello? ")])
    assert (summary.imported, summary.duplicates) == (4, 2)
    records = {record.id: record for record in desk.all(Record)}
    pairs = [
        (records[row.record_id].prompt, records[row.detail["of"]].prompt)
        for row in desk.all(Finding, Finding.kind == FindingKind.DUPLICATE)
    ]
    assert pairs == [("do  you SHIP?", "Do you ship?"), ("Hello? ", "Hello?")]
    assert {record.status for record in records.values()} == {RecordStatus.PENDING}


def test_near_duplicates_share_a_cluster_also_across_imports(desk: Desk) -> None:
    desk.bring([pair("How long does the delivery to Atlanta take?"), pair("What does the Decatur sofa cost?")])
    assert {record.cluster for record in desk.all(Record)} == {""}
    desk.bring([pair("How long does the delivery to Atlanta take??", "3 days."), pair("Is the showroom open on Monday?")])
    asked, sofa, again, showroom = (record.cluster for record in desk.all(Record))
    assert asked == again != ""
    assert sofa == showroom == ""


def test_rows_that_cannot_be_taken_are_kept_with_line_and_reason(desk: Desk) -> None:
    content = (
        b'{"prompt": "Do you ship?", "response": "Yes."}\n'
        b"{broken\n"
        b'{"prompt": "", "response": "Yes."}\n'
        b'{"prompt": "Why?", "response": 7}\n'
        b'{"prompt": "=HYPERLINK(\\"http://x\\")", "response": ""}\n'
        b'{"prompt": "\\u200b", "response": "Yes."}\n'
    )
    summary = desk.bring(content)
    assert (summary.rows, summary.imported, summary.rejected) == (6, 1, 5)
    rows = desk.all(RejectedRow)
    assert [row.line for row in rows] == [2, 3, 4, 5, 6]
    assert all(row.reason for row in rows)
    with desk.database.reading() as session:
        where = {"actor": desk.lead, "project_id": desk.project_id, "source_id": summary.source_id}
        shown = queries.rejected_rows(session, **where)
        table = list(csv.DictReader(io.StringIO(queries.rejected_csv(session, **where).decode("utf-8-sig"))))
        listed = queries.imports(session, actor=desk.lead, project_id=desk.project_id)
    assert shown["line"].tolist() == [int(row["line"]) for row in table] == [2, 3, 4, 5, 6]
    assert not any(cell.startswith("=") for row in table for cell in row.values())
    assert listed[["imported", "rejected", "by"]].to_numpy().tolist() == [[1, 5, "l@example.org"]]


def test_a_file_without_one_good_row_stores_nothing_and_can_be_mapped_again(desk_on_sqlite: Desk) -> None:
    desk = desk_on_sqlite
    content = b"asked,replied\nDo you ship?,Yes.\n"
    wrong = Mapping(shape=Shape.OPENAI, conversation="asked")
    with pytest.raises(InvalidInput, match="None of the 1 rows"):
        desk.bring(content, "shop.csv", mapping=wrong)
    assert desk.count(Source, RejectedRow, AuditEntry) == [0, 0, 0]
    right = Mapping(shape=Shape.PAIRS, prompt="asked", response="replied")
    assert desk.bring(content, "shop.csv", mapping=right).imported == 1


HOSTILE = [
    "<script>alert(1)</script>",
    "![x](http://evil.example/x.png) :red[boo] $$x$$",
    "'; DROP TABLE record; --",
    "=cmd|' /C calc'!A0",
    "{{ 7 * 7 }} ${jndi:ldap://x}",
    "a\u202egnp.exe",
    "x" * 50_000,
]


def test_hostile_text_stays_text(desk: Desk) -> None:
    summary = desk.bring([pair(text, text, topic=text[:80]) for text in HOSTILE], "<b>x</b>\x07../../../etc/passwd.jsonl")
    assert summary.imported == len(HOSTILE)
    assert [row.messages[0]["content"] for row in desk.all(RecordRevision, RecordRevision.number == 1)] == HOSTILE
    (source,) = desk.all(Source)
    assert source.name == "passwd.jsonl"


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("empty.csv", b"", "is empty"),
        ("blank.jsonl", b" \n\n", "is empty"),
        ("rows.csv", b"prompt,response\n", "no rows"),
        ("list.json", b"[]", "empty list"),
        ("photo.csv", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20, "picture"),
        ("broken.json", b'[{"prompt": "a", "response": "b"}, {"prom', "broken"),
        ("book.xlsx", b"PK\x03\x04" + b"\x00" * 100, "ZIP"),
        ("noise.txt", bytes(range(256)) * 40, "not a text file"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_whole(desk_on_sqlite: Desk, name: str, content: bytes, says: str) -> None:
    with pytest.raises(UnreadableFile, match=says):
        desk_on_sqlite.bring(content, name)
    assert desk_on_sqlite.count(Source, Record) == [0, 0]


def test_limits_refuse_a_file_and_reject_a_row(desk_on_sqlite: Desk) -> None:
    desk = desk_on_sqlite
    rows = [pair(f"Question number {n}?") for n in range(12)]
    with pytest.raises(UnreadableFile, match="more than 10 rows"):
        desk.bring(rows, settings=replace(SETTINGS, import_max_rows=10))
    with pytest.raises(UnreadableFile, match="at most 100 are taken"):
        desk.bring(rows, settings=replace(SETTINGS, import_max_bytes=100))
    summary = desk.bring([*rows, pair("long " * 50), pair("id", id="x" * 201)], settings=replace(SETTINGS, text_max_chars=200))
    assert [row.reason for row in summary.rejected_rows] == [
        "message 1 has 250 characters; at most 200 are taken",
        "the id has 201 characters; at most 200 are taken",
    ]


def test_a_file_in_another_encoding_is_read_as_what_it_is(desk_on_sqlite: Desk) -> None:
    desk_on_sqlite.bring("prompt;response\nWo ist mein Päckchen?;Unterwegs – morgen.\n".encode("cp1252"), "de.csv")
    (record,) = desk_on_sqlite.all(Record)
    assert (record.prompt, record.answer) == ("Wo ist mein Päckchen?", "Unterwegs – morgen.")


def test_bytes_that_no_database_holds_never_reach_it(desk: Desk) -> None:
    good = "".join(f"Grüße {n}?,Ja – natürlich.,\n" for n in range(40)).encode()
    content = b"prompt,response,me\x00ta\n" + good + b"W\xffh\x00y?,Yes.,\nNUL\x00,Yes.,\n"
    mapping = Mapping(shape=Shape.PAIRS, prompt="prompt", response="response")
    summary = desk.bring(content, "odd.csv", mapping=mapping)
    assert (summary.imported, summary.rejected) == (40, 2)
    assert [row.content for row in desk.all(RejectedRow)] == ["W?h\ufffdy?", "NUL\ufffd"]
    with pytest.raises(InvalidInput, match="cannot be stored"):
        desk.bring(content + b" ", "odd.csv", mapping=replace(mapping, metadata=("me\x00ta",)))


# --- FAQs -------------------------------------------------------------------------------------------------------------

FAQS = [
    {"key": "zip", "topic": "shipping", "question": "Do you ship to 30303?", "answer": "Yes."},
    {"question": "What does shipping cost?", "answer": "It is $5.95."},
]


def test_faqs_are_proposed_unless_the_lead_says_that_they_are_approved(desk: Desk) -> None:
    assert desk.bring(FAQS, as_faqs=True).imported == 2
    named, unnamed = desk.all(Faq)
    assert (named.key, named.topic, named.head, named.approved) == ("zip", "shipping", 1, None)
    assert unnamed.key == "what_does_shipping_cost"
    assert {revision.state for revision in desk.all(FaqRevision)} == {FaqState.PROPOSED}
    reworded = [{**FAQS[0], "answer": "Yes, in 2 days."}, FAQS[1]]
    again = desk.bring(reworded, as_faqs=True, approved=True)
    assert (again.imported, again.duplicates) == (1, 1)
    newest = desk.all(FaqRevision)[-1]
    assert (newest.faq_id, newest.number, newest.based_on, newest.state) == (named.id, 2, 1, FaqState.APPROVED)
    assert (newest.ruled_by, desk.all(Faq)[0].approved) == (desk.lead.account_id, 2)


def test_a_repaired_faq_keeps_the_text_as_it_came(desk_on_sqlite: Desk) -> None:
    desk_on_sqlite.bring([{"question": "Wifeâ€™s?", "answer": "Yes."}], as_faqs=True, approved=True)
    first, second = desk_on_sqlite.all(FaqRevision)
    assert (first.question, first.state) == ("Wifeâ€™s?", FaqState.PROPOSED)
    assert (second.question, second.state) == ("Wife’s?", FaqState.APPROVED)


def test_a_file_may_be_wanted_as_records_and_as_faqs(desk_on_sqlite: Desk) -> None:
    desk_on_sqlite.bring(FAQS)
    desk_on_sqlite.bring(FAQS, as_faqs=True)
    assert desk_on_sqlite.count(Record, Faq) == [2, 2]


@pytest.mark.parametrize("records_first", [True, False])
def test_records_cite_their_faq_whichever_came_first(desk: Desk, records_first: bool) -> None:
    records = [pair("Do you ship to my zip?", faq="zip"), pair("Hello?"), pair("Lost?", faq="unknown")]
    steps: list[Callable[[], Summary]] = [lambda: desk.bring(records), lambda: desk.bring(FAQS, as_faqs=True)]
    summaries = [step() for step in (steps if records_first else reversed(steps))]
    assert [summary.citations for summary in summaries] == [0, 1]
    (citation,) = desk.all(FaqCitation)
    assert (citation.record_id, citation.faq_id) == (desk.all(Record)[0].id, desk.all(Faq)[0].id)
    desk.bring([pair("Another one?")])
    assert desk.count(FaqCitation) == [1]


# --- who, where, and what if it breaks --------------------------------------------------------------------------------


def test_only_leads_import_and_only_into_a_project_that_there_is(desk_on_sqlite: Desk) -> None:
    desk = desk_on_sqlite
    with pytest.raises(Forbidden):
        desk.bring([pair("Hello?")], actor=desk.expert)
    with desk.database.writing() as session:
        admin = a_person(session, "a@example.org", admin=True)
        stranger = a_person(session, "s@example.org", project=a_project(session, "other"), role=Role.LEAD)
        session.commit()
    with pytest.raises(Forbidden):
        desk.bring([pair("Hello?")], actor=stranger)
    desk.project_id = 999
    with pytest.raises(NotFound):
        desk.bring([pair("Hello?")], actor=admin)
    with desk.database.reading() as session:
        for read in (queries.rejected_rows, queries.rejected_csv):
            with pytest.raises(NotFound):
                read(session, actor=admin, project_id=999, source_id=1)
            with pytest.raises(Forbidden):
                read(session, actor=stranger, project_id=1, source_id=1)
    assert desk.count(Source, Record) == [0, 0]


def test_a_failure_half_way_leaves_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(importing.audit, "record", full)
    with pytest.raises(OSError, match="No space"):
        desk.bring([pair("Do you ship?")])
    assert desk.count(Source, Record, RecordRevision, AuditEntry) == [0, 0, 0, 0]


def test_records_that_came_while_the_file_was_read_are_compared_too(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    take = importing.take

    def slow_take(*args: Any, **kwargs: Any) -> Any:
        monkeypatch.setattr(importing, "take", take)
        taken = take(*args, **kwargs)
        compare = importing.filing.compare

        def and_meanwhile(session: Session, project_id: int, drafts: Any) -> Any:
            monkeypatch.setattr(importing.filing, "compare", compare)
            compared = compare(session, project_id, drafts)
            session.rollback()
            desk.bring([pair("Do you ship?")], "meanwhile.jsonl")
            return compared

        monkeypatch.setattr(importing.filing, "compare", and_meanwhile)
        return taken

    monkeypatch.setattr(importing, "take", slow_take)
    assert desk.bring([pair("Do you ship?"), pair("Hello?")]).duplicates == 1


KILLED = """
import os, signal, sys
from pathlib import Path
from backend.access.actors import SYSTEM
from backend.intake.importing import import_file
from backend.settings import Settings
from backend.store.database import Database

def progress(share, words):
    if words.startswith("Saved"):
        os.kill(os.getpid(), signal.SIGKILL)

with Database(sys.argv[1]).writing() as session:
    import_file(session=session, actor=SYSTEM, project_id=int(sys.argv[2]), name="big.jsonl", content=Path(sys.argv[3]),
                settings=Settings(), progress=progress)
"""


def test_a_killed_import_leaves_nothing_and_can_be_run_again(desk: Desk, database_url: str, tmp_path: Path) -> None:
    path = tmp_path / "big.jsonl"
    path.write_text("".join(json.dumps(pair(f"Question number {n}?")) + "\n" for n in range(1500)))
    arguments = [sys.executable, "-c", KILLED, database_url, str(desk.project_id), str(path)]
    killed = subprocess.run(arguments, env={**os.environ, "PYTHONPATH": "."}, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert desk.count(Source, Record, RecordRevision) == [0, 0, 0]
    assert desk.bring(path, "big.jsonl").imported == 1500
    assert desk.count(Source, Record) == [1, 1500]


# --- real files -------------------------------------------------------------------------------------------------------


def test_real_files_of_every_shape_are_taken(desk: Desk, shared_data: Path) -> None:
    alpaca = desk.bring(shared_data / "alpaca/alpaca_en_demo.json", "alpaca_en_demo.json")
    assert (alpaca.rows, alpaca.rejected) == (alpaca.imported, 0)
    assert alpaca.imported >= 999
    dialogues = desk.bring(shared_data / "sgd/dialogues.jsonl", "dialogues.jsonl")
    assert (dialogues.imported, dialogues.rejected) == (680, 0)
    assert desk.all(Record)[-1].slices["services"]
    rows = (shared_data / "bitext/customer_service_train.csv").read_bytes().splitlines(keepends=True)[:501]
    mapping = Mapping(shape=Shape.PAIRS, prompt="utterance", response="category", metadata=("intent", "tags"))
    bitext = desk.bring(b"".join(rows), "bitext.csv", mapping=mapping)
    assert bitext.imported == 500
    assert desk.all(Record)[-1].slices.keys() == {"intent", "tags"}


def test_prompts_without_answers_are_taken_when_that_is_said(desk_on_sqlite: Desk, shared_data: Path) -> None:
    rows = (shared_data / "banking77/train.csv").read_bytes().splitlines(keepends=True)[:301]
    content = b"".join(rows)
    looked = preview(content, "train.csv", limits=limits_of(SETTINGS))
    assert looked.recognition.mapping is not None
    with pytest.raises(InvalidInput, match="None of the 300 rows"):
        desk_on_sqlite.bring(content, "train.csv")
    mapping = replace(looked.recognition.mapping, allow_prompts=True)
    assert desk_on_sqlite.bring(content, "train.csv", mapping=mapping).imported == 300
    assert {record.answer for record in desk_on_sqlite.all(Record)} == {""}


def test_a_preview_shows_the_first_rows_and_stores_nothing(desk_on_sqlite: Desk, shared_data: Path) -> None:
    path = shared_data / "alpaca/alpaca_en_demo.json"
    looked = preview(path, path.name, limits=limits_of(SETTINGS))
    assert (looked.format, looked.columns, len(looked.rows)) == ("json", ("instruction", "input", "output"), 20)
    mapping = looked.recognition.mapping
    assert mapping is not None
    assert len(try_mapping(looked, mapping)) == 20
    with pytest.raises(InvalidInput, match="has no column"):
        try_mapping(looked, replace(mapping, prompt="nonsense"))
    assert desk_on_sqlite.count(Source, Project) == [0, 1]
