"""Copies of items: the same thing asked of one rater, as gold, as a hidden repeat or in calibration. Nothing here commits."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import update
from sqlmodel import Session, col, select

from backend.store.work import Item, Slot
from backend.vocabulary import ItemPurpose, ItemStatus


def copy_items(session: Session, placed: Sequence[tuple[int, int]], account_id: int, purpose: ItemPurpose) -> None:
    """Ask the same things, given as (original item, position), of one rater, for a purpose of its own."""
    query = select(Item).where(col(Item.id).in_([original_id for original_id, _ in placed]))
    originals = {item.id: item for item in session.exec(query)} if placed else {}
    copies = [_copy(originals[original_id], account_id, purpose, position) for original_id, position in placed]
    session.add_all(copies)
    session.flush()
    session.add_all([Slot(task_id=copied.task_id, item_id=copied.id or 0, number=1) for copied in copies])
    session.flush()


def _copy(original: Item, account_id: int, purpose: ItemPurpose, position: int) -> Item:
    return Item(
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
