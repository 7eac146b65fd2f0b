"""Queues of records to review: the project's standing one, and the tasks that a lead made of chosen records.

The standing queue is a label task that hands each waiting record to one person at a time.

Records that wait (pending or flagged) become items in batches, when somebody asks for the next one and there is none; a
record that waits again, after feedback or a withdrawn approval, becomes a new item. A record that was decided elsewhere
meanwhile is closed when its turn comes, and never shown. A task of chosen records shows them whatever their status, but
not those that somebody has ruled on since they were chosen.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import case, exists, update
from sqlmodel import Session, col, select

from backend.access.actors import Actor
from backend.access.policy import check
from backend.errors import Conflict, NotFound
from backend.review import leases
from backend.review.filters import RecordFilter, where
from backend.review.leases import Lease
from backend.review.rulings import account_of
from backend.store.accounts import Account
from backend.store.base import now
from backend.store.records import Approval, Project, Record
from backend.store.work import Item, Slot, Task
from backend.vocabulary import Action, ItemStatus, RecordStatus, TaskKind

QUEUE = "Review new records"
WAITING = (RecordStatus.PENDING, RecordStatus.FLAGGED)
BATCH = 100
"""How many records become items at a time."""


def next_item(
    *,
    session: Session,
    actor: Actor,
    project_id: int,
    seconds: int,
    only: RecordFilter | None = None,
    task_id: int | None = None,
) -> Lease | None:
    """The lease on the record that this person should look at now (the one held already first), or None: all done.

    From the standing queue, or with `task_id` from that task. With `only`, the standing queue's next that fits the filter.
    """
    check(actor, Action.REVIEW, project_id)
    account_id = account_of(actor)
    if task_id is not None:
        lease = _next_chosen(session, _label_task(session, project_id, task_id), account_id, seconds)
        session.commit()
        return lease
    task = queue_task(session, project_id)
    if only is not None:
        lease = _next_fitting(session, task, account_id, seconds, only)
    else:
        lease = _next_of_all(session, task, account_id, seconds)
    session.commit()
    return lease


def claim_record(*, session: Session, actor: Actor, project_id: int, record_id: int, seconds: int) -> Lease:
    """A lease on this very record, also one that was decided or that this person passed on before.

    Raises Conflict while somebody else is looking at it.
    """
    check(actor, Action.REVIEW, project_id)
    lease = take(session, actor, project_id, record_id, seconds)
    session.commit()
    return lease


def heartbeat(*, session: Session, actor: Actor, project_id: int, lease: Lease, seconds: int) -> None:
    """Hold on to the record for `seconds` more. Raises LeaseLost."""
    check(actor, Action.REVIEW, project_id)
    leases.heartbeat(session, slot_id=lease.slot_id, account_id=account_of(actor), fence=lease.fence, seconds=seconds)
    session.commit()


def give_back(*, session: Session, actor: Actor, lease: Lease) -> None:
    """Let somebody else have the record. Asks no policy: who held it may always let go. Nothing happens where it is lost."""
    leases.release(session, slot_id=lease.slot_id, account_id=account_of(actor), fence=lease.fence)
    session.commit()


# --- parts of use-cases: nothing below commits -----------------------------------------------------------------------


def take(session: Session, actor: Actor, project_id: int, record_id: int, seconds: int) -> Lease:
    """`claim_record` without the commit."""
    account_id = account_of(actor)
    task = queue_task(session, project_id)
    if session.exec(select(Record.id).where(Record.id == record_id, Record.project_id == project_id)).first() is None:
        raise NotFound("There is no such record in this project.")
    item = _open_item(session, task, record_id) or _new_item(session, task, record_id)
    lease = leases.claim_item(session, item_id=item.id or 0, account_id=account_id, seconds=seconds)
    if lease is not None:
        return lease
    if holder := _holder(session, item):
        raise Conflict(f"{holder} is looking at this record now. Try again in a while.")
    close_items(session, task, [record_id])  # passed on by this person: a fresh item is offered to them again
    lease = leases.claim_item(
        session, item_id=_new_item(session, task, record_id).id or 0, account_id=account_id, seconds=seconds
    )
    if lease is None:
        raise Conflict("The review queue is paused. Ask a lead to open it again.")
    return lease


def close_items(session: Session, task: Task, record_ids: Sequence[int]) -> None:
    """Close the queue's open items of these records; whoever holds one is told when they want to save."""
    open_items = select(col(Item.id)).where(
        Item.task_id == task.id, col(Item.record_id).in_(record_ids), Item.status == ItemStatus.OPEN
    )
    ids = list(session.exec(open_items))
    session.exec(select(Slot.id).where(col(Slot.item_id).in_(ids)).order_by(col(Slot.id)).with_for_update(key_share=True)).all()
    done = {"done_at": now(), "fence": col(Slot.fence) + 1}
    session.execute(update(Slot).where(col(Slot.item_id).in_(ids), col(Slot.done_at).is_(None)).values(done))
    session.execute(update(Item).where(col(Item.id).in_(ids)).values(status=ItemStatus.DONE))


