"""What a rater is sent of an item: texts and a slot's number, in the order drawn for this rater.

Promised: nothing here names a version, a file or a time, and gold and repeats look like any other item. Only a practice
item says what it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlmodel import Session, col, select

from backend.conversations import Message, messages_from_json
from backend.review import drafts
from backend.review.answers import ranking_by_place
from backend.review.blinding import sides
from backend.review.leases import Lease, Taken
from backend.review.recalling import Memory
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
    texts = dict(session.exec(select(Response.id, Response.text).where(col(Response.id).in_(shown))).all())
    return tuple(texts[response_id] for response_id in shown)


def work_items(task: Task, taken: Sequence[Taken]) -> tuple[WorkItem, ...]:
    """What the holder of these leases sees, in their order."""
    return tuple(_work_item(task, one) for one in taken)


def work_item(session: Session, task: Task, lease: Lease, before: Annotation) -> WorkItem:
    """What the holder of this lease sees of an item that they answered, with that answer, to correct it."""
    item, slot = session.get_one(Item, lease.item_id), session.get_one(Slot, lease.slot_id)
    original = session.get(Item, item.copy_of) if item.copy_of is not None else None
    memory = Memory(session, lease.task_id, lease.account_id)
    memory.look_at([item])
    draft = drafts.of(session, item_id=lease.item_id, account_id=lease.account_id)
    taken = Taken(lease, item, slot, draft, (original or item).why, memory.responses)
    return replace(
        _work_item(task, taken),
        answers=before.answers,
        verdict=before.verdict,
        ranking=ranking_by_place(before.ranking or (), shown=shown_ids(item, slot)),
        comment=before.comment,
        correcting=True,
    )


def _work_item(task: Task, taken: Taken) -> WorkItem:
    """A copy says what its original says of its place, so that nothing tells them apart."""
    shown = [taken.responses[response_id] for response_id in shown_ids(taken.item, taken.slot)]
    return WorkItem(
        slot_id=taken.lease.slot_id,
        fence=taken.lease.fence,
        messages=messages_from_json(shown[0].prompt),
        texts=tuple(response.text for response in shown),
        reference=shown[0].reference if task.options.get("show_reference") else "",
        draft=dict(taken.draft),
        rubric_version=task.rubric_version,
        practice=taken.item.purpose is ItemPurpose.CALIBRATION,
        why=taken.why,
    )
