"""Adaptive overlap and disputes, through the desk's own use-cases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from sqlmodel import Session, col, func, select

from backend.access.actors import SYSTEM, Actor
from backend.review import annotating, leases
from backend.review.task_queries import task_cards
from backend.rubrics import Question, Rubric
from backend.store.database import Database
from backend.store.items import add_items
from backend.store.models import Response
from backend.store.work import Item, Slot, Task
from backend.task_options import TaskOptions
from backend.vocabulary import ItemPurpose, ItemStatus, Role, TaskKind
from tests.factories import a_person, a_project

RUBRIC = Rubric((Question("good", "Is it good?", ("no", "rather not", "so so", "rather", "yes")),))


class Desk:
    """A task with one item, and its raters."""

    def __init__(
        self, session: Session, *, overlap: int, overlap_max: int | None = None, people: int = 5, **options: Any
    ) -> None:
        project = a_project(session)
        self.session = session
        self.people = [a_person(session, f"r{n}@example.org", project=project, role=Role.RATER) for n in range(people)]
        self.task = Task(
            project_id=project.id or 0, kind=TaskKind.RATE, name="t", rubric=RUBRIC.to_json(),
            overlap=overlap, overlap_max=overlap_max, options=TaskOptions().to_json(),
        )  # fmt: skip
        response = Response(project_id=project.id or 0, text="x")
        session.add_all([self.task, response])
        session.flush()
        add_items(session, task=self.task, subjects=[{"response_id": response.id or 0}])
        session.commit()

    def rate(self, *points: int, start: int = 0) -> None:
        for rater, point in zip(self.people[start:], points, strict=False):
            (item,) = annotating.next_items(session=self.session, actor=rater, task_id=self.task.id or 0)
            self.save(rater, item, point)

    def correct(self, rater: Actor, point: int) -> None:
        self.save(rater, annotating.undo_last(session=self.session, actor=rater, task_id=self.task.id or 0), point)

    def save(self, rater: Actor, item: Any, point: int) -> None:
        annotating.submit(session=self.session, actor=rater, slot_id=item.slot_id, fence=item.fence, answers={"good": point})

    @property
    def state(self) -> tuple[ItemStatus, int]:
        self.session.expire_all()
        item = self.session.exec(select(Item)).one()
        return item.status, self.session.exec(select(func.count()).select_from(Slot)).one()

    @property
    def saved(self) -> int:
        (card,) = task_cards(self.session, actor=SYSTEM, project_id=self.task.project_id)
        return card.answers_saved


@pytest.mark.parametrize(
    ("points", "state"),
    [
        ([4], (ItemStatus.OPEN, 2)),
        ([4, 5], (ItemStatus.DONE, 2)),
        ([1, 5], (ItemStatus.OPEN, 3)),
        ([1, 5, 5], (ItemStatus.OPEN, 4)),
        ([2, 5, 5], (ItemStatus.OPEN, 4)),
        ([2, 4, 4], (ItemStatus.DONE, 3)),
        ([1, 5, 1, 5], (ItemStatus.DISPUTED, 4)),
    ],
)
def test_one_more_rater_is_asked_while_they_disagree(
    sqlite: Database, points: Sequence[int], state: tuple[ItemStatus, int]
) -> None:
    with sqlite.writing() as session:
        desk = Desk(session, overlap=2, overlap_max=4)
        desk.rate(*points)
        assert desk.state == state


def test_the_raters_of_a_fixed_overlap_can_only_agree_or_not(database: Database) -> None:
    with database.writing() as session:
        desk = Desk(session, overlap=2)
        desk.rate(1, 5)
        assert desk.state == (ItemStatus.DISPUTED, 2)
        assert session.exec(select(Item.dispute)).one() == 1
        desk.correct(desk.people[0], 4)
        assert desk.state == (ItemStatus.DONE, 2)
        assert session.exec(select(Item.dispute)).one() == 0.25


def test_a_correction_takes_a_rater_back_who_is_not_needed_any_more(database: Database) -> None:
    with database.writing() as session:
        desk = Desk(session, overlap=2, overlap_max=3)
        desk.rate(1, 5)
        assert desk.state == (ItemStatus.OPEN, 3)
        desk.correct(desk.people[0], 5)
        assert desk.state == (ItemStatus.DONE, 2)
        desk.correct(desk.people[1], 1)
        assert desk.state == (ItemStatus.OPEN, 3)


def test_who_is_at_the_item_already_may_finish_it(sqlite: Database) -> None:
    with sqlite.writing() as session:
        desk = Desk(session, overlap=2, overlap_max=3)
        desk.rate(1, 5)
        (third,) = annotating.next_items(session=session, actor=desk.people[2], task_id=desk.task.id or 0)
        desk.correct(desk.people[0], 5)
        assert desk.state == (ItemStatus.OPEN, 3)
        desk.save(desk.people[2], third, 5)
        assert desk.state == (ItemStatus.DONE, 3)


def test_a_ruling_stays_whatever_is_corrected_after_it(sqlite: Database) -> None:
    with sqlite.writing() as session:
        desk = Desk(session, overlap=2)
        desk.rate(1, 5)
        item = session.exec(select(Item)).one()
        item.status = ItemStatus.RULED
        session.add(item)
        session.commit()
        desk.correct(desk.people[0], 5)
        assert desk.state == (ItemStatus.RULED, 2)


def test_where_nobody_is_left_to_ask_it_is_a_dispute(sqlite: Database) -> None:
    with sqlite.writing() as session:
        desk = Desk(session, overlap=2, overlap_max=3, people=2)
        options = TaskOptions(raters=tuple(person.account_id or 0 for person in desk.people))
        desk.task.options = options.to_json()
        session.add(desk.task)
        session.commit()
        desk.rate(1, 5)
        assert desk.state == (ItemStatus.DISPUTED, 2)


def test_copies_are_never_disputed(sqlite: Database) -> None:
    with sqlite.writing() as session:
        desk = Desk(session, overlap=2)
        item = session.exec(select(Item)).one()
        item.purpose = ItemPurpose.GOLD
        session.add(item)
        session.commit()
        desk.rate(1, 5)
        assert desk.state == (ItemStatus.DONE, 2)


def test_the_judgements_that_were_saved_are_counted_on_finished_items(database: Database) -> None:
    with database.writing() as session:
        desk = Desk(session, overlap=2, overlap_max=5)
        assert desk.saved == 0
        desk.rate(4, 5)
        assert desk.saved == 3


def test_an_item_for_one_account_goes_to_nobody_else(database: Database) -> None:
    with database.writing() as session:
        desk = Desk(session, overlap=2)
        (original,) = session.exec(select(Item)).all()
        ann, bob = (person.account_id or 0 for person in desk.people[:2])
        copy = {"response_id": original.response_id, "copy_of": original.id, "only_account_id": bob, "purpose": "gold"}
        assert add_items(session, task=desk.task, subjects=[copy], slots=1) == 1
        session.commit()
        mine = session.exec(select(Item).where(col(Item.copy_of).is_not(None))).one()
        here: dict[str, Any] = {"task_id": desk.task.id or 0, "seconds": 60, "count": 5}
        assert [lease.item_id for lease in leases.claim_many(session, account_id=ann, **here)] == [original.id]
        assert [lease.item_id for lease in leases.claim_many(session, account_id=bob, **here)] == [original.id, mine.id]
        assert leases.claim_item(session, item_id=mine.id or 0, account_id=ann, seconds=60) is None


def test_a_task_that_names_its_raters_gives_nothing_to_others(sqlite: Database) -> None:
    with sqlite.writing() as session:
        desk = Desk(session, overlap=2)
        ann, bob = (person.account_id or 0 for person in desk.people[:2])
        desk.task.options = TaskOptions(raters=(ann,)).to_json()
        session.add(desk.task)
        session.commit()
        item_id = session.exec(select(Item.id)).one() or 0
        assert leases.claim(session, task_id=desk.task.id or 0, account_id=bob, seconds=60) is None
        assert leases.claim_item(session, item_id=item_id, account_id=bob, seconds=60) is None
        assert leases.claim(session, task_id=desk.task.id or 0, account_id=ann, seconds=60) is not None
