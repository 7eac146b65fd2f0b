"""Labels that came with an import teach once the record is approved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session, select

from backend.conversations import Message
from backend.curation.setting_rules import set_rules
from backend.datasets.freezing import freeze
from backend.datasets.kinds import Labelling
from backend.datasets.sameness import bare, same_questions, was_rewritten
from backend.detectors.privacy import DEFAULT_KINDS
from backend.errors import NotReady
from backend.intake.files import Options
from backend.intake.importing import import_file
from backend.store.curation import ImportedLabel
from backend.store.models import Snapshot
from backend.store.records import Record, Source
from backend.store.revisions import add_revision
from backend.vocabulary import Replacement, SnapshotKind, Thumb
from tests.backend.datasets.conftest import Shop, approve
from tests.factories import a_record
from trainer.rows import Row, read_rows


def labelled(session: Session, shop: Shop, prompt: str, answer: str, **label: Any) -> Record:
    source = Source(project_id=shop.project_id, name="labels", content_hash=prompt)
    record = a_record(session, shop.project, prompt=prompt, answer=answer)
    session.add(source)
    session.flush()
    given = {"answer": answer} | label
    session.add(ImportedLabel(project_id=shop.project_id, source_id=source.id or 0, record_id=record.id or 0, **given))
    session.flush()
    return record


def rewrite(session: Session, record: Record, *texts: str) -> None:
    messages = [Message("assistant" if place % 2 else "user", text) for place, text in enumerate(texts)]
    add_revision(session, record, messages, reason="Better", author_id=None)


def frozen(shop: Shop, kind: SnapshotKind, objective: str) -> tuple[Snapshot, list[Row]]:
    with shop.database.writing() as session:
        made = freeze(session=session, actor=shop.lead, settings=shop.settings, project_id=shop.project_id,
                      labelling=Labelling(kind=kind))  # fmt: skip
    rows = read_rows(shop.settings.snapshots / made.folder, objective)
    return made, [row for found in rows.values() for row in found]


def test_preferred_answers_of_approved_records_become_pairs(shop: Shop) -> None:
    with shop.database.writing() as session:
        for number in range(3):
            approve(session, labelled(session, shop, f"Q{number}?", f"Good {number}.", rejected=f"Bad {number}."))
        labelled(session, shop, "Waiting?", "Good.", rejected="Bad.")
        session.commit()
    made, rows = frozen(shop, SnapshotKind.PREFERENCES, "dpo")
    assert sorted((row.reference, row.rejected) for row in rows) == [(f"Good {n}.", f"Bad {n}.") for n in range(3)]
    assert made.manifest["from"] == {"imported labels": {"count": 3, "ids": [[1, 3]]}}
    assert made.manifest["left_out"] == {"question not approved": {"count": 1, "records": [4]}}


def test_a_bad_answer_teaches_once_an_expert_wrote_a_better_one(small_shop: Shop) -> None:
    with small_shop.database.writing() as session:
        bad = labelled(session, small_shop, "How do I return a rug?", "No idea, look it up.", thumb=Thumb.DOWN)
        rewrite(session, bad, "How do I return a rug?", "Send it back within thirty days, with the label from the box.")
        approve(session, bad)
        cleaned = labelled(session, small_shop, "Where is it?", "Who knows  â€¦ write to a.b@example.com", thumb=Thumb.DOWN)
        rewrite(session, cleaned, "Where is it?", "Who knows … write to [EMAIL]")
        approve(session, cleaned)
        approve(session, labelled(session, small_shop, "Are you open?", "Yes, until six.", thumb=Thumb.UP))
        session.commit()
    _, (pair,) = frozen(small_shop, SnapshotKind.PREFERENCES, "dpo")
    assert pair.reference.startswith("Send it back")
    assert pair.rejected == "No idea, look it up."
    _, thumbs = frozen(small_shop, SnapshotKind.THUMBS, "kto")
    assert {row.reference: row.desirable for row in thumbs} == {
        "No idea, look it up.": False,
        "Who knows … write to [EMAIL]": False,
        "Yes, until six.": True,
    }


def test_a_label_outlives_cleaning_and_not_another_question(small_shop: Shop) -> None:
    with small_shop.database.writing() as session:
        one = labelled(session, small_shop, "I am at anna.smith@example.com, ok?", "Fine.", rejected="No.")
        rewrite(session, one, "I am at [EMAIL], ok?", "Fine.")
        two = labelled(session, small_shop, "Can I pay by card?", "Yes.", rejected="Maybe.")
        rewrite(session, two, "Can I not pay by card?", "Yes.")
        approve(session, one)
        approve(session, two)
        session.commit()
    made, (row,) = frozen(small_shop, SnapshotKind.PREFERENCES, "dpo")
    assert row.messages[0]["content"] == "I am at [EMAIL], ok?"
    assert made.manifest["left_out"] == {"question edited since": {"count": 1, "records": [2]}}


def test_without_approval_a_label_teaches_nothing(small_shop: Shop, tmp_path: Path) -> None:
    with small_shop.database.writing() as session:
        labelled(session, small_shop, "Q?", "Good.", rejected="Bad.")
        session.commit()
    with pytest.raises(NotReady):
        frozen(small_shop, SnapshotKind.PREFERENCES, "dpo")


def test_texts_are_the_same_but_for_cleaning() -> None:
    assert bare("Hi  Anna.Smith@example.com!") == bare("hi [EMAIL]")
    said = [Message("user", "Where’s it?")]
    assert same_questions(said, [Message("user", "where's   it")])
    assert not same_questions(said, [Message("user", "Where's it now?")])
    assert not same_questions(said, [*said, Message("assistant", "Here.")])
    assert was_rewritten("No.", "Yes, of course you can.")
    assert not was_rewritten("We ship on Monday and Tuesday only.", "We ship on Monday and Tuesday only")


def test_answers_with_stand_ins_teach(small_shop: Shop) -> None:
    lines = [
        {"prompt": f"Who takes back {what}?", "chosen": f"Write to Maria Gonzalez at maria.gonzalez@example.com about {what}.",
         "rejected": f"No idea, ask John Miller about {what}."}
        for what in ("shoes", "lamps", "rugs")
    ]  # fmt: skip
    small_shop.settings.data.mkdir()
    given: dict[str, Any] = {"actor": small_shop.lead, "project_id": small_shop.project_id}
    with small_shop.database.writing() as session:
        set_rules(session=session, kinds=DEFAULT_KINDS, replacement=Replacement.SURROGATE, **given)
    with small_shop.database.writing() as session:
        import_file(session=session, name="pairs.json", content=json.dumps(lines).encode(), settings=small_shop.settings,
                    options=Options(mask=True), **given)  # fmt: skip
        for record in session.exec(select(Record)).all():
            approve(session, record)
        session.commit()
    made, rows = frozen(small_shop, SnapshotKind.PREFERENCES, "dpo")
    assert len(rows) == 3
    assert made.manifest["left_out"] == {}
    assert not any(name in f"{row.reference} {row.rejected}" for row in rows for name in ("Maria", "Gonzalez", "John"))