def queue_task(session: Session, project_id: int) -> Task:
    """The project's queue, made on first use; the project's row is locked so that two people make one."""
    found = select(Task).where(Task.project_id == project_id, Task.kind == TaskKind.LABEL, Task.name == QUEUE)
    task = session.exec(found.order_by(col(Task.id))).first()
    if task is None:
        session.exec(select(Project).where(Project.id == project_id).with_for_update()).one_or_none()
        task = session.exec(found.order_by(col(Task.id))).first()
    if task is None:
        task = Task(project_id=project_id, kind=TaskKind.LABEL, name=QUEUE, overlap=1)
        session.add(task)
        session.flush()
    return task


def _next_of_all(session: Session, task: Task, account_id: int, seconds: int) -> Lease | None:
    task_id = task.id or 0
    filled = False
    while True:
        lease = leases.claim(session, task_id=task_id, account_id=account_id, seconds=seconds)
        if lease is None:
            if filled or not _top_up(session, task):
                return None
            filled = True
        elif _waits(session, lease):
            return lease
        else:
            _pass_over(session, lease)


def _next_chosen(session: Session, task: Task, account_id: int, seconds: int) -> Lease | None:
    while lease := leases.claim(session, task_id=task.id or 0, account_id=account_id, seconds=seconds):
        item = session.get_one(Item, lease.item_id)
        ruled_on_since = select(Approval.id).where(
            Approval.record_id == item.record_id, Approval.created_at > item.created_at, col(Approval.withdrawn_at).is_(None)
        )
        if session.exec(ruled_on_since.limit(1)).first() is None:
            return lease
        _pass_over(session, lease)
    return None


def _label_task(session: Session, project_id: int, task_id: int) -> Task:
    task = session.get(Task, task_id)
    if task is None or task.project_id != project_id or task.kind is not TaskKind.LABEL:
        raise NotFound("There is no such task to review records in this project.")
    return task


def _next_fitting(session: Session, task: Task, account_id: int, seconds: int, only: RecordFilter) -> Lease | None:
    passed: set[int] = set()
    while True:
        waiting = select(col(Record.id)).where(*where(session, task.project_id, only), col(Record.status).in_(WAITING))
        fresh = waiting.where(col(Record.id).not_in(passed)).order_by(col(Record.id)).limit(20)
        found = [record_id or 0 for record_id in session.exec(fresh)]
        if not found:
            return None
        for record_id in found:
            item = _open_item(session, task, record_id) or _new_item(session, task, record_id)
            lease = leases.claim_item(session, item_id=item.id or 0, account_id=account_id, seconds=seconds)
            if lease is not None:
                return lease
        passed.update(found)


def _waits(session: Session, lease: Lease) -> bool:
    item = session.get_one(Item, lease.item_id)
    record = session.get(Record, item.record_id, populate_existing=True)
    return record is not None and record.status in WAITING


def _pass_over(session: Session, lease: Lease) -> None:
    """Close an item whose record was decided elsewhere."""
    slot = leases.held(session, slot_id=lease.slot_id, account_id=lease.account_id, fence=lease.fence)
    leases.finish(session, slot=slot)


def _top_up(session: Session, task: Task) -> int:
    """Make items of the next waiting records, flagged ones first; returns how many."""
    session.exec(select(Task.id).where(Task.id == task.id).with_for_update(key_share=True)).one()
    has_item = exists().where(
        col(Item.task_id) == task.id, col(Item.record_id) == col(Record.id), col(Item.status) == ItemStatus.OPEN
    )
    waiting = (
        select(col(Record.id))
        .where(Record.project_id == task.project_id, col(Record.status).in_(WAITING), ~has_item)
        .order_by(case((col(Record.status) == RecordStatus.FLAGGED, 0), else_=1), col(Record.id))
        .limit(BATCH)
    )
    return leases.add_items(session, task=task, subjects=[{"record_id": found or 0} for found in session.exec(waiting)])


def _open_item(session: Session, task: Task, record_id: int) -> Item | None:
    query = select(Item).where(Item.task_id == task.id, Item.record_id == record_id, Item.status == ItemStatus.OPEN)
    return session.exec(query.order_by(col(Item.id))).first()


def _new_item(session: Session, task: Task, record_id: int) -> Item:
    session.exec(select(Task.id).where(Task.id == task.id).with_for_update(key_share=True)).one()
    found = _open_item(session, task, record_id)
    if found is None:
        leases.add_items(session, task=task, subjects=[{"record_id": record_id}])
        found = _open_item(session, task, record_id)
    if found is None:
        raise NotFound("There is no such record in this project.")
    return found


def _holder(session: Session, item: Item) -> str:
    """The name of whoever holds the item now, or nothing."""
    query = (
        select(Account.name, Account.email)
        .join(Slot, col(Slot.account_id) == col(Account.id))
        .where(Slot.item_id == item.id, col(Slot.done_at).is_(None), col(Slot.expires_at) > now())
    )
    row = session.exec(query).first()
    return "" if row is None else row[0] or row[1]
