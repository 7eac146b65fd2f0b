"""Snapshots of grown, mixed and reweighed data, as the trainer reads them."""

from __future__ import annotations

from typing import Any

import pytest
from sqlmodel import Session

from backend.access.actors import SYSTEM
from backend.conversations import Message
from backend.curation.synthesis import add_synthetic
from backend.datasets import queries
from backend.datasets.freezing import freeze, verify
from backend.datasets.placement import General
from backend.errors import NotReady
from backend.store.models import Snapshot
from backend.store.records import Record, Source
from backend.vocabulary import MadeBy, SourcePurpose
from tests.backend.datasets.conftest import Shop, approve, approved
from trainer.rows import Row, read_questions, read_rows


def frozen(shop: Shop, **extra: Any) -> tuple[Snapshot, dict[str, list[Row]]]:
    with shop.database.writing() as session:
        made = freeze(session=session, actor=shop.lead, settings=shop.settings, project_id=shop.project_id, **extra)
    with shop.database.reading() as session:
        verify(session=session, actor=shop.lead, settings=shop.settings, snapshot_id=made.id or 0)
    return made, read_rows(shop.settings.snapshots / made.folder, "sft")


def split_of(rows: dict[str, list[Row]]) -> dict[int, str]:
    return {int(row.id): split for split, found in rows.items() for row in found}


def approved_copies(session: Session, shop: Shop, parents: list[int], *, compared: bool = True) -> list[int]:
    drafts = [(key, [Message("user", f"typo of {key}?"), Message("assistant", f"Answer to {key}.")]) for key in parents]
    made = add_synthetic(
        session=session, actor=SYSTEM, project_id=shop.project_id, drafts=drafts, made_by=MadeBy.TYPOS, name="t"
    )
    for record_id in made:
        record = approve(session, session.get_one(Record, record_id))
        record.compared = compared
        session.add(record)
    session.commit()
    return made


def test_weights_and_copies_reach_the_trainer_in_train_and_nowhere_else(shop: Shop) -> None:
    ids = shop.fill(20)
    plain = split_of(frozen(shop)[1])
    train = [key for key in ids if plain[key] == "train"]
    with shop.database.writing() as session:
        for record_id in ids:
            record = session.get_one(Record, record_id)
            record.weight = 0.25
            record.copies = (
                0 if record_id == train[0] else 3 if record_id == train[1] else 0 if plain[record_id] == "test" else 1
            )
            session.add(record)
        session.commit()
    made, rows = frozen(shop)
    assert [row.id for row in rows["train"] if row.id.startswith(f"{train[1]}")][:3] == [
        f"{train[1]}", f"{train[1]}.2", f"{train[1]}.3",
    ]  # fmt: skip
    assert {row.weight for row in rows["train"]} == {0.25}
    assert {row.weight for split in ("validation", "test") for row in rows[split]} == {1.0}
    assert (
        {split: len(found) for split, found in rows.items()}
        == made.manifest["counts"]
        == {"train": 17, "validation": 2, "test": 2}
    )
    assert len({row.id for row in rows["train"]}) == 17
    assert made.manifest["repeated"] == {"records": 1, "rows_added": 2}
    assert made.manifest["weighted"] == {"records": 15, "least": 0.25, "most": 0.25}
    assert made.manifest["left_out"] == {
        "left out of the train set by resampling": {"count": 1, "records": [train[0]]},
    }
    assert len(read_questions(shop.settings.snapshots / made.folder, "train")) == 15


def test_synthetic_records_follow_their_originals_into_train_alone(shop: Shop) -> None:
    ids = shop.fill(20)
    before = split_of(frozen(shop)[1])
    with shop.database.writing() as session:
        made = approved_copies(session, shop, ids)
    snapshot, rows = frozen(shop)
    after = split_of(rows)
    assert {key: after[key] for key in ids} == before
    parent_of = dict(zip(made, ids, strict=True))
    assert {key for key in made if key in after} == {key for key in made if before[parent_of[key]] == "train"}
    assert {after[key] for key in made if key in after} == {"train"}
    assert snapshot.manifest["synthetic"] == {"count": 16, "by": {"typos": 16}}
    assert {reason: entry["count"] for reason, entry in snapshot.manifest["left_out"].items()} == {
        "synthetic, and its original is in the test set": 2,
        "synthetic, and its original is in the validation set": 2,
    }
    text = (shop.settings.snapshots / snapshot.folder / "train.jsonl").read_text()
    assert text.count('"synthetic": true') == 16


def test_records_that_were_not_compared_hold_a_snapshot_up(shop: Shop) -> None:
    ids = shop.fill(4)
    with shop.database.writing() as session:
        made = approved_copies(session, shop, ids[:2], compared=False)
    with pytest.raises(NotReady, match=r"2 approved records have not been compared.*clean --project shop --checks duplicates"):
        frozen(shop)
    with shop.database.reading() as session:
        look = queries.outlook(session, shop.lead, shop.project_id)
    assert (look.uncompared, look.synthetic, look.ready) == (2, 2, 6)
    assert len(made) == 2


def test_general_talk_is_mixed_in_by_share_and_seed_and_told(shop: Shop) -> None:
    shop.fill(20)
    with shop.database.writing() as session:
        source = Source(project_id=shop.project_id, name="talk", content_hash="t", purpose=SourcePurpose.GENERAL)
        session.add(source)
        session.flush()
        for number in range(100, 120):
            record = approved(session, shop.project, number)
            record.source_id = source.id
            session.add(record)
        session.commit()
    without, rows = frozen(shop)
    assert (without.manifest["rows"], without.manifest["general"]) == (
        20,
        {"share": 0.0, "seed": 0, "available": 20, "taken": 0},
    )
    made, mixed = frozen(shop, general=General(share=0.2, seed=5))
    assert made.manifest["general"] == {"share": 0.2, "seed": 5, "available": 20, "taken": 4}
    assert made.manifest["counts"] == {"train": 20, "validation": 2, "test": 2}
    assert made.manifest["left_out"]["general talk, beyond the stated share"]["count"] == 16
    assert {**split_of(mixed), **split_of(rows)} == split_of(mixed)
    again, _ = frozen(shop, general=General(share=0.2, seed=5))
    assert again.content_hash == made.content_hash != frozen(shop, general=General(share=0.2, seed=6))[0].content_hash


def test_nothing_but_general_talk_is_no_snapshot(small_shop: Shop) -> None:
    ids = small_shop.fill(2)
    with small_shop.database.writing() as session:
        source = Source(project_id=small_shop.project_id, name="talk", content_hash="t", purpose=SourcePurpose.GENERAL)
        session.add(source)
        session.flush()
        for record_id in ids:
            session.get_one(Record, record_id).source_id = source.id
        session.commit()
    with pytest.raises(NotReady, match="synthetic or general"):
        frozen(small_shop, general=General(share=0.5))
