"""Rankings, every type of question, versions of a rubric and drafts: through the use-cases, on both databases."""

from __future__ import annotations

from typing import Any

import pytest
from sqlmodel import select

from backend.errors import InvalidInput, LeaseLost
from backend.review import annotating, desk_queries
from backend.review.work_items import WorkItem
from backend.rubrics import Question, Rubric
from backend.store.database import Database
from backend.store.models import Response
from backend.store.work import Annotation, Draft, Item, RubricVersion, Slot, Task
from backend.vocabulary import ItemPurpose, QuestionType, TaskKind, Verdict
from tests.judging import EVERY_TYPE, WHY, Judging, add_task, judging

ALL = {"helpful": 3, "polite": True, "length": "Too long"}


class Desk:
    """One task, its first rater and the database."""

    def __init__(self, database: Database, kind: TaskKind, rubric: Rubric | None = None, **columns: Any) -> None:
        self.database = database
        with database.writing() as session:
            self.made: Judging = judging(session)
            self.task = add_task(session, self.made, kind, "task", items=4, rubric=rubric, **columns).id or 0
            self.project = self.made.project.id or 0
            session.commit()
        self.rater, self.other = self.made.raters

    def next(self, count: int = 1) -> tuple[WorkItem, ...]:
        with self.database.writing() as session:
            return annotating.next_items(session=session, actor=self.rater, task_id=self.task, count=count)

    def call(self, use_case: Any, item: WorkItem, **given: Any) -> Any:
        with self.database.writing() as session:
            return use_case(session=session, actor=self.rater, slot_id=item.slot_id, fence=item.fence, **given)

    def undo(self) -> WorkItem:
        with self.database.writing() as session:
            return annotating.undo_last(session=session, actor=self.rater, task_id=self.task)

    def texts(self, ids: list[int]) -> list[str]:
        with self.database.reading() as session:
            return [session.get_one(Response, one).text for one in ids]


def test_a_ranking_is_stored_by_response_and_comes_back_by_place(database: Database) -> None:
    desk = Desk(database, TaskKind.RANK)
    (item,) = desk.next()
    assert len(item.texts) == 4
    stored = desk.call(annotating.submit, item, ranking=[[2], [0, 3], [1]])
    assert desk.texts(stored.ranking[0]) == [item.texts[2]]
    assert set(desk.texts(stored.ranking[1])) == {item.texts[0], item.texts[3]}
    again = desk.undo()
    assert (again.texts, again.ranking) == (item.texts, ((2,), (0, 3), (1,)))
    desk.call(annotating.submit, again, ranking=[[0], [1], [2], [3]])
    with database.reading() as session:
        assert [row.number for row in session.exec(select(Annotation).order_by(Annotation.id))] == [1, 2]
        drawn = session.exec(select(Slot.drawn).where(Slot.id == item.slot_id)).one()
    assert drawn is not None
    assert tuple(desk.texts(drawn)) == item.texts


def test_a_ranking_without_every_response_is_refused_and_the_item_stays(sqlite: Database) -> None:
    desk = Desk(sqlite, TaskKind.RANK)
    (item,) = desk.next()
    with pytest.raises(InvalidInput, match="place"):
        desk.call(annotating.submit, item, ranking=[[0], [1]])
    desk.call(annotating.submit, item, ranking=[[0], [1], [2], [3]])


def test_every_type_of_question_is_stored_and_passages_name_their_response(database: Database) -> None:
    desk = Desk(database, TaskKind.RATE, EVERY_TYPE)
    item = desk.next(3)[2]
    end = len(item.texts[0])
    span = {"response": 0, "start": end - 4, "end": end, "reason": "Rude"}
    stored = desk.call(annotating.submit, item, answers={**ALL, "faults": [span], "lacks": ["A source"], "better": " so "})
    with database.reading() as session:
        shown = session.get_one(Item, stored.item_id).response_id
        answers = session.get_one(Annotation, stored.id).answers
    assert answers == {**ALL, "faults": [{**span, "response_id": shown}], "lacks": ["A source"], "better": "so"}
    with pytest.raises(InvalidInput, match="end"):
        desk.call(annotating.submit, desk.next()[0], answers={**ALL, "faults": [{**span, "start": 0, "end": 999_999}]})


def test_a_comparison_with_questions_needs_both(sqlite: Database) -> None:
    desk = Desk(sqlite, TaskKind.COMPARE, WHY)
    (item,) = desk.next()
    with pytest.raises(InvalidInput, match="why"):
        desk.call(annotating.submit, item, verdict=Verdict.LEFT)
    stored = desk.call(annotating.submit, item, verdict=Verdict.LEFT, answers={"why": "The tone"})
    assert (stored.answers, stored.winner_response_id) == ({"why": "The tone"}, stored.left_response_id)


