"""What an account was shown where in a task, recalled from its slots, so that the next draw can even it out.

Nothing here decides or commits. Promised: read when the first side is drawn and not before, and kept up to date by the
draws that follow, so that ten items claimed at once are balanced among themselves too. Not promised: more than a rater's
newest draws are looked back at.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable, Collection
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Integer, bindparam, func
from sqlalchemy import select as sql_select
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from backend.review.blinding import Shown
from backend.store.models import Response
from backend.store.work import Item, Slot

REMEMBERED = 1000
"""How many of a rater's newest draws the next one looks back at."""


class Memory:
    """One account's draws in one task."""

    def __init__(self, session: Session, task_id: int, account_id: int) -> None:
        self._session, self._mine = session, {"task": task_id, "account": account_id}
        self._chance: random.Random = secrets.SystemRandom()  # what no seed can tell
        self._shown = Shown()
        self._recalled: set[Any] = set()
        self.responses: dict[int, Any] = {}
        """What was read of responses, by id: their version, prompt, reference and text."""

    def look_at(self, items: Collection[Item]) -> None:
        """Read the responses of all these items at once."""
        wanted = {response_id for item in items for response_id in responses_of(item)}
        found = self._session.execute(_responses_query(), {"wanted": sorted(wanted)}) if wanted else ()
        self.responses |= {row.id: row for row in found}

    def draw_side(self, item: Item) -> bool:
        """Whether the second response of a comparison stands on the left this time."""
        pair = (item.first_response_id or 0, item.second_response_id or 0)
        versions = self._versions(pair)
        first, second = (versions.get(response_id, 0) for response_id in pair)
        return self._with(self._recall_sides).side(first, second, bit=self._chance.getrandbits(1))

    def draw_order(self, item: Item) -> list[int]:
        """The responses of a ranking from left to right."""
        response_ids = item.response_ids or []
        versions = self._versions(response_ids)
        writers = [(response_id, versions.get(response_id, 0)) for response_id in response_ids]
        return self._with(self._recall_orders).order(writers, chance=self._chance)

    def _with(self, recall: Callable[[Shown], None]) -> Shown:
        """What was shown before, as far as this draw needs it."""
        if recall not in self._recalled:
            self._recalled.add(recall)
            recall(self._shown)
        return self._shown

    def _versions(self, response_ids: Collection[int]) -> dict[int, int]:
        known = {one: self.responses[one].version_id or 0 for one in response_ids if one in self.responses}
        if len(known) == len(set(response_ids)):
            return known
        query = select(Response.id, Response.version_id).where(col(Response.id).in_(response_ids))
        return {response_id or 0: version_id or 0 for response_id, version_id in self._session.exec(query)}

    def _recall_sides(self, shown: Shown) -> None:
        for one, other, swapped, times in self._session.execute(_sides_query(), self._mine):
            shown.note_sides(one, other, bool(swapped), times)

    def _recall_orders(self, shown: Shown) -> None:
        orders = [drawn for drawn in self._session.scalars(_orders_query(), self._mine) if drawn]
        versions = self._versions({response_id for drawn in orders for response_id in drawn}) if orders else {}
        for drawn in orders:
            shown.note_order([versions.get(response_id, 0) for response_id in drawn])


def responses_of(item: Item) -> tuple[int, ...]:
    """The ids of all responses that an item is about."""
    one = (item.response_id, item.first_response_id, item.second_response_id)
    return (*(response_id for response_id in one if response_id is not None), *(item.response_ids or ()))


# --- the statements, which are built once: building one costs more than asking it ---------------------------------------


@cache
def _responses_query() -> Any:
    columns: Any = (Response.id, Response.version_id, Response.prompt, Response.reference, Response.text)
    return sql_select(*columns).where(col(Response.id).in_(bindparam("wanted", expanding=True)))


@cache
def _sides_query() -> Any:
    first, second = aliased(Response), aliased(Response)
    versions = (func.coalesce(first.version_id, 0), func.coalesce(second.version_id, 0), col(Slot.swapped))
    return (
        sql_select(*versions, func.count())
        .select_from(Slot)
        .join(Item, col(Item.id) == col(Slot.item_id))
        .join(first, col(first.id) == col(Item.first_response_id))
        .join(second, col(second.id) == col(Item.second_response_id))
        .where(col(Slot.id).in_(_newest(col(Slot.swapped).is_not(None))))
        .group_by(*versions)
    )


@cache
def _orders_query() -> Any:
    return sql_select(col(Slot.drawn)).where(col(Slot.id).in_(_newest(col(Slot.drawn).is_not(None))))


def _newest(drawn: ColumnElement[bool]) -> Any:
    mine = (col(Slot.task_id) == bindparam("task", type_=Integer), col(Slot.account_id) == bindparam("account", type_=Integer))
    return sql_select(col(Slot.id)).where(*mine, drawn).order_by(col(Slot.claimed_at).desc()).limit(REMEMBERED)
