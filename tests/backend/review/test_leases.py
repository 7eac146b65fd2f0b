from __future__ import annotations

import random
import threading
import time
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import Session, col, func, select

from backend.errors import AlreadyDone, LeaseLost
from backend.review import leases
from backend.review.leases import Lease
from backend.store.base import now
from backend.store.database import Database
from backend.store.models import ModelVersion, Response
from backend.store.work import Annotation, Item, Skip, Slot, Task
from backend.vocabulary import ItemStatus, Role, TaskKind, TaskStatus
from tests.factories import a_person, a_project

SECONDS = 60


def a_queue(
    database: Database, *, items: int, overlap: int, people: int, kind: TaskKind = TaskKind.RATE
) -> tuple[int, list[int]]:
    """A task over `items` responses, and the ids of its people."""
    with database.writing() as session:
        project = a_project(session)
        raters = [a_person(session, f"rater{n}@example.org", project=project, role=Role.RATER) for n in range(people)]
        responses = [Response(project_id=project.id or 0, text=f"answer {n}") for n in range(items + 2)]
        task = Task(project_id=project.id or 0, kind=kind, name="queue", overlap=overlap)
        session.add_all([*responses, task])
        session.flush()
        ids = [response.id or 0 for response in responses]
        subjects: list[dict[str, Any]]
        if kind is TaskKind.RANK:
            subjects = [{"response_ids": ids[n : n + 3]} for n in range(items)]
        elif kind is TaskKind.COMPARE:
            subjects = [{"first_response_id": ids[n], "second_response_id": ids[n + 1]} for n in range(items)]
        else:
            subjects = [{"response_id": ids[n]} for n in range(items)]
        assert leases.add_items(session, task=task, subjects=subjects) == items
        session.commit()
        return task.id or 0, [rater.account_id or 0 for rater in raters]


def claim(database: Database, task: int, account: int, seconds: int = SECONDS) -> Lease | None:
    with database.writing() as session:
        lease = leases.claim(session, task_id=task, account_id=account, seconds=seconds)
        session.commit()
        return lease


def taken(lease: Lease | None) -> Lease:
    assert lease is not None
    return lease


def answer(session: Session, lease: Lease) -> None:
    """What a use-case does to save: check the hold, store an annotation, finish the slot."""
    slot = leases.held(session, slot_id=lease.slot_id, account_id=lease.account_id, fence=lease.fence)
    task = session.get(Task, slot.task_id)
    assert task is not None
    session.add(
        Annotation(
            project_id=task.project_id,
            task_id=slot.task_id,
            item_id=slot.item_id,
            slot_id=slot.id,
            fence=slot.fence,
            account_id=lease.account_id,
        )
    )
    leases.finish(session, slot=slot)


def let_expire(database: Database, lease: Lease) -> None:
    with database.writing() as session:
        slot = session.get(Slot, lease.slot_id)
        assert slot is not None
        slot.expires_at = now() - timedelta(seconds=1)
        session.add(slot)
        session.commit()


def test_items_come_in_order_and_each_rater_gets_a_slot_of_their_own(database: Database) -> None:
    task, (ann, bob, cem) = a_queue(database, items=2, overlap=2, people=3)
    first, second = taken(claim(database, task, ann)), taken(claim(database, task, bob))
    assert first.item_id == second.item_id
    assert first.slot_id != second.slot_id
    assert taken(claim(database, task, cem)).item_id > first.item_id


def test_a_reload_goes_on_with_the_same_item_and_the_old_tab_loses_it(database: Database) -> None:
    task, (ann,) = a_queue(database, items=2, overlap=1, people=1)
    before, after = taken(claim(database, task, ann)), taken(claim(database, task, ann))
    assert (after.slot_id, after.fence) == (before.slot_id, before.fence + 1)
    with database.writing() as session:
        assert not leases.release(session, slot_id=before.slot_id, account_id=ann, fence=before.fence)
        with pytest.raises(LeaseLost):
            answer(session, before)
        answer(session, after)
        session.commit()


