"""Reads for leads about gold: what is marked, which of it raters get wrong, what could be marked. Behind VIEW_RESULTS."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col, select

from backend.access.actors import Actor
from backend.access.policy import check
from backend.review.answers import rubric_of
from backend.review.consensus import preference
from backend.review.known import responses_of
from backend.review.qualifying import names_of
from backend.review.quality_queries import MOST, count_right, prompts_of, scored, share_of, task_of
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
    rows = session.exec(query).all()
    prompts = prompts_of(session, [item for _, item, _ in rows])
    for gold, item, author in rows:
        shown = responses_of(item)
        told = words(task.kind, rubric, gold, names_of(task.kind, shown))
        found.append(
            GoldRow(
                item_id=gold.item_id,
                prompt=prompts[gold.item_id],
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
    """Items of the task whose question holds the search words, ruled and finished ones first; at most MOST."""
    task_of(session, actor, project_id, task_id)
    found: list[Item] = []
    for status in (ItemStatus.RULED, ItemStatus.DONE, ItemStatus.DISPUTED, ItemStatus.OPEN):
        query = select(Item).where(Item.task_id == task_id, Item.status == status, Item.purpose == ItemPurpose.WORK)
        if search.strip():
            first = func.coalesce(Item.response_id, Item.first_response_id)
            query = (
                query.join(Response, col(Response.id) == first)
                .join(Record, col(Record.id) == Response.record_id)
                .where(func.lower(Record.prompt).contains(search.strip().lower(), autoescape=True))
            )
        found += session.exec(query.order_by(col(Item.position)).limit(MOST - len(found))).all()
        if len(found) == MOST:
            break
    ids = [item.id for item in found]
    counted = select(Annotation.item_id, func.count()).where(col(Annotation.item_id).in_(ids), Annotation.number == 1)
    answers = dict(session.exec(counted.group_by(col(Annotation.item_id))).all())
    marked = set(session.exec(select(Gold.item_id).where(col(Gold.item_id).in_(ids))))
    prompts = prompts_of(session, found)
    return [
        Candidate(
            item_id=item.id or 0,
            prompt=prompts[item.id or 0],
            status=item.status,
            answers=answers.get(item.id or 0, 0),
            is_gold=item.id in marked,
        )
        for item in found
    ]
