from __future__ import annotations

import pytest
from sqlmodel import select

from backend.errors import Forbidden, InvalidInput, NotFound
from backend.review import annotating, qualifying, setting_gold
from backend.review.grading import Feedback
from backend.store.database import Database
from backend.store.work import Item, Qualification
from backend.vocabulary import ItemPurpose, TaskKind
from tests.backend.review.judging import Judging, judging


def feedback(scene: Judging, slot_id: int, who: str = "ann") -> Feedback | None:
    with scene.database.reading() as session:
        return qualifying.feedback_after(session, actor=scene.people[who], slot_id=slot_id)


def standing(scene: Judging, who: str = "ann") -> qualifying.Standing | None:
    with scene.database.reading() as session:
        return qualifying.standing(session, actor=scene.people[who], task_id=scene.task)


def test_real_items_come_once_the_round_is_passed(database: Database) -> None:
    scene = judging(database, TaskKind.COMPARE, items=6, calibration_pass=0.6)
    for number in (3, 4, 5):
        scene.gold(number, calibration=True, explanation=f"First {number} is kinder.")
    hand = scene.next(count=10)
    assert [item.practice for item in hand] == [True] * 3
    told = []
    for item, good in zip(hand, (True, False, True), strict=True):
        assert feedback(scene, item.slot_id) is None
        scene.answer(item, good=good)
        told.append(feedback(scene, item.slot_id))
        assert feedback(scene, item.slot_id, "bob") is None
    assert [(one.right, one.answered, one.correct, one.asked) for one in told if one] == [
        (True, 1, 1, 3), (False, 2, 1, 3), (True, 3, 2, 3),
    ]  # fmt: skip
    assert [(one.passed, one.failed) for one in told if one] == [(False, False), (False, False), (True, False)]
    assert told[1] is not None
    assert told[1].explanation.startswith("First")
    assert {told[1].lines[0].yours, told[1].lines[0].wanted} == {"Left is better", "Right is better"}
    found = standing(scene)
    assert found is not None
    assert found.passed
    assert [item.practice for item in scene.next(count=6)] == [False] * 6


def test_a_failed_round_is_followed_by_another_with_other_gold(database: Database) -> None:
    scene = judging(database, items=14, calibration_pass=0.8)
    for number in range(12):
        scene.gold(number, calibration=True)
    first = list(scene.rate_all(most=qualifying.ROUND, good=False))
    slots = scene.annotations()[-1].slot_id or 0
    told = feedback(scene, slots)
    assert told is not None
    assert (told.failed, told.passed, told.answered, told.correct) == (True, False, 10, 0)
    again = list(scene.rate_all(most=qualifying.ROUND))
    assert {item.purpose for item in first + again} == {ItemPurpose.CALIBRATION}
    unseen = {item.copy_of for item in again} - {item.copy_of for item in first}
    assert len(unseen) == 2
    assert [item.purpose for item in scene.rate_all(most=1)] == [ItemPurpose.WORK]
    with database.reading() as session:
        kept = session.exec(select(Qualification)).one()
        assert [(one["attempt"], one["correct"], one["passed"]) for one in kept.history] == [(1, 0, False), (2, 10, True)]


def test_what_is_changed_after_reading_the_explanation_does_not_count(sqlite: Database) -> None:
    scene = judging(sqlite, calibration_pass=1.0)
    for number in (4, 5):
        scene.gold(number, calibration=True)
    first, second = scene.next(count=2)
    scene.answer(first, good=False)
    again = scene.call(annotating.undo_last, "ann", task_id=scene.task)
    scene.answer(again, good=True)
    scene.answer(second)
    told = feedback(scene, second.slot_id)
    assert told is not None
    assert (told.failed, told.correct) == (True, 1)


def test_an_item_of_the_round_that_is_passed_on_counts_as_not_right(sqlite: Database) -> None:
    scene = judging(sqlite, calibration_pass=0.6)
    for number in (4, 5):
        scene.gold(number, calibration=True)
    first, second = scene.next(count=2)
    scene.answer(first)
    scene.call(annotating.skip, "ann", slot_id=second.slot_id, fence=second.fence)
    assert [item.practice for item in scene.next(count=2)] == [True, True]
    found = standing(scene)
    assert found is not None
    assert (found.attempt, found.answered, found.asked) == (2, 0, 2)


def test_without_gold_for_the_round_nobody_is_held_back(sqlite: Database) -> None:
    scene = judging(sqlite, calibration_pass=0.5)
    scene.gold(0)
    assert not scene.next()[0].practice
    assert standing(scene) is None


def test_gold_taken_back_meanwhile_shortens_the_round(sqlite: Database) -> None:
    scene = judging(sqlite, calibration_pass=1.0)
    for number in (4, 5):
        scene.gold(number, calibration=True)
    (item,) = scene.next()
    scene.answer(item)
    for number in (4, 5):
        scene.of_project(setting_gold.unmark, item_id=scene.items[number])
    assert not scene.next()[0].practice


def test_gold_is_told_to_nobody_on_the_desk(sqlite: Database) -> None:
    scene = judging(sqlite, items=10, overlap=1, gold_share=0.5)
    for number in range(5, 10):
        scene.gold(number)
    for item in scene.next(count=6):
        scene.answer(item)
        assert feedback(scene, item.slot_id) is None
    with sqlite.reading() as session:
        assert session.exec(select(Item).where(Item.purpose == ItemPurpose.GOLD)).first() is not None


def test_a_lead_lets_a_rater_begin_anew(sqlite: Database) -> None:
    scene = judging(sqlite, calibration_pass=0.5)
    for number in (4, 5):
        scene.gold(number, calibration=True)
    with pytest.raises(NotFound):
        scene.of_project(qualifying.reset, task_id=scene.task, account_id=scene.people["ann"].account_id or 0)
    assert len(list(scene.rate_all(most=3))) == 3
    given = {"task_id": scene.task, "account_id": scene.people["ann"].account_id or 0}
    with pytest.raises(Forbidden):
        scene.of_project(qualifying.reset, "eva", **given)
    with pytest.raises(Forbidden):
        scene.of_project(qualifying.reset, "stranger", **given)
    scene.of_project(qualifying.reset, **given)
    assert scene.next()[0].practice
    found = standing(scene)
    assert found is not None
    assert (found.passed, found.attempt) == (False, 2)


def test_the_round_needs_explanations(sqlite: Database) -> None:
    scene = judging(sqlite)
    with pytest.raises(InvalidInput, match="explanation"):
        scene.gold(0, calibration=True, explanation="  ")
