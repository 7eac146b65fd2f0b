"""Rulings on items whose raters disagreed. A ruling is the item's answer in results; the raters' own answers are kept.

Promised: at most one ruling on an item is in force; a later one has the next number and withdraws the one before; whoever
rules names the ruling that they saw, so that two people do not overrule each other unseen. An expert may rule on an item
that they rated themselves, because small teams have nobody else: the audit trail says so, and the page marks it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col, select

from backend.access import audit
from backend.access.actors import Actor
from backend.access.policy import check
from backend.errors import Conflict, InvalidInput, NotFound
from backend.review.disputes import disagree
from backend.review.known import known_answer
from backend.store.base import now
from backend.store.work import Adjudication, Annotation, Item, Task
from backend.task_options import TaskOptions
from backend.vocabulary import FINISHED_ITEMS, Action, ItemPurpose, ItemStatus, TaskKind, Verdict

LONGEST_REASON = 2000
SUPERSEDED = "Superseded by a later ruling"
"""`withdrawn_reason` of a ruling that a newer one took the place of."""


def rule_on(
    *,
    session: Session,
    actor: Actor,
    project_id: int,
    item_id: int,
    reason: str,
    seen: int = 0,
    answers: Mapping[str, object] | None = None,
    verdict: Verdict | None = None,
    ranking: Sequence[Sequence[int]] | None = None,
    suggested: Mapping[str, Any] | None = None,
) -> Adjudication:
    """Rule on an item. Sides and places are the item's own: its first response is left.

    `seen` is the number of the newest ruling that the actor saw, 0 for none; raises Conflict where there is a newer one.
    """
    check(actor, Action.ADJUDICATE, project_id)
    task, item = _load(session, project_id, item_id)
    if item.status not in FINISHED_ITEMS:
        raise Conflict("Raters are still at this item. A ruling waits until all of them have answered.")
    number = _newest(session, item_id)
    if number != seen:
        raise Conflict("Somebody has ruled on this item since you opened it. Read that ruling first; yours was not saved.")
    why = _reason(reason, "Please write why, in a sentence: raters and leads learn from it.")
    known = known_answer(session, task, item, answers=answers or {}, verdict=verdict, ranking=ranking, whole=True)
    _withdraw_living(session, actor, item_id, SUPERSEDED)
    ruling = Adjudication(
        project_id=project_id,
        task_id=item.task_id,
        item_id=item_id,
        number=number + 1,
        answers=dict(known.answers),
        verdict=known.verdict,
        winner_response_id=known.winner_response_id,
        ranking=None if known.ranking is None else [list(place) for place in known.ranking],
        suggested=dict(suggested or {}),
        reason=why,
        author_id=actor.account_id,
    )
    session.add(ruling)
    item.status = ItemStatus.RULED
    session.add(item)
    detail = {"number": ruling.number, "reason": why, "rated_it": _rated(session, item_id, actor.account_id)}
    audit.record(session, actor, "item_ruled", project_id=project_id, subject=f"item {item_id}", **detail)
    session.commit()
    return ruling


def withdraw(*, session: Session, actor: Actor, project_id: int, item_id: int, reason: str) -> None:
    """Take the ruling in force back: the raters' answers count again, and the item is disputed as it was before."""
    check(actor, Action.ADJUDICATE, project_id)
    task, item = _load(session, project_id, item_id)
    why = _reason(reason, "Please write why the ruling is withdrawn.")
    if not _withdraw_living(session, actor, item_id, why):
        raise NotFound("There is no ruling on this item that could be withdrawn.")
    apart = item.dispute is not None and disagree(item.dispute, TaskOptions.from_json(task.options).dispute_at)
    item.status = ItemStatus.DISPUTED if apart else ItemStatus.DONE
    session.add(item)
    audit.record(session, actor, "ruling_withdrawn", project_id=project_id, subject=f"item {item_id}", reason=why)
    session.commit()


def _load(session: Session, project_id: int, item_id: int) -> tuple[Task, Item]:
    query = select(Task, Item).join(Item, col(Item.task_id) == Task.id).where(Item.id == item_id, Task.project_id == project_id)
    found = session.exec(query.with_for_update(of=Item, key_share=True).execution_options(populate_existing=True)).one_or_none()
    if found is None or found[1].purpose is not ItemPurpose.WORK or found[0].kind is TaskKind.LABEL:
        raise NotFound("There is no such item in this project.")
    return found[0], found[1]


def _newest(session: Session, item_id: int) -> int:
    return session.exec(select(func.max(Adjudication.number)).where(Adjudication.item_id == item_id)).one() or 0


def _rated(session: Session, item_id: int, account_id: int | None) -> bool:
    query = select(Annotation.id).where(Annotation.item_id == item_id, Annotation.account_id == account_id)
    return account_id is not None and session.exec(query).first() is not None


def _reason(text: str, missing: str) -> str:
    words = text.strip().replace("\x00", "")
    if not words:
        raise InvalidInput(missing)
    if len(words) > LONGEST_REASON:
        raise InvalidInput(f"A reason has at most {LONGEST_REASON} characters; this one has {len(words)}.")
    return words


def _withdraw_living(session: Session, actor: Actor, item_id: int, reason: str) -> bool:
    living = session.exec(
        select(Adjudication).where(Adjudication.item_id == item_id, col(Adjudication.withdrawn_at).is_(None)).with_for_update()
    ).all()
    for ruling in living:
        ruling.withdrawn_at, ruling.withdrawn_by, ruling.withdrawn_reason = now(), actor.account_id, reason
        session.add(ruling)
    session.flush()
    return bool(living)
