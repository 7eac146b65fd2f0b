from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from backend.access.actors import SYSTEM, Actor
from backend.errors import AlreadyDone, Conflict, Forbidden, InvalidInput, LeaseLost, NotFound
from backend.review import annotating, desk_queries
from backend.review.annotating import WorkItem
from backend.rubrics import DEFAULT_RATING_RUBRIC
from backend.store.base import now
from backend.store.database import Database
from backend.store.items import add_items
from backend.store.models import Response
from backend.store.records import Record, RecordComment
from backend.store.work import Annotation, Item, Skip, Slot, Task
from backend.vocabulary import RecordStatus, Role, TaskKind, TaskStatus, Verdict
from tests.factories import a_person, a_project, a_record

GOOD = {"relevance": 5, "fluency": 4, "correctness": 3, "tone": 2}


@dataclass
class Desk:
    """A project with one task over three questions, each answered as "first N" and "second N"."""

    database: Database
    task: int
    project: int
    people: dict[str, Actor]

    def next(self, who: str = "ann", count: int = 1, besides: tuple[int, ...] = ()) -> tuple[WorkItem, ...]:
        with self.database.writing() as session:
            return annotating.next_items(
                session=session, actor=self.people[who], task_id=self.task, count=count, besides=besides
            )

    def call(self, use_case: Callable[..., Any], who: str = "ann", **given: Any) -> Any:
        with self.database.writing() as session:
            return use_case(session=session, actor=self.people[who], **given)

    def submit(self, item: WorkItem, who: str = "ann", **given: Any) -> Annotation:
        answer: Annotation = self.call(annotating.submit, who, slot_id=item.slot_id, fence=item.fence, **given)
        return answer

    def annotations(self) -> list[Annotation]:
        with self.database.reading() as session:
            return list(session.exec(select(Annotation).order_by(col(Annotation.id))))


def a_desk(database: Database, kind: TaskKind, *, overlap: int = 1, show_reference: bool = False) -> Desk:
    with database.writing() as session:
        project, other = a_project(session), a_project(session, "other")
        people = {
            "ann": a_person(session, "ann@example.org", project=project, role=Role.RATER),
            "bob": a_person(session, "bob@example.org", project=project, role=Role.RATER),
            "stranger": a_person(session, "stranger@example.org", project=other, role=Role.LEAD),
            "nobody": a_person(session, "nobody@example.org"),
        }
        rubric = DEFAULT_RATING_RUBRIC.to_json() if kind is TaskKind.RATE else {}
        task = Task(
            project_id=project.id or 0,
            kind=kind,
            name="t",
            overlap=overlap,
            rubric={**rubric, "show_reference": show_reference},
        )
        session.add(task)
        subjects = []
        for n in range(3):
            record = a_record(session, project, prompt=f"question {n}", answer=f"truth {n}")
            pair = [
                Response(
                    project_id=project.id or 0,
                    record_id=record.id,
                    prompt=[{"role": "user", "content": f"question {n}"}],
                    reference=f"truth {n}",
                    text=f"{which} {n}",
                )
                for which in ("first", "second")
            ]
            session.add_all(pair)
            session.flush()
            first, second = (response.id or 0 for response in pair)
            compare = {"first_response_id": first, "second_response_id": second}
            subjects.append(compare if kind is TaskKind.COMPARE else {"response_id": first})
        add_items(session, task=task, subjects=subjects)
        session.commit()
        return Desk(database, task.id or 0, project.id or 0, people)


def test_a_rating_is_stored_with_its_rubric_version_and_time(database: Database) -> None:
    desk = a_desk(database, TaskKind.RATE)
    (item,) = desk.next()
    assert [message.content for message in item.messages] == ["question 0"]
    assert (item.texts, item.reference) == (("first 0",), "")
    desk.submit(item, answers=GOOD, comment=" good ", seconds=3.5)
    (stored,) = desk.annotations()
    assert (stored.answers, stored.comment, stored.seconds, stored.rubric_version) == (GOOD, "good", 3.5, 1)
    assert desk.next()[0].texts == ("first 1",)


