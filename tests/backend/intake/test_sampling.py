"""The sample project, and the two commands of intake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import col, func, select

from backend.__main__ import main
from backend.access.actors import SYSTEM
from backend.errors import AlreadyDone, Forbidden
from backend.intake.sampling import FOLDER, PAST_RATINGS, load_sample, sample_is_loaded
from backend.runtime import Runtime
from backend.settings import Settings
from backend.store.accounts import Account, AuditEntry
from backend.store.database import Database
from backend.store.models import Response
from backend.store.records import Approval, Faq, FaqCitation, Finding, Project, Record, RecordRevision, Source
from backend.store.work import Annotation, Item, Slot, Task
from backend.vocabulary import FindingKind, FindingStatus, ItemStatus, RecordStatus, Role, TaskStatus
from tests.backend.intake.example_files import archive, letter, mailbox
from tests.factories import a_person, a_project, a_record


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FOLDER / name).read_text(encoding="utf-8").splitlines()]


def counts(database: Database) -> list[int]:
    tables = (
        Project,
        Source,
        Record,
        RecordRevision,
        Finding,
        Faq,
        FaqCitation,
        Account,
        Task,
        Item,
        Slot,
        Annotation,
        Response,
    )
    with database.reading() as session:
        return [session.exec(select(func.count()).select_from(table)).one() for table in tables]


def test_the_sample_is_a_project_with_records_faqs_and_findings_and_loads_once(database: Database) -> None:
    with database.writing() as session:
        summary = load_sample(session=session, actor=SYSTEM, settings=Settings())
    assert (summary.records.imported, summary.faqs.imported) == (len(rows("records.jsonl")), len(rows("faqs.jsonl")))
    assert (summary.records.rejected, summary.faqs.rejected) == (0, 0)
    with database.reading() as session:
        project = session.exec(select(Project)).one()
        assert (project.id, project.slug) == (summary.project_id, "shop")
        records = session.exec(select(Record)).all()
        assert {record.status for record in records} == {RecordStatus.PENDING}
        assert {"language", "channel", "segment"} <= set(records[0].slices)
        assert session.exec(select(func.count()).select_from(Approval)).one() == 0
        assert all(faq.approved == faq.head for faq in session.exec(select(Faq)))
        faqs_named = sum("faq" in record.slices for record in records)
        assert session.exec(select(func.count()).select_from(FaqCitation)).one() == faqs_named > 100
        found = set(session.exec(select(Finding.kind, Finding.status).distinct()).all())
        assert (FindingKind.ENCODING, FindingStatus.FIXED) in found
        assert {(kind, FindingStatus.OPEN) for kind in (FindingKind.EMAIL, FindingKind.PHONE, FindingKind.CARD)} <= found
        assert (FindingKind.DUPLICATE, FindingStatus.OPEN) in found
    before = counts(database)
    with database.writing() as session, pytest.raises(AlreadyDone, match="already in the project"):
        load_sample(session=session, actor=SYSTEM, settings=Settings())
    assert counts(database) == before


def test_the_past_ratings_belong_to_accounts_that_nobody_can_sign_in_to(sqlite: Database) -> None:
    with sqlite.writing() as session:
        summary = load_sample(session=session, actor=SYSTEM, settings=Settings())
    with sqlite.reading() as session:
        raters = session.exec(select(Account)).all()
        assert [(rater.is_active, rater.password_hash, rater.is_admin) for rater in raters] == [(False, None, False)] * 2
        task = session.exec(select(Task)).one()
        assert (task.name, task.status, task.overlap) == (PAST_RATINGS, TaskStatus.CLOSED, 2)
        items = session.exec(select(Item)).all()
        assert {item.status for item in items} == {ItemStatus.DONE}
        assert (len(items), session.exec(select(func.count()).select_from(Slot)).one()) == (summary.responses, summary.ratings)
        answered = (
            select(Annotation.answers, Response.text)
            .join(Item, col(Item.id) == Annotation.item_id)
            .join(Response, col(Response.id) == Item.response_id)
        )
        stored = session.exec(answered.order_by(col(Annotation.id))).all()
    keys = ("relevance", "fluency", "correctness", "tone")
    expected = [({key: row[key] for key in keys}, row["response"]) for row in rows("ratings.jsonl")]
    assert [(dict(answers), text) for answers, text in stored] == expected


def test_a_lead_may_load_it_into_their_own_project_and_nobody_else(sqlite: Database) -> None:
    with sqlite.writing() as session:
        project = a_project(session, "mine")
        a_record(session, project, prompt="Hello?", answer="Hello!")
        lead = a_person(session, "l@example.org", project=project, role=Role.LEAD)
        expert = a_person(session, "e@example.org", project=project, role=Role.EXPERT)
        session.commit()
    for actor, slug in ((expert, "mine"), (lead, "another")):
        with sqlite.writing() as session, pytest.raises(Forbidden):
            load_sample(session=session, actor=actor, settings=Settings(), slug=slug)
    with sqlite.writing() as session:
        assert not sample_is_loaded(session, project.id or 0)
        load_sample(session=session, actor=lead, settings=Settings(), slug="mine")
    with sqlite.reading() as session:
        assert sample_is_loaded(session, project.id or 0)
        assert [entry.action for entry in session.exec(select(AuditEntry))][-1] == "sample_loaded"
        assert [one.slug for one in session.exec(select(Project))] == ["mine"]


# --- the command line -------------------------------------------------------------------------------------------------


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any, str]:
    """Exit code, what was printed as JSON, and the errors."""
    code = main(arguments)
    printed = capsys.readouterr()
    return code, json.loads(printed.out) if printed.out else None, printed.err


@pytest.fixture
def shop(house: Runtime) -> Runtime:
    with house.database.writing() as session:
        a_project(session)
        session.commit()
    return house


def test_the_sample_command_says_what_it_loaded_and_can_be_repeated(house: Runtime, capsys: pytest.CaptureFixture[str]) -> None:
    code, outcome, _ = run(capsys, "sample", "--project", "demo")
    assert (code, outcome["slug"], outcome["faqs"]["imported"]) == (0, "demo", len(rows("faqs.jsonl")))
    code, outcome, _ = run(capsys, "sample", "--project", "demo")
    assert code == 0
    assert "Nothing was doubled" in outcome["already"]


def test_the_import_command_maps_columns_masks_and_lists_what_it_rejected(
    shop: Runtime, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "chats.csv"
    path.write_text("asked,replied,land,kanal\nMail ann@example.org?,Yes.,us,web\n,No.,us,web\n", encoding="utf-8")
    arguments = ["import", str(path), "--project", "shop", "--mask", "--map", "prompt=asked,response=replied,meta=land+kanal"]
    code, outcome, errors = run(capsys, *arguments)
    assert (code, errors) == (0, "")
    (file,) = outcome["files"]
    assert (file["rows"], file["imported"], file["masked"], file["rejected"]) == (2, 1, 1, 1)
    assert file["rejected_rows"] == [{"line": 3, "reason": "the prompt is empty", "excerpt": ""}]
    with shop.database.reading() as session:
        record = session.exec(select(Record)).one()
        assert (record.prompt, record.slices) == ("Mail [EMAIL]?", {"land": "us", "kanal": "web"})
    code, _, errors = run(capsys, *arguments)
    assert code == 1
    assert "already imported" in errors


def test_a_refused_file_makes_the_command_fail_but_not_the_others(
    shop: Runtime, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, empty = tmp_path / "good.jsonl", tmp_path / "empty.jsonl"
    good.write_text('{"prompt": "Hello?", "response": "Hello!"}\n')
    empty.write_text("")
    code, outcome, errors = run(capsys, "import", str(empty), str(tmp_path / "none.csv"), str(good), "--project", "shop")
    assert (code, outcome) == (1, None)
    assert all(part in errors for part in ("empty.jsonl” is empty", "There is no file", "good.jsonl (1 rows)"))
    with shop.database.reading() as session:
        assert session.exec(select(func.count()).select_from(Record)).one() == 1


def test_the_import_command_takes_the_files_of_an_archive_and_names_those_it_cannot(
    shop: Runtime, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "all.zip"
    first = letter(1, sender="a@b.example", subject="Open", text="Open?")
    mail = [first, letter(2, sender="c@d.example", subject="", text="Yes.", after=1)]
    path.write_bytes(archive({"in/box.mbox": mailbox(mail), "faq.md": b"### Open?\n\nYes, daily.\n", "x.png": b"\x89PNG"}))
    code, _, errors = run(capsys, "import", str(path), "--project", "shop")
    assert code == 1
    assert "“x.png” is a picture. Imported: box.mbox (1 rows), faq.md (1 rows)." in errors
    with shop.database.reading() as session:
        assert session.exec(select(Record.answer).order_by(col(Record.id))).all() == ["Yes.", "Yes, daily."]


def test_faqs_and_prompts_are_taken_on_request(shop: Runtime, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prompts = tmp_path / "prompts.csv"
    prompts.write_text("text,category\nWhere is my card?,card\n")
    assert run(capsys, "import", str(prompts), "--project", "shop")[0] == 1
    assert run(capsys, "import", str(prompts), "--project", "shop", "--allow-prompts")[1]["imported"] == 1
    faqs = str(FOLDER / "faqs.jsonl")
    code, outcome, _ = run(capsys, "import", faqs, "--project", "shop", "--as", "faqs", "--approved")
    assert (code, outcome["imported"]) == (0, len(rows("faqs.jsonl")))
    with shop.database.reading() as session:
        assert (
            session.exec(select(func.count()).select_from(Faq).where(col(Faq.approved).is_not(None))).one()
            == outcome["imported"]
        )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--project", "nowhere"], "There is no project 'nowhere'. There are: shop."),
        (["--project", "shop", "--map", "prompt"], "--map cannot read"),
        (["--project", "shop", "--map", "shape=openai"], "--map cannot read"),
        (["--project", "shop", "--map", "prompt=nothing,response=response"], "The file has no column"),
        (["--project", "shop", "--shape", "openai"], "Choose the column that holds the list of messages"),
    ],
)
def test_wrong_arguments_are_refused_in_words(
    shop: Runtime, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    path = tmp_path / "chats.csv"
    path.write_text("prompt,response\nHello?,Hello!\n")
    code, _, errors = run(capsys, "import", str(path), *arguments)
    assert code == 1
    assert says in errors
