"""What a rater's save costs: each statement is a round trip to PostgreSQL, and a turn that others wait for on SQLite."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import event
from sqlmodel import col, select

from backend.access.sessions import open_session, resolve
from backend.review import leases
from backend.store.database import Database
from backend.store.work import Slot
from backend.vocabulary import TaskKind
from tests.backend.review.judging import Judging, judging


class Counted:
    """The statements since the last look, but for BEGIN."""

    def __init__(self, database: Database) -> None:
        self._asked: list[str] = []
        event.listen(database.engine, "before_cursor_execute", lambda *given: self._asked.append(given[2]))

    def since(self) -> int:
        found = [text for text in self._asked if not text.startswith("BEGIN")]
        self._asked.clear()
        return len(found)


@pytest.mark.parametrize("kind", [TaskKind.RATE, TaskKind.COMPARE, TaskKind.RANK])
def test_ten_items_cost_as_few_statements_as_one(database: Database, kind: TaskKind) -> None:
    scene, counted = judging(database, kind, items=20, overlap=2), Counted(database)
    scene.next()
    first = counted.since()
    assert len(scene.next(count=10)) == 10  # the one in hand among them, which takes a statement more
    assert first <= 8
    assert counted.since() <= 10


def test_an_answer_costs_five_statements_and_with_gold_mixed_in_no_more(database: Database) -> None:
    scene, counted = judging(database, items=20, overlap=2, gold_share=0.2, repeat_share=0.2), Counted(database)
    scene.gold(19)
    for _ in range(3):
        (item,) = scene.next("bob")
        counted.since()
        scene.answer(item, "bob")
        assert counted.since() <= 6  # one more where a draft was kept


def test_who_somebody_is_costs_one_statement(database: Database) -> None:
    scene = judging(database, items=1)
    ann = scene.people["ann"]
    with database.writing() as session:
        token = open_session(session, account_id=ann.account_id or 0, hours=1)
        session.commit()
    counted = Counted(database)
    with database.reading() as session:
        assert resolve(session, token) == ann
    assert counted.since() == 1


def _taken_meanwhile(scene: Judging, monkeypatch: pytest.MonkeyPatch, slots: int) -> None:
    """Let bob take the first free slots between ann's look and her lock."""
    really, done = leases._locked_rows, []

    def slower(session: object, slot_ids: object, account_id: int, *, free: bool = False) -> list[object]:
        if free and not done:
            done.append(True)
            scene.next("bob", count=slots)
        return really(session, slot_ids, account_id, free=free)  # type: ignore[arg-type]

    monkeypatch.setattr(leases, "_locked_rows", slower)


@pytest.mark.parametrize(("items", "overlap"), [(6, 1), (3, 2)])
def test_a_rater_who_is_overtaken_gets_the_next_items_or_other_slots_of_the_same(
    postgres_new: Callable[[], str], monkeypatch: pytest.MonkeyPatch, items: int, overlap: int
) -> None:
    database = Database(postgres_new())
    scene = judging(database, items=items, overlap=overlap)
    _taken_meanwhile(scene, monkeypatch, 3)
    assert len(scene.next("ann", count=3)) == 3
    with database.reading() as session:
        slots = session.exec(select(Slot).where(col(Slot.account_id).is_not(None))).all()
    assert len({(slot.item_id, slot.account_id) for slot in slots}) == len(slots) == 6
    assert len({slot.fence for slot in slots}) == 1
    database.dispose()
