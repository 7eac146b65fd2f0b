"""Reads for leads about gold: what is marked, which of it raters get wrong, what could be marked. Behind VIEW_RESULTS."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import case, func
from sqlmodel import Session, col, select

from backend.access.actors import Actor
from backend.access.policy import check
from backend.review.answers import rubric_of
from backend.review.consensus import preference
from backend.review.known import responses_of
from backend.review.qualifying import names_of
from backend.review.quality_queries import MOST, count_right, prompt_of, scored, share_of, task_of
from backend.review.wording import PREFERENCE, RANKING, words
from backend.statistics.results import Estimate, Result
from backend.store.accounts import Account
from backend.store.models import Response
from backend.store.records import Record
from backend.store.work import Annotation, Gold, Item, Task
from backend.vocabulary import Action, ItemPurpose, ItemStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldRow:
    """One gold item. `right` is over the raters who were asked it, in calibration too."""

    item_id: int
    prompt: str
    answer: str
    explanation: str
    calibration: bool
    right: Result
    author: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldAnswer:
    """A gold answer by what was asked, as it is stored."""

    start: dict[str, Any]
    explanation: str
    calibration: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An item of a task that can be made gold, or is."""

    item_id: int
    prompt: str
    status: ItemStatus
    answers: int
    is_gold: bool


def gold_rows(session: Session, *, actor: Actor, project_id: int, task_id: int) -> list[GoldRow]:
    """The task's gold, those that most raters get wrong first: perhaps the gold is wrong."""
    task = task_of(session, actor, project_id, task_id)
    counts: dict[int, tuple[int, int]] = {}
    columns: list[Any] = [Item.copy_of, func.count(), count_right()]
    for original, asked, correct in session.exec(
        scored(select(*columns), task_id)
        .where(col(Item.purpose).in_((ItemPurpose.GOLD, ItemPurpose.CALIBRATION)))
        .group_by(col(Item.copy_of))
    ):
        counts[original or 0] = (correct, asked)
    query = (
        select(Gold, Item, Account)
        .join(Item, col(Item.id) == Gold.item_id)
        .outerjoin(Account, col(Account.id) == Gold.author_id)
        .where(Item.task_id == task_id)
    )
    found = []
    rubric = rubric_of(task.rubric)
    for gold, item, author in session.exec(query).all():
        shown = responses_of(item)
        told = words(task.kind, rubric, gold, names_of(task.kind, shown))
        found.append(
            GoldRow(
                item_id=gold.item_id,
                prompt=prompt_of(session, item),
                answer="; ".join(told.values() if len(told) == 1 else (f"{key}: {said}" for key, said in told.items())),
                explanation=gold.explanation,
                calibration=gold.calibration,
                right=share_of(counts.get(gold.item_id, (0, 0)), "raters who were right, Wilson"),
                author="" if author is None else author.name or author.email,
                at=gold.created_at,
            )
        )
    return sorted(found, key=_hardness)


def _hardness(one: GoldRow) -> tuple[float, int]:
    """By how right raters are at most: what is surely hard comes before what one rater happened to miss."""
    return one.right.high if isinstance(one.right, Estimate) else 2.0, one.item_id


def gold_of(session: Session, *, actor: Actor, project_id: int, item_id: int) -> GoldAnswer | None:
    """The gold answer to an item, to begin a change with; None where it is not gold."""
    check(actor, Action.VIEW_RESULTS, project_id)
    query = (
        select(Gold, Item)
        .join(Item, col(Item.id) == Gold.item_id)
        .join(Task, col(Task.id) == Item.task_id)
        .where(Gold.item_id == item_id, Task.project_id == project_id)
    )
    found = session.exec(query).one_or_none()
    if found is None:
        return None
    gold, item = found
    start = {**gold.answers, PREFERENCE: preference(gold, responses_of(item) or (0,)), RANKING: gold.ranking}
    return GoldAnswer(start=start, explanation=gold.explanation, calibration=gold.calibration)


def candidates(session: Session, *, actor: Actor, project_id: int, task_id: int, search: str = "") -> list[Candidate]:
    """Items of the task whose question holds the search words, finished ones first; at most MOST."""
    task_of(session, actor, project_id, task_id)
    answers = select(func.count()).select_from(Annotation).where(Annotation.item_id == Item.id, Annotation.number == 1)
    first = func.coalesce(Item.response_id, Item.first_response_id)
    marked = select(Gold.id).where(Gold.item_id == Item.id).exists()
    columns: list[Any] = [Item, answers.scalar_subquery(), marked]
    query = select(*columns).where(Item.task_id == task_id, Item.purpose == ItemPurpose.WORK)
    if search.strip():
        wanted = f"%{search.strip().lower()}%"
        query = (
            query.join(Response, col(Response.id) == first)
            .join(Record, col(Record.id) == Response.record_id)
            .where(func.lower(Record.prompt).like(wanted))
        )
    order = case((col(Item.status) == ItemStatus.RULED, 0), (col(Item.status) == ItemStatus.DONE, 1), else_=2)
    return [
        Candidate(item_id=item.id or 0, prompt=prompt_of(session, item), status=item.status, answers=count, is_gold=gold)
        for item, count, gold in session.exec(query.order_by(order, col(Item.position)).limit(MOST)).all()
    ]
