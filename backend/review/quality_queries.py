"""Reads for leads about raters and gold: how right raters were, how like themselves, where they stand, which gold is hard.

Behind VIEW_RESULTS. Counted by the database over copies alone, so that it stays quick however much work there is. Raters
are told here by name: nobody but leads sees it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Integer, case, func
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from backend.access.actors import Actor
from backend.access.policy import check
from backend.errors import NotFound
from backend.review.answers import rubric_of
from backend.review.grading import RIGHT_AT
from backend.review.known import responses_of
from backend.review.qualifying import names_of
from backend.review.wording import words
from backend.statistics.intervals import wilson
from backend.statistics.results import Result
from backend.store.accounts import Account
from backend.store.models import Response
from backend.store.work import Annotation, Gold, Item, Qualification, Skip, Task
from backend.task_options import TaskOptions
from backend.vocabulary import Action, ItemPurpose, TaskKind

MOST = 200
"""Rows of a list of single items or answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityTask:
    """A task whose raters can be looked at."""

    id: int
    name: str
    kind: TaskKind
    gold: int
    calibration_gold: int
    gold_share: float
    repeat_share: float
    calibration_pass: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RaterRow:
    """One rater in one task. `gold` and `repeats` are shares that were right, and that were like the answer before."""

    account_id: int
    name: str
    gold: Result
    repeats: Result
    skipped: int
    calibration: str
    has_begun: bool
    notices: tuple[str, ...]
    paused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedMind:
    """A hidden repeat that was answered otherwise than before."""

    rater: str
    prompt: str
    before: str
    after: str
    score: float
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A rater who fell in a task."""

    task_id: int
    task: str
    account_id: int
    rater: str
    sentences: tuple[str, ...]
    since: datetime


def tasks(session: Session, *, actor: Actor, project_id: int) -> list[QualityTask]:
    """The judging tasks, the newest first."""
    check(actor, Action.VIEW_RESULTS, project_id)
    judging = select(Task).where(Task.project_id == project_id, Task.kind != TaskKind.LABEL).order_by(col(Task.id).desc())
    in_round = func.sum(case((col(Gold.calibration).is_(True), 1), else_=0), type_=Integer)
    columns: list[Any] = [Item.task_id, func.count(), in_round]
    counted = select(*columns).join(Gold, col(Gold.item_id) == Item.id).group_by(col(Item.task_id))
    gold = {task_id: (many, calibrating) for task_id, many, calibrating in session.exec(counted)}
    found = []
    for task in session.exec(judging):
        options, (many, calibrating) = TaskOptions.from_json(task.options), gold.get(task.id, (0, 0))
        found.append(
            QualityTask(
                id=task.id or 0,
                name=task.name,
                kind=task.kind,
                gold=many,
                calibration_gold=calibrating,
                gold_share=options.gold_share,
                repeat_share=options.repeat_share,
                calibration_pass=options.calibration_pass,
            )
        )
    return found


def raters(session: Session, *, actor: Actor, project_id: int, task_id: int) -> list[RaterRow]:
    """Everybody who was asked anything in the task, by name."""
    task = task_of(session, actor, project_id, task_id)
    counts = _shares(session, task_id)
    standing = {one.account_id: one for one in session.exec(select(Qualification).where(Qualification.task_id == task_id))}
    skipped = _skipped(session, task_id)
    answered = select(Annotation.id).where(Annotation.account_id == Account.id, Annotation.task_id == task_id)
    worked = session.exec(select(col(Account.id)).where(answered.exists()))  # by account: quick however many answers there are
    ids = {account_id for account_id in worked if account_id is not None} | set(standing) | set(skipped)
    options = TaskOptions.from_json(task.options)
    people = _names(session, ids | set(options.excluded))
    return [
        RaterRow(
            account_id=account_id,
            name=name,
            gold=share_of(counts[account_id, ItemPurpose.GOLD], "gold answered right, Wilson"),
            repeats=share_of(counts[account_id, ItemPurpose.REPEAT], "repeats answered as before, Wilson"),
            skipped=skipped.get(account_id, 0),
            calibration=_calibration(standing.get(account_id), options.calibration_pass),
            has_begun=_has_begun(standing.get(account_id)),
            notices=_sentences(standing.get(account_id)),
            paused=account_id in options.excluded,
        )
        for account_id, name in sorted(people.items(), key=lambda one: one[1])
    ]


def changed_minds(session: Session, *, actor: Actor, project_id: int, task_id: int) -> list[ChangedMind]:
    """The newest repeats that were not answered as before."""
    task = task_of(session, actor, project_id, task_id)
    before = aliased(Annotation)
    query = (
        scored(select(Annotation, before, Item), task_id)
        .join(before, (col(before.item_id) == Item.copy_of) & (col(before.account_id) == Annotation.account_id))
        .where(Item.purpose == ItemPurpose.REPEAT, col(Annotation.score) < RIGHT_AT - 1e-9)
        .order_by(col(Annotation.id).desc(), col(before.number).desc())
        .limit(2 * MOST)
    )
    newest: dict[int, tuple[Annotation, Annotation, Item]] = {}
    for again, earlier, item in session.exec(query).all():
        newest.setdefault(again.id or 0, (again, earlier, item))
    people = _names(session, {again.account_id or 0 for again, _, _ in newest.values()})
    prompts = prompts_of(session, [item for _, _, item in newest.values()])
    rubric = rubric_of(task.rubric)
    found = []
    for again, earlier, item in list(newest.values())[:MOST]:
        names = names_of(task.kind, responses_of(item))
        told = [" · ".join(words(task.kind, rubric, one, names).values()) for one in (earlier, again)]
        found.append(
            ChangedMind(
                rater=people.get(again.account_id or 0, "somebody"),
                prompt=prompts[item.id or 0],
                before=told[0],
                after=told[1],
                score=again.score or 0.0,
                at=again.created_at,
            )
        )
    return found


def notices(session: Session, *, actor: Actor, project_id: int) -> list[Notice]:
    """Raters who fell, in all tasks of the project, the newest notice first."""
    check(actor, Action.VIEW_RESULTS, project_id)
    query = (
        select(Qualification, Task, Account)
        .join(Task, col(Task.id) == Qualification.task_id)
        .join(Account, col(Account.id) == Qualification.account_id)
        .where(Task.project_id == project_id, col(Qualification.drifted_at).is_not(None))
        .order_by(col(Qualification.drifted_at).desc())
    )
    return [
        Notice(
            task_id=task.id or 0,
            task=task.name,
            account_id=account.id or 0,
            rater=account.name or account.email,
            sentences=_sentences(standing),
            since=standing.drifted_at or standing.created_at,
        )
        for standing, task, account in session.exec(query).all()
    ]


def task_of(session: Session, actor: Actor, project_id: int, task_id: int) -> Task:
    """A judging task of the project. Raises NotFound."""
    check(actor, Action.VIEW_RESULTS, project_id)
    task = session.get(Task, task_id)
    if task is None or task.project_id != project_id or task.kind is TaskKind.LABEL:
        raise NotFound("There is no such task in this project.")
    return task


def count_right() -> Any:
    """How many of the answers are right."""
    return func.sum(case((col(Annotation.score) >= RIGHT_AT - 1e-9, 1), else_=0), type_=Integer)


def scored(query: Any, task_id: int) -> Any:
    """Each rater's newest scored answer to each copy."""
    later = aliased(Annotation)
    corrected = select(later.id).where(
        later.item_id == Annotation.item_id, later.account_id == Annotation.account_id, later.number > Annotation.number
    )
    return (
        query.join_from(Annotation, Item, col(Item.id) == Annotation.item_id)
        .where(Annotation.task_id == task_id, col(Annotation.score).is_not(None))
        .where(~corrected.exists())
    )


