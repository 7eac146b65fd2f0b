"""Chosen records as a queue of their own: who gets them, when they close, what others decided meanwhile."""

from __future__ import annotations

from typing import Any

import pytest
from sqlmodel import Session, select

from backend.access.actors import Actor
from backend.errors import NotFound
from backend.review import queueing, reviewing, task_queries, tasking
from backend.review.filters import RecordFilter
from backend.review.selections import Selection
from backend.store.database import Database
from backend.store.records import Record
from backend.store.work import Item, Task
from backend.task_options import TaskOptions
from backend.vocabulary import ItemStatus, RecordStatus, Role, TaskKind, TaskStatus
from tests.factories import a_person, a_project, a_record


class Shop:
    """Four records, two of them about fees, of which a lead made a task; two experts."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.project = a_project(session)
        self.lead = a_person(session, "lead@example.org", project=self.project, role=Role.LEAD)
        self.ann, self.bob = (
            a_person(session, f"{name}@example.org", project=self.project, role=Role.EXPERT) for name in ("ann", "bob")
        )
        self.records = [
            a_record(session, self.project, prompt=f"{topic} {n}?", answer="Yes.", slices={"topic": topic})
            for n in (1, 2)
            for topic in ("fees", "cards")
        ]
        session.commit()
        fees = RecordFilter(slice_key="topic", slice_value="fees")
        self.task = tasking.create_task(
            session=session,
            actor=self.lead,
            project_id=self.project.id or 0,
            kind=TaskKind.LABEL,
            selection=Selection(records=fees),
            guidelines="Mind the fees.",
            lease_seconds=300,
        )

    def here(self, actor: Actor) -> dict[str, Any]:
        return {"session": self.session, "actor": actor, "project_id": self.project.id or 0}

    def next_for(self, actor: Actor) -> Any:
        return queueing.next_item(**self.here(actor), seconds=900, task_id=self.task.id)

    def record_under(self, lease: Any) -> Record:
        return self.session.get_one(Record, self.session.get_one(Item, lease.item_id).record_id)


def test_the_chosen_records_go_to_one_person_each_and_close_when_decided(database: Database) -> None:
    with database.writing() as session:
        shop = Shop(session)
        mine, theirs = shop.next_for(shop.ann), shop.next_for(shop.bob)
        assert {shop.record_under(lease).prompt for lease in (mine, theirs)} == {"fees 1?", "fees 2?"}
        assert shop.next_for(shop.lead) is None
        reviewing.approve(**shop.here(shop.ann), lease=mine, number=1)
        reviewing.reject(**shop.here(shop.bob), lease=theirs, number=1, reason="Wrong")
        assert shop.next_for(shop.ann) is None
        items = session.exec(select(Item).where(Item.task_id == shop.task.id)).all()
        assert [item.status for item in items] == [ItemStatus.DONE, ItemStatus.DONE]
        (card,) = task_queries.task_cards(**shop.here(shop.lead))
        assert (card.items, card.items_done, card.answers, card.answers_wanted) == (2, 2, 2, 2)


def test_a_record_that_was_ruled_on_since_is_closed_and_an_earlier_ruling_does_not_matter(database: Database) -> None:
    with database.writing() as session:
        shop = Shop(session)
        lease = queueing.claim_record(**shop.here(shop.bob), record_id=shop.records[0].id or 0, seconds=900)
        reviewing.approve(**shop.here(shop.bob), lease=lease, number=1)
        assert shop.record_under(shop.next_for(shop.ann)).prompt == "fees 2?"
        again = tasking.create_task(
            **shop.here(shop.lead),
            kind=TaskKind.LABEL,
            selection=Selection(records=RecordFilter(statuses=(RecordStatus.APPROVED,))),
        )
        held = queueing.next_item(**shop.here(shop.ann), seconds=900, task_id=again.id)
        assert held is not None
        assert shop.record_under(held).prompt == "fees 1?", "Approved records can be chosen to be looked at again."


def test_a_decision_taken_back_brings_the_record_back_to_the_person(sqlite: Database) -> None:
    with sqlite.writing() as session:
        shop = Shop(session)
        done = reviewing.approve(**shop.here(shop.ann), lease=shop.next_for(shop.ann), number=1)
        lease = reviewing.undo(**shop.here(shop.ann), done=done, seconds=900)
        assert shop.record_under(lease).status is RecordStatus.PENDING


def test_only_the_chosen_people_see_and_get_the_task(sqlite: Database) -> None:
    with sqlite.writing() as session:
        shop = Shop(session)
        tasking.change_options(
            **shop.here(shop.lead), task_id=shop.task.id or 0, options=TaskOptions(raters=(shop.ann.account_id or 0,))
        )
        (choice,) = task_queries.label_queues(**shop.here(shop.ann))
        assert (choice.waiting_text, choice.guidelines, choice.lease_seconds) == ("2", "Mind the fees.", 300)
        assert task_queries.label_queues(**shop.here(shop.bob)) == []
        assert shop.next_for(shop.bob) is None
        assert shop.next_for(shop.ann) is not None


def test_a_paused_task_is_no_queue_and_the_standing_one_is_no_task(sqlite: Database) -> None:
    with sqlite.writing() as session:
        shop = Shop(session)
        assert queueing.next_item(**shop.here(shop.ann), seconds=900) is not None
        tasking.change_status(**shop.here(shop.lead), task_id=shop.task.id or 0, status=TaskStatus.PAUSED)
        assert task_queries.label_queues(**shop.here(shop.ann)) == []
        assert [card.name for card in task_queries.task_cards(**shop.here(shop.lead))] == ["Review chosen records"]


def test_a_task_of_another_kind_or_project_is_no_queue_of_records(sqlite: Database) -> None:
    with sqlite.writing() as session:
        shop = Shop(session)
        other = Task(project_id=shop.project.id or 0, kind=TaskKind.RATE, name="Rate")
        session.add(other)
        stranger = a_project(session, "other")
        them = a_person(session, "them@example.org", project=stranger, role=Role.EXPERT)
        session.commit()
        with pytest.raises(NotFound):
            queueing.next_item(**shop.here(shop.ann), seconds=900, task_id=other.id)
        with pytest.raises(NotFound):
            queueing.next_item(session=session, actor=them, project_id=stranger.id or 0, seconds=900, task_id=shop.task.id)
