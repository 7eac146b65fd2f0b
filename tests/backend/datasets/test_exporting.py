"""Exports, and that importing one again loses nothing."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from sqlmodel import col, select

from backend.conversations import Conversation, Message, messages_from_json
from backend.curation.synthesis import add_synthetic
from backend.datasets import queries
from backend.datasets.exporting import Export, export
from backend.datasets.formats import CONVERSATIONS as CONVERSATIONS_GO_AS
from backend.datasets.formats import Form, What, file_name, write_conversations
from backend.datasets.freezing import freeze
from backend.datasets.kinds import Labelling
from backend.errors import Forbidden, InvalidInput, NotFound, NotReady
from backend.intake.importing import import_file
from backend.store.curation import ImportedLabel
from backend.store.database import Database
from backend.store.models import Snapshot
from backend.store.records import Record, RecordRevision, Source
from backend.vocabulary import DETECTED, MadeBy, Role, SnapshotKind, Split, TaskKind, Thumb
from tests.backend.datasets.conftest import Shop, approve, approved
from tests.backend.review.judging import judging
from tests.factories import a_person, a_project, a_record


def turns(*texts: str, system: str = "") -> tuple[Message, ...]:
    said = [Message("assistant" if place % 2 else "user", text) for place, text in enumerate(texts)]
    return tuple([Message("system", system)] * bool(system) + said)


CONVERSATIONS = [
    Conversation(turns("Do you ship to 30303?", "Yes, in two days."), {"language": "en", "channel": "chat"}, "r-1", "chat 1"),
    Conversation(turns("Hi", "Hello!", "And rugs?", "Those too.", system="Be kind."), {}, None, "chat 1"),
    Conversation(turns('=HYPERLINK("http://x")', "@SUM(1)"), {"language": "=2+2"}, "=1"),
    Conversation(turns("'=already", 'a, "b"\nsecond line; d\nthird'), {"segment": "two words"}),
    Conversation(turns("<b>bold</b> | [link](http://x)", "  spaces around  "), {"language": "é"}, "7"),
    Conversation(turns("¿Envían a Atlanta? عربى 日本 🪑", "Sí."), {"note": '{"a": 1}'}),
    Conversation(turns("null", "NaN", "0", "false")),
]


def imported(shop: Shop, made: Export, **options: Any) -> tuple[int, Any]:
    """A new project with what a file holds, and its lead."""
    with shop.database.writing() as session:
        project = a_project(session, f"target-{made.form.value}")
        lead = a_person(session, f"lead-{made.form.value}@target.test", project=project, role=Role.LEAD)
        session.commit()
    with shop.database.writing() as session:
        import_file(session=session, actor=lead, project_id=project.id or 0, name=made.file_name, content=made.content,
                    settings=shop.settings, **options)  # fmt: skip
    return project.id or 0, lead


@pytest.mark.parametrize("form", CONVERSATIONS_GO_AS)
def test_what_was_exported_is_imported_as_it_was(small_shop: Shop, form: Form) -> None:
    out = io.BytesIO()
    keys = {key for conversation in CONVERSATIONS for key in conversation.metadata}
    rows = write_conversations(out, iter(CONVERSATIONS), form, keys)
    assert rows == len(CONVERSATIONS)
    made = Export(file_name("file", form), "", out.getvalue(), rows, form)
    project_id, lead = imported(small_shop, made)
    again = export(database=small_shop.database, actor=lead, project_id=project_id, what=What.RECORDS, form=form)
    with small_shop.database.reading() as session:
        query = select(Record, RecordRevision.messages).join(RecordRevision, col(RecordRevision.record_id) == col(Record.id))
        query = query.where(Record.project_id == project_id, RecordRevision.number == 1).order_by(col(Record.id))
        came = [
            Conversation(messages_from_json(messages), record.slices, record.external_id or None, record.group or None)
            for record, messages in session.exec(query)
        ]
    assert came == CONVERSATIONS
    if form is Form.PARQUET:
        assert pq.read_table(io.BytesIO(again.content)).equals(pq.read_table(io.BytesIO(made.content)))
    else:
        assert again.content == made.content


def exported(shop: Shop, actor: Any = None, **extra: Any) -> Export:
    return export(database=shop.database, actor=actor or shop.lead, project_id=shop.project_id, settings=shop.settings, **extra)


def test_records_approved_texts_and_snapshots_are_different_files(shop: Shop) -> None:
    shop.fill(10)
    with shop.database.writing() as session:
        a_record(session, shop.project, prompt="Pending?", answer="Yes.")
        session.commit()
        snapshot = freeze(session=session, actor=shop.lead, settings=shop.settings, project_id=shop.project_id)
        approved(session, shop.project, 99)
        session.commit()
    counts = {
        what: exported(shop, what=what, snapshot_id=snapshot.id if what is What.SNAPSHOT else None).rows
        for what in (What.RECORDS, What.APPROVED, What.SNAPSHOT)
    }
    assert counts == {What.RECORDS: 12, What.APPROVED: 11, What.SNAPSHOT: 10}
    part = exported(shop, what=What.SNAPSHOT, form=Form.CSV, snapshot_id=snapshot.id, split=Split.TEST)
    assert (part.rows, part.file_name, part.mime) == (1, "shop-snapshot-1-test.csv", "text/csv")
    assert part.content.startswith(b"id,group,system,history,prompt,response")


def test_what_checks_gave_is_not_exported_and_synthetic_records_say_so(small_shop: Shop) -> None:
    with small_shop.database.writing() as session:
        parent = approved(session, small_shop.project, 1)
        parent.slices = {**parent.slices, f"{DETECTED}topic": "rugs"}
        session.add(parent)
        add_synthetic(session=session, actor=small_shop.lead, project_id=small_shop.project_id, made_by=MadeBy.TYPOS, name="t",
                      drafts=[(parent.id or 0, [Message("user", "qestion?"), Message("assistant", "Answer 1.")])])  # fmt: skip
        session.commit()
    lines = [json.loads(line) for line in exported(small_shop, what=What.RECORDS).content.splitlines()]
    assert [line["metadata"] for line in lines] == [{"language": "en"}, {"language": "en", "synthetic": "typos"}]
    assert lines[0]["group"] == lines[1]["group"]
    table = exported(small_shop, what=What.RECORDS, form=Form.CSV).content.decode()
    assert table.splitlines()[0] == "id,group,system,history,prompt,response,metadata.language,metadata.synthetic"


def test_what_does_not_go_together_is_refused_with_what_does(small_shop: Shop) -> None:
    small_shop.fill(2)
    for what, form, words in (
        (
            What.RECORDS,
            Form.DPO,
            "records\\) cannot be written as dpo; it goes as openai or sharegpt or alpaca or csv or parquet",
        ),
        (What.ANNOTATIONS, Form.OPENAI, "goes as csv or parquet"),
        (What.PREFERENCES, Form.CSV, "goes as dpo or kto"),
    ):
        with pytest.raises(InvalidInput, match=words):
            exported(small_shop, what=what, form=form)
    with pytest.raises(InvalidInput, match="parts"):
        exported(small_shop, what=What.RECORDS, split=Split.TEST)
    for what in (What.ANNOTATIONS, What.PREFERENCES):
        with pytest.raises(NotReady):
            exported(small_shop, what=what)


def labelled(shop: Shop, count: int, **label: Any) -> None:
    with shop.database.writing() as session:
        source = Source(project_id=shop.project_id, name="labels", content_hash="l")
        session.add(source)
        session.flush()
        for number in range(count):
            record = approved(session, shop.project, number)
            given = {"project_id": shop.project_id, "source_id": source.id or 0, "record_id": record.id or 0}
            said = {name: text.format(number) if isinstance(text, str) else text for name, text in label.items()}
            session.add(ImportedLabel(**given, answer=f"Answer {number}.", **said))
        session.commit()


def harvested(shop: Shop, project_id: int, kind: SnapshotKind) -> list[dict[str, Any]]:
    """What a project's approved records would teach, without what names the project's own rows."""
    with shop.database.writing() as session:
        for record in session.exec(select(Record).where(Record.project_id == project_id)).all():
            if record.approved_revision_id is None:
                approve(session, record)
        session.commit()
        found = queries.harvest(session, project_id, Labelling(kind=kind))
        return [{key: value for key, value in line.items() if key != "from"} for made in found.lines.values() for line in made]


@pytest.mark.parametrize(
    ("form", "kind", "label"),
    [
        (Form.DPO, SnapshotKind.PREFERENCES, {"rejected": "Worse answer {}."}),
        (Form.KTO, SnapshotKind.THUMBS, {"thumb": Thumb.UP}),
        (Form.KTO, SnapshotKind.THUMBS, {"thumb": Thumb.DOWN}),
    ],
)
def test_judgements_survive_export_and_import(small_shop: Shop, form: Form, kind: SnapshotKind, label: dict[str, Any]) -> None:
    labelled(small_shop, 4, **label)
    made = exported(small_shop, what=What.PREFERENCES, form=form)
    assert made.rows == 4
    names = {Form.DPO: {"prompt", "chosen", "rejected"}, Form.KTO: {"prompt", "completion", "label"}}[form]
    assert all(json.loads(line).keys() == names | {"id", "metadata"} for line in made.content.splitlines())
    project_id, _ = imported(small_shop, made)
    assert harvested(small_shop, project_id, kind) == harvested(small_shop, small_shop.project_id, kind)
    with small_shop.database.writing() as session:
        snapshot = freeze(session=session, actor=small_shop.lead, settings=small_shop.settings,
                          project_id=small_shop.project_id, labelling=Labelling(kind=kind))  # fmt: skip
    from_folder = exported(small_shop, what=What.SNAPSHOT, snapshot_id=snapshot.id)
    assert sorted(from_folder.content.splitlines()) == sorted(made.content.splitlines())


@pytest.mark.parametrize("kind", [TaskKind.COMPARE, TaskKind.RATE, TaskKind.RANK])
def test_every_answer_of_a_rater_is_a_row(database: Database, kind: TaskKind) -> None:
    desk = judging(database, kind, items=3, overlap=1)
    list(desk.rate_all())
    given = {"database": database, "actor": desk.people["lead"], "project_id": desk.project, "what": What.ANNOTATIONS}
    made = export(**given)
    rows = list(csv.DictReader(io.StringIO(made.content.decode(), newline="")))
    assert (made.rows, len(rows), made.file_name.endswith("-annotations.csv")) == (3, 3, True)
    assert {row["rater"] for row in rows} == {"ann"}
    assert [row["record"] for row in rows] == ["1", "2", "3"]
    assert all(row["at"].startswith("20") for row in rows)
    if kind is TaskKind.COMPARE:
        assert {row["winner"] for row in rows} == {row[row["verdict"]] for row in rows}
    elif kind is TaskKind.RATE:
        assert {(row["answer.tone"], row["answer.fits"]) for row in rows} == {("4", "true")}
    else:
        assert all(json.loads(row["ranking"]) for row in rows)
    table = pq.read_table(io.BytesIO(export(**given, form=Form.PARQUET).content)).to_pylist()
    assert [{name: value or "" for name, value in row.items()} for row in table] == rows


def test_a_formula_in_a_csv_cell_is_disarmed(small_shop: Shop) -> None:
    with small_shop.database.writing() as session:
        approved(session, small_shop.project, 1, prompt='=HYPERLINK("http://x")', answer="@SUM(1)")
        session.commit()
    content = exported(small_shop, what=What.APPROVED, form=Form.CSV).content.decode()
    assert "'=HYPERLINK" in content
    assert "'@SUM(1)" in content


def test_who_may_not_export_and_what_is_not_there(small_shop: Shop) -> None:
    with pytest.raises(NotReady):
        exported(small_shop, what=What.APPROVED)
    small_shop.fill(1)
    with pytest.raises(Forbidden):
        exported(small_shop, small_shop.rater, what=What.RECORDS)
    with pytest.raises(InvalidInput):
        exported(small_shop, what=What.SNAPSHOT)
    with small_shop.database.writing() as session:
        other = a_project(session, "other")
        foreign = Snapshot(project_id=other.id or 0, number=1, manifest={"rows": 0, "counts": {}}, content_hash="", folder="f")
        session.add(foreign)
        session.commit()
    with pytest.raises(NotFound):
        exported(small_shop, what=What.SNAPSHOT, snapshot_id=foreign.id)


def test_the_commands_freeze_and_write_a_file(small_shop: Shop, tmp_path: Path) -> None:
    import argparse

    from backend.datasets import commands
    from backend.runtime import Runtime

    small_shop.fill(10)
    root = argparse.ArgumentParser()
    commands.register(root.add_subparsers())
    house = Runtime(small_shop.settings, small_shop.database)

    def run(*arguments: str) -> Any:
        parsed = root.parse_args(arguments)
        return parsed.handler(parsed, house)

    assert run("snapshot", "--project", "shop", "--ratios", "60/20/20")["counts"] == {"train": 6, "validation": 2, "test": 2}
    out = tmp_path / "out.jsonl"
    told = run("export", "--project", "shop", "--what", "snapshot", "--as", "sharegpt", "--split", "train", str(out))
    assert (told["rows"], out.read_text().count('"conversations"')) == (6, 6)
    told = run("export", "--project", "shop", "--what", "records", "--as", "parquet", str(tmp_path / "out.parquet"))
    assert (told["rows"], told["as"], pq.read_metadata(tmp_path / "out.parquet").num_rows) == (10, "parquet", 10)
    with pytest.raises(InvalidInput, match="goes as csv"):
        run("export", "--project", "shop", "--what", "annotations", "--as", "openai", str(out))
    assert out.read_text().count('"conversations"') == 6
    assert sorted(path.name for path in tmp_path.glob("*out*")) == ["out.jsonl", "out.parquet"]
    assert run("snapshot", "--project", "shop", "--general", "0.2")["synthetic"] == {"count": 0, "by": {}}
    for wrong in (
        ["snapshot", "--project", "none"],
        ["export", "--project", "shop", "--what", "snapshot", "--snapshot", "9", "x"],
    ):
        with pytest.raises(NotFound):
            run(*wrong)
    with pytest.raises(InvalidInput, match="three numbers"):
        run("snapshot", "--project", "shop", "--ratios", "most")
