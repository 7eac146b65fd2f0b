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

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from itertools import islice
from typing import Any

from sqlalchemy import Integer, and_, bindparam, func
from sqlalchemy import select as sql_select
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from backend.errors import AlreadyDone, LeaseLost
from backend.review.offers import Offers, is_free, may_answer, own_first
from backend.review.recalling import Memory
from backend.review.settling import settle
from backend.store.base import UtcDateTime, now
from backend.store.items import add_items as add_items
from backend.store.work import Draft, Item, Slot, Task
from backend.task_options import TaskOptions
from backend.vocabulary import ItemPurpose, TaskStatus

_LOST = "This item was given to somebody else, or given back, because it lay untouched for too long. Nothing was saved for it."


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


@dataclass(frozen=True, slots=True)
class Taken:
    """A lease with what was read for it: its rows, the rater's draft, why the item stands there, the responses by id.

    A response has `version_id`, `prompt`, `reference` and `text`.
    """

    lease: Lease
    item: Item
    slot: Slot
    draft: Mapping[str, Any]
    why: str
    responses: Mapping[int, Any]


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
    if task is None:
        return []
    given: dict[str, Any] = {"seconds": seconds, "count": count, "besides": besides, "purpose": purpose}
    return [one.lease for one in take_many(session, task=task, account_id=account_id, **given)]


def take_many(
    session: Session,
    *,
    task: Task,
    account_id: int,
    seconds: int,
    count: int,
    besides: Collection[int] = (),
    purpose: ItemPurpose | None = None,
) -> list[Taken]:
    """`claim_many` for a caller who has taken the account's turn (`one_at_a_time`) and wants to show the items.

    Costs the same few statements however many are taken.
    """
    if task.status is not TaskStatus.OPEN or not may_take_part(task, account_id):
        return []
    offers = Offers(session, task.id or 0, account_id, purpose)
    held_before = [one.slot_id for one in offers.held(besides, count)]
    rows = _locked_rows(session, held_before, account_id) if held_before else []
    if len(rows) < count:
        rows += _free_rows(session, offers, account_id, count - len(rows))
    memory = Memory(session, task.id or 0, account_id)
    memory.look_at([item for _, item, *_ in rows])
    leases = [_take(slot, item, account_id, seconds, memory) for slot, item, *_ in rows]
    session.flush()
    return [
        Taken(lease, item, slot, draft or {}, item.why if item.copy_of is None else why or "", memory.responses)
        for lease, (slot, item, draft, why) in zip(leases, rows, strict=True)
    ]


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
    if slot is None:
        return None
    lease = _take(slot, item, account_id, seconds, Memory(session, item.task_id, account_id))
    session.flush()
    return lease


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
    return held_by(_locked(session, slot_id), account_id=account_id, fence=fence)


def held_by(slot: Slot | None, *, account_id: int, fence: int) -> Slot:
    """`held`, of a slot that is locked."""
    if slot is None or slot.account_id != account_id or slot.fence != fence:
        raise LeaseLost(_LOST)
    if slot.done_at is not None and slot.expires_at is None:
        raise AlreadyDone("This item was saved before; it was not saved twice.")
    return slot


def finish(session: Session, *, slot: Slot, item: Item | None = None) -> None:
    """Mark the slot done, and settle what becomes of its item; the answer itself has been added before.

    `item` is its row, where the caller has locked it.
    """
    slot.done_at = slot.done_at or now()
    slot.expires_at = None
    session.add(slot)
    session.flush()
    settle(session, item_id=slot.item_id, locked=item)


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


def _free_slot(session: Session, item_id: int, account_id: int) -> Slot | None:
    """A free slot of the item, locked; the account's own expired one before others."""
    query = (
        select(Slot)
        .where(Slot.item_id == item_id, *is_free())
        .order_by(*own_first(account_id))
        .limit(1)
        .with_for_update(skip_locked=True, key_share=True)
        .execution_options(populate_existing=True)
    )
    return session.exec(query).first()


def _free_rows(session: Session, offers: Offers, account_id: int, count: int) -> list[Any]:
    """Rows of up to `count` free slots, locked. Where somebody is faster the next items are tried, and only when there are
    no more, other slots of those."""
    rows: list[Any] = []
    missed: list[int] = []
    left = iter(offers)
    while len(rows) < count and (wanted := list(islice(left, count - len(rows)))):
        found = _locked_rows(session, [one.slot_id for one in wanted], account_id, free=True)
        rows += found
        missed += sorted({one.item_id for one in wanted} - {item.id for _, item, *_ in found})
    for item_id in missed:
        if len(rows) < count and (slot := _free_slot(session, item_id, account_id)):
            rows += _locked_rows(session, [slot.id or 0], account_id)
    return sorted(rows, key=lambda row: (row[1].position, row[1].id))


def _locked_rows(session: Session, slot_ids: Sequence[int], account_id: int, *, free: bool = False) -> list[Any]:
    """(slot, item, the account's draft, what the original of a copy says why), by position.

    With `free`, slots that are free and that nobody else is taking; else those that the account holds, or has locked.
    """
    given = {"slots": list(slot_ids), "account": account_id} | ({"now": now()} if free else {})
    return list(session.execute(_rows_query(free), given))


@cache
def _rows_query(free: bool) -> Any:
    """Built once: building it costs more than asking it."""
    original = aliased(Item)
    mine = col(Draft.account_id) == bindparam("account", type_=Integer)
    still = is_free(bindparam("now", type_=UtcDateTime)) if free else (col(Slot.done_at).is_(None),)
    return (
        sql_select(Slot, Item, col(Draft.content), col(original.why))
        .join(Item, col(Item.id) == Slot.item_id)
        .outerjoin(Draft, and_(col(Draft.item_id) == Item.id, mine))
        .outerjoin(original, col(original.id) == Item.copy_of)
        .where(col(Slot.id).in_(bindparam("slots", expanding=True)), *still)
        .order_by(col(Item.position), col(Item.id))
        .with_for_update(of=Slot, skip_locked=free, key_share=True)
        .execution_options(populate_existing=True)
    )


def _take(slot: Slot, item: Item, account_id: int, seconds: int, memory: Memory) -> Lease:
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
    return _lease(slot, account_id, slot.expires_at)


def _lease(slot: Slot, account_id: int, expires_at: datetime) -> Lease:
    drawn = tuple(slot.drawn) if slot.drawn else None
    return Lease(slot.id or 0, slot.item_id, slot.task_id, account_id, slot.fence, expires_at, slot.swapped, drawn)


def _locked(session: Session, slot_id: int) -> Slot | None:
    query = select(Slot).where(Slot.id == slot_id).with_for_update(key_share=True)
    return session.exec(query.execution_options(populate_existing=True)).one_or_none()
