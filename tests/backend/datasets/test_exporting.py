"""Exports, and that importing one again loses nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlmodel import col, select

from backend.conversations import Conversation, Message, Shape, messages_from_json
from backend.datasets.exporting import SHAPES, Export, What, build, export
from backend.datasets.freezing import freeze
from backend.errors import Forbidden, InvalidInput, NotFound, NotReady
from backend.intake.importing import import_file
from backend.store.models import Snapshot
from backend.store.records import Record, RecordRevision
from backend.vocabulary import Role, Split
from tests.backend.datasets.conftest import Shop, approved
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


@pytest.mark.parametrize("shape", list(SHAPES.values()))
def test_what_was_exported_is_imported_as_it_was(small_shop: Shop, shape: Shape) -> None:
    made = build("file", CONVERSATIONS, shape)
    with small_shop.database.writing() as session:
        project = a_project(session, "target")
        lead = a_person(session, "lead@target.test", project=project, role=Role.LEAD)
        session.commit()
    with small_shop.database.writing() as session:
        import_file(
            session=session,
            actor=lead,
            project_id=project.id or 0,
            name=made.file_name,
            content=made.content,
            settings=small_shop.settings,
        )
    with small_shop.database.writing() as session:
        again = export(session=session, actor=lead, project_id=project.id or 0, what=What.RECORDS, shape=shape)
        query = select(Record, RecordRevision.messages).join(RecordRevision, col(RecordRevision.record_id) == Record.id)
        query = query.where(Record.project_id == project.id, RecordRevision.number == 1).order_by(col(Record.id))
        came = [
            Conversation(messages_from_json(messages), record.slices, record.external_id or None, record.group or None)
            for record, messages in session.exec(query)
        ]
    assert came == CONVERSATIONS
    assert again.content == made.content


def exported(shop: Shop, actor: Any = None, **extra: Any) -> Export:
    with shop.database.writing() as session:
        return export(session=session, actor=actor or shop.lead, project_id=shop.project_id, **extra)


def test_records_approved_texts_and_snapshots_are_different_files(shop: Shop) -> None:
    shop.fill(10)
    with shop.database.writing() as session:
        a_record(session, shop.project, prompt="Pending?", answer="Yes.")
        session.commit()
        snapshot = freeze(session=session, actor=shop.lead, settings=shop.settings, project_id=shop.project_id)
        approved(session, shop.project, 99)
        session.commit()
    counts = {
        what: exported(shop, what=what, shape=Shape.OPENAI, snapshot_id=snapshot.id if what is What.SNAPSHOT else None).rows
        for what in What
    }
    assert counts == {What.RECORDS: 12, What.APPROVED: 11, What.SNAPSHOT: 10}
    part = exported(shop, what=What.SNAPSHOT, shape=Shape.PAIRS, snapshot_id=snapshot.id, split=Split.TEST)
    assert (part.rows, part.file_name, part.mime) == (1, "shop-snapshot-1-test.csv", "text/csv")
    assert part.content.startswith(b"id,group,system,history,prompt,response")


def test_a_formula_in_a_csv_cell_is_disarmed(small_shop: Shop) -> None:
    with small_shop.database.writing() as session:
        approved(session, small_shop.project, 1, prompt='=HYPERLINK("http://x")', answer="@SUM(1)")
        session.commit()
    content = exported(small_shop, what=What.APPROVED, shape=Shape.PAIRS).content.decode()
    assert "'=HYPERLINK" in content
    assert "'@SUM(1)" in content


def test_who_may_not_export_and_what_is_not_there(small_shop: Shop) -> None:
    with pytest.raises(NotReady):
        exported(small_shop, what=What.APPROVED, shape=Shape.OPENAI)
    small_shop.fill(1)
    with pytest.raises(Forbidden):
        exported(small_shop, small_shop.rater, what=What.RECORDS, shape=Shape.OPENAI)
    with pytest.raises(InvalidInput):
        exported(small_shop, what=What.SNAPSHOT, shape=Shape.OPENAI)
    with small_shop.database.writing() as session:
        other = a_project(session, "other")
        foreign = Snapshot(project_id=other.id or 0, number=1, manifest={"rows": 0, "counts": {}}, content_hash="", folder="f")
        session.add(foreign)
        session.commit()
    with pytest.raises(NotFound):
        exported(small_shop, what=What.SNAPSHOT, shape=Shape.OPENAI, snapshot_id=foreign.id)


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
    for wrong in (
        ["snapshot", "--project", "none"],
        ["export", "--project", "shop", "--what", "snapshot", "--snapshot", "9", "x"],
    ):
        with pytest.raises(NotFound):
            run(*wrong)
    with pytest.raises(InvalidInput, match="three numbers"):
        run("snapshot", "--project", "shop", "--ratios", "most")
