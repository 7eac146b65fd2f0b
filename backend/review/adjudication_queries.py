"""Reads for the adjudication page: what is disputed, in order of how much it matters, and everything about one dispute.

Behind ADJUDICATE. Raters are named to leads alone; experts see "Rater 1", "Rater 2". No model name is read here: a ruling
is as blind as the answers that it rules on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, or_
from sqlmodel import Session, col, select

from backend.access.actors import Actor
from backend.access.policy import check, may
from backend.conversations import Message, messages_from_json
from backend.errors import NotFound
from backend.review import consensus
from backend.review.answers import rubric_of
from backend.review.consensus import Said, Suggestion
from backend.review.known import responses_of
from backend.review.qualifying import names_of
from backend.review.wording import words
from backend.rubrics import Rubric
from backend.store.accounts import Account
from backend.store.models import Evaluation, ModelVersion, Response
from backend.store.records import Record
from backend.store.work import Adjudication, Annotation, Gold, Item, Task
from backend.task_options import TaskOptions
from backend.vocabulary import Action, ItemPurpose, ItemStatus, Stage, TaskKind

MOST = 300
"""Disputes that are listed at a time."""
CONTEXT = 2000
"""From how many of a task's newest answers the reliability of its raters is taken."""
ORDER = (
    "Those whose raters are furthest apart come first; among alike ones those that judge a version awaiting promotion, then "
    "questions that many records ask, then the oldest."
)


@dataclass(frozen=True, slots=True)
class Dispute:
    """An item that waits for a ruling. `asked_by` is how many records ask the same."""

    item_id: int
    task_id: int
    task: str
    kind: TaskKind
    apart: float
    decides: bool
    asked_by: int
    prompt: str


@dataclass(frozen=True, slots=True)
class Opinion:
    """One rater's newest answer. `said` is in words by what was asked, `answers` as stored."""

    rater: str
    said: dict[str, str]
    answers: dict[str, Any]
    comment: str
    is_yours: bool


@dataclass(frozen=True, slots=True)
class Ruling:
    """One ruling on the item; `withdrawn` says why it is not in force."""

    number: int
    author: str
    said: dict[str, str]
    reason: str
    at: datetime
    rated_it: bool
    in_force: bool
    withdrawn: str


@dataclass(frozen=True, slots=True)
class Case:
    """Everything about one item that was disputed. `names` calls its responses, in the order of `texts`."""

    item_id: int
    task_id: int
    task: str
    kind: TaskKind
    status: ItemStatus
    apart: float | None
    rubric: Rubric
    guidelines: str
    messages: tuple[Message, ...]
    reference: str
    names: tuple[str, ...]
    texts: tuple[str, ...]
    response_ids: tuple[int, ...]
    opinions: tuple[Opinion, ...]
    rulings: tuple[Ruling, ...]
    is_gold: bool

    @property
    def newest_ruling(self) -> int:
        """The number that a new ruling is based on."""
        return max((ruling.number for ruling in self.rulings), default=0)

    @property
    def you_rated_it(self) -> bool:
        """Whether one of the answers is the reader's own."""
        return any(opinion.is_yours for opinion in self.opinions)


def disputes(session: Session, *, actor: Actor, project_id: int, task_id: int | None = None) -> list[Dispute]:
    """What waits for a ruling, what matters most first (see ORDER); at most MOST."""
    check(actor, Action.ADJUDICATE, project_id)
    tasks = _tasks(session, project_id, task_id)
    if not tasks:
        return []
    query = (
        select(Item)
        .where(Item.purpose == ItemPurpose.WORK, _waits(list(tasks.values())))
        .order_by(col(Item.dispute).desc(), col(Item.id))
        .limit(MOST)
    )
    items = session.exec(query).all()
    decisive = _decisive(session, project_id)
    prompts = _prompts(session, items)
    sizes = _cluster_sizes(session, project_id, {cluster for _, cluster in prompts.values()})
    found = [
        Dispute(
            item_id=item.id or 0,
            task_id=item.task_id,
            task=tasks[item.task_id].name,
            kind=tasks[item.task_id].kind,
            apart=item.dispute or 0.0,
            decides=tasks[item.task_id].evaluation_id in decisive,
            asked_by=sizes.get(prompts.get(item.id or 0, ("", ""))[1], 1),
            prompt=prompts.get(item.id or 0, ("", ""))[0],
        )
        for item in items
    ]
    return sorted(found, key=lambda one: (-round(one.apart, 1), not one.decides, -one.asked_by, one.item_id))


