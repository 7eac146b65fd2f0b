"""Reads every answer of every rater as rows for a table, a batch at a time.

A correction is a row of its own with a higher number. Comparisons are told by the side that the rater saw and by the version
behind it; rankings from best to worst.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import select as select_columns
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from backend.rubrics import Rubric
from backend.store.accounts import Account
from backend.store.models import ModelVersion, Response
from backend.store.work import Annotation, Item, RubricVersion, Task
from backend.vocabulary import TaskKind

COLUMNS = (
    "id", "task", "kind", "item", "purpose", "record", "rater", "number", "rubric_version", "verdict", "winner", "left",
    "right", "responses", "ranking", "comment", "score", "seconds", "at",
)  # fmt: skip
"""What every row says; the answers follow, under `answer.<question>`."""
ANSWER = "answer."
_BATCH = 1000


def columns(session: Session, project_id: int) -> list[str]:
    """The columns of this project's table: the fixed ones, and one for each question that any of its rubrics asked."""
    now = select(Task.rubric).where(Task.project_id == project_id)
    before = select(RubricVersion.rubric).join(Task, col(Task.id) == RubricVersion.task_id).where(Task.project_id == project_id)
    found: dict[str, None] = {}
    for rubric in (*session.exec(now), *session.exec(before)):
        if rubric:
            found |= dict.fromkeys(question.key for question in Rubric.from_json(rubric).questions)
    return [*COLUMNS, *(ANSWER + key for key in sorted(found))]


def rows(session: Session, project_id: int) -> Iterator[dict[str, Any]]:
    """By id. Raters go by their name, or by their address where they gave none or share it with another."""
    raters = _raters(session, project_id)
    versions = _versions(session, project_id)
    query: Any = (
        select_columns(Annotation, Item, Task)
        .join(Item, col(Item.id) == Annotation.item_id)
        .join(Task, col(Task.id) == Item.task_id)
        .where(col(Annotation.project_id) == project_id)
        .order_by(col(Annotation.id))
        .limit(_BATCH)
    )
    last = 0
    while batch := session.execute(query.where(col(Annotation.id) > last)).all():
        records = _records(session, [item for _, item, _ in batch])
        for annotation, item, task in batch:
            yield _row(annotation, item, task, raters, versions, records)
        last = batch[-1][0].id
        session.expunge_all()


def _row(
    annotation: Annotation,
    item: Item,
    task: Task,
    raters: dict[int, str],
    versions: dict[int, str],
    records: dict[int, int],
) -> dict[str, Any]:
    shown = [item.response_id, item.first_response_id, item.second_response_id, *(item.response_ids or ())]
    row: dict[str, Any] = {
        "id": annotation.id,
        "task": task.name,
        "kind": task.kind.value,
        "item": item.id,
        "purpose": item.purpose.value,
        "record": item.record_id or next((records[key] for key in shown if key in records), None),
        "rater": raters.get(annotation.account_id or 0, ""),
        "number": annotation.number,
        "rubric_version": annotation.rubric_version,
        "verdict": annotation.verdict.value if annotation.verdict else None,
        "winner": versions.get(annotation.winner_response_id or 0),
        "left": versions.get(annotation.left_response_id or 0),
        "right": versions.get(annotation.right_response_id or 0),
        "responses": [versions.get(key, "") for key in shown if key and task.kind is not TaskKind.COMPARE] or None,
        "ranking": [[versions.get(key, "") for key in place] for place in annotation.ranking] if annotation.ranking else None,
        "comment": annotation.comment or None,
        "score": annotation.score,
        "seconds": annotation.seconds,
        "at": annotation.created_at.isoformat(timespec="seconds"),
    }
    return row | {ANSWER + key: answer for key, answer in annotation.answers.items()}


def _raters(session: Session, project_id: int) -> dict[int, str]:
    said = select(Annotation.account_id).where(Annotation.project_id == project_id).distinct()
    people = session.exec(select(Account.id, Account.name, Account.email).where(col(Account.id).in_(said))).all()
    names = [name.strip() for _, name, _ in people]
    return {
        key or 0: email if not name.strip() or names.count(name.strip()) > 1 else name.strip() for key, name, email in people
    }


def _versions(session: Session, project_id: int) -> dict[int, str]:
    """Response id → the name of the version that wrote it; answers that no version wrote are "imported"."""
    version = aliased(ModelVersion)
    query = (
        select(Response.id, version.name)
        .outerjoin(version, col(version.id) == col(Response.version_id))
        .where(Response.project_id == project_id)
    )
    return {key or 0: name or "imported" for key, name in session.exec(query)}


def _records(session: Session, items: Sequence[Item]) -> dict[int, int]:
    """Response id → its record, of what these items show."""
    wanted = {
        key
        for item in items
        for key in (item.response_id, item.first_response_id, item.second_response_id, *(item.response_ids or ()))
        if key
    }
    found: dict[int, int] = {}
    ids = sorted(wanted)
    for start in range(0, len(ids), _BATCH):
        query = select(Response.id, Response.record_id).where(col(Response.id).in_(ids[start : start + _BATCH]))
        found |= {key or 0: record_id for key, record_id in session.exec(query) if record_id}
    return found