@pytest.mark.parametrize(
    "answers",
    [{}, None, {**GOOD, "tone": 6}, {**GOOD, "tone": "5"}, {**GOOD, "beauty": 3}, {**GOOD, "tone": True}],
)
def test_an_answer_that_does_not_fit_the_rubric_is_refused_and_the_item_stays(sqlite: Database, answers: Any) -> None:
    desk = a_desk(sqlite, TaskKind.RATE)
    (item,) = desk.next()
    with pytest.raises(InvalidInput):
        desk.submit(item, answers=answers)
    assert desk.annotations() == []
    desk.submit(item, answers=GOOD)


def test_the_winner_is_worked_out_from_the_side_that_was_drawn(database: Database) -> None:
    desk = a_desk(database, TaskKind.COMPARE)
    winners = []
    for verdict in (Verdict.LEFT, Verdict.RIGHT, Verdict.TIE):
        (item,) = desk.next()
        stored = desk.submit(item, verdict=verdict)
        with database.reading() as session:
            left, right = (session.get_one(Response, key) for key in (stored.left_response_id, stored.right_response_id))
            assert (left.text, right.text) == item.texts
        winners.append(stored.winner_response_id)
        assert stored.winner_response_id == {Verdict.LEFT: left.id, Verdict.RIGHT: right.id}.get(verdict)
    assert winners[2] is None
    assert desk.next() == ()


def test_a_comparison_needs_a_verdict_and_a_rating_takes_none(sqlite: Database) -> None:
    desk = a_desk(sqlite, TaskKind.COMPARE)
    (item,) = desk.next()
    with pytest.raises(InvalidInput, match="choose"):
        desk.submit(item, answers=GOOD)


def test_a_rater_is_sent_texts_and_a_slot_and_nothing_about_the_model(sqlite: Database) -> None:
    desk = a_desk(sqlite, TaskKind.COMPARE)
    (item,) = desk.next()
    sent = dataclasses.asdict(item)
    assert (sent.pop("rubric_version"), sent.pop("practice"), sent.pop("why")) == (1, False, "")
    assert set(sent) == {
        "slot_id", "fence", "messages", "texts", "reference", "correcting", "answers", "verdict", "ranking", "comment", "draft",
    }  # fmt: skip
    assert "version" not in json.dumps(sent, default=str)


def test_a_repeated_answer_is_stored_once(database: Database) -> None:
    desk = a_desk(database, TaskKind.RATE)
    (item,) = desk.next()
    desk.submit(item, answers=GOOD)
    with pytest.raises(AlreadyDone):
        desk.submit(item, answers=GOOD)
    assert len(desk.annotations()) == 1


def test_a_late_answer_whose_slot_went_to_another_rater_is_refused(database: Database) -> None:
    desk = a_desk(database, TaskKind.RATE)
    (late,) = desk.next()
    with database.writing() as session:
        slot = session.get_one(Slot, late.slot_id)
        slot.expires_at = now() - timedelta(seconds=1)
        session.add(slot)
        session.commit()
    (new,) = desk.next("bob")
    assert new.texts == late.texts
    with pytest.raises(LeaseLost):
        desk.submit(late, answers=GOOD)
    assert desk.annotations() == []


def test_nobody_answers_from_another_ones_slot(sqlite: Database) -> None:
    desk = a_desk(sqlite, TaskKind.RATE, overlap=2)
    (item,) = desk.next()
    with pytest.raises(LeaseLost):
        desk.submit(item, "bob", answers=GOOD)


def test_undo_brings_the_last_answer_back_and_a_correction_follows_it(database: Database) -> None:
    desk = a_desk(database, TaskKind.RATE)
    (first,) = desk.next()
    desk.submit(first, answers=GOOD, comment="hm")
    again = desk.call(annotating.undo_last, task_id=desk.task)
    assert (again.texts, again.answers, again.comment, again.correcting) == (first.texts, GOOD, "hm", True)
    with pytest.raises(AlreadyDone):
        desk.submit(first, answers=GOOD)
    desk.submit(again, answers={**GOOD, "tone": 5})
    assert [(row.number, row.answers["tone"]) for row in desk.annotations()] == [(1, 2), (2, 5)]
    with pytest.raises(AlreadyDone):
        desk.submit(again, answers=GOOD)


