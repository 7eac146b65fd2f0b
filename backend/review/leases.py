"""Slots of items, and the time-limited holds on them. Nothing here commits: each call is a part of a use-case.

An item has as many slots as its task's overlap. A claim gives a free slot to an account, raises the slot's fencing
token and sets when the hold runs out; whoever wants to save must show the newest token.

An item that is meant for one account alone (gold, a hidden repeat, calibration) is offered to it, in its place, and to
nobody else; where a task names its raters, it hands out nothing to others. Which response stands where is drawn here, when
a slot is claimed, from what this account was shown before.

Promised, on SQLite (whose writing transactions follow one another) and on PostgreSQL (row locks, `SKIP LOCKED`, and one
claim at a time per account and task): a slot has one holder, an account has one slot on an item, and so an item never
gets more answers than slots. A holder who is late, but whose slot nobody else took, still has it: work is not thrown
away for the clock alone. Not promised: a strict order when several claim at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, case, func, literal, or_
from sqlalchemy import select as sql_select
from sqlmodel import Session, col, select

from backend.errors import AlreadyDone, LeaseLost
from backend.review.recalling import Memory
from backend.review.settling import settle
from backend.store.base import now
from backend.store.items import add_items as add_items
from backend.store.work import Annotation, Item, Skip, Slot, Task
from backend.task_options import TaskOptions
from backend.vocabulary import ItemPurpose, ItemStatus, TaskStatus

_LOST = "This item was given to somebody else, or given back, because it lay untouched for too long. Nothing was saved for it."
_FIRST_WINDOW = 64
_WIDEST_WINDOW = 4096


@dataclass(frozen=True, slots=True)
class Lease:
    """One account's hold on one slot. `swapped` is the drawn side of a comparison, `drawn` the drawn order of a ranking
    (response ids from left to right); None for other items."""

    slot_id: int
    item_id: int
    task_id: int
    account_id: int
    fence: int
    expires_at: datetime
    swapped: bool | None
    drawn: tuple[int, ...] | None = None


def may_take_part(task: Task, account_id: int) -> bool:
    """Whether the task hands out items to this account: to everybody, unless it names its raters, or pauses this one."""
    options = TaskOptions.from_json(task.options)
    return (not options.raters or account_id in options.raters) and account_id not in options.excluded


def claim(session: Session, *, task_id: int, account_id: int, seconds: int) -> Lease | None:
    """The item this account already holds in the task, or the first open one that it may still answer, or None."""
    leases = claim_many(session, task_id=task_id, account_id=account_id, seconds=seconds, count=1)
    return leases[0] if leases else None


def claim_many(
    session: Session,
    *,
    task_id: int,
    account_id: int,
    seconds: int,
    count: int,
    besides: Collection[int] = (),
    purpose: ItemPurpose | None = None,
) -> list[Lease]:
    """Up to `count` leases, those held already first; slots in `besides` are left as they are and not returned.

    With `purpose`, of items of that purpose alone.

    Taking up one's own living lease raises its token too: the tab that held it before can no longer save or release it.
    """
    one_at_a_time(session, task_id, account_id)
    task = session.get(Task, task_id, populate_existing=True)
    if task is None or task.status is not TaskStatus.OPEN or not may_take_part(task, account_id):
        return []
    of_purpose = () if purpose is None else (Item.purpose == purpose,)
    held_before = (
        select(Slot)
        .join(Item, col(Item.id) == Slot.item_id)
        .where(
            *of_purpose,
            Slot.task_id == task_id,
            Slot.account_id == account_id,
            col(Slot.done_at).is_(None),
            col(Slot.expires_at) > now(),
            col(Slot.id).not_in(list(besides)),
        )
        .order_by(col(Item.position), col(Item.id))
        .limit(count)
        .with_for_update(of=Slot, key_share=True)
        .execution_options(populate_existing=True)
    )
    memory = Memory(session, task_id, account_id)
    leases = [_take(session, slot, account_id, seconds, memory) for slot in session.exec(held_before).all()]
    for item_id in open_to(session, task_id, account_id, purpose) if len(leases) < count else ():
        if slot := _free_slot(session, item_id, account_id):
            leases.append(_take(session, slot, account_id, seconds, memory))
        if len(leases) == count:
            break
    return leases


def claim_item(session: Session, *, item_id: int, account_id: int, seconds: int) -> Lease | None:
    """A lease on this very item; None where no slot is free, the account has answered or skipped it, or may not have it."""
    item = session.get(Item, item_id)
    task = session.get(Task, item.task_id) if item is not None else None
    if item is None or task is None or not may_take_part(task, account_id):
        return None
    one_at_a_time(session, item.task_id, account_id)
    slot = None
    if session.exec(select(Item.id).where(Item.id == item_id, *may_answer(account_id))).first() is not None:
        slot = _free_slot(session, item_id, account_id)
    if slot is None:
        own = select(Slot).where(
            Slot.item_id == item_id,
            Slot.account_id == account_id,
            col(Slot.done_at).is_(None),
            col(Slot.expires_at) > now(),
        )
        slot = session.exec(own.with_for_update(key_share=True)).first()
    return None if slot is None else _take(session, slot, account_id, seconds, Memory(session, item.task_id, account_id))


def heartbeat(session: Session, *, slot_id: int, account_id: int, fence: int, seconds: int) -> datetime:
    """Hold on for `seconds` more from now; returns until when. Raises LeaseLost."""
    slot = held(session, slot_id=slot_id, account_id=account_id, fence=fence)
    slot.expires_at = now() + timedelta(seconds=seconds)
    session.add(slot)
    session.flush()
    return slot.expires_at


def release(session: Session, *, slot_id: int, account_id: int, fence: int) -> bool:
    """Give the slot back. False, and nothing changed, where it is done or held by somebody (or some tab) else by now."""
    slot = _locked(session, slot_id)
    if slot is None or slot.account_id != account_id or slot.fence != fence or slot.done_at is not None:
        return False
    slot.account_id = slot.claimed_at = slot.expires_at = slot.swapped = slot.drawn = None
    session.add(slot)
    session.flush()
    return True


def let_go(session: Session, *, slot_id: int, account_id: int, fence: int) -> bool:
    """Let the lease run out now: anybody may take the slot, but until somebody does, its holder's late answer still counts.

    For tabs that vanish, which may be a reload or a lost connection with answers still on their way. False as `release`.
    """
    slot = _locked(session, slot_id)
    if slot is None or slot.account_id != account_id or slot.fence != fence or slot.done_at is not None:
        return False
    slot.expires_at = now()
    session.add(slot)
    session.flush()
    return True


def held(session: Session, *, slot_id: int, account_id: int, fence: int) -> Slot:
    """The slot, locked until the transaction ends. Raises LeaseLost, or AlreadyDone where it was finished.

    A done slot that was reopened for a correction is held too.
    """
    slot = _locked(session, slot_id)
    if slot is None or slot.account_id != account_id or slot.fence != fence:
        raise LeaseLost(_LOST)
    if slot.done_at is not None and slot.expires_at is None:
        raise AlreadyDone("This item was saved before; it was not saved twice.")
    return slot


def finish(session: Session, *, slot: Slot) -> None:
    """Mark the slot done, and settle what becomes of its item; the answer itself has been added before."""
    slot.done_at = slot.done_at or now()
    slot.expires_at = None
    session.add(slot)
    session.flush()
    settle(session, item_id=slot.item_id)


def reopen(session: Session, *, slot_id: int, account_id: int, seconds: int) -> Lease:
    """Hold one's own done slot again, for a correction. It stays done: nobody else can get it, whatever happens next."""
    slot = _locked(session, slot_id)
    if slot is None or slot.account_id != account_id or slot.done_at is None:
        raise LeaseLost("There is no finished answer of yours here that could be corrected.")
    slot.fence += 1
    slot.expires_at = now() + timedelta(seconds=seconds)
    session.add(slot)
    session.flush()
    return _lease(slot, account_id, slot.expires_at)


