from __future__ import annotations

import dataclasses
from collections import Counter

import pytest
from sqlalchemy import event
from sqlmodel import col, select

from backend.review import mixing, setting_gold
from backend.store.database import Database
from backend.store.work import Gold, Item, Slot, Task
from backend.vocabulary import ItemPurpose, TaskKind
from tests.backend.review.judging import Judging, judging

GOLD, REPEAT, WORK = ItemPurpose.GOLD, ItemPurpose.REPEAT, ItemPurpose.WORK


def purposes(scene: Judging, who: str = "ann", most: int = 10_000) -> list[ItemPurpose]:
    return [item.purpose for item in scene.rate_all(who, most=most)]


def test_gold_and_repeats_come_in_their_shares_and_never_twice(database: Database) -> None:
    scene = judging(database, items=60, overlap=1, gold_share=0.15, repeat_share=0.1)
    for number in range(40, 60):
        scene.gold(number)
    asked = list(scene.rate_all(most=60))
    found = Counter(item.purpose for item in asked)
    assert abs(found[GOLD] - 9) <= 2
    assert 2 <= found[REPEAT] <= 8
    golds = [item.copy_of for item in asked if item.purpose is GOLD]
    repeats = [item.copy_of for item in asked if item.purpose is REPEAT]
    assert len(golds) == len(set(golds))
    assert len(repeats) == len(set(repeats))
    worked = [item.id for item in asked if item.purpose is WORK]
    for place, item in enumerate(asked):
        if item.purpose is REPEAT:
            before = [one.id for one in asked[:place] if one.purpose is WORK]
            assert item.copy_of in before
            assert len(before) - before.index(item.copy_of) > mixing.NEAR_BACK
        if item.purpose is GOLD:
            assert item.copy_of not in worked[: sum(one.purpose is WORK for one in asked[:place])]


def test_copies_come_among_the_next_ones_also_when_ten_are_fetched_at_once(sqlite: Database) -> None:
    scene = judging(sqlite, items=40, overlap=1, gold_share=0.2)
    for number in range(30, 40):
        scene.gold(number)
    hand = scene.next(count=10)
    with sqlite.reading() as session:
        kinds = [session.get_one(Item, session.get_one(Slot, one.slot_id).item_id).purpose for one in hand]
    assert kinds.count(GOLD) == 2
    assert kinds[:2] != [GOLD, GOLD]
    assert scene.next(count=10) != ()
    with sqlite.reading() as session:
        assert len(session.exec(select(Item).where(Item.purpose == GOLD)).all()) <= 4


def test_a_copy_cannot_be_told_from_work(sqlite: Database) -> None:
    scene = judging(sqlite, TaskKind.COMPARE, items=30, overlap=1, gold_share=0.3)
    for number in range(20, 30):
        scene.gold(number)
    with sqlite.writing() as session:
        session.get_one(Item, scene.items[29]).why = "The versions disagree here."
        session.commit()
    hand = scene.next(count=12)
    shapes = {(tuple(sorted(dataclasses.asdict(one))), one.practice, one.correcting) for one in hand}
    assert len(shapes) == 1
    assert {"purpose", "copy_of", "position"}.isdisjoint(dataclasses.asdict(hand[0]))


def test_the_copy_of_one_rater_is_asked_of_nobody_else(database: Database) -> None:
    scene = judging(database, items=12, overlap=1, gold_share=0.5)
    for number in range(6):
        scene.gold(number)
    hand = scene.next("ann", count=6)
    assert hand
    list(scene.rate_all("bob"))
    with database.reading() as session:
        copies = session.exec(select(Item).where(Item.purpose == GOLD)).all()
        assert copies
        for copied in copies:
            slot = session.exec(select(Slot).where(Slot.item_id == copied.id)).one()
            assert slot.account_id in (None, copied.only_account_id)


def test_who_made_a_gold_answer_is_not_asked_it(sqlite: Database) -> None:
    scene = judging(sqlite, items=20, overlap=1, gold_share=0.5)
    for number in range(5):
        scene.gold(number)
    assert GOLD not in purposes(scene, "lead")


def test_at_the_end_of_the_work_there_are_no_more_copies(sqlite: Database) -> None:
    scene = judging(sqlite, items=8, overlap=1, gold_share=0.25, repeat_share=0.25)
    found = purposes(scene)
    assert found.count(WORK) == 8
    assert scene.next() == ()
    with sqlite.reading() as session:
        assert len(session.exec(select(Item)).all()) == len(found)


def test_a_skipped_copy_is_asked_of_nobody_and_does_not_hold_the_task_up(sqlite: Database) -> None:
    from backend.review import annotating

    scene = judging(sqlite, items=10, overlap=1, gold_share=0.5)
    for number in range(5, 10):
        scene.gold(number)
    skipped = 0
    while found := scene.next():
        with sqlite.reading() as session:
            purpose = session.get_one(Item, session.get_one(Slot, found[0].slot_id).item_id).purpose
        if purpose is GOLD:
            scene.call(annotating.skip, "ann", slot_id=found[0].slot_id, fence=found[0].fence)
            skipped += 1
        else:
            scene.answer(found[0])
    assert 1 <= skipped <= 5
    with sqlite.reading() as session:
        assert {item.status for item in session.exec(select(Item))} == {"done"}


@pytest.mark.parametrize(("options", "most"), [({}, 0), ({"gold_share": 0.01, "repeat_share": 0.01}, 1)])
def test_where_nothing_is_due_it_costs_no_more_than_a_query(sqlite: Database, options: dict[str, float], most: int) -> None:
    scene = judging(sqlite, items=10, **options)
    with sqlite.writing() as session:
        task, asked = session.get_one(Task, scene.task), []
        counted = session.get_bind()
        event.listen(counted, "before_cursor_execute", lambda *given: asked.append(given[2]))
        assert mixing.mix_in(session, task, scene.people["ann"].account_id or 0, 1) is None
        assert len(asked) <= most


def test_gold_that_is_taken_back_is_not_asked_any_more(sqlite: Database) -> None:
    scene = judging(sqlite, items=10, overlap=1, gold_share=0.5)
    scene.gold(9)
    mine = [item for item in scene.rate_all(most=3) if item.purpose is GOLD]
    scene.of_project(setting_gold.unmark, item_id=scene.items[9])
    assert GOLD not in purposes(scene, "bob")
    with sqlite.reading() as session:
        assert session.exec(select(Gold)).all() == []
    scores = [one.score for one in scene.annotations("ann") if one.item_id in {item.id for item in mine}]
    assert set(scores) <= {None}


def test_repeats_are_graded_by_how_like_the_earlier_answer_they_are(database: Database) -> None:
    scene = judging(database, TaskKind.COMPARE, items=30, overlap=1, repeat_share=0.3)
    seen: dict[str, bool] = {}
    for _ in range(40):
        found = scene.next()
        if not found:
            break
        question = found[0].messages[0].content
        good = seen.setdefault(question, True)
        scene.answer(found[0], good=good if question != "Question 0?" else not seen.setdefault("again", False))
        seen["again"] = seen.get("again", False) or question == "Question 0?"
    with database.reading() as session:
        repeats = {item.id: item.copy_of for item in session.exec(select(Item).where(col(Item.purpose) == REPEAT))}
    scored = {repeats[one.item_id]: one.score for one in scene.annotations() if one.item_id in repeats}
    assert scored
    for original, score in scored.items():
        assert score == (0.0 if original == scene.items[0] else 1.0)
