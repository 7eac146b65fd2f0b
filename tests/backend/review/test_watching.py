from __future__ import annotations

from typing import Any

import pytest
from sqlmodel import select

from backend.errors import Forbidden, NotFound
from backend.review import setting_gold, watching
from backend.store.accounts import AuditEntry
from backend.store.database import Database
from backend.store.work import Gold, Qualification, Task
from backend.task_options import TaskOptions
from backend.vocabulary import ItemPurpose, TaskKind, Verdict
from tests.backend.review.judging import Judging, judging


def notices(scene: Judging) -> list[Any]:
    with scene.database.reading() as session:
        return [one.drift["sentences"] for one in session.exec(select(Qualification)) if one.drifted_at is not None]


def a_careless_rater(database: Database) -> Judging:
    """Half of the items are gold, and Ann gets every one wrong."""
    scene = judging(database, TaskKind.COMPARE, items=45, overlap=1, gold_share=0.5)
    for number in range(24):
        scene.gold(number)
    for item in scene.rate_all(good=False):
        if notices(scene) or item is None:
            break
    return scene


def test_a_rater_who_falls_is_noticed_until_a_lead_puts_the_notice_away(database: Database) -> None:
    scene = a_careless_rater(database)
    (sentences,) = notices(scene)
    assert sentences == ["Gold: 0% of the last 10 right, which is below 60%"]
    given = {"task_id": scene.task, "account_id": scene.people["ann"].account_id or 0}
    for who in ("ann", "eva", "stranger"):
        with pytest.raises(Forbidden):
            scene.of_project(watching.put_notice_away, who, **given)
    scene.of_project(watching.put_notice_away, **given)
    assert notices(scene) == []
    with pytest.raises(NotFound):
        scene.of_project(watching.put_notice_away, **given)
    list(scene.rate_all(most=4, good=False))
    assert notices(scene) == []


def test_a_paused_rater_gets_no_more_items_and_the_others_do(database: Database) -> None:
    scene = judging(database)
    given = {"task_id": scene.task, "account_id": scene.people["ann"].account_id or 0}
    for who in ("ann", "eva", "stranger"):
        with pytest.raises(Forbidden):
            scene.of_project(watching.pause_rater, who, **given)
    (item,) = scene.next()
    scene.of_project(watching.pause_rater, **given)
    scene.answer(item)
    assert scene.next() == ()
    assert scene.next("bob") != ()
    scene.of_project(watching.pause_rater, paused=False, **given)
    assert scene.next() != ()
    with database.reading() as session:
        assert TaskOptions.from_json(session.get_one(Task, scene.task).options).excluded == ()
        acts = [entry.action for entry in session.exec(select(AuditEntry))]
    assert acts == ["rater_paused", "rater_readmitted"]


def test_a_task_of_another_project_is_not_found(sqlite: Database) -> None:
    scene = judging(sqlite)
    with pytest.raises(NotFound):
        scene.of_project(watching.pause_rater, task_id=999, account_id=1)
    with pytest.raises(NotFound):
        scene.of_project(watching.pause_rater, task_id=scene.task, account_id=999)


def test_changed_gold_scores_what_was_answered_anew(database: Database) -> None:
    scene = judging(database, TaskKind.COMPARE, items=8, overlap=1, gold_share=0.5)
    for number in range(4, 8):
        scene.gold(number)
    copies = [item for item in scene.rate_all() if item.purpose is ItemPurpose.GOLD]
    original = copies[0].copy_of or 0

    def scores() -> set[float | None]:
        return {one.score for one in scene.annotations() if one.item_id == copies[0].id}

    assert scores() == {1.0}
    scene.of_project(setting_gold.mark, item_id=original, verdict=Verdict.RIGHT, explanation="On second thought.")
    assert scores() == {0.0}
    scene.of_project(setting_gold.unmark, item_id=original)
    assert scores() == {None}
    with database.reading() as session:
        assert original not in set(session.exec(select(Gold.item_id)))
        acts = [(entry.action, "before" in entry.detail) for entry in session.exec(select(AuditEntry))]
    assert acts[-2:] == [("gold_marked", True), ("gold_unmarked", True)]


def test_gold_is_for_leads_and_for_items_that_are_rated(sqlite: Database) -> None:
    scene = judging(sqlite)
    for who in ("ann", "eva", "stranger"):
        with pytest.raises(Forbidden):
            scene.gold(0, who=who)
    with pytest.raises(NotFound):
        scene.of_project(setting_gold.mark, item_id=999, answers={"tone": 1})
    with pytest.raises(NotFound):
        scene.of_project(setting_gold.mark_from_ruling, item_id=scene.items[0])
    with pytest.raises(NotFound):
        scene.of_project(setting_gold.unmark, item_id=scene.items[0])