def one_at_a_time(session: Session, task_id: int, account_id: int) -> None:
    """Two tabs of one account wait for each other here, so that it cannot get two slots on one item."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(task_id, account_id)))


def open_to(session: Session, task_id: int, account_id: int, purpose: ItemPurpose | None = None) -> Iterator[int]:
    """Ids of open items with a free slot that this account may answer, by position: those meant for it alone among the rest.

    Read in windows of positions that grow, and with look-ups that no planner can turn into joins: so the first item of
    100,000 takes milliseconds, also on a database whose statistics are not up to date. With `purpose`, of those alone.
    """
    open_items = (Item.task_id == task_id, Item.status == ItemStatus.OPEN)
    own = select(Item.position, Item.id).where(*open_items, Item.only_account_id == account_id, *may_answer(account_id))
    if purpose is not None:
        own = own.where(Item.purpose == purpose)
    mine = deque(session.exec(own.order_by(col(Item.position), col(Item.id))).all())
    for position, item_id in _open_to_all(session, task_id, account_id) if purpose in (None, ItemPurpose.WORK) else ():
        while mine and mine[0] < (position, item_id):
            yield mine.popleft()[1] or 0
        yield item_id
    yield from (item_id or 0 for _, item_id in mine)


def _open_to_all(session: Session, task_id: int, account_id: int) -> Iterator[tuple[int, int]]:
    """(position, id) of the items that are meant for nobody in particular."""
    open_items = (Item.task_id == task_id, Item.status == ItemStatus.OPEN, col(Item.only_account_id).is_(None))
    start, width = 0, _FIRST_WINDOW
    while True:
        start = session.exec(select(func.min(Item.position)).where(*open_items, Item.position >= start)).one()
        if start is None:
            return
        window = (col(Item.position) >= start, col(Item.position) < start + width)
        query = select(Item.position, Item.id).where(*open_items, *window, *may_answer(account_id))
        found = session.exec(query.order_by(col(Item.position), col(Item.id)).limit(_FIRST_WINDOW)).all()
        yield from ((position, item_id or 0) for position, item_id in found)
        start = found[-1][0] + 1 if len(found) == _FIRST_WINDOW else start + width
        width = min(width * 8, _WIDEST_WINDOW)


def may_answer(account_id: int) -> tuple[ColumnElement[bool], ...]:
    """Conditions on an item: a slot is free, and this account holds none, has not answered, has not skipped; and the item
    is meant for everybody or for this account."""
    free = _lookup(Slot, col(Slot.done_at).is_(None), or_(col(Slot.account_id).is_(None), col(Slot.expires_at) <= now()))
    holds = _lookup(Slot, col(Slot.account_id) == account_id, or_(col(Slot.done_at).is_not(None), col(Slot.expires_at) > now()))
    answered = _lookup(Annotation, col(Annotation.account_id) == account_id)
    skipped = _lookup(Skip, col(Skip.account_id) == account_id)
    meant = or_(col(Item.only_account_id).is_(None), col(Item.only_account_id) == account_id)
    return meant, holds.is_(None), answered.is_(None), skipped.is_(None), free.is_not(None)


def _lookup(table: Any, *conditions: ColumnElement[bool]) -> ColumnElement[Any]:
    of_item = table.item_id == Item.id
    return sql_select(literal(1)).where(of_item, *conditions).limit(1).correlate(Item).scalar_subquery()


def _free_slot(session: Session, item_id: int, account_id: int) -> Slot | None:
    """A free slot of the item, locked; the account's own expired one before others."""
    query = (
        select(Slot)
        .where(
            Slot.item_id == item_id,
            col(Slot.done_at).is_(None),
            or_(col(Slot.account_id).is_(None), col(Slot.expires_at) <= now()),
        )
        .order_by(case((col(Slot.account_id) == account_id, 0), else_=1), col(Slot.number))
        .limit(1)
        .with_for_update(skip_locked=True, key_share=True)
        .execution_options(populate_existing=True)
    )
    return session.exec(query).first()


def _take(session: Session, slot: Slot, account_id: int, seconds: int, memory: Memory) -> Lease:
    item = session.get_one(Item, slot.item_id)
    at = now()
    is_new = slot.account_id != account_id
    if item.first_response_id is not None and (is_new or slot.swapped is None):
        slot.swapped = memory.draw_side(item)
    if item.response_ids and (is_new or not slot.drawn):
        slot.drawn = memory.draw_order(item)
    slot.account_id = account_id
    slot.fence += 1
    slot.claimed_at = at
    slot.expires_at = at + timedelta(seconds=seconds)
    session.add(slot)
    session.flush()
    return _lease(slot, account_id, slot.expires_at)


def _lease(slot: Slot, account_id: int, expires_at: datetime) -> Lease:
    drawn = tuple(slot.drawn) if slot.drawn else None
    return Lease(slot.id or 0, slot.item_id, slot.task_id, account_id, slot.fence, expires_at, slot.swapped, drawn)


def _locked(session: Session, slot_id: int) -> Slot | None:
    query = select(Slot).where(Slot.id == slot_id).with_for_update(key_share=True)
    return session.exec(query.execution_options(populate_existing=True)).one_or_none()
