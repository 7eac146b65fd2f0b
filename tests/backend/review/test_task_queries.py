"""What leads read about tasks: previews that save nothing, counts that leave copies out, the history of questions."""

from __future__ import annotations

from typing import Any

import pytest
from sqlmodel import Session, select

from backend.errors import Forbidden
from backend.review import pool_queries, task_queries, tasking
from backend.review.selections import Selection
from backend.rubrics import Question, Rubric
from backend.store.base import now
from backend.store.database import Database
from backend.store.models import Response
from backend.store.work import Annotation, Item, Slot, Task
from backend.vocabulary import ItemPurpose, ItemStatus, QuestionType, TaskKind
from tests.backend.evaluation.scene import Scene, a_scene, evaluated


def a_start(session: Session) -> tuple[Scene, dict[str, Any], int]:
    scene = a_scene(session, tested=12)
    evaluation = evaluated(session, scene, exact=6)
    scene.project.current_version_id = scene.base.id
    session.commit()
    return scene, {"session": session, "actor": scene.lead, "project_id": scene.project_id}, evaluation.id or 0


def test_a_preview_is_what_the_task_gets_and_saves_nothing(database: Database) -> None:
    with database.writing() as session:
        scene, here, evaluation = a_start(session)
        versus = Selection(contestants=("reference", f"version:{scene.candidate.id}"), evaluation_id=evaluation, size=8, seed=3)
        found = task_queries.preview(**here, kind=TaskKind.COMPARE, selection=versus)
        assert session.exec(select(Response).where(Response.version_id.is_(None))).all() == []  # type: ignore[union-attr]
        assert (found.found, found.questions, found.items + found.identical) == (12, 8, 8)
        assert found.meetings.to_dict("records") == [
            {"one": "Reference answer", "other": "1 · Version 1", "items": found.items}
        ]
        assert {name for name, _ in found.examples[0].texts} == {"Reference answer", "1 · Version 1"}
        task = tasking.create_task(**here, kind=TaskKind.COMPARE, selection=versus)
        (card,) = task_queries.task_cards(**here)
        assert (card.items, card.options.identical) == (found.items, found.identical)
        assert task.options["drawn"] == 8


def test_a_preview_of_records_shows_the_strata_and_ten_of_them(database: Database) -> None:
    with database.writing() as session:
        _, here, _ = a_start(session)
        found = task_queries.preview(**here, kind=TaskKind.LABEL, selection=Selection(size=12, stratify="language"))
        assert found.strata.to_dict("records") == [
            {"value": "en", "found": 12, "drawn": 9},
            {"value": "es", "found": 4, "drawn": 3},
        ]
        assert (found.items, len(found.examples)) == (12, task_queries.EXAMPLES)
        assert [message.role for message in found.examples[0].messages] == ["user", "assistant"]


def test_contestants_are_named_with_the_current_version_and_the_reference_last(database: Database) -> None:
    with database.writing() as session:
        scene, here, evaluation = a_start(session)
        session.add(
            Response(project_id=scene.project_id, record_id=scene.records[0].id, text="Old.", decoding={"model": "former bot"})
        )
        session.commit()
        found = pool_queries.contestants(**here)
        assert [(one.name, one.answers, one.is_current) for one in found] == [
            ("1 · Version 1", 12, False),
            ("0 · touchstone-mini", 12, True),
            ("former bot", 1, False),
            ("Reference answer", 12, False),
        ]
        assert [one.name for one in pool_queries.contestants(**here, evaluation_id=evaluation)][-2:] == [
            "0 · touchstone-mini",
            "Reference answer",
        ]
        (choice,) = pool_queries.evaluation_choices(**here)
        assert choice.contestants == (f"version:{scene.base.id}", f"version:{scene.candidate.id}")
        rated = Selection(contestants=("model:former bot",))
        assert task_queries.preview(**here, kind=TaskKind.RATE, selection=rated).items == 1


