"""The rating desk's use-cases: get items, save an answer, pass an item on, take the last answer back.

Promised: an answer is stored once, whatever is repeated; a late one whose slot went to somebody else is refused and
stores nothing; a correction follows the first answer and replaces nothing; which response won is worked out here, from
the side that was drawn, never taken from the browser, and so are the responses of a ranking and of marked passages. An
answer is checked against the questions that its rater saw, and names their version.
Not promised: that an answer to a paused task is refused; whoever was at it may finish the item in hand.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Integer, bindparam, func
from sqlalchemy import select as sql_select
from sqlmodel import Session, col, select

from backend.access import audit
from backend.access.actors import Actor
from backend.access.policy import check
from backend.errors import AlreadyDone, Conflict, Forbidden, InvalidInput, LeaseLost, NotFound
from backend.review import drafts, leases, mixing, qualifying, watching
from backend.review.answers import has_passages, marked, ranking_by_id, rubric_of
from backend.review.blinding import winner
from backend.review.rulings import load_record
from backend.review.work_items import WorkItem, shown_ids, shown_texts, work_item, work_items
from backend.store.models import Response
from backend.store.records import RecordComment
from backend.store.work import Annotation, Draft, Item, RubricVersion, Skip, Slot, Task
from backend.vocabulary import Action, RecordStatus, TaskKind, TaskStatus, Verdict

_NO_ITEM = "There is no such item."
LONGEST_COMMENT = 5000
LONGEST_TIME = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class _Given:
    """What the browser answered, not yet checked."""

    answers: Mapping[str, object] | None
    verdict: Verdict | None
    ranking: object


def next_items(
    *, session: Session, actor: Actor, task_id: int, count: int = 1, besides: Collection[int] = ()
) -> tuple[WorkItem, ...]:
    """Up to `count` items to answer now, held for this rater; `besides` are slots already in hand. Empty: nothing left."""
    task = _task(session, actor, task_id)
    account_id = _account(actor)
    leases.one_at_a_time(session, task_id, account_id)
    only = mixing.mix_in(session, task, account_id, count)
    given: dict[str, Any] = {"seconds": task.lease_seconds, "count": count, "besides": besides, "purpose": only}
    items = work_items(task, leases.take_many(session, task=task, account_id=account_id, **given))
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
    ranking: object = None,
    comment: str = "",
    seconds: float | None = None,
    rubric_version: int | None = None,
) -> Annotation:
    """Save an answer. Raises AlreadyDone for a repeated one, LeaseLost for one that came too late, InvalidInput.

    `ranking` lists the places of what was shown, the best first. `rubric_version` is the one that the rater saw; none
    means the task's newest.
    """
    slot, task, account_id = _in_hand(session, actor, slot_id, fence)
    item, answered, drafted = _locked_item(session, slot, account_id)
    annotation = Annotation(
        project_id=task.project_id,
        task_id=slot.task_id,
        item_id=slot.item_id,
        slot_id=slot_id,
        fence=fence,
        account_id=account_id,
        number=answered + 1,
        rubric_version=task.rubric_version if rubric_version is None else rubric_version,
        comment=_comment(comment),
        seconds=None if seconds is None else min(max(float(seconds), 0.0), LONGEST_TIME),
    )
    _fill_in(session, annotation, task, slot, item, _Given(answers, verdict, ranking))
    session.add(annotation)
    if drafted:
        drafts.forget(session, item_id=slot.item_id, account_id=account_id)
    leases.finish(session, slot=slot, item=item)
    watching.score_copy(session, task, item, annotation)
    session.commit()
    return annotation


def save_draft(*, session: Session, actor: Actor, slot_id: int, fence: int, content: Mapping[str, Any]) -> None:
    """Keep what was chosen and written so far, for this rater alone, until the answer is saved."""
    slot, _, account_id = _in_hand(session, actor, slot_id, fence)
    drafts.put(session, item_id=slot.item_id, account_id=account_id, content=content)
    session.commit()


def skip(*, session: Session, actor: Actor, slot_id: int, fence: int, reason: str = "") -> None:
    """Pass an item on to somebody else; it is not offered to this rater again."""
    slot, _, account_id = _in_hand(session, actor, slot_id, fence)
    if slot.done_at is not None:
        raise Conflict("You have answered this item. Change the answer, or keep it as it was.")
    session.add(Skip(item_id=slot.item_id, account_id=account_id, reason=_comment(reason)))
    drafts.forget(session, item_id=slot.item_id, account_id=account_id)
    leases.release(session, slot_id=slot_id, account_id=account_id, fence=fence)
    qualifying.passed_over(session, session.get_one(Item, slot.item_id))
    session.commit()


def flag(*, session: Session, actor: Actor, slot_id: int, fence: int, text: str) -> None:
    """Tell the experts that something is wrong with the question behind this item; the item stays in hand.

    Its record goes to the head of the review queue. An approval stays in force until an expert rules: raters cannot take
    one away.
    """
    slot, task, _ = _in_hand(session, actor, slot_id, fence)
    if not text.strip():
        raise InvalidInput("Please write what is wrong, so that an expert can look at it.")
    item = session.get_one(Item, slot.item_id)
    response = session.get_one(Response, shown_ids(item, slot)[0])
    if response.record_id is None:
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
    item = work_item(session, task, lease, before=last)
    session.commit()
    return item


def keep(*, session: Session, actor: Actor, slot_id: int, fence: int) -> None:
    """End a correction without one: the earlier answer stands. Nothing happens where the slot is not being corrected."""
    slot, _, _ = _in_hand(session, actor, slot_id, fence)
    if slot.done_at is not None:
        leases.finish(session, slot=slot)
    session.commit()


def heartbeat(*, session: Session, actor: Actor, slot_id: int, fence: int) -> None:
    """Hold an item on for another lease time. Raises LeaseLost."""
    task_id = session.exec(select(Slot.task_id).where(Slot.id == slot_id)).one_or_none()
    if task_id is None:
        raise NotFound(_NO_ITEM)
    task = _task(session, actor, task_id)
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
    task = session.get(Task, task_id, populate_existing=True)
    if task is None:
        raise NotFound("There is no such task.")
    check(actor, Action.RATE, task.project_id)
    return task


def _in_hand(session: Session, actor: Actor, slot_id: int, fence: int) -> tuple[Slot, Task, int]:
    """The slot that the actor holds, locked before anything else is read; its task and the actor's account.

    As `leases.held`, but an answer that was saved under this very token is AlreadyDone also after a correction began.
    """
    found = session.execute(_slot_query(), {"slot": slot_id}).one_or_none()
    if found is None:
        raise NotFound(_NO_ITEM)
    slot, task = found
    check(actor, Action.RATE, task.project_id)
    account_id = _account(actor)
    try:
        return leases.held_by(slot, account_id=account_id, fence=fence), task, account_id
    except LeaseLost:
        saved_before = select(Annotation.id).where(
            Annotation.item_id == slot.item_id,
            Annotation.account_id == account_id,
            Annotation.slot_id == slot_id,
            Annotation.fence == fence,
        )
        if session.exec(saved_before).first() is None:
            raise
    raise AlreadyDone("This answer was saved before; it was not saved twice.")


def _locked_item(session: Session, slot: Slot, account_id: int) -> tuple[Item, int, bool]:
    """The item of a slot that is locked; the number of the rater's newest answer to it, 0 for none; whether they have a draft.

    Two raters who finish an item at once follow one another from here on.
    """
    item, answered, drafted = session.execute(_item_query(), {"item": slot.item_id, "account": account_id}).one()
    return item, answered, drafted


@cache
def _slot_query() -> Any:
    """A slot, locked, and its task. Built once, as the next: building them would cost more than asking them."""
    query = sql_select(Slot, Task).join(Task, col(Task.id) == Slot.task_id).where(col(Slot.id) == bindparam("slot"))
    return query.with_for_update(of=Slot, key_share=True).execution_options(populate_existing=True)


@cache
def _item_query() -> Any:
    item, account = bindparam("item", type_=Integer), bindparam("account", type_=Integer)
    mine = (col(Annotation.item_id) == item, col(Annotation.account_id) == account)
    newest = sql_select(func.coalesce(func.max(Annotation.number), 0)).where(*mine).scalar_subquery()
    draft = sql_select(col(Draft.id)).where(col(Draft.item_id) == item, col(Draft.account_id) == account).exists()
    query = sql_select(Item, newest, draft).where(col(Item.id) == item)
    return query.with_for_update(of=Item, key_share=True).execution_options(populate_existing=True)


def _fill_in(session: Session, annotation: Annotation, task: Task, slot: Slot, item: Item, given: _Given) -> None:
    """The answer as it is stored: by response, whatever the browser called it. Raises InvalidInput."""
    shown = shown_ids(item, slot)
    if task.kind is TaskKind.LABEL:
        raise InvalidInput("Records are reviewed on the review page, not rated here.")
    if task.kind is TaskKind.COMPARE:
        if given.verdict is None:
            raise InvalidInput("Please choose the left response, the right one, a tie or both bad.")
        annotation.verdict = given.verdict
        annotation.left_response_id, annotation.right_response_id = left, right = shown
        annotation.winner_response_id = winner(given.verdict, left=left, right=right)
    if task.kind is TaskKind.RANK:
        annotation.ranking = ranking_by_id(given.ranking, shown=shown)
    rubric = rubric_of(_rubric_seen(session, task, annotation.rubric_version))
    answers = rubric.validate(given.answers or {})
    texts = shown_texts(session, shown) if has_passages(rubric, answers) else ()
    annotation.answers = marked(rubric, answers, texts=texts, shown=shown)


def _rubric_seen(session: Session, task: Task, version: int) -> Mapping[str, Any]:
    """The questions of this version. Raises InvalidInput for one that the task never had."""
    if version == task.rubric_version:
        return task.rubric
    query = select(RubricVersion).where(RubricVersion.task_id == task.id, RubricVersion.number == version)
    seen = session.exec(query).one_or_none()
    if seen is None:
        raise InvalidInput("The questions of this task have changed. Please load the page again and answer the new ones.")
    return seen.rubric


def _comment(text: str) -> str:
    if len(text) > LONGEST_COMMENT:
        raise InvalidInput(f"A comment has at most {LONGEST_COMMENT} characters; this one has {len(text)}.")
    return text.strip().replace("\x00", "")