def test_prefetched_items_are_different_and_what_is_in_hand_keeps_its_token(database: Database) -> None:
    task, (ann,) = a_queue(database, items=5, overlap=2, people=1)
    with database.writing() as session:
        few = leases.claim_many(session, task_id=task, account_id=ann, seconds=SECONDS, count=3)
        more = leases.claim_many(
            session, task_id=task, account_id=ann, seconds=SECONDS, count=9, besides=[lease.slot_id for lease in few]
        )
        assert len({lease.item_id for lease in few + more}) == 5
        answer(session, few[0])
        session.commit()


def test_an_answered_or_skipped_item_is_not_offered_again(database: Database) -> None:
    task, (ann,) = a_queue(database, items=3, overlap=2, people=1)
    first = taken(claim(database, task, ann))
    with database.writing() as session:
        answer(session, first)
        session.commit()
    second = taken(claim(database, task, ann))
    with database.writing() as session:
        session.add(Skip(item_id=second.item_id, account_id=ann))
        assert leases.release(session, slot_id=second.slot_id, account_id=ann, fence=second.fence)
        session.commit()
    third = taken(claim(database, task, ann))
    assert len({first.item_id, second.item_id, third.item_id}) == 3
    with database.writing() as session:
        assert leases.claim_item(session, item_id=second.item_id, account_id=ann, seconds=SECONDS) is None


def test_an_expired_lease_goes_to_the_next_and_the_late_answer_is_refused(database: Database) -> None:
    task, (ann, bob) = a_queue(database, items=1, overlap=1, people=2)
    late = taken(claim(database, task, ann))
    assert claim(database, task, bob) is None
    let_expire(database, late)
    new = taken(claim(database, task, bob))
    assert (new.slot_id, new.fence) == (late.slot_id, late.fence + 1)
    with database.writing() as session, pytest.raises(LeaseLost):
        answer(session, late)
    with database.writing() as session:
        answer(session, new)
        session.commit()
    with database.reading() as session:
        assert session.exec(select(Annotation.account_id)).all() == [bob]


def test_a_late_answer_is_taken_while_nobody_else_has_the_slot(database: Database) -> None:
    task, (ann,) = a_queue(database, items=1, overlap=1, people=1)
    late = taken(claim(database, task, ann))
    let_expire(database, late)
    with database.writing() as session:
        answer(session, late)
        session.commit()
    with database.writing() as session, pytest.raises(AlreadyDone):
        answer(session, late)


def test_a_heartbeat_prolongs_and_a_lost_lease_has_none(database: Database) -> None:
    task, (ann, bob) = a_queue(database, items=1, overlap=1, people=2)
    lease = taken(claim(database, task, ann, seconds=1))
    with database.writing() as session:
        until = leases.heartbeat(session, slot_id=lease.slot_id, account_id=ann, fence=lease.fence, seconds=500)
        session.commit()
    assert until > lease.expires_at + timedelta(seconds=400)
    assert claim(database, task, bob) is None
    with database.writing() as session, pytest.raises(LeaseLost):
        leases.heartbeat(session, slot_id=lease.slot_id, account_id=bob, fence=lease.fence, seconds=500)


def test_a_released_slot_is_free_at_once(database: Database) -> None:
    task, (ann, bob) = a_queue(database, items=1, overlap=1, people=2)
    lease = taken(claim(database, task, ann))
    with database.writing() as session:
        assert leases.release(session, slot_id=lease.slot_id, account_id=ann, fence=lease.fence)
        session.commit()
    assert taken(claim(database, task, bob)).slot_id == lease.slot_id


