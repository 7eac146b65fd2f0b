"""Copies of items: the same thing asked of one rater, as gold, as a hidden repeat or in calibration. Nothing here commits."""

from __future__ import annotations

from sqlalchemy import update
from sqlmodel import Session, col

from backend.store.work import Item, Slot
from backend.vocabulary import ItemPurpose, ItemStatus


def copy_item(session: Session, original: Item, account_id: int, purpose: ItemPurpose, *, position: int) -> Item:
    """Ask this of one rater, for a purpose of its own."""
    copied = Item(
        task_id=original.task_id,
        position=position,
        record_id=original.record_id,
        response_id=original.response_id,
        first_response_id=original.first_response_id,
        second_response_id=original.second_response_id,
        response_ids=original.response_ids,
        purpose=purpose,
        copy_of=original.id,
        only_account_id=account_id,
        why=original.why,
    )
    session.add(copied)
    session.flush()
    session.add(Slot(task_id=original.task_id, item_id=copied.id or 0, number=1))
    session.flush()
    return copied


def close_copies(
    session: Session, *, purposes: tuple[ItemPurpose, ...], copy_of: int | None = None, asked_of: tuple[int, int] | None = None
) -> None:
    """Hand out no more of the open copies of an item, or of those made for (task, account). Who holds one may answer it."""
    which = [col(Item.status) == ItemStatus.OPEN, col(Item.purpose).in_(purposes), col(Item.only_account_id).is_not(None)]
    if copy_of is not None:
        which.append(col(Item.copy_of) == copy_of)
    if asked_of is not None:
        which += [col(Item.task_id) == asked_of[0], col(Item.only_account_id) == asked_of[1]]
    session.execute(update(Item).where(*which).values(status=ItemStatus.DONE))
