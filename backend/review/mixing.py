"""Mixing gold and hidden repeats into a rater's items, and holding real items back until the calibration round is passed.

Nothing here commits: `mix_in` is the first step of handing out items. A copy is an item of its own, asked of one rater
alone, put where the rater comes by next; what is handed out of it looks like work. Promised: over a long run each kind
has its share (see `mixture`); nobody is asked the same gold twice as gold, nor their own, nor one that they have answered
as work. Not promised: the share where gold or earlier answers run out: then the place stays with work. A rater who was
asked a gold item may still get it as work later, as they may with a repeat.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import Any

from sqlalchemy import func, or_
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from backend.review import leases, mixture, qualifying
from backend.review.copying import copy_items
from backend.review.offers import Offers
from backend.store.base import now
from backend.store.work import Annotation, Gold, Item, Skip, Slot, Task
from backend.task_options import TaskOptions
from backend.vocabulary import ItemPurpose, ItemStatus, TaskKind, TaskStatus

FAR_BACK = 20
"""A repeat is of an answer at least so many items ago, where there are so many; never of one of the last NEAR_BACK."""
NEAR_BACK = 5
_POOL = 200
"""Among how many earlier answers the one to repeat is drawn."""


def mix_in(session: Session, task: Task, account_id: int, count: int = 1) -> ItemPurpose | None:
    """Make the copies that are due among the rater's next `count` items.

    Returns CALIBRATION where nothing else may be handed out yet, None where everything may. One query tells that nothing
    is due; none is made where the task mixes nothing in. The caller has taken the account's turn (`leases.one_at_a_time`).
    """
    options = TaskOptions.from_json(task.options)
    if task.kind is TaskKind.LABEL or task.status is not TaskStatus.OPEN or not leases.may_take_part(task, account_id):
        return None
    if options.calibration_pass is not None and qualifying.hold_back(session, task, account_id):
        return ItemPurpose.CALIBRATION
    if options.gold_share + options.repeat_share > 0:
        _make(session, task, account_id, _due(session, task, account_id, options, count))
    return None


def _due(session: Session, task: Task, account_id: int, options: TaskOptions, count: int) -> list[tuple[int, ItemPurpose]]:
    """(how many items ahead, what) of the copies that are due and not made yet."""
    given, waiting = _so_far(session, task.id or 0, account_id)
    planned = mixture.plan(
        seed=task.seed,
        account_id=account_id,
        gold_share=options.gold_share,
        repeat_share=options.repeat_share,
        start=given,
        count=count,
    )
    found: list[tuple[int, ItemPurpose]] = []
    for ahead, purpose in enumerate(planned):
        if waiting[purpose] > 0:
            waiting[purpose] -= 1
        elif purpose is not ItemPurpose.WORK:
            found.append((ahead, purpose))
    return found


def _so_far(session: Session, task_id: int, account_id: int) -> tuple[int, Counter[ItemPurpose]]:
    """How many items the rater was given (answered, in hand, skipped) after the calibration round; copies not taken yet."""
    own_copy = (Item.task_id == task_id, Item.only_account_id == account_id)
    in_hand = select(Slot.id).where(Slot.item_id == Item.id, Slot.account_id == account_id, col(Slot.expires_at) > now())
    skipped = select(Skip.id).where(Skip.item_id == Item.id, Skip.account_id == account_id)
    waits = (*own_copy, Item.status == ItemStatus.OPEN, ~in_hand.exists(), ~skipped.exists())
    counted: list[Any] = [
        select(func.count())
        .select_from(Slot)
        .where(
            Slot.task_id == task_id,
            Slot.account_id == account_id,
            or_(col(Slot.done_at).is_not(None), col(Slot.expires_at) > now()),
        ),
        select(func.count())
        .select_from(Skip)
        .join(Item, col(Item.id) == Skip.item_id)
        .where(Skip.account_id == account_id, Item.task_id == task_id, Item.purpose != ItemPurpose.CALIBRATION),
        select(func.count())
        .select_from(Slot)
        .join(Item, col(Item.id) == Slot.item_id)
        .where(*own_copy, Item.purpose == ItemPurpose.CALIBRATION, col(Slot.done_at).is_not(None)),
        *(
            select(func.count()).select_from(Item).where(*waits, Item.purpose == purpose)
            for purpose in (ItemPurpose.GOLD, ItemPurpose.REPEAT)
        ),
    ]
    taken, passed_on, practised, gold, repeats = session.exec(select(*(one.scalar_subquery() for one in counted))).one()
    return taken + passed_on - practised, Counter({ItemPurpose.GOLD: gold, ItemPurpose.REPEAT: repeats})


def _make(session: Session, task: Task, account_id: int, due: Sequence[tuple[int, ItemPurpose]]) -> None:
    """Make the copies, each at the position of the item that it should come with; none where no real items are left."""
    if not due:
        return
    places = [offer.position for offer in islice(Offers(session, task.id or 0, account_id), due[-1][0] + 1)]
    if not places:
        return
    originals = {ItemPurpose.GOLD: _unseen_gold, ItemPurpose.REPEAT: _earlier_answers}
    wanted = {purpose for offset, purpose in due if offset < len(places)}
    sources = {purpose: iter(originals[purpose](session, task, account_id)) for purpose in wanted}
    chosen: dict[ItemPurpose, list[tuple[int, int]]] = {purpose: [] for purpose in sorted(wanted)}
    for offset, purpose in due:
        if offset < len(places) and (original_id := next(sources[purpose], None)) is not None:
            chosen[purpose].append((original_id, places[offset]))
    for purpose, placed in chosen.items():
        copy_items(session, placed, account_id, purpose)


def _unseen_gold(session: Session, task: Task, account_id: int) -> list[int]:
    """Gold items of the task that this rater did not see in any form, in an order drawn for them."""
    other, answer, slot = aliased(Item), aliased(Annotation), aliased(Slot)
    asked = select(other.id).where(other.copy_of == Gold.item_id, col(other.only_account_id) == account_id)
    answered = select(answer.id).where(answer.item_id == Gold.item_id, col(answer.account_id) == account_id)
    holds = select(slot.id).where(
        slot.item_id == Gold.item_id, col(slot.account_id) == account_id, col(slot.expires_at) > now()
    )
    query = (
        select(col(Gold.item_id))
        .join(Item, col(Item.id) == Gold.item_id)
        .where(Item.task_id == task.id, func.coalesce(Gold.author_id, 0) != account_id)
        .where(~asked.exists(), ~answered.exists(), ~holds.exists())
    )
    return sorted(session.exec(query), key=lambda item_id: mixture.chance(task.seed, account_id, "gold", item_id))


def _earlier_answers(session: Session, task: Task, account_id: int) -> list[int]:
    """The rater's own answered items that were not repeated yet: those far back in drawn order, else the oldest there are."""
    other = aliased(Item)
    repeated = (
        select(other.id)
        .where(other.copy_of == Item.id, other.only_account_id == account_id, other.purpose == ItemPurpose.REPEAT)
        .exists()
    )
    query = (
        select(col(Item.id), repeated)
        .join(Annotation, col(Annotation.item_id) == Item.id)
        .where(Annotation.account_id == account_id, Annotation.task_id == task.id)
        .where(Annotation.number == 1, Item.purpose == ItemPurpose.WORK)
        .order_by(col(Annotation.id).desc())
        .limit(FAR_BACK + _POOL)
    )
    newest_first = session.exec(query).all()
    far = [item_id or 0 for item_id, done in newest_first[FAR_BACK:] if not done]
    if far:
        return sorted(far, key=lambda item_id: mixture.chance(task.seed, account_id, "repeat", item_id))
    return [item_id or 0 for item_id, done in reversed(newest_first[NEAR_BACK:]) if not done]