def test_an_undone_item_goes_to_nobody_else_and_its_answer_counts_until_corrected(sqlite: Database) -> None:
    desk = a_desk(sqlite, TaskKind.RATE)
    (first,) = desk.next()
    desk.submit(first, answers=GOOD)
    again = desk.call(annotating.undo_last, task_id=desk.task)
    assert desk.next("bob")[0].texts == ("first 1",)
    desk.call(annotating.keep, slot_id=again.slot_id, fence=again.fence)
    with pytest.raises(AlreadyDone):
        desk.submit(again, answers=GOOD)
    assert [row.answers for row in desk.annotations()] == [GOOD]


def test_a_second_correction_is_a_third_row(sqlite: Database) -> None:
    desk = a_desk(sqlite, TaskKind.COMPARE)
    (item,) = desk.next()
    for verdict in (Verdict.LEFT, Verdict.TIE, Verdict.RIGHT):
        desk.submit(item, verdict=verdict)
        item = desk.call(annotating.undo_last, task_id=desk.task)
        assert item.verdict is verdict
    assert [row.number for row in desk.annotations()] == [1, 2, 3]


def test_undo_without_an_answer_says_so(sqlite: Database) -> None:
    desk = a_desk(sqlite, TaskKind.RATE)
    with pytest.raises(NotFound, match="not answered anything"):
        desk.call(annotating.undo_last, task_id=desk.task)


def test_a_skipped_item_goes_to_another_rater(database: Database) -> None:
    desk = a_desk(database, TaskKind.RATE)
    (item,) = desk.next()
    desk.call(annotating.skip, slot_id=item.slot_id, fence=item.fence, reason="I know this customer")
    with database.reading() as session:
        assert session.exec(select(Skip.reason)).one() == "I know this customer"
    assert desk.next()[0].texts == ("first 1",)
    assert desk.next("bob")[0].texts == ("first 0",)


def test_an_answered_item_cannot_be_skipped(sqlite: Database) -> None:
    desk = a_desk(sqlite, TaskKind.RATE)
    (item,) = desk.next()
    desk.submit(item, answers=GOOD)
    again = desk.call(annotating.undo_last, task_id=desk.task)
    with pytest.raises(Conflict):
        desk.call(annotating.skip, slot_id=again.slot_id, fence=again.fence)


def test_a_flag_reaches_the_record_and_keeps_the_item(sqlite: Database) -> None:
    desk = a_desk(sqlite, TaskKind.COMPARE)
    (item,) = desk.next()
    with sqlite.writing() as session:
        for record in session.exec(select(Record)):
            record.status, record.approved_revision_id = RecordStatus.APPROVED, 7
            session.add(record)
        session.commit()
    with pytest.raises(InvalidInput):
        desk.call(annotating.flag, slot_id=item.slot_id, fence=item.fence, text="  ")
    desk.call(annotating.flag, slot_id=item.slot_id, fence=item.fence, text="the question names a person")
    with sqlite.reading() as session:
        comment = session.exec(select(RecordComment)).one()
        assert (comment.is_flag, comment.text) == (True, "the question names a person")
        record = session.get_one(Record, comment.record_id)
        assert (record.status, record.approved_revision_id) == (RecordStatus.FLAGGED, 7)
    desk.submit(item, verdict=Verdict.TIE)


def test_closing_the_tab_frees_the_items_in_hand_but_not_another_tabs(sqlite: Database) -> None:
    desk = a_desk(sqlite, TaskKind.RATE)
    in_hand = desk.next(count=3)
    assert desk.next("bob") == ()
    (newer,) = desk.next(besides=tuple(item.slot_id for item in in_hand[1:]))
    with sqlite.writing() as session:
        annotating.give_back(
            session=session,
            account_id=desk.people["ann"].account_id or 0,
            held=[(item.slot_id, item.fence) for item in in_hand],
        )
    assert {item.texts[0] for item in desk.next("bob", count=3)} == {"first 1", "first 2"}
    desk.submit(newer, answers=GOOD)


