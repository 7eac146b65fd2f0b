"""Puts a task's open items in the order that teaches most, and says on each why it stands where it does.

Looking for an order only reads and may take a while; taking it over is one short transaction. So the worker and the page
look first and write then, and raters do not wait. Promised: an item that somebody holds or has answered loses nothing by
it; items for one account alone stay where they are; places are exchanged, so that none is given twice. An order is due
when a task has none yet, and again after each `EVERY` answers. Of a very long queue the first `MOST_READ` open items are
read where texts have to be compared; the others follow as they were.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import JSON, Integer, String, cast, func, literal, type_coerce, update
from sqlmodel import Session, col, select

from backend.access import audit
from backend.access.actors import Actor
from backend.access.policy import check
from backend.errors import NotFound
from backend.review import lessons, worth
from backend.review.worth import Place
from backend.store.base import Json, now
from backend.store.locking import locked_task
from backend.store.work import Figure, Item, Slot, Task
from backend.task_options import TaskOptions
from backend.vocabulary import Action, ItemOrder, ItemPurpose, ItemStatus, TaskStatus

EVERY = 50
MOST_READ = 20_000
AT_ONCE = 1000
"""A task of at most so many items is put in order while it is made; longer ones by the worker."""
FIGURE = "order"
TOO_FEW = f"There are not enough labels yet: the quality model needs {worth.FEWEST_LABELS}, good ones and bad ones."
NOTHING = "No open item has anything that speaks for it in this order."


@dataclass(frozen=True, slots=True)
class Order:
    """The open items in their new order. `note` says, for people, why nothing changed, where that is so."""

    places: tuple[Place, ...]
    answers: int
    note: str = ""


def find_order(session: Session, *, actor: Actor, project_id: int, task_id: int) -> Order:
    """The order that the task asks for, worked out from what is known now. Reads only."""
    check(actor, Action.CREATE_TASK, project_id)
    task = session.get(Task, task_id)
    if task is None or task.project_id != project_id:
        raise NotFound("There is no such task in this project.")
    return _find(session, task)


def reorder(*, session: Session, actor: Actor, project_id: int, task_id: int, order: Order | None = None) -> Order:
    """Give the open items their new places; `order` is what `find_order` found just before, None to look here and now."""
    check(actor, Action.CREATE_TASK, project_id)
    task = locked_task(session, project_id, task_id)
    found = order or _find(session, task)
    moved = _take_over(session, task, found)
    if moved:
        audit.record(session, actor, "task.reorder", project_id=project_id, subject=f"task:{task_id}", items=moved)
    session.commit()
    return found


def due(session: Session) -> list[tuple[int, int]]:
    """(project, task) of open tasks whose order is out of date."""
    found = []
    for task in session.exec(select(Task).where(Task.status == TaskStatus.OPEN).order_by(col(Task.id))):
        if TaskOptions.from_json(task.options).order is ItemOrder.GIVEN:
            continue
        figure = _figure(session, task)
        before = figure.value if figure is not None else {}
        wanted = str(TaskOptions.from_json(task.options).order)
        if before.get("order") != wanted or _answers(session, task) - int(before.get("answers", 0)) >= EVERY:
            found.append((task.project_id, task.id or 0))
    return found


def note_of(session: Session, task: Task) -> str:
    """What the last ordering said about the task; empty for none."""
    figure = _figure(session, task)
    return str(figure.value.get("note", "")) if figure is not None else ""


# --- parts of use-cases: nothing below commits -----------------------------------------------------------------------


def arrange(session: Session, *, task: Task) -> None:
    """Put a task that is just being made in order, if it asks for one and is short; longer ones are the worker's."""
    if TaskOptions.from_json(task.options).order is not ItemOrder.GIVEN and _open_count(session, task) <= AT_ONCE:
        _take_over(session, task, _find(session, task))


def _find(session: Session, task: Task) -> Order:
    wanted = TaskOptions.from_json(task.options).order
    answers = _answers(session, task)
    query = select(Item).where(*_open(task)).order_by(col(Item.position), col(Item.id))
    if wanted is ItemOrder.GIVEN:
        return Order((), answers)
    items = session.exec(query if wanted is ItemOrder.THIN_SLICES else query.limit(MOST_READ)).all()
    places: Sequence[Place] | None
    if wanted is ItemOrder.THIN_SLICES:
        places = worth.by_thin_slices(
            lessons.slices_of(session, task, items), lessons.approved_slices(session, task.project_id)
        )
    elif wanted is ItemOrder.DISAGREEMENT:
        places = worth.by_disagreement(lessons.rivals_of(session, task, items))
    else:
        places = worth.by_uncertainty(lessons.texts_of(session, task, items), lessons.labelled(session, task))
        if places is None:
            return Order((), answers, TOO_FEW)
    return Order(tuple(places), answers, "" if any(place.why for place in places) else NOTHING)


def _take_over(session: Session, task: Task, order: Order) -> int:
    """Exchange the places of the items that are still open, and keep what the order was worked out from."""
    ranks = {place.item_id: (rank, place.why) for rank, place in enumerate(order.places)}
    query = select(Item.id, Item.position).where(*_open(task)).order_by(col(Item.position), col(Item.id))
    now_open = [(item_id or 0, position) for item_id, position in session.exec(query)]
    last = len(ranks)
    wanted = sorted(now_open, key=lambda one: ranks.get(one[0], (last, ""))[0])
    if ranks:
        free = [position for _, position in now_open]
        rows = [[one[0], position, ranks.get(one[0], (0, ""))[1]] for one, position in zip(wanted, free, strict=True)]
        _write(session, rows)
    figure = _figure(session, task) or Figure(project_id=task.project_id, name=FIGURE, subject=f"task:{task.id}")
    chosen = str(TaskOptions.from_json(task.options).order)
    figure.value = {"order": chosen, "answers": order.answers, "note": order.note}
    figure.computed_at = now()
    session.add(figure)
    session.flush()
    return len(ranks)


def _write(session: Session, rows: list[list[Any]]) -> None:
    """(item, position, why) in one statement, unfolded by the database."""
    if session.get_bind().dialect.name == "sqlite":
        given: Any = func.json_each(literal(rows, JSON)).table_valued("value").alias("given")
        parts: list[Any] = [func.json_extract(given.c.value, f"$[{place}]") for place in range(3)]
    else:
        given = func.jsonb_array_elements(literal(rows, Json)).table_valued("value").render_derived(name="given")
        value = type_coerce(given.c.value, Json)
        parts = [cast(value.op("->>")(place), kind) for place, kind in enumerate((Integer, Integer, String))]
    new = {"position": parts[1], "why": parts[2]}
    session.execute(update(Item).where(col(Item.id) == parts[0]).values(new).execution_options(synchronize_session=False))


def _open(task: Task) -> tuple[Any, ...]:
    mine = (Item.task_id == task.id, Item.status == ItemStatus.OPEN)
    return (*mine, Item.purpose == ItemPurpose.WORK, col(Item.only_account_id).is_(None))


def _open_count(session: Session, task: Task) -> int:
    return session.exec(select(func.count()).select_from(Item).where(*_open(task))).one()


def _answers(session: Session, task: Task) -> int:
    return session.exec(select(func.count()).where(Slot.task_id == task.id, col(Slot.done_at).is_not(None))).one()


def _figure(session: Session, task: Task) -> Figure | None:
    here = (Figure.project_id == task.project_id, Figure.name == FIGURE, Figure.subject == f"task:{task.id}")
    return session.exec(select(Figure).where(*here)).one_or_none()