def test_a_vanished_tab_frees_its_slot_but_its_answer_counts_until_somebody_takes_it(database: Database) -> None:
    task, (ann, bob) = a_queue(database, items=2, overlap=1, people=2)
    first = taken(claim(database, task, ann))
    with database.writing() as session:
        assert leases.let_go(session, slot_id=first.slot_id, account_id=ann, fence=first.fence)
        session.commit()
    with database.writing() as session:
        answer(session, first)
        session.commit()
    second = taken(claim(database, task, ann))
    with database.writing() as session:
        assert leases.let_go(session, slot_id=second.slot_id, account_id=ann, fence=second.fence)
        session.commit()
    assert taken(claim(database, task, bob)).slot_id == second.slot_id
    with database.writing() as session, pytest.raises(LeaseLost):
        answer(session, second)


def test_a_paused_task_hands_out_nothing(database: Database) -> None:
    task, (ann,) = a_queue(database, items=1, overlap=1, people=1)
    with database.writing() as session:
        row = session.get(Task, task)
        assert row is not None
        row.status = TaskStatus.PAUSED
        session.add(row)
        session.commit()
    assert claim(database, task, ann) is None


def test_an_item_is_done_when_its_last_slot_is(database: Database) -> None:
    task, (ann, bob) = a_queue(database, items=1, overlap=2, people=2)
    for account, status in ((ann, ItemStatus.OPEN), (bob, ItemStatus.DONE)):
        lease = taken(claim(database, task, account))
        with database.writing() as session:
            answer(session, lease)
            session.commit()
        with database.reading() as session:
            assert session.exec(select(Item.status)).one() is status


def test_the_sides_of_comparisons_are_balanced_per_rater(sqlite: Database) -> None:
    task, people = a_queue(sqlite, items=21, overlap=2, people=2, kind=TaskKind.COMPARE)
    for account in people:
        with sqlite.writing() as session:
            drawn = leases.claim_many(session, task_id=task, account_id=account, seconds=SECONDS, count=21)
            session.commit()
        sides = Counter(lease.swapped for lease in drawn)
        assert abs(sides[True] - sides[False]) == 1


def test_items_added_to_a_running_task_come_after_the_others(database: Database) -> None:
    task, (_ann,) = a_queue(database, items=2, overlap=3, people=1)
    with database.writing() as session:
        row, response = session.get(Task, task), session.exec(select(Response.id)).first()
        assert row is not None
        leases.add_items(session, task=row, subjects=[{"response_id": response or 0}])
        session.commit()
    with database.reading() as session:
        assert session.exec(select(Item.position).order_by(col(Item.id))).all() == [0, 1, 2]
        per_item = session.exec(select(func.count()).select_from(Slot).group_by(col(Slot.item_id))).all()
        assert per_item == [3, 3, 3]


