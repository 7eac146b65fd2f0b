"""What a rater is sent of an item: texts and a slot's number, in the order drawn for this rater.

Promised: nothing here names a version, a file or a time, and gold and repeats look like any other item. Only a practice
item says what it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import Session, col, select

from backend.conversations import Message, messages_from_json
from backend.review import drafts
from backend.review.answers import ranking_by_place
from backend.review.blinding import sides
from backend.review.leases import Lease
from backend.store.models import Response
from backend.store.work import Annotation, Item, Slot, Task
from backend.vocabulary import ItemPurpose, Verdict


@dataclass(frozen=True, slots=True)
class WorkItem:
    """What a rater sees of one item. `texts` holds its responses from left to right as drawn for this rater.

    `answers`, `verdict`, `ranking` and `comment` are the rater's own earlier ones, filled in only for a correction;
    `draft` is what they chose and wrote without saving it. `rubric_version` is the task's at the moment of the claim.
    """

    slot_id: int
    fence: int
    messages: tuple[Message, ...]
    texts: tuple[str, ...]
    reference: str
    correcting: bool = False
    answers: Mapping[str, Any] | None = None
    verdict: Verdict | None = None
    ranking: tuple[tuple[int, ...], ...] = ()
    comment: str = ""
    draft: Mapping[str, Any] = field(default_factory=dict)
    rubric_version: int = 1
    practice: bool = False
    why: str = ""


def shown_ids(item: Item, slot: Slot) -> tuple[int, ...]:
    """The ids of an item's responses as its rater sees them, from left to right."""
    if item.response_id is not None:
        return (item.response_id,)
    if item.response_ids:
        return tuple(slot.drawn or item.response_ids)
    return sides(first=item.first_response_id or 0, second=item.second_response_id or 0, swapped=bool(slot.swapped))


def shown_texts(session: Session, shown: Sequence[int]) -> tuple[str, ...]:
    """The texts that belong to `shown_ids`."""
    return tuple(session.get_one(Response, response_id).text for response_id in shown)


def work_items(session: Session, task: Task, leases: Sequence[Lease]) -> tuple[WorkItem, ...]:
    """What the holder of these leases sees, in their order; their texts are read all at once."""
    pairs = [(session.get_one(Item, lease.item_id), session.get_one(Slot, lease.slot_id)) for lease in leases]
    wanted = {response_id for item, slot in pairs for response_id in shown_ids(item, slot)}
    read = session.exec(select(Response).where(col(Response.id).in_(wanted))).all()  # held until all are looked up below
    found = tuple(work_item(session, task, lease) for lease in leases)
    del read
    return found


def work_item(session: Session, task: Task, lease: Lease, before: Annotation | None = None) -> WorkItem:
    """What the holder of this lease sees; with `before`, their answer that is to be corrected."""
    item = session.get_one(Item, lease.item_id)
    shown = shown_ids(item, session.get_one(Slot, lease.slot_id))
    first = session.get_one(Response, shown[0])
    earlier: dict[str, Any] = {}
    if before is not None:
        earlier = {
            "answers": before.answers,
            "verdict": before.verdict,
            "ranking": ranking_by_place(before.ranking or (), shown=shown),
            "comment": before.comment,
            "correcting": True,
        }
    return WorkItem(
        slot_id=lease.slot_id,
        fence=lease.fence,
        messages=messages_from_json(first.prompt),
        texts=shown_texts(session, shown),
        reference=first.reference if task.options.get("show_reference") else "",
        draft=drafts.of(session, item_id=lease.item_id, account_id=lease.account_id),
        rubric_version=task.rubric_version,
        practice=item.purpose is ItemPurpose.CALIBRATION,
        why=_why(session, item),
        **earlier,
    )


def _why(session: Session, item: Item) -> str:
    """What put the item at its place; a copy says what its original says, so that nothing tells them apart."""
    original = session.get(Item, item.copy_of) if item.copy_of is not None else None
    return original.why if original is not None else item.why