def _shares(session: Session, task_id: int) -> dict[tuple[int, ItemPurpose], tuple[int, int]]:
    """(rater, purpose) → (right, asked)"""
    columns: list[Any] = [Annotation.account_id, Item.purpose, func.count(), count_right()]
    query = scored(select(*columns), task_id).group_by(col(Annotation.account_id), col(Item.purpose))
    found: dict[tuple[int, ItemPurpose], tuple[int, int]] = defaultdict(lambda: (0, 0))
    found.update(
        {(account or 0, ItemPurpose(purpose)): (right, asked) for account, purpose, asked, right in session.exec(query)}
    )
    return found


def share_of(counts: tuple[int, int], method: str) -> Result:
    """The share of (right, asked)."""
    right, asked = counts
    return wilson(right, asked, method=method)


def _skipped(session: Session, task_id: int) -> dict[int, int]:
    query = (
        select(Skip.account_id, func.count())
        .join(Item, col(Item.id) == Skip.item_id)
        .where(Item.task_id == task_id)
        .group_by(col(Skip.account_id))
    )
    return dict(session.exec(query).all())


def _names(session: Session, ids: set[int]) -> dict[int, str]:
    found = session.exec(select(Account).where(col(Account.id).in_(ids))).all()
    return {account.id or 0: account.name or account.email for account in found}


def _has_begun(standing: Qualification | None) -> bool:
    return standing is not None and bool(standing.asked or standing.history)


def _calibration(standing: Qualification | None, needed: float | None) -> str:
    """Where a rater stands in the round, in words."""
    if standing is None or not _has_begun(standing):
        return "no round" if needed is None else "not begun"
    ended = standing.history[-1] if standing.history else None
    if standing.passed_at is not None and ended is not None:
        return f"passed, {ended['correct']} of {ended['asked']} right, attempt {ended['attempt']}"
    if standing.asked:
        return f"attempt {standing.attempt}, {standing.answered} of {standing.asked} answered, {standing.correct} right"
    failed = ended is not None and not ended["passed"]
    return f"failed, {ended['correct']} of {ended['asked']} right" if failed and ended else "to begin anew"


def _sentences(standing: Qualification | None) -> tuple[str, ...]:
    return () if standing is None or standing.drifted_at is None else tuple(standing.drift.get("sentences", ()))


def prompts_of(session: Session, items: Sequence[Item]) -> dict[int, str]:
    """The last words of the question behind each item, by the item's id."""
    first = {item.id or 0: (responses_of(item) or (0,))[0] for item in items}
    query = select(Response.id, Response.prompt).where(col(Response.id).in_(set(first.values())))
    known = {key: str(turns[-1].get("content", "")) if turns else "" for key, turns in session.exec(query)}
    return {item_id: known.get(response, "") for item_id, response in first.items()}