def test_an_answer_is_checked_against_the_version_that_was_seen(database: Database) -> None:
    desk = Desk(database, TaskKind.RATE, WHY)
    first, second = desk.next(2)
    newer = Rubric((Question("good", "Is it good?", type=QuestionType.YES_NO),))
    with database.writing() as session:
        task = session.get_one(Task, desk.task)
        task.rubric, task.rubric_version = newer.to_json(), 2
        session.add(RubricVersion(task_id=desk.task, number=2, rubric=newer.to_json()))
        session.commit()
    old = desk.call(annotating.submit, first, answers={"why": "The facts"}, rubric_version=1)
    with pytest.raises(InvalidInput):
        desk.call(annotating.submit, second, answers={"why": "The facts"}, rubric_version=2)
    with pytest.raises(InvalidInput, match="changed"):
        desk.call(annotating.submit, second, answers={"why": "The facts"}, rubric_version=7)
    new = desk.call(annotating.submit, second, answers={"good": True})
    assert (old.rubric_version, new.rubric_version) == (1, 2)
    assert desk.next()[0].rubric_version == 2


def test_a_draft_comes_back_to_its_rater_and_goes_with_the_answer(database: Database) -> None:
    desk = Desk(database, TaskKind.RATE, WHY)
    (item,) = desk.next()
    content = {"answers": {"why": "The tone"}, "comment": "half a thou", "at": 5, "stray": "x"}
    desk.call(annotating.save_draft, item, content=content)
    desk.call(annotating.save_draft, item, content={**content, "comment": "half a thought"})
    (again,) = desk.next()
    assert again.draft == {"answers": {"why": "The tone"}, "comment": "half a thought", "at": 5}
    with pytest.raises(LeaseLost):
        desk.call(annotating.save_draft, item, content={})
    with pytest.raises(InvalidInput, match="shorten"):
        desk.call(annotating.save_draft, again, content={"comment": "x" * 70_000})
    desk.call(annotating.submit, again, answers={"why": "The tone"})
    with database.reading() as session:
        assert session.exec(select(Draft)).all() == []


def test_a_copy_looks_like_its_original_but_practice_says_so(sqlite: Database) -> None:
    desk = Desk(sqlite, TaskKind.RATE, WHY)
    with sqlite.writing() as session:
        original, gold, practice, _ = session.exec(select(Item).order_by(Item.position)).all()
        original.why = "The versions disagree"
        for copy, purpose in ((gold, ItemPurpose.GOLD), (practice, ItemPurpose.CALIBRATION)):
            copy.purpose, copy.copy_of, copy.only_account_id = purpose, original.id, desk.rater.account_id
        session.commit()
        shown = annotating.next_items(session=session, actor=desk.rater, task_id=desk.task, count=4)
    assert [item.practice for item in shown] == [False, False, True, False]
    assert [item.why for item in shown] == ["The versions disagree"] * 3 + [""]


def test_own_agreement_with_gold_is_told_in_whole_steps(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_queries, "GOLD_STEP", 2)
    desk = Desk(sqlite, TaskKind.RATE, WHY)
    told = []
    for item, score in zip(desk.next(3), (1.0, 0.2, 1.0), strict=True):
        stored = desk.call(annotating.submit, item, answers={"why": "The tone"})
        with sqlite.writing() as session:
            session.get_one(Annotation, stored.id).score = score
            session.get_one(Item, stored.item_id).purpose = ItemPurpose.GOLD
            session.commit()
            told.append(desk_queries.own_gold(session, actor=desk.rater, project_id=desk.project, task_id=desk.task))
    assert told == [None, (1, 2), (1, 2)]


def test_the_desk_tells_a_raters_own_speed(database: Database) -> None:
    desk = Desk(database, TaskKind.RATE, WHY)
    for item, seconds in zip(desk.next(3), (2.0, 4.0, 9.0), strict=True):
        desk.call(annotating.submit, item, answers={"why": "The tone"}, seconds=seconds)
    with database.reading() as session:
        mine = desk_queries.desk_count(session, actor=desk.rater, project_id=desk.project, task_id=desk.task)
        theirs = desk_queries.desk_count(session, actor=desk.other, project_id=desk.project, task_id=desk.task)
    assert (mine.waiting, mine.done, mine.today, mine.seconds, mine.hourly) == (1, 3, 3, 4.0, None)
    assert (theirs.waiting, theirs.done, theirs.seconds) == (1, 0, None)
    after = mine.after(answered=1)
    assert (after.waiting, after.done, after.today) == (0, 4, 4)


def test_a_task_for_named_raters_is_on_their_desks_alone(sqlite: Database) -> None:
    desk = Desk(sqlite, TaskKind.RATE, WHY)
    with sqlite.writing() as session:
        task = session.get_one(Task, desk.task)
        task.options = {"raters": [desk.other.account_id]}
        session.commit()
        seen = [
            len(desk_queries.desk_tasks(session, actor=actor, project_id=desk.project)) for actor in (desk.rater, desk.other)
        ]
    assert seen == [0, 1]
