"""What could be handed to a rater next: items that they may still answer, each with a slot that is free. Reads only.

One statement tells what a rater holds and the first window of what is open to them; more windows follow where that is not
enough. Promised: an item that is meant for one account alone is offered to it, in its place, and to nobody else. Not
promised: that a slot is still free a moment later; whoever takes it locks it and looks again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Integer, bindparam, case, literal, literal_column, null, or_, type_coerce, union_all
from sqlalchemy import select as sql_select
from sqlmodel import Session, col

from backend.store.base import UtcDateTime, now
from backend.store.work import Annotation, Item, Skip, Slot
from backend.vocabulary import ItemPurpose, ItemStatus

_FIRST_WINDOW = 64
_WIDEST_WINDOW = 4096
_HELD, _OWN, _FREE, _START = range(4)


@dataclass(frozen=True, slots=True, order=True)
class Offer:
    """An item, by its place in the task, and a slot of it."""

    position: int
    item_id: int
    slot_id: int


class Offers:
    """What there is for one account in one task; with `purpose`, items of that purpose alone. Read when first asked."""

    def __init__(self, session: Session, task_id: int, account_id: int, purpose: ItemPurpose | None = None) -> None:
        self._session, self._purpose = session, purpose
        self._given = {"task": task_id, "account": account_id}
        self._parts: dict[int, list[Offer]] | None = None

    def held(self, besides: Collection[int] = (), most: int = 1000) -> list[Offer]:
        """What the account holds already, up to `most`; slots in `besides` are left out."""
        return [one for one in self._first()[_HELD] if one.slot_id not in besides][:most]

    def __iter__(self) -> Iterator[Offer]:
        """Open items with a free slot, by position: those meant for this account alone among the rest.

        Read in windows of positions that grow, and with look-ups that no planner can turn into joins: so the first item
        of 100,000 takes milliseconds, also on a database whose statistics are not up to date.
        """
        mine = deque(sorted(self._first()[_OWN]))
        for one in self._for_all():
            while mine and mine[0] < one:
                yield mine.popleft()
            yield one
        yield from mine

    def _first(self) -> dict[int, list[Offer]]:
        if self._parts is None:
            self._parts = self._read(_first_look(self._purpose), 0, _FIRST_WINDOW)
        return self._parts

    def _for_all(self) -> Iterator[Offer]:
        """Those that are meant for nobody in particular."""
        parts, width = self._first(), _FIRST_WINDOW
        while parts[_START]:
            found, start = parts[_FREE], parts[_START][0].position
            yield from found
            start = found[-1].position + 1 if len(found) == _FIRST_WINDOW else start + width
            width = min(width * 8, _WIDEST_WINDOW)
            parts = self._read(_further_look(), start, width)

    def _read(self, query: Any, start: int, width: int) -> dict[int, list[Offer]]:
        found: dict[int, list[Offer]] = {_HELD: [], _OWN: [], _FREE: [], _START: []}
        given = self._given | {"now": now(), "start": start, "width": width}
        for kind, position, item_id, slot_id in self._session.execute(query, given):
            if position is not None:
                found[kind].append(Offer(position, item_id or 0, slot_id or 0))
        for one in found.values():
            one.sort()
        return found


# --- the statements, which are built once ----------------------------------------------------------------------------

_TASK, _ACCOUNT = bindparam("task", type_=Integer), bindparam("account", type_=Integer)
_NOW: Any = bindparam("now", type_=UtcDateTime)


@cache
def _first_look(purpose: ItemPurpose | None) -> Any:
    """What the account holds, what is meant for it alone, and the first window of the rest."""
    mine = (col(Slot.task_id) == _TASK, col(Slot.account_id) == _ACCOUNT, col(Slot.done_at).is_(None))
    holds = _offer(_HELD, col(Slot.id)).where(col(Slot.expires_at) > _NOW).join(Slot, col(Slot.item_id) == Item.id).where(*mine)
    meant = _offer(_OWN, _free_slot()).where(*_OPEN, col(Item.only_account_id) == _ACCOUNT, *may_answer(_ACCOUNT, _NOW))
    if purpose is not None:
        holds, meant = holds.where(Item.purpose == purpose), meant.where(Item.purpose == purpose)
    return union_all(holds, meant, *(_window() if purpose in (None, ItemPurpose.WORK) else ()))


@cache
def _further_look() -> Any:
    """The next window alone."""
    return union_all(*_window())


def _window() -> tuple[Any, Any]:
    """The items of the next so many positions from the first one that is open, and where that is."""
    open_items = (*_OPEN, col(Item.only_account_id).is_(None))
    # not min(): PostgreSQL then reads every open item, three times
    later = sql_select(col(Item.position)).where(*open_items, col(Item.position) >= bindparam("start", type_=Integer))
    place = later.order_by(col(Item.position)).limit(1).scalar_subquery()
    near = (col(Item.position) >= place, col(Item.position) < place + bindparam("width", type_=Integer))
    query = _offer(_FREE, _free_slot()).where(*open_items, *near, *may_answer(_ACCOUNT, _NOW))
    window = query.order_by(col(Item.position), col(Item.id)).limit(_FIRST_WINDOW).subquery()
    nothing = type_coerce(null(), Integer)
    return sql_select(*window.c), sql_select(literal_column(str(_START)), place, nothing, nothing)


def _free_slot() -> ColumnElement[Any]:
    """The slot of an item that the account would get."""
    return _lookup(Slot, col(Slot.id), *is_free(_NOW), order=own_first(_ACCOUNT))


def _offer(kind: int, slot_id: Any) -> Any:
    names: tuple[Any, ...] = (col(Item.position).label("position"), col(Item.id).label("item_id"), slot_id.label("slot_id"))
    return sql_select(literal_column(str(kind)).label("kind"), *names).select_from(Item)


_OPEN = (col(Item.task_id) == _TASK, col(Item.status) == ItemStatus.OPEN)


# --- conditions, also for others --------------------------------------------------------------------------------------


def may_answer(account_id: Any, at: Any = None) -> tuple[ColumnElement[bool], ...]:
    """Conditions on an item: a slot is free, and this account holds none, has not answered, has not skipped; and the item
    is meant for everybody or for this account. `at` is the moment, now if not given."""
    at = now() if at is None else at
    free = _lookup(Slot, literal(1), *is_free(at))
    living = or_(col(Slot.done_at).is_not(None), col(Slot.expires_at) > at)
    holds = _lookup(Slot, literal(1), col(Slot.account_id) == account_id, living)
    answered = _lookup(Annotation, literal(1), col(Annotation.account_id) == account_id)
    skipped = _lookup(Skip, literal(1), col(Skip.account_id) == account_id)
    meant = or_(col(Item.only_account_id).is_(None), col(Item.only_account_id) == account_id)
    return meant, holds.is_(None), answered.is_(None), skipped.is_(None), free.is_not(None)


def is_free(at: Any = None) -> tuple[ColumnElement[bool], ...]:
    """Conditions on a slot: not done, and held by nobody."""
    at = now() if at is None else at
    return col(Slot.done_at).is_(None), or_(col(Slot.account_id).is_(None), col(Slot.expires_at) <= at)


def own_first(account_id: Any) -> tuple[Any, ...]:
    """Among an item's free slots, the account's own expired one comes before others."""
    return case((col(Slot.account_id) == account_id, 0), else_=1), col(Slot.number)


def _lookup(table: Any, what: Any, *conditions: ColumnElement[bool], order: tuple[Any, ...] = ()) -> ColumnElement[Any]:
    query = sql_select(what).where(table.item_id == Item.id, *conditions).order_by(*order).limit(1)
    return query.correlate(Item).scalar_subquery()