def test_a_card_leaves_copies_out_and_says_what_adaptive_overlap_saved(database: Database) -> None:
    with database.writing() as session:
        scene, here, evaluation = a_start(session)
        task = tasking.create_task(
            **here, kind=TaskKind.RATE, selection=Selection(evaluation_id=evaluation, size=2), overlap=2, overlap_max=4
        )
        items = session.exec(select(Item).where(Item.task_id == task.id)).all()
        for item, status in ((items[0], ItemStatus.DONE), (items[1], ItemStatus.DISPUTED)):
            item.status = status
            for slot in session.exec(select(Slot).where(Slot.item_id == item.id)):
                slot.done_at = now()
        session.add(Slot(task_id=task.id or 0, item_id=items[1].id or 0, number=3, done_at=now()))
        copy = Item(
            task_id=task.id or 0,
            position=99,
            response_id=items[0].response_id,
            purpose=ItemPurpose.REPEAT,
            copy_of=items[0].id,
            only_account_id=scene.raters[0].account_id,
            status=ItemStatus.DONE,
        )
        session.add(copy)
        session.flush()
        session.add(Slot(task_id=task.id or 0, item_id=copy.id or 0, number=1, done_at=now()))
        session.commit()
        (card,) = task_queries.task_cards(**here)
        assert (card.items, card.items_done, card.items_disputed) == (4, 2, 1)
        assert (card.answers, card.answers_wanted, card.answers_saved) == (5, 9, 3)


def test_the_history_counts_the_answers_of_each_version(sqlite: Database) -> None:
    with sqlite.writing() as session:
        scene, here, evaluation = a_start(session)
        task = tasking.create_task(**here, kind=TaskKind.RATE, selection=Selection(evaluation_id=evaluation))
        item = session.exec(select(Item).where(Item.task_id == task.id)).first()
        assert item is not None
        session.add(
            Annotation(
                project_id=scene.project_id,
                task_id=task.id or 0,
                item_id=item.id or 0,
                account_id=scene.raters[0].account_id,
                seconds=4.0,
            )
        )
        session.commit()
        safe = Rubric((Question("safe", "Is it safe?", type=QuestionType.YES_NO),))
        tasking.revise_rubric(**here, task_id=task.id or 0, based_on=1, rubric=safe, guidelines="", reason="Shorter")
        history = task_queries.rubric_history(**here, task_id=task.id or 0)
        assert [(one.number, one.answers, one.reason, one.author) for one in history] == [
            (2, 0, "Shorter", "lead@shop.example"),
            (1, 1, "", "lead@shop.example"),
        ]
        frame = task_queries.work_by_rater(**here, task_id=task.id or 0)
        assert frame[["rater", "answers", "corrections"]].values.tolist() == [["rater1@shop.example", 1, 0]]
        other = a_scene(session, slug="other", tested=1)
        session.commit()
        theirs = {"session": session, "actor": other.lead, "project_id": other.project_id}
        assert task_queries.rubric_history(**theirs, task_id=task.id or 0) == []
        assert task_queries.task_cards(**theirs) == []


def test_only_leads_read_about_tasks(sqlite: Database) -> None:
    with sqlite.writing() as session:
        scene, here, _ = a_start(session)
        theirs = {**here, "actor": scene.raters[0]}
        for read in (
            lambda: task_queries.task_cards(**theirs),
            lambda: task_queries.preview(**theirs, kind=TaskKind.LABEL, selection=Selection()),
            lambda: task_queries.rubric_history(**theirs, task_id=1),
            lambda: task_queries.work_by_rater(**theirs, task_id=1),
            lambda: task_queries.label_queues(**theirs),
            lambda: pool_queries.contestants(**theirs),
            lambda: pool_queries.evaluation_choices(**theirs),
        ):
            with pytest.raises(Forbidden):
                read()
        assert session.exec(select(Task)).all() == []
