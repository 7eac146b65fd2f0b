"""Open items in the order that teaches most, on both databases."""

from __future__ import annotations

import pytest
from sqlmodel import Session, col, select

from backend.access.actors import Actor
from backend.errors import Forbidden, NotFound
from backend.review import annotating, ordering
from backend.review.worth import FEWEST_LABELS
from backend.rubrics import DEFAULT_RATING_RUBRIC
from backend.store.database import Database
from backend.store.items import add_items
from backend.store.models import Response
from backend.store.records import Project
from backend.store.work import Item, Slot, Task
from backend.task_options import TaskOptions
from backend.vocabulary import ItemOrder, RecordStatus, Role, TaskKind
from tests.factories import a_person, a_project, a_record


def a_task(session: Session, project: Project, kind: TaskKind, order: ItemOrder, subjects: list[dict[str, int]]) -> Task:
    options = TaskOptions(order=order).to_json()
    rubric = DEFAULT_RATING_RUBRIC.to_json() if kind is TaskKind.RATE else {}
    task = Task(project_id=project.id or 0, kind=kind, name="t", options=options, rubric=rubric)
    session.add(task)
    session.flush()
    add_items(session, task=task, subjects=subjects)
    session.commit()
    return task


def lead_of(project: Project) -> Actor:
    return Actor(None, "lead", roles={project.id or 0: Role.LEAD})


def reorder(session: Session, project: Project, task: Task) -> ordering.Order:
    return ordering.reorder(session=session, actor=lead_of(project), project_id=project.id or 0, task_id=task.id or 0)


def in_order(session: Session) -> list[tuple[int | None, str]]:
    session.expire_all()
    rows = session.exec(select(Item.record_id, Item.first_response_id, Item.response_id, Item.why).order_by(col(Item.position)))
    return [(record_id or first_id or response_id, why) for record_id, first_id, response_id, why in rows]


def test_comparisons_whose_answers_differ_most_come_first(database: Database) -> None:
    with database.writing() as session:
        project = a_project(session)
        texts = ["same words here", "same words here", "yes", "not at all"]
        responses = [Response(project_id=project.id or 0, text=text) for text in texts]
        session.add_all(responses)
        session.flush()
        one, same, yes, no = (response.id or 0 for response in responses)
        pairs = [{"first_response_id": one, "second_response_id": same}, {"first_response_id": yes, "second_response_id": no}]
        task = a_task(session, project, TaskKind.COMPARE, ItemOrder.DISAGREEMENT, pairs)
        assert reorder(session, project, task).note == ""
        assert in_order(session) == [(yes, "The answers differ here by 100%"), (one, "")]
        assert sorted(session.exec(select(Item.position))) == [0, 1]


def test_records_are_ordered_by_what_a_model_of_the_rulings_is_unsure_of(database: Database) -> None:
    with database.writing() as session:
        project = a_project(session)
        for number in range(FEWEST_LABELS):
            kind = number % 2 == 0
            record = a_record(session, project, prompt=f"q{number}", answer="kind helpful" if kind else "rude useless")
            record.status = RecordStatus.APPROVED if kind else RecordStatus.REJECTED
        waiting = [a_record(session, project, prompt="q", answer=answer) for answer in ("kind helpful", "kind useless")]
        subjects = [{"record_id": record.id or 0} for record in waiting]
        task = a_task(session, project, TaskKind.LABEL, ItemOrder.UNCERTAINTY, subjects)
        reorder(session, project, task)
        found = in_order(session)
        assert [record_id for record_id, _ in found] == [waiting[1].id, waiting[0].id]
        assert found[0][1].startswith("The quality model is unsure here: ")


def test_too_few_labels_leave_the_order_and_say_so(database: Database) -> None:
    with database.writing() as session:
        project = a_project(session)
        records = [a_record(session, project, prompt=f"q{n}", answer="a") for n in range(3)]
        subjects = [{"record_id": record.id or 0} for record in records]
        task = a_task(session, project, TaskKind.LABEL, ItemOrder.UNCERTAINTY, subjects)
        assert reorder(session, project, task).note == ordering.TOO_FEW
        assert ordering.note_of(session, task) == ordering.TOO_FEW
        assert in_order(session) == [(record.id, "") for record in records]
        assert ordering.due(session) == []


def test_thin_slices_come_first_also_by_the_question_of_a_response(database: Database) -> None:
    with database.writing() as session:
        project = a_project(session)
        approved = a_record(session, project, prompt="q", answer="a", slices={"channel": "chat"})
        approved.status = RecordStatus.APPROVED
        mails = [a_record(session, project, prompt=f"m{n}", answer="a", slices={"channel": "mail"}) for n in range(2)]
        responses = [
            Response(project_id=project.id or 0, text="t", record_id=record.id, slices=record.slices)
            for record in (approved, *mails)
        ]
        session.add_all(responses)
        session.flush()
        ids = [response.id or 0 for response in responses]
        task = a_task(session, project, TaskKind.RATE, ItemOrder.THIN_SLICES, [{"response_id": one} for one in ids])
        reorder(session, project, task)
        assert in_order(session) == [
            (ids[1], "No approved record in channel = mail"),
            (ids[0], "Only 1 approved record in channel = chat"),
            (ids[2], "No approved record in channel = mail"),
        ]


def test_an_order_is_due_at_first_and_after_fifty_answers(sqlite: Database) -> None:
    with sqlite.writing() as session:
        project = a_project(session)
        rater = a_person(session, "r@example.org", project=project, role=Role.RATER)
        responses = [Response(project_id=project.id or 0, text=f"t{n}") for n in range(ordering.EVERY + 1)]
        session.add_all(responses)
        session.flush()
        subjects = [{"response_id": response.id or 0} for response in responses]
        task = a_task(session, project, TaskKind.RATE, ItemOrder.DISAGREEMENT, subjects)
        assert ordering.due(session) == [(project.id, task.id)]
        reorder(session, project, task)
        answers = {question.key: 3 for question in DEFAULT_RATING_RUBRIC.questions}
        for _ in range(ordering.EVERY):
            assert ordering.due(session) == []
            (item,) = annotating.next_items(session=session, actor=rater, task_id=task.id or 0)
            annotating.submit(session=session, actor=rater, slot_id=item.slot_id, fence=item.fence, answers=answers)
        assert ordering.due(session) == [(project.id, task.id)]
        order = ordering.find_order(session, actor=lead_of(project), project_id=project.id or 0, task_id=task.id or 0)
        assert len(order.places) == 1
        assert session.exec(select(Slot.id).where(col(Slot.done_at).is_(None))).one()


@pytest.mark.parametrize("role", [Role.RATER, Role.EXPERT])
def test_only_leads_change_the_order_and_only_of_their_own_tasks(sqlite: Database, role: Role) -> None:
    with sqlite.writing() as session:
        project, other = a_project(session), a_project(session, "other")
        record = a_record(session, project, prompt="q", answer="a")
        task = a_task(session, project, TaskKind.LABEL, ItemOrder.THIN_SLICES, [{"record_id": record.id or 0}])
        who, there = Actor(1, "x", roles={project.id or 0: role}), project.id or 0
        with pytest.raises(Forbidden):
            ordering.reorder(session=session, actor=who, project_id=there, task_id=task.id or 0)
        stranger = lead_of(other)
        with pytest.raises(NotFound):
            ordering.reorder(session=session, actor=stranger, project_id=other.id or 0, task_id=task.id or 0)
        with pytest.raises(NotFound):
            ordering.find_order(session, actor=stranger, project_id=other.id or 0, task_id=task.id or 0)
