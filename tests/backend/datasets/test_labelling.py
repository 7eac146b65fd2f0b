"""Snapshots of what people said: made by answering tasks as raters do, then frozen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from backend.conversations import Message, content_hash
from backend.datasets import queries
from backend.datasets.freezing import freeze, verify
from backend.datasets.kinds import Labelling
from backend.errors import InvalidInput, NotReady
from backend.rubrics import Question, Rubric
from backend.settings import Settings
from backend.store.conversations import Feedback
from backend.store.database import Database
from backend.store.models import Response, Snapshot, SnapshotRow
from backend.store.records import Project, Record, RecordRevision
from backend.store.work import Item, Task
from backend.vocabulary import ItemPurpose, QuestionType, SnapshotKind, TaskKind, Thumb, Verdict
from tests.backend.datasets.conftest import approve
from tests.backend.review.judging import Judging, judging
from tests.factories import a_record
from trainer.rows import read_questions, read_rows


def approve_all(desk: Judging) -> list[int]:
    with desk.database.writing() as session:
        records = list(session.exec(select(Record).order_by(Record.id)))  # type: ignore[arg-type]
        ids = [approve(session, record).id or 0 for record in records]
        session.commit()
        return ids


def a_desk(database: Database, kind: TaskKind, **options: Any) -> Judging:
    desk = judging(database, kind, **options)
    approve_all(desk)
    return desk


def frozen(desk: Judging, data: Path, kind: SnapshotKind, **extra: Any) -> tuple[Snapshot, list[dict[str, Any]]]:
    settings = Settings(data=data)
    snapshot = desk.call(freeze, settings=settings, project_id=desk.project, labelling=Labelling(kind=kind, **extra))
    desk.call(verify, settings=settings, snapshot_id=snapshot.id or 0)
    folder = settings.snapshots / snapshot.folder
    texts = [(folder / f"{split}.jsonl").read_text() for split in ("train", "validation", "test")]
    return snapshot, [json.loads(line) for text in texts for line in text.splitlines()]


def folder_of(data: Path, snapshot: Snapshot) -> Path:
    return Settings(data=data).snapshots / snapshot.folder


def test_comparisons_become_pairs_that_the_trainer_reads(database: Database, tmp_path: Path) -> None:
    desk = a_desk(database, TaskKind.COMPARE, overlap=1)
    list(desk.rate_all())
    snapshot, lines = frozen(desk, tmp_path, SnapshotKind.PREFERENCES)
    assert (snapshot.manifest["kind"], snapshot.manifest["rows"], snapshot.manifest["records"]) == ("preferences", 6, 6)
    assert snapshot.manifest["from"] == {"annotations": {"count": 6, "ids": [[1, 6]]}}
    for line in lines:
        number = line["prompt"][0]["content"].removeprefix("Question ").rstrip("?")
        assert (line["chosen"][0]["content"], line["rejected"][0]["content"]) == (f"first {number}", f"second {number}")
        assert line["reference"] == f"Truth {number}."
        assert line["from"].keys() == {"annotations"}
    assert [len(rows) for rows in read_rows(folder_of(tmp_path, snapshot), "dpo").values()] == [4, 1, 1]
    (question,) = read_questions(folder_of(tmp_path, snapshot), "test")
    assert question.reference.startswith("Truth")
    with database.reading() as session:
        tested = session.exec(select(SnapshotRow.record_id).where(SnapshotRow.split == "test")).one()
    assert question.id == str(tested)


def test_a_correction_counts_and_what_was_taken_back_does_not(sqlite: Database, tmp_path: Path) -> None:
    from backend.review import annotating

    desk = a_desk(sqlite, TaskKind.COMPARE, items=4, overlap=1)
    (item,) = desk.next()
    desk.answer(item, good=False)
    again = desk.call(annotating.undo_last, "ann", task_id=desk.task)
    desk.answer(again, good=True)
    _, (line,) = frozen(desk, tmp_path, SnapshotKind.PREFERENCES)
    assert line["chosen"][0]["content"].startswith("first")


def test_several_raters_decide_by_majority_and_ties_are_left_out(sqlite: Database, tmp_path: Path) -> None:
    desk = a_desk(sqlite, TaskKind.COMPARE, items=3, overlap=3)
    opinions = {"ann": [True, True, None], "bob": [True, False, None], "cem": [False, None, True]}
    from backend.review import annotating

    for who, said in opinions.items():
        for _ in said:
            (item,) = desk.next(who)
            good = said[int(item.texts[0].split()[-1])]
            verdict = {"verdict": Verdict.TIE} if good is None else desk.said(item, good)
            desk.call(annotating.submit, who, slot_id=item.slot_id, fence=item.fence, **verdict)
    snapshot, (line,) = frozen(desk, tmp_path, SnapshotKind.PREFERENCES)
    assert (line["chosen"][0]["content"], snapshot.manifest["undecided"]) == ("first 0", 2)


def test_a_ruling_takes_the_place_of_the_votes(sqlite: Database, tmp_path: Path) -> None:
    from backend.store.work import Adjudication

    desk = a_desk(sqlite, TaskKind.COMPARE, items=3, overlap=1)
    list(desk.rate_all(good=False))
    with sqlite.writing() as session:
        item = session.get_one(Item, desk.items[0])
        given = {"project_id": desk.project, "task_id": desk.task, "item_id": item.id or 0, "reason": "It is true."}
        session.add(Adjudication(**given, winner_response_id=item.first_response_id))  # type: ignore[arg-type]
        session.commit()
    _, lines = frozen(desk, tmp_path, SnapshotKind.PREFERENCES)
    assert sum(line["chosen"][0]["content"].startswith("first") for line in lines) == 1
    assert [line["from"] for line in lines if "rulings" in line["from"]] == [{"rulings": [1]}]


def test_rankings_become_pairs_and_a_record_with_several_stays_in_one_part(sqlite: Database, tmp_path: Path) -> None:
    desk = a_desk(sqlite, TaskKind.RANK, items=4, overlap=1)
    list(desk.rate_all())
    snapshot, lines = frozen(desk, tmp_path, SnapshotKind.PREFERENCES)
    assert (snapshot.manifest["rows"], snapshot.manifest["records"]) == (12, 4)
    assert len({line["id"] for line in lines}) == 12
    by_split = read_rows(folder_of(tmp_path, snapshot), "dpo")
    ids = [{row.id.partition("-")[0] for row in rows} for rows in by_split.values()]
    assert not ids[0] & ids[1] | ids[0] & ids[2] | ids[1] & ids[2]
    assert len(read_questions(folder_of(tmp_path, snapshot), "train")) == len(by_split["train"]) // 3
    with sqlite.reading() as session:
        assert len(session.exec(select(SnapshotRow)).all()) == 4


def test_gold_and_repeats_are_no_labels(sqlite: Database, tmp_path: Path) -> None:
    desk = a_desk(sqlite, TaskKind.COMPARE, items=3, overlap=1)
    list(desk.rate_all())
    with sqlite.writing() as session:
        for item_id, purpose in zip(desk.items[:2], (ItemPurpose.GOLD, ItemPurpose.REPEAT), strict=True):
            item = session.get_one(Item, item_id)
            item.purpose = purpose
            session.add(item)
        session.commit()
    _, lines = frozen(desk, tmp_path, SnapshotKind.PREFERENCES)
    assert len(lines) == 1


def test_only_approved_unchanged_questions_and_answers_without_personal_data_count(sqlite: Database, tmp_path: Path) -> None:
    desk = a_desk(sqlite, TaskKind.COMPARE, items=5, overlap=1)
    list(desk.rate_all())
    with sqlite.writing() as session:
        one, two = session.get_one(Record, 1), session.get_one(Record, 2)
        one.approved_revision_id = None
        messages = [Message("user", "Another question?"), Message("assistant", "Truth.")]
        two.head += 1
        session.add_all([one, two])
        session.add(
            RecordRevision(record_id=2, number=2, messages=[m.to_json() for m in messages], content_hash=content_hash(messages))
        )
        session.flush()
        approve(session, two)
        third = session.exec(select(Response).where(Response.record_id == 3, Response.text == "second 2")).one()
        third.text = "Write to anna.schmidt@example.com"
        session.add(third)
        session.commit()
    snapshot, lines = frozen(desk, tmp_path, SnapshotKind.PREFERENCES)
    assert sorted(line["record"] for line in lines) == ["4", "5"]
    assert snapshot.manifest["left_out"] == {
        "personal data": {"count": 1, "records": [3]},
        "question edited since": {"count": 1, "records": [2]},
        "question not approved": {"count": 1, "records": [1]},
    }


def test_an_expert_s_edit_is_preferred_to_the_import_where_the_lead_asks(sqlite: Database, tmp_path: Path) -> None:
    desk = a_desk(sqlite, TaskKind.COMPARE, items=3)
    with sqlite.writing() as session:
        record = session.get_one(Record, 2)
        messages = [Message("user", record.prompt), Message("assistant", "A better truth.")]
        record.head += 1
        given = {"record_id": 2, "number": 2, "content_hash": content_hash(messages)}
        session.add(RecordRevision(messages=[m.to_json() for m in messages], **given))  # type: ignore[arg-type]
        session.flush()
        approve(session, record)
        session.commit()
    with pytest.raises(NotReady, match="no labels of this kind"):
        frozen(desk, tmp_path, SnapshotKind.PREFERENCES)
    snapshot, (line,) = frozen(desk, tmp_path, SnapshotKind.PREFERENCES, edits=True)
    assert (line["chosen"][0]["content"], line["rejected"][0]["content"]) == ("A better truth.", "Truth 1.")
    assert snapshot.manifest["labelling"] == {"edits": True}
    assert line["from"].keys() == {"revisions"}


def test_ratings_and_chat_thumbs_become_verdicts(database: Database, tmp_path: Path) -> None:
    desk = a_desk(database, TaskKind.RATE, items=4, overlap=1)
    for number, good in enumerate((True, False, True, False)):
        (item,) = desk.next()
        assert item.texts == (f"first {number}",)
        desk.answer(item, good=good)
    with database.writing() as session:
        record = a_record(session, session.get_one(Project, desk.project), prompt="Hi?", answer="Go away.")
        approve(session, record)
        session.add(Feedback(project_id=desk.project, record_id=record.id, thumb=Thumb.DOWN))
        session.add(Feedback(project_id=desk.project, record_id=1, csat=5))
        session.commit()
    snapshot, lines = frozen(desk, tmp_path, SnapshotKind.THUMBS)
    verdicts = {line["messages"][-1]["content"]: line["desirable"] for line in lines}
    assert verdicts == {"first 0": True, "first 1": False, "first 2": True, "first 3": False, "Go away.": False}
    assert snapshot.manifest["thumbs"] == {"up": 2, "down": 3}
    assert snapshot.manifest["from"].keys() == {"annotations", "feedback"}
    assert sum(map(len, read_rows(folder_of(tmp_path, snapshot), "kto").values())) == 5
    one_question, _ = frozen(desk, tmp_path, SnapshotKind.THUMBS, question="tone", up_from=0.9, down_to=0.1)
    assert one_question.manifest["thumbs"] == {"up": 0, "down": 3}
    assert one_question.manifest["undecided"] == 2


def test_metadata_becomes_classes_of_questions(sqlite: Database, tmp_path: Path) -> None:
    desk = judging(sqlite, TaskKind.RATE, items=6)
    with sqlite.writing() as session:
        for number, record in enumerate(session.exec(select(Record))):
            record.slices = {"intent": ("returns", "shipping", "")[number % 3]}
            session.add(record)
        session.commit()
    approve_all(desk)
    snapshot, lines = frozen(desk, tmp_path, SnapshotKind.LABELS, label="intent")
    assert snapshot.manifest["classes"] == {"returns": 2, "shipping": 2}
    assert snapshot.manifest["left_out"] == {"no class": {"count": 2, "records": [3, 6]}}
    assert [message["role"] for message in lines[0]["messages"]] == ["user"]
    assert sum(map(len, read_rows(folder_of(tmp_path, snapshot), "classification").values())) == 4
    with pytest.raises(NotReady, match="no labels"):
        frozen(desk, tmp_path, SnapshotKind.LABELS, label="nothing")


def test_what_would_be_frozen_is_told_before_and_labels_are_not_exported_as_conversations(
    sqlite: Database, tmp_path: Path
) -> None:
    from backend.datasets.exporting import export
    from backend.datasets.formats import Form, What

    desk = a_desk(sqlite, TaskKind.COMPARE, items=4, overlap=1)
    list(desk.rate_all())
    with sqlite.reading() as session:
        look = queries.outlook(session, desk.people["lead"], desk.project, Labelling(kind=SnapshotKind.PREFERENCES))
        assert queries.label_keys(session, desk.people["lead"], desk.project) == []
    assert (look.ready, look.records, look.told["undecided"]) == (4, 4, 0)
    snapshot, _ = frozen(desk, tmp_path, SnapshotKind.PREFERENCES)
    with pytest.raises(InvalidInput, match="goes as dpo"):
        export(database=sqlite, actor=desk.people["lead"], project_id=desk.project, what=What.SNAPSHOT, form=Form.OPENAI,
               snapshot_id=snapshot.id)  # fmt: skip


def test_the_same_labels_freeze_to_the_same_content_and_a_new_one_is_a_difference(sqlite: Database, tmp_path: Path) -> None:
    desk = a_desk(sqlite, TaskKind.COMPARE, items=4, overlap=1)
    list(desk.rate_all(most=3))
    one, _ = frozen(desk, tmp_path, SnapshotKind.PREFERENCES)
    two, _ = frozen(desk, tmp_path, SnapshotKind.PREFERENCES)
    assert one.content_hash == two.content_hash
    list(desk.rate_all())
    three, _ = frozen(desk, tmp_path, SnapshotKind.PREFERENCES)
    with sqlite.reading() as session:
        found = queries.difference(session, desk.people["lead"], two.id or 0, three.id or 0)
    assert len(found.added) == 1


def sorted_by(database: Database, opinions: dict[str, str]) -> Judging:
    """A task whose raters say of each question, by its number in their text, whether it is about returns or shipping."""
    from backend.review import annotating

    about = Question("about", "What is it about?", ("Returns", "Shipping"), QuestionType.SINGLE)
    desk = a_desk(database, TaskKind.RATE, items=len(next(iter(opinions.values()))), overlap=len(opinions))
    with database.writing() as session:
        task = session.get_one(Task, desk.task)
        task.rubric = Rubric((about,)).to_json()
        session.add(task)
        session.commit()
    for who, chosen in opinions.items():
        for _ in chosen:
            (item,) = desk.next(who)
            answer = {"R": "Returns", "S": "Shipping"}[chosen[int(item.texts[0].split()[-1])]]
            desk.call(annotating.submit, who, slot_id=item.slot_id, fence=item.fence, answers={"about": answer})
    return desk


def test_what_people_choose_becomes_classes_of_questions_or_of_answers(database: Database, tmp_path: Path) -> None:
    desk = sorted_by(database, {"ann": "RSRS", "bob": "RSRR", "cem": "RSSS"})
    snapshot, lines = frozen(desk, tmp_path, SnapshotKind.LABELS, question="about")
    assert {line["messages"][-1]["content"]: line["label"] for line in lines} == {
        "Question 0?": "Returns", "Question 1?": "Shipping", "Question 2?": "Returns", "Question 3?": "Shipping"
    }  # fmt: skip
    assert snapshot.manifest["classes"] == {"Returns": 2, "Shipping": 2}
    assert snapshot.manifest["labelling"] == {"question": "about", "whole": False}
    assert snapshot.manifest["from"]["annotations"]["count"] == 12
    assert sum(map(len, read_rows(folder_of(tmp_path, snapshot), "classification").values())) == 4
    whole, lines = frozen(desk, tmp_path, SnapshotKind.LABELS, question="about", whole=True)
    assert [message["role"] for message in lines[0]["messages"]] == ["user", "assistant"]
    assert sum(map(len, read_rows(folder_of(tmp_path, whole), "classification").values())) == 4
    with database.reading() as session:
        assert queries.class_questions(session, desk.people["lead"], desk.project) == {"about": "What is it about?"}
        assert queries.rating_questions(session, desk.people["lead"], desk.project) == {}
    with pytest.raises(InvalidInput, match="one of them"):
        Labelling(kind=SnapshotKind.LABELS, label="intent", question="about")


def test_a_class_on_which_people_do_not_agree_is_left_out_and_one_class_is_none(sqlite: Database, tmp_path: Path) -> None:
    desk = sorted_by(sqlite, {"ann": "RSR", "bob": "RSS"})
    snapshot, _ = frozen(desk, tmp_path, SnapshotKind.LABELS, question="about")
    assert (snapshot.manifest["classes"], snapshot.manifest["undecided"]) == ({"Returns": 1, "Shipping": 1}, 1)
    with sqlite.writing() as session:
        session.get_one(Record, 2).approved_revision_id = None
        session.commit()
    with pytest.raises(NotReady, match="in the same class"):
        frozen(desk, tmp_path, SnapshotKind.LABELS, question="about")
