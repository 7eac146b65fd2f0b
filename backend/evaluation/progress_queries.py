"""Counts of what is done: items by task, answers by hour and rater. Aggregated in SQL, as plain values that can be kept."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sqlalchemy import Integer, case, func
from sqlmodel import Session, col, select

from backend.evaluation.judgement_queries import hour_of
from backend.store.work import Annotation, Item, Slot, Task
from backend.vocabulary import FINISHED_ITEMS, ItemPurpose, ItemStatus

RECENT = 21
"""Days before the newest answer for which counts by the hour are kept, beside those by day."""
LONGEST_ANSWER = 900
"""Seconds; a longer one was a pause, and is left out of means."""


def progress(session: Session, *, project_id: int) -> dict[str, Any]:
    """Tasks with how far they are, and raters with what they did: {"tasks": […], "raters": […]}."""
    items, slots = _items(session, project_id), _slots(session, project_id)
    hourly, raters = _answers(session, project_id)
    newest = max((hour for hours in hourly.values() for hour in hours), default=0)
    tasks = session.exec(select(Task).where(Task.project_id == project_id).order_by(col(Task.id).desc())).all()
    return {
        "tasks": [
            {
                "id": task.id,
                "name": task.name,
                "kind": str(task.kind),
                "status": str(task.status),
                "overlap": task.overlap,
                "overlap_max": task.overlap_max,
                "made": task.created_at.isoformat(),
                **items[task.id or 0],
                **slots[task.id or 0],
                "hourly": {str(hour): n for hour, n in hourly[task.id or 0].items() if hour > newest - RECENT * 24},
                "daily": _daily(hourly[task.id or 0]),
            }
            for task in tasks
            if task.id in items
        ],
        "raters": raters,
    }


def _daily(hourly: dict[int, int]) -> dict[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for hour, count in hourly.items():
        counts[str(hour // 24)] += count
    return counts


def work(session: Session, *, project_id: int) -> dict[str, Any]:
    """Answers by day and rater: {"rows": [[day since 1970, account, answers], …]}, corrections included."""
    hour = hour_of(session, Annotation.created_at)
    day = func.floor(hour / 24, type_=Integer)
    columns: list[Any] = [day, Annotation.account_id, func.count()]
    query = (
        select(*columns)
        .join(Item, col(Item.id) == Annotation.item_id)
        .where(Annotation.project_id == project_id, Item.purpose == ItemPurpose.WORK)
        .group_by(day, col(Annotation.account_id))
    )
    counts: dict[tuple[int, int], int] = defaultdict(int)
    for at, account, count in session.exec(query):
        counts[int(at), account or 0] += count
    return {"rows": [[at, account, count] for (at, account), count in sorted(counts.items())]}


def _items(session: Session, project_id: int) -> dict[int, dict[str, int]]:
    query = (
        select(Item.task_id, Item.status, func.count())
        .join(Task, col(Task.id) == Item.task_id)
        .where(Task.project_id == project_id, Item.purpose == ItemPurpose.WORK)
        .group_by(col(Item.task_id), col(Item.status))
    )
    found: dict[int, dict[str, int]] = defaultdict(lambda: {"items": 0, "finished": 0, "disputed": 0, "ruled": 0})
    for task, status, count in session.exec(query):
        entry = found[task]
        entry["items"] += count
        entry["finished"] += count * (status in FINISHED_ITEMS)
        entry["disputed"] += count * (status is ItemStatus.DISPUTED)
        entry["ruled"] += count * (status is ItemStatus.RULED)
    return found


def _slots(session: Session, project_id: int) -> dict[int, dict[str, int]]:
    """Answers given, answers given to finished items, and answers still wanted."""

    def total(condition: Any) -> Any:
        return func.sum(case((condition, 1), else_=0), type_=Integer)

    given, open_ = col(Slot.done_at).is_not(None), Item.status == ItemStatus.OPEN
    query = (
        select(Item.task_id, total(given), total(given & ~open_), total(~given & open_))
        .select_from(Slot)
        .join(Item, col(Item.id) == Slot.item_id)
        .join(Task, col(Task.id) == Item.task_id)
        .where(Task.project_id == project_id, Item.purpose == ItemPurpose.WORK)
        .group_by(col(Item.task_id))
    )
    found: dict[int, dict[str, int]] = defaultdict(lambda: {"answers": 0, "on_finished": 0, "wanted": 0})
    for task, answers, on_finished, wanted in session.exec(query):
        found[task] = {"answers": answers, "on_finished": on_finished, "wanted": wanted}
    return found


def _answers(session: Session, project_id: int) -> tuple[dict[int, dict[int, int]], list[dict[str, Any]]]:
    """(task → hour → answers, one row a rater and task). A correction is no answer of its own."""
    hour = hour_of(session, Annotation.created_at)
    seconds, first = col(Annotation.seconds), case((col(Annotation.number) == 1, 1), else_=0)
    timely = case((seconds <= LONGEST_ANSWER, seconds), else_=None)
    columns: list[Any] = [Annotation.task_id, Annotation.account_id, hour, func.sum(first, type_=Integer), func.count()]
    columns += [func.sum(timely), func.count(timely)]
    query = (
        select(*columns)
        .join(Item, col(Item.id) == Annotation.item_id)
        .where(Annotation.project_id == project_id, Item.purpose == ItemPurpose.WORK)
        .group_by(col(Annotation.task_id), col(Annotation.account_id), hour)
    )
    hourly: dict[int, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    raters: dict[tuple[int, int], dict[str, Any]] = {}
    for task, account, at, answers, rows, spent, timed in session.exec(query):
        hourly[task][int(at)] += answers
        nobody = {"task": task, "account": account or 0, "answers": 0, "corrections": 0, "spent": 0.0, "timed": 0, "hours": []}
        entry = raters.setdefault((task, account or 0), nobody)
        entry["answers"] += answers
        entry["corrections"] += rows - answers
        entry["spent"] += float(spent or 0)
        entry["timed"] += timed
        entry["hours"].append(int(at))
    for entry in raters.values():
        hours = entry.pop("hours")
        entry["first"], entry["last"] = min(hours), max(hours)
    return hourly, list(raters.values())