def disputed(session: Session, *, actor: Actor, project_id: int) -> int:
    """How many items wait for a ruling."""
    check(actor, Action.ADJUDICATE, project_id)
    tasks = list(_tasks(session, project_id, None).values())
    query = select(func.count()).select_from(Item).where(Item.purpose == ItemPurpose.WORK, _waits(tasks))
    return session.exec(query).one() if tasks else 0


def case_of(session: Session, *, actor: Actor, project_id: int, item_id: int) -> Case:
    """The item with every answer to it, disputed or not. Raises NotFound."""
    check(actor, Action.ADJUDICATE, project_id)
    query = select(Task, Item).join(Item, col(Item.task_id) == Task.id).where(Item.id == item_id, Task.project_id == project_id)
    row = session.exec(query).one_or_none()
    if row is None or row[1].purpose is not ItemPurpose.WORK or row[0].kind is TaskKind.LABEL:
        raise NotFound("There is no such item in this project.")
    task, item = row
    rubric, shown = rubric_of(task.rubric), responses_of(item)
    responses = [session.get_one(Response, response_id) for response_id in shown]
    names = names_of(task.kind, shown)
    texts = {response.id or 0: response.text for response in responses}
    return Case(
        item_id=item_id,
        task_id=item.task_id,
        task=task.name,
        kind=task.kind,
        status=item.status,
        apart=item.dispute,
        rubric=rubric,
        guidelines=task.guidelines,
        messages=messages_from_json(responses[0].prompt),
        reference=responses[0].reference,
        names=tuple(names.values()),
        texts=tuple(texts.values()),
        response_ids=shown,
        opinions=tuple(_opinions(session, actor, task, item, names, texts)),
        rulings=tuple(_rulings(session, task, item, names, texts)),
        is_gold=session.exec(select(Gold.id).where(Gold.item_id == item_id)).first() is not None,
    )


def suggestion_for(session: Session, *, actor: Actor, project_id: int, item_id: int) -> dict[str, Suggestion]:
    """The consensus by what was asked, with raters weighed by their newest answers in the task."""
    check(actor, Action.ADJUDICATE, project_id)
    query = select(Task).join(Item, col(Item.task_id) == Task.id).where(Item.id == item_id, Task.project_id == project_id)
    task = session.exec(query).one_or_none()
    if task is None:
        raise NotFound("There is no such item in this project.")
    columns: list[Any] = [Annotation.item_id, Annotation.account_id, Annotation.number, Annotation.answers]
    columns += [Annotation.verdict, Annotation.winner_response_id, Annotation.ranking]
    columns += [Item.response_id, Item.first_response_id, Item.second_response_id, Item.response_ids]
    of_work = (
        select(*columns)
        .join(Item, col(Item.id) == Annotation.item_id)
        .where(Annotation.task_id == task.id, Item.purpose == ItemPurpose.WORK)
        .order_by(col(Annotation.id).desc())
    )
    newest: dict[tuple[int, int | None], Any] = {}
    for row in [*session.exec(of_work.where(Annotation.item_id == item_id)), *session.exec(of_work.limit(CONTEXT))]:
        before = newest.get((row.item_id, row.account_id))
        if before is None or before.number < row.number:
            newest[row.item_id, row.account_id] = row
    answers = [Said(row.item_id, row.account_id, row, responses_of(row)) for row in newest.values()]
    return consensus.suggest(task.kind, rubric_of(task.rubric), item_id, answers)


def _tasks(session: Session, project_id: int, task_id: int | None) -> dict[int, Task]:
    query = select(Task).where(Task.project_id == project_id, Task.kind != TaskKind.LABEL)
    query = query if task_id is None else query.where(Task.id == task_id)
    return {task.id or 0: task for task in session.exec(query)}


