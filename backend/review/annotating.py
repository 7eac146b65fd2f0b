"""The rating desk's use-cases: get items, save an answer, pass an item on, take the last answer back.

Promised: an answer is stored once, whatever is repeated; a late one whose slot went to somebody else is refused and
stores nothing; a correction follows the first answer and replaces nothing; which response won is worked out here, from
the side that was drawn, never taken from the browser. `WorkItem` is all that a rater is sent: texts, and a slot's number.
Not promised: that an answer to a paused task is refused; whoever was at it may finish the item in hand.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, col, select

from backend.access import audit
from backend.access.actors import Actor
from backend.access.policy import check
from backend.conversations import Message, messages_from_json
from backend.errors import AlreadyDone, Conflict, Forbidden, InvalidInput, NotFound
from backend.review import leases
from backend.review.blinding import sides, winner
from backend.review.leases import Lease
from backend.review.rulings import load_record
from backend.rubrics import Rubric
from backend.store.models import Response
from backend.store.records import RecordComment
from backend.store.work import Annotation, Item, Skip, Slot, Task
from backend.vocabulary import Action, RecordStatus, TaskKind, TaskStatus, Verdict

LONGEST_COMMENT = 5000
LONGEST_TIME = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class WorkItem:
    """What a rater sees of one item. `texts` holds one response, or two: left and right as drawn for this rater.

    `answers`, `verdict` and `comment` are the rater's own earlier ones, filled in only for a correction.
    """

    slot_id: int
    fence: int
    messages: tuple[Message, ...]
    texts: tuple[str, ...]
    reference: str
    correcting: bool = False
    answers: Mapping[str, int] | None = None
    verdict: Verdict | None = None
    comment: str = ""


def next_items(
    *, session: Session, actor: Actor, task_id: int, count: int = 1, besides: Collection[int] = ()
) -> tuple[WorkItem, ...]:
    """Up to `count` items to answer now, held for this rater; `besides` are slots already in hand. Empty: nothing left."""
    task = _task(session, actor, task_id)
    found = leases.claim_many(
        session,
        task_id=task_id,
        account_id=_account(actor),
        seconds=task.lease_seconds,
        count=count,
        besides=besides,
    )
    items = tuple(_work_item(session, task, lease) for lease in found)
    session.commit()
    return items


def submit(
    *,
    session: Session,
    actor: Actor,
    slot_id: int,
    fence: int,
    answers: Mapping[str, object] | None = None,
    verdict: Verdict | None = None,
    comment: str = "",
    seconds: float | None = None,
) -> Annotation:
    """Save an answer. Raises AlreadyDone for a repeated one, LeaseLost for one that came too late, InvalidInput."""
    task = _task_of_slot(session, actor, slot_id)
    account_id = _account(actor)
    slot = _slot_in_hand(session, slot_id, account_id, fence)
    item = session.get_one(Item, slot.item_id)
    annotation = Annotation(
        project_id=task.project_id,
        task_id=slot.task_id,
        item_id=slot.item_id,
        slot_id=slot_id,
        fence=fence,
        account_id=account_id,
        number=_answered(session, slot.item_id, account_id) + 1,
        rubric_version=task.rubric_version,
        comment=_comment(comment),
        seconds=None if seconds is None else min(max(float(seconds), 0.0), LONGEST_TIME),
    )
    if task.kind is TaskKind.COMPARE:
        _fill_in_verdict(annotation, item, slot, verdict)
    elif task.kind is TaskKind.RATE:
        annotation.answers = Rubric.from_json(task.rubric).validate(answers or {})
    else:
        raise InvalidInput("Records are reviewed on the review page, not rated here.")
    session.add(annotation)
    leases.finish(session, slot=slot)
    session.commit()
    return annotation


def skip(*, session: Session, actor: Actor, slot_id: int, fence: int, reason: str = "") -> None:
    """Pass an item on to somebody else; it is not offered to this rater again."""
    _task_of_slot(session, actor, slot_id)
    account_id = _account(actor)
    slot = _slot_in_hand(session, slot_id, account_id, fence)
    if slot.done_at is not None:
        raise Conflict("You have answered this item. Change the answer, or keep it as it was.")
    session.add(Skip(item_id=slot.item_id, account_id=account_id, reason=_comment(reason)))
    leases.release(session, slot_id=slot_id, account_id=account_id, fence=fence)
    session.commit()


def flag(*, session: Session, actor: Actor, slot_id: int, fence: int, text: str) -> None:
    """Tell the experts that something is wrong with the question behind this item; the item stays in hand.

    Its record goes to the head of the review queue. An approval stays in force until an expert rules: raters cannot take
    one away.
    """
    task = _task_of_slot(session, actor, slot_id)
    slot = _slot_in_hand(session, slot_id, _account(actor), fence)
    if not text.strip():
        raise InvalidInput("Please write what is wrong, so that an expert can look at it.")
    item = session.get_one(Item, slot.item_id)
    response = session.get(Response, item.response_id or item.first_response_id)
    if response is None or response.record_id is None:
        raise InvalidInput("This response belongs to no record that experts could look at. Please write a comment instead.")
    record = load_record(session, task.project_id, response.record_id)
    record.status = RecordStatus.FLAGGED
    session.add(record)
    why = _comment(text)
    session.add(RecordComment(record_id=response.record_id, author_id=actor.account_id, text=why, is_flag=True))
    audit.record(
        session, actor, "record_flagged", project_id=task.project_id, subject=f"record {record.id}", reason=why, by="a rater"
    )
    session.commit()


def undo_last(*, session: Session, actor: Actor, task_id: int) -> WorkItem:
    """The rater's newest answer in the task, in hand again with what was answered. It counts until it is corrected."""
    task = _task(session, actor, task_id)
    if task.status is not TaskStatus.OPEN:
        raise Conflict("This task is paused or closed, so its answers stay as they are.")
    account_id = _account(actor)
    newest = (
        select(Annotation)
        .where(Annotation.task_id == task_id, Annotation.account_id == account_id)
        .order_by(col(Annotation.created_at).desc(), col(Annotation.id).desc())
    )
    last = session.exec(newest.limit(1)).first()
    if last is None or last.slot_id is None:
        raise NotFound("You have not answered anything in this task yet, so there is nothing to take back.")
    lease = leases.reopen(session, slot_id=last.slot_id, account_id=account_id, seconds=task.lease_seconds)
    item = _work_item(session, task, lease, before=last)
    session.commit()
    return item