def test_sixteen_raters_at_once_all_land_and_no_item_gets_more_answers_than_slots(database: Database) -> None:
    """Threads with sessions of their own; some walk away with a lease that soon expires and come back late."""
    items, overlap = 24, 3
    task, people = a_queue(database, items=items, overlap=overlap, people=16)
    acknowledged: list[tuple[int, int]] = []
    surprises: list[BaseException] = []

    def work(account: int) -> None:
        chance = random.Random(account)
        forgotten: list[Lease] = []
        idle = 0
        try:
            while idle < 3:
                walks_away = chance.random() < 0.2
                lease = claim(database, task, account, seconds=0 if walks_away else SECONDS)
                if lease is None:
                    idle += 1
                    time.sleep(0.02)
                    continue
                if walks_away:
                    forgotten.append(lease)
                    continue
                save(lease)
                if forgotten and chance.random() < 0.5:
                    save(forgotten.pop())
        except BaseException as error:  # noqa: BLE001 - a thread's failure must fail the test
            surprises.append(error)

    def save(lease: Lease) -> None:
        try:
            with database.writing() as session:
                answer(session, lease)
                session.commit()
            acknowledged.append((lease.item_id, lease.account_id))
        except (LeaseLost, AlreadyDone):
            return

    threads = [threading.Thread(target=work, args=(account,)) for account in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert surprises == []
    with database.reading() as session:
        stored = session.exec(select(Annotation.item_id, Annotation.account_id)).all()
        assert sorted(stored) == sorted(acknowledged)
        assert len(set(stored)) == len(stored) == items * overlap
        assert max(Counter(item for item, _ in stored).values()) == overlap
        assert set(session.exec(select(Item.status)).all()) == {ItemStatus.DONE}


@pytest.mark.parametrize("kind", [TaskKind.RATE, TaskKind.COMPARE, TaskKind.RANK])
def test_holding_on_letting_go_and_giving_back_work_for_every_kind(database: Database, kind: TaskKind) -> None:
    task, (ann, bob) = a_queue(database, items=1, overlap=1, people=2, kind=kind)
    lease = taken(claim(database, task, ann, seconds=1))
    here: dict[str, Any] = {"slot_id": lease.slot_id, "account_id": ann, "fence": lease.fence}
    with database.writing() as session:
        assert leases.heartbeat(session, **here, seconds=500) > lease.expires_at
        session.commit()
    assert claim(database, task, bob) is None
    again = taken(claim(database, task, ann))
    assert (again.swapped, again.drawn) == (lease.swapped, lease.drawn)
    assert (lease.swapped is not None, lease.drawn is not None) == (kind is TaskKind.COMPARE, kind is TaskKind.RANK)
    here["fence"] = again.fence
    with database.writing() as session:
        assert leases.let_go(session, **here)
        session.commit()
    other = taken(claim(database, task, bob))
    with database.writing() as session:
        assert leases.release(session, slot_id=other.slot_id, account_id=bob, fence=other.fence)
        session.commit()
        slot = session.get_one(Slot, other.slot_id)
        assert (slot.account_id, slot.swapped, slot.drawn) == (None, None, None)


def test_the_places_of_rankings_are_balanced_per_rater(sqlite: Database) -> None:
    task, (ann,) = a_queue(sqlite, items=12, overlap=1, people=1, kind=TaskKind.RANK)
    with sqlite.writing() as session:
        versions = [a_version(session, number) for number in (1, 2, 3)]
        for response in session.exec(select(Response)):
            response.version_id = versions[(response.id or 0) % 3]
            session.add(response)
        written_by = {response.id: response.version_id for response in session.exec(select(Response))}
        places: Counter[tuple[int | None, int]] = Counter()
        for _ in range(12):
            (lease,) = leases.claim_many(session, task_id=task, account_id=ann, seconds=SECONDS, count=1)
            assert lease.drawn is not None
            places.update((written_by[response], place) for place, response in enumerate(lease.drawn))
            answer(session, lease)
        session.commit()
    assert sum(places.values()) == 36
    assert max(places.values()) - min(places.values()) <= 2


def test_versions_stand_left_as_often_as_right_whichever_the_items_name_first(sqlite: Database) -> None:
    task, (ann,) = a_queue(sqlite, items=10, overlap=1, people=1, kind=TaskKind.COMPARE)
    with sqlite.writing() as session:
        versions = [a_version(session, number) for number in (1, 2)]
        for response in session.exec(select(Response)):
            response.version_id = versions[(response.id or 0) % 2]  # so the items name each of them first in turn
            session.add(response)
        written_by = {response.id: response.version_id for response in session.exec(select(Response))}
        left: Counter[int | None] = Counter()
        for _ in range(10):
            lease = taken(leases.claim(session, task_id=task, account_id=ann, seconds=SECONDS))
            item = session.get_one(Item, lease.item_id)
            left[written_by[item.second_response_id if lease.swapped else item.first_response_id]] += 1
            answer(session, lease)
        session.commit()
    assert left == {versions[0]: 5, versions[1]: 5}


def a_version(session: Session, number: int) -> int:
    version = ModelVersion(project_id=1, number=number, name=f"v{number}", base_model="m", served_as=f"m-{number}")
    session.add(version)
    session.flush()
    return version.id or 0