def _waits(tasks: Sequence[Task]) -> Any:
    """Disputed, or done with raters as far apart as the task's limit says now."""
    by_limit: dict[float, list[int]] = {}
    for task in tasks:
        by_limit.setdefault(TaskOptions.from_json(task.options).dispute_at, []).append(task.id or 0)
    done_apart = [
        and_(col(Item.task_id).in_(ids), col(Item.status) == ItemStatus.DONE, col(Item.dispute) >= limit - 1e-9)
        for limit, ids in by_limit.items()
    ]
    ids = [task.id for task in tasks]
    return or_(and_(col(Item.task_id).in_(ids), col(Item.status) == ItemStatus.DISPUTED), *done_apart)


def _decisive(session: Session, project_id: int) -> set[int | None]:
    """Evaluations of versions about which nothing is decided yet."""
    query = (
        select(Evaluation.id)
        .join(ModelVersion, col(ModelVersion.id) == Evaluation.candidate_version_id)
        .where(Evaluation.project_id == project_id, ModelVersion.stage == Stage.CANDIDATE)
    )
    return set(session.exec(query))


def _prompts(session: Session, items: Sequence[Item]) -> dict[int, tuple[str, str]]:
    """item → (the question's last words, the cluster of its record)"""
    first = {item.id or 0: (responses_of(item) or (0,))[0] for item in items}
    query = (
        select(Response.id, Response.prompt, Record.cluster)
        .outerjoin(Record, col(Record.id) == Response.record_id)
        .where(col(Response.id).in_(set(first.values())))
    )
    known = {
        key: (str(turns[-1].get("content", "")) if turns else "", cluster or "") for key, turns, cluster in session.exec(query)
    }
    return {item_id: known[response] for item_id, response in first.items() if response in known}


def _cluster_sizes(session: Session, project_id: int, clusters: set[str]) -> dict[str, int]:
    query = (
        select(Record.cluster, func.count())
        .where(Record.project_id == project_id, col(Record.cluster).in_(clusters - {""}))
        .group_by(col(Record.cluster))
    )
    return dict(session.exec(query).all())


def _opinions(
    session: Session, actor: Actor, task: Task, item: Item, names: dict[int, str], texts: dict[int, str]
) -> list[Opinion]:
    query = (
        select(Annotation, Account)
        .outerjoin(Account, col(Account.id) == Annotation.account_id)
        .where(Annotation.item_id == item.id)
        .order_by(col(Annotation.number))
    )
    newest = {given.account_id: (given, account) for given, account in session.exec(query).all()}
    named = may(actor, Action.VIEW_RESULTS, task.project_id)
    rubric = rubric_of(task.rubric)
    return [
        Opinion(
            rater=(account.name or account.email) if named and account is not None else f"Rater {place}",
            said=words(task.kind, rubric, given, names, texts),
            answers=dict(given.answers),
            comment=given.comment,
            is_yours=given.account_id == actor.account_id,
        )
        for place, (given, account) in enumerate(sorted(newest.values(), key=lambda one: one[0].id or 0), start=1)
    ]


def _rulings(session: Session, task: Task, item: Item, names: dict[int, str], texts: dict[int, str]) -> list[Ruling]:
    query = (
        select(Adjudication, Account)
        .outerjoin(Account, col(Account.id) == Adjudication.author_id)
        .where(Adjudication.item_id == item.id)
        .order_by(col(Adjudication.number).desc())
    )
    raters = set(session.exec(select(Annotation.account_id).where(Annotation.item_id == item.id)))
    return [
        Ruling(
            number=one.number,
            author=(account.name or account.email) if account is not None else "the system",
            said=words(task.kind, rubric_of(task.rubric), one, names, texts),
            reason=one.reason,
            at=one.created_at,
            rated_it=one.author_id in raters,
            in_force=one.withdrawn_at is None,
            withdrawn=one.withdrawn_reason,
        )
        for one, account in session.exec(query).all()
    ]