def keep(*, session: Session, actor: Actor, slot_id: int, fence: int) -> None:
    """End a correction without one: the earlier answer stands. Nothing happens where the slot is not being corrected."""
    _task_of_slot(session, actor, slot_id)
    slot = _slot_in_hand(session, slot_id, _account(actor), fence)
    if slot.done_at is not None:
        leases.finish(session, slot=slot)
    session.commit()


def heartbeat(*, session: Session, actor: Actor, slot_id: int, fence: int) -> None:
    """Hold an item on for another lease time. Raises LeaseLost."""
    task = _task_of_slot(session, actor, slot_id)
    leases.heartbeat(session, slot_id=slot_id, account_id=_account(actor), fence=fence, seconds=task.lease_seconds)
    session.commit()


def give_back(*, session: Session, account_id: int, held: Collection[tuple[int, int]]) -> None:
    """Free the (slot, fence) pairs of an account whose tab was closed; those held by another tab by now stay.

    Answers that are still on their way count until somebody else takes the item.
    """
    for slot_id, fence in sorted(held):
        leases.let_go(session, slot_id=slot_id, account_id=account_id, fence=fence)
    session.commit()


def _account(actor: Actor) -> int:
    if actor.account_id is None:
        raise Forbidden("Only a person who is signed in can rate.")
    return actor.account_id


def _task(session: Session, actor: Actor, task_id: int) -> Task:
    task = session.get(Task, task_id)
    if task is None:
        raise NotFound("There is no such task.")
    check(actor, Action.RATE, task.project_id)
    return task


def _task_of_slot(session: Session, actor: Actor, slot_id: int) -> Task:
    task_id = session.exec(select(Slot.task_id).where(Slot.id == slot_id)).one_or_none()
    if task_id is None:
        raise NotFound("There is no such item.")
    return _task(session, actor, task_id)


def _slot_in_hand(session: Session, slot_id: int, account_id: int, fence: int) -> Slot:
    """`leases.held`, but an answer that was saved under this very token is AlreadyDone also after a correction began."""
    saved_before = select(Annotation.id).where(
        Annotation.item_id == select(Slot.item_id).where(Slot.id == slot_id).scalar_subquery(),
        Annotation.account_id == account_id,
        Annotation.slot_id == slot_id,
        Annotation.fence == fence,
    )
    if session.exec(saved_before).first() is not None:
        raise AlreadyDone("This answer was saved before; it was not saved twice.")
    return leases.held(session, slot_id=slot_id, account_id=account_id, fence=fence)


def _answered(session: Session, item_id: int, account_id: int) -> int:
    """The number of this rater's newest answer to the item; 0 for none."""
    numbers = select(Annotation.number).where(Annotation.item_id == item_id, Annotation.account_id == account_id)
    return max(session.exec(numbers), default=0)


def _fill_in_verdict(annotation: Annotation, item: Item, slot: Slot, verdict: Verdict | None) -> None:
    if verdict is None:
        raise InvalidInput("Please choose the left response, the right one, a tie or both bad.")
    left, right = sides(first=item.first_response_id or 0, second=item.second_response_id or 0, swapped=bool(slot.swapped))
    annotation.verdict = verdict
    annotation.left_response_id, annotation.right_response_id = left, right
    annotation.winner_response_id = winner(verdict, left=left, right=right)


def _comment(text: str) -> str:
    if len(text) > LONGEST_COMMENT:
        raise InvalidInput(f"A comment has at most {LONGEST_COMMENT} characters; this one has {len(text)}.")
    return text.strip().replace("\x00", "")


def _work_item(session: Session, task: Task, lease: Lease, before: Annotation | None = None) -> WorkItem:
    item = session.get_one(Item, lease.item_id)
    if item.response_id is not None:
        shown: tuple[int, ...] = (item.response_id,)
    else:
        shown = sides(first=item.first_response_id or 0, second=item.second_response_id or 0, swapped=bool(lease.swapped))
    responses = [session.get_one(Response, response_id) for response_id in shown]
    earlier: dict[str, Any] = {}
    if before is not None:
        earlier = {"answers": before.answers, "verdict": before.verdict, "comment": before.comment, "correcting": True}
    return WorkItem(
        slot_id=lease.slot_id,
        fence=lease.fence,
        messages=messages_from_json(responses[0].prompt),
        texts=tuple(response.text for response in responses),
        reference=responses[0].reference if task.options.get("show_reference") else "",
        **earlier,
    )