def test_a_heartbeat_holds_the_item_on(sqlite: Database) -> None:
    desk = a_desk(sqlite, TaskKind.RATE)
    (item,) = desk.next()
    with sqlite.writing() as session:
        session.get_one(Slot, item.slot_id).expires_at = now() + timedelta(seconds=1)
        session.commit()
    desk.call(annotating.heartbeat, slot_id=item.slot_id, fence=item.fence)
    with sqlite.reading() as session:
        until = session.get_one(Slot, item.slot_id).expires_at
        assert until is not None
        assert until > now() + timedelta(seconds=800)


@pytest.mark.parametrize("who", ["stranger", "nobody", "system"])
def test_only_the_projects_raters_get_in(sqlite: Database, who: str) -> None:
    desk = a_desk(sqlite, TaskKind.RATE)
    desk.people["system"] = SYSTEM
    (item,) = desk.next()
    held = {"slot_id": item.slot_id, "fence": item.fence}
    calls: list[tuple[Callable[..., Any], dict[str, Any]]] = [
        (annotating.next_items, {"task_id": desk.task}),
        (annotating.submit, {**held, "answers": GOOD}),
        (annotating.skip, held),
        (annotating.flag, {**held, "text": "x"}),
        (annotating.undo_last, {"task_id": desk.task}),
        (annotating.keep, held),
        (annotating.heartbeat, held),
    ]
    for use_case, given in calls:
        with pytest.raises(Forbidden):
            desk.call(use_case, who, **given)
    assert desk.annotations() == []


def test_what_does_not_exist_is_not_found(sqlite: Database) -> None:
    desk = a_desk(sqlite, TaskKind.RATE)
    with pytest.raises(NotFound):
        desk.call(annotating.next_items, task_id=999)
    with pytest.raises(NotFound):
        desk.call(annotating.submit, slot_id=999, fence=1, answers=GOOD)


def test_a_comment_as_long_as_a_book_is_refused(sqlite: Database) -> None:
    desk = a_desk(sqlite, TaskKind.RATE)
    (item,) = desk.next()
    with pytest.raises(InvalidInput, match="5000"):
        desk.submit(item, answers=GOOD, comment="x" * 5001)


def test_the_desk_counts_what_is_left_and_done(database: Database) -> None:
    desk = a_desk(database, TaskKind.RATE, overlap=2)
    (item,) = desk.next()
    desk.submit(item, answers=GOOD)
    again = desk.call(annotating.undo_last, task_id=desk.task)
    desk.submit(again, answers=GOOD)
    desk.next()  # what is in hand still waits
    with database.reading() as session:
        count = desk_queries.desk_count(session, actor=desk.people["ann"], project_id=desk.project, task_id=desk.task)
        assert (count.waiting, count.done, count.today) == (2, 1, 1)
        (task,) = desk_queries.desk_tasks(session, actor=desk.people["bob"], project_id=desk.project)
        assert [question.key for question in task.questions] == list(GOOD)
        with pytest.raises(Forbidden):
            desk_queries.desk_tasks(session, actor=desk.people["stranger"], project_id=desk.project)


def test_a_paused_task_leaves_the_desk_but_the_item_in_hand_can_be_finished(sqlite: Database) -> None:
    desk = a_desk(sqlite, TaskKind.RATE)
    (item,) = desk.next()
    with sqlite.writing() as session:
        session.get_one(Task, desk.task).status = TaskStatus.PAUSED
        session.commit()
    desk.submit(item, answers=GOOD)
    assert desk.next() == ()
    with sqlite.reading() as session:
        assert desk_queries.desk_tasks(session, actor=desk.people["ann"], project_id=desk.project) == []
        assert session.exec(select(Item.status).where(Item.position == 0)).one() == "done"
