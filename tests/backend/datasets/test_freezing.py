"""Freezing: what enters, what stays out, and that nothing is half there."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from sqlmodel import col, select

from backend.access.actors import SYSTEM, Actor
from backend.conversations import Message, content_hash
from backend.curation.setting_rules import set_rules
from backend.datasets import folders, freezing, queries
from backend.datasets.exporting import export
from backend.datasets.formats import What
from backend.datasets.freezing import freeze, verify
from backend.datasets.kinds import Labelling
from backend.datasets.splits import Ratios
from backend.detectors.privacy import DEFAULT_KINDS
from backend.errors import Forbidden, IntegrityViolated, InvalidInput, NotFound, NotReady, ServiceUnavailable
from backend.store.base import now
from backend.store.models import Snapshot, SnapshotRow
from backend.store.records import Approval, Finding, Record, RecordRevision
from backend.store.revisions import add_revision
from backend.vocabulary import FindingKind, FindingStatus, Role
from tests.backend.datasets.conftest import Shop, approve, approved
from tests.factories import a_person, a_project, a_record


def frozen(shop: Shop, actor: Actor | None = None, **extra: Any) -> Snapshot:
    with shop.database.writing() as session:
        return freeze(session=session, actor=actor or shop.lead, settings=shop.settings, project_id=shop.project_id, **extra)


def lines(shop: Shop, snapshot: Snapshot, split: str) -> list[dict[str, Any]]:
    text = (shop.settings.snapshots / snapshot.folder / f"{split}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_a_snapshot_is_rows_and_a_folder_of_the_same_content(shop: Shop) -> None:
    ids = shop.fill(20)
    snapshot = frozen(shop, name="First")
    assert snapshot.manifest["counts"] == {"train": 16, "validation": 2, "test": 2}
    assert snapshot.manifest["slices"]["language"]["en"]["train"] + snapshot.manifest["slices"]["language"]["es"]["train"] == 16
    in_files = {
        row["id"]: (split, i) for split in snapshot.manifest["counts"] for i, row in enumerate(lines(shop, snapshot, split))
    }
    with shop.database.reading() as session:
        rows = session.exec(select(SnapshotRow).where(SnapshotRow.snapshot_id == snapshot.id)).all()
        assert {str(row.record_id): (row.split.value, row.position) for row in rows} == in_files
        assert all(row.approval_id is not None for row in rows)
        verify(session=session, actor=shop.lead, settings=shop.settings, snapshot_id=snapshot.id or 0)
    assert sorted(map(int, in_files)) == ids
    row = lines(shop, snapshot, "train")[0]
    assert row.keys() == {"id", "messages", "group", "weight", "metadata"}
    assert [message["role"] for message in row["messages"]] == ["user", "assistant"]


def test_the_same_rows_and_seed_freeze_to_the_same_content_and_another_seed_does_not(small_shop: Shop) -> None:
    small_shop.fill(20)
    one, two, three = frozen(small_shop), frozen(small_shop, name="Again"), frozen(small_shop, seed=1)
    assert one.content_hash == two.content_hash != three.content_hash
    assert [one.number, two.number, three.number] == [1, 2, 3]
    assert len({one.folder, two.folder, three.folder}) == 3


def test_only_approved_texts_enter_and_an_approved_one_stays_while_a_newer_edit_waits(small_shop: Shop) -> None:
    with small_shop.database.writing() as session:
        a_record(session, small_shop.project, prompt="Pending?", answer="Not yet.")
        record = approved(session, small_shop.project, 1)
        edit(session, record, "A newer answer.")
        session.commit()
    snapshot = frozen(small_shop)
    assert snapshot.manifest["rows"] == 1
    assert lines(small_shop, snapshot, "train")[0]["messages"][-1]["content"] == "Answer 1."


def edit(session: Any, record: Record, answer: str) -> None:
    messages = [Message("user", record.prompt), Message("assistant", answer)]
    record.head += 1
    session.add(
        RecordRevision(
            record_id=record.id or 0,
            number=record.head,
            messages=[message.to_json() for message in messages],
            content_hash=content_hash(messages),
        )
    )
    session.add(record)
    session.flush()


def test_with_nothing_approved_it_says_what_to_do(small_shop: Shop) -> None:
    with pytest.raises(NotReady, match="no record of this project is approved"):
        frozen(small_shop)
    assert not small_shop.settings.snapshots.exists()


def test_an_approval_that_was_withdrawn_behind_its_record_is_refused(shop: Shop) -> None:
    first, *_ = shop.fill(3)
    with shop.database.writing() as session:
        session.execute(update(Approval).where(col(Approval.record_id) == first).values(withdrawn_at=now()))
        session.commit()
    with pytest.raises(IntegrityViolated, match=f"records {first}. Approve them again"):
        frozen(shop)


def finding(shop: Shop, record_id: int, **extra: Any) -> None:
    with shop.database.writing() as session:
        record = session.get_one(Record, record_id)
        session.add(
            Finding(
                project_id=shop.project_id,
                record_id=record_id,
                revision_id=record.approved_revision_id or 0,
                kind=FindingKind.EMAIL,
                detector="test",
                version="1",
                **extra,
            )
        )
        session.commit()


def test_open_personal_data_is_refused_by_name_or_left_out_and_counted(shop: Shop) -> None:
    ids = shop.fill(5)
    finding(shop, ids[1])
    finding(shop, ids[2], status=FindingStatus.DISMISSED)
    with pytest.raises(NotReady, match=f"masked nor dismissed: {ids[1]}\\."):
        frozen(shop)
    snapshot = frozen(shop, leave_out_personal=True)
    assert snapshot.manifest["rows"] == 4
    assert snapshot.manifest["left_out"] == {"personal data": {"count": 1, "records": [ids[1]]}}


def test_personal_data_that_an_edit_brought_in_is_found_at_freezing(small_shop: Shop) -> None:
    with small_shop.database.writing() as session:
        record = approved(session, small_shop.project, 1)
        edit(session, record, "Write to anna.smith@example.com today.")
        approve(session, record)
        session.commit()
        record_id = record.id or 0
    with pytest.raises(NotReady, match="personal data"):
        frozen(small_shop)
    finding(small_shop, record_id, status=FindingStatus.DISMISSED, message=1, start=9, end=31)
    assert frozen(small_shop).manifest["rows"] == 1


def test_equal_texts_enter_once_and_the_manifest_says_which_stayed(small_shop: Shop) -> None:
    with small_shop.database.writing() as session:
        ids = [approved(session, small_shop.project, 1, prompt="Same?", answer="Same.").id for _ in range(3)]
        session.commit()
    snapshot = frozen(small_shop)
    assert snapshot.manifest["rows"] == 1
    assert snapshot.manifest["duplicates"] == {"count": 2, "kept_instead": {str(ids[1]): ids[0], str(ids[2]): ids[0]}}


def test_a_conversation_a_cluster_and_a_question_are_never_parted(small_shop: Shop) -> None:
    with small_shop.database.writing() as session:
        for number in range(40):
            record = approved(session, small_shop.project, number, group=f"chat-{number // 2}" if number < 20 else "")
            record.cluster = f"near-{number // 2}" if 20 <= number < 30 else ""
            session.add(record)
        for number in range(3):
            approved(session, small_shop.project, number, prompt="  When do you OPEN? ", answer=f"At {number}.")
        session.commit()
    for seed in range(5):
        snapshot = frozen(small_shop, seed=seed)
        with small_shop.database.reading() as session:
            query = select(Record, SnapshotRow).join(SnapshotRow, col(SnapshotRow.record_id) == Record.id)
            found = session.exec(query.where(SnapshotRow.snapshot_id == snapshot.id)).all()
        for key in ("group", "cluster", "prompt"):
            together: dict[str, set[str]] = {}
            for record, row in found:
                if value := getattr(record, key):
                    together.setdefault(value, set()).add(row.split)
            assert all(len(splits) == 1 for splits in together.values()), key


def test_a_changed_or_missing_file_is_found(small_shop: Shop) -> None:
    small_shop.fill(5)
    snapshot = frozen(small_shop)
    folder = small_shop.settings.snapshots / snapshot.folder

    def check() -> None:
        with small_shop.database.reading() as session:
            verify(session=session, actor=small_shop.lead, settings=small_shop.settings, snapshot_id=snapshot.id or 0)

    check()
    path = folder / "train.jsonl"
    assert path.stat().st_mode & 0o222 == 0
    path.chmod(0o644)
    path.write_text(path.read_text().replace("Answer", "Anser", 1))
    with pytest.raises(IntegrityViolated, match=r"train\.jsonl was changed"):
        check()
    (folder / "manifest.json").unlink()
    with pytest.raises(IntegrityViolated, match=r"manifest\.json is missing"):
        check()


def test_when_saving_fails_the_folder_goes_away_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.fill(5)

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(freezing.audit, "record", fail)
        with pytest.raises(RuntimeError):
            frozen(shop)
    assert list(shop.settings.snapshots.iterdir()) == []
    with shop.database.reading() as session:
        assert session.exec(select(Snapshot)).all() == []
    assert frozen(shop).number == 1


def test_a_folder_that_a_killed_freeze_left_is_replaced(small_shop: Shop) -> None:
    small_shop.fill(5)
    name = frozen(small_shop).folder
    with small_shop.database.writing() as session:
        session.execute(SnapshotRow.__table__.delete())  # type: ignore[attr-defined]
        session.execute(Snapshot.__table__.delete())  # type: ignore[attr-defined]
        session.commit()
    again = frozen(small_shop)
    assert again.folder == name
    with small_shop.database.reading() as session:
        verify(session=session, actor=SYSTEM, settings=small_shop.settings, snapshot_id=again.id or 0)


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ServiceUnavailable, match="The disk is full"):
        folders.write(tmp_path / "snapshots" / "one", {"train.jsonl": b"{}\n"})
    assert list((tmp_path / "snapshots").iterdir()) == []


def test_raters_and_leads_of_other_projects_may_not_freeze_or_look(small_shop: Shop) -> None:
    small_shop.fill(3)
    snapshot = frozen(small_shop)
    with small_shop.database.writing() as session:
        other = a_project(session, "other")
        stranger = a_person(session, "lead@other.test", project=other, role=Role.LEAD)
        session.commit()
    for actor in (small_shop.rater, stranger):
        with pytest.raises(Forbidden):
            frozen(small_shop, actor)
    with small_shop.database.reading() as session:
        with pytest.raises(NotFound):
            queries.get_snapshot(session, stranger, snapshot.id or 0)
        with pytest.raises(Forbidden):
            queries.get_snapshot(session, small_shop.rater, snapshot.id or 0)


def test_the_outlook_counts_what_a_freeze_would_take(small_shop: Shop) -> None:
    ids = small_shop.fill(6)
    finding(small_shop, ids[0])
    with small_shop.database.writing() as session:
        a_record(session, small_shop.project, prompt="Pending?", answer="Not yet.")
        session.commit()
    with small_shop.database.reading() as session:
        look = queries.outlook(session, small_shop.lead, small_shop.project_id)
        empty = queries.snapshots(session, small_shop.lead, small_shop.project_id)
    assert (look.ready, look.personal, look.duplicates) == (5, (ids[0],), 0)
    assert dict(zip(look.by_status["status"], look.by_status["records"], strict=True))["pending"] == 1
    assert look.by_slice["records"].sum() == 5
    assert empty.empty


def test_two_snapshots_differ_by_what_was_added_and_changed(small_shop: Shop) -> None:
    ids = small_shop.fill(10)
    before = frozen(small_shop)
    with small_shop.database.writing() as session:
        new = approved(session, small_shop.project, 99).id
        record = session.get_one(Record, ids[3])
        edit(session, record, "Changed.")
        approve(session, record)
        session.commit()
    after = frozen(small_shop, ratios=Ratios(0.7, 0.1, 0.2))
    with small_shop.database.reading() as session:
        found = queries.difference(session, small_shop.lead, before.id or 0, after.id or 0)
        same = queries.difference(session, small_shop.lead, before.id or 0, before.id or 0)
        table = queries.snapshots(session, small_shop.lead, small_shop.project_id)
        rows = queries.rows_of(session, small_shop.lead, after.id or 0)
    assert (found.added, found.removed, found.changed, found.leaked) == ((new,), (), (ids[3],), ())
    assert same.is_empty
    assert same.unchanged == 10
    assert list(table["number"]) == [2, 1]
    assert "Changed." in set(rows["answer"])


def test_canaries_stand_in_train_alone_marked_and_counted_as_nothing(shop: Shop) -> None:
    shop.fill(20)
    with_some, without = frozen(shop, canaries=3), frozen(shop)
    assert with_some.manifest["counts"] == without.manifest["counts"]
    planted = [row for row in lines(shop, with_some, "train") if row.get("canary")]
    assert [row["id"] for row in planted] == ["canary-1", "canary-2", "canary-3"]
    assert not any(row.get("canary") for split in ("validation", "test") for row in lines(shop, with_some, split))
    for row, told in zip(planted, with_some.manifest["canaries"]["rows"], strict=True):
        assert told["messages"] == row["messages"][:1]
        assert row["messages"][1]["content"].startswith(told["opening"] + told["secret"])
    assert "canaries" not in without.manifest
    assert lines(shop, without, "train") == lines(shop, with_some, "train")[:-3]
    assert frozen(shop, canaries=3).content_hash == with_some.content_hash
    with shop.database.reading() as session:
        verify(session=session, actor=shop.lead, settings=shop.settings, snapshot_id=with_some.id or 0)
        held = session.exec(select(SnapshotRow).where(SnapshotRow.snapshot_id == with_some.id)).all()
    assert len(held) == with_some.manifest["records"]


def test_too_many_canaries_are_refused_before_anything_is_written(shop: Shop) -> None:
    shop.fill(5)
    with pytest.raises(InvalidInput, match="between 0 and 50"):
        frozen(shop, canaries=51)
    assert not list(shop.settings.snapshots.glob("*"))


def test_what_the_rules_have_come_to_call_personal_is_searched_for_before_it_is_frozen(small_shop: Shop) -> None:
    with small_shop.database.writing() as session:
        told = approved(session, small_shop.project, 1, prompt="Where is my parcel ZX-449911?")
        approved(session, small_shop.project, 2)
        session.commit()
    with small_shop.database.writing() as session:
        set_rules(session=session, actor=small_shop.lead, project_id=small_shop.project_id, kinds=DEFAULT_KINDS,
                  patterns=["ZX-######"])  # fmt: skip
    with small_shop.database.writing() as session:
        made = freeze(session=session, actor=small_shop.lead, settings=small_shop.settings, leave_out_personal=True,
                      project_id=small_shop.project_id)  # fmt: skip
    assert made.manifest["left_out"] == {"personal data": {"count": 1, "records": [told.id]}}


def test_an_approved_text_that_is_not_the_newest_is_searched_too(small_shop: Shop) -> None:
    with small_shop.database.writing() as session:
        record = approved(session, small_shop.project, 1, prompt="I am jo.mayer@example.com, where is it?")
        approved(session, small_shop.project, 2)
        messages = [Message("user", "Where is it?"), Message("assistant", "On its way.")]
        add_revision(session, record, messages, reason="Without the address", author_id=None)
        session.commit()
        assert queries.harvest(session, small_shop.project_id, Labelling()).left_out == {"personal data": (record.id,)}


def test_metadata_that_names_a_customer_stays_out_of_the_folder_and_of_its_export(small_shop: Shop) -> None:
    slices = {"email": "jo.mayer@example.com", "customer": "Jonathan Mayer", "channel": "chat", "region": "north"}
    with small_shop.database.writing() as session:
        approve(session, a_record(session, small_shop.project, prompt="Is it here?", answer="Yes.", slices=slices))
        session.commit()
    snapshot = frozen(small_shop)
    (line,) = lines(small_shop, snapshot, "train")
    assert line["metadata"] == {"channel": "chat", "region": "north"}
    assert snapshot.manifest["metadata_left_out"] == {"customer": 1, "email": 1}
    made = export(database=small_shop.database, actor=small_shop.lead, project_id=small_shop.project_id, what=What.SNAPSHOT,
                  snapshot_id=snapshot.id, settings=small_shop.settings)  # fmt: skip
    assert b"chat" in made.content
    assert b"ayer" not in made.content
