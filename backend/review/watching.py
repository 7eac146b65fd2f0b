"""Watching raters: what copies of items tell about them, the notice when they fall, pausing one in a task.

A notice is kept with the rater's standing in the task; it comes and goes with their answers, and a lead who has looked at
it can put it away: it comes back only for what is answered after that. Nobody but leads is told.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from backend.access import audit
from backend.access.actors import Actor
from backend.access.policy import check
from backend.errors import NotFound
from backend.review import qualifying
from backend.review.answers import rubric_of
from backend.review.drift import fallen
from backend.review.grading import grade, is_right
from backend.store.accounts import Account
from backend.store.base import now
from backend.store.locking import locked_task
from backend.store.work import Annotation, Gold, Item, Qualification, Task
from backend.task_options import TaskOptions
from backend.vocabulary import Action, ItemPurpose

WATCHED = (ItemPurpose.GOLD, ItemPurpose.REPEAT)


def pause_rater(*, session: Session, actor: Actor, project_id: int, task_id: int, account_id: int, paused: bool = True) -> Task:
    """Give a rater no more items of this task, or let them in again. Their answers stay and count."""
    check(actor, Action.CREATE_TASK, project_id)
    task = locked_task(session, project_id, task_id)
    if session.get(Account, account_id) is None:
        raise NotFound("There is no such rater.")
    options = TaskOptions.from_json(task.options)
    excluded = {*options.excluded, account_id} if paused else set(options.excluded) - {account_id}
    task.options = {**task.options, "excluded": sorted(excluded)}
    session.add(task)
    act = "rater_paused" if paused else "rater_readmitted"
    audit.record(session, actor, act, project_id=project_id, subject=f"task {task_id}", account_id=account_id)
    session.commit()
    return task


def put_notice_away(*, session: Session, actor: Actor, project_id: int, task_id: int, account_id: int) -> None:
    """A lead has looked at the notice: only answers after this one can bring it back."""
    check(actor, Action.CREATE_TASK, project_id)
    locked_task(session, project_id, task_id)
    found = _standing(session, task_id, account_id)
    if found is None or found.drifted_at is None:
        raise NotFound("There is no such notice any more.")
    scores = _scores(session, task_id, account_id)
    found.drift = {"seen": {str(purpose): len(given) for purpose, given in scores.items()}}
    found.drifted_at = None
    session.add(found)
    audit.record(session, actor, "drift_seen", project_id=project_id, subject=f"task {task_id}", account_id=account_id)
    session.commit()


# --- parts of use-cases: nothing below commits -----------------------------------------------------------------------


def score_copy(session: Session, task: Task, item: Item, annotation: Annotation) -> None:
    """Score an answer to a copy, count it in its round or look for a fall. Nothing happens for work: no query is made."""
    if item.purpose is ItemPurpose.WORK:
        return
    annotation.score = _score(session, task, item, annotation)
    session.add(annotation)
    session.flush()
    if item.purpose is ItemPurpose.CALIBRATION:
        qualifying.count_in(session, task, annotation, annotation.score is None or is_right(annotation.score))
    elif annotation.account_id is not None:
        look_for_drift(session, task, annotation.account_id)


def score_again(session: Session, task: Task, original_id: int) -> None:
    """Score every answer to gold copies of an item anew, after its known answer was changed or taken away."""
    query = (
        select(Annotation, Item)
        .join(Item, col(Item.id) == Annotation.item_id)
        .where(Item.copy_of == original_id, col(Item.purpose).in_((ItemPurpose.GOLD, ItemPurpose.CALIBRATION)))
    )
    raters = set()
    for annotation, item in session.exec(query).all():
        annotation.score = _score(session, task, item, annotation)
        session.add(annotation)
        raters |= {annotation.account_id} if item.purpose is ItemPurpose.GOLD else set()
    session.flush()
    for account_id in sorted(rater for rater in raters if rater is not None):
        look_for_drift(session, task, account_id)


def look_for_drift(session: Session, task: Task, account_id: int) -> None:
    """Bring the notice about a rater in line with their answers so far."""
    found = _standing(session, task.id or 0, account_id)
    seen = found.drift.get("seen", {}) if found is not None else {}
    sentences = []
    for purpose, scores in _scores(session, task.id or 0, account_id).items():
        fall = fallen(scores, seen=seen.get(str(purpose), 0))
        if fall is not None:
            sentences.append(("Gold: " if purpose is ItemPurpose.GOLD else "Own earlier answers: ") + fall.sentence)
    if found is None and not sentences:
        return
    if found is None:
        new = Qualification(task_id=task.id or 0, account_id=account_id)
        with suppress(IntegrityError), session.begin_nested():  # another tab of the rater may have been first
            session.add(new)
        found = _standing(session, task.id or 0, account_id) or new
    found.drift = {"seen": seen, "sentences": sentences}
    found.drifted_at = (found.drifted_at or now()) if sentences else None
    session.add(found)
    session.flush()


def _score(session: Session, task: Task, item: Item, annotation: Annotation) -> float | None:
    """How right the answer to a copy is; None where there is nothing to hold it against."""
    if item.purpose is ItemPurpose.REPEAT:
        earlier = select(Annotation).where(Annotation.item_id == item.copy_of, Annotation.account_id == annotation.account_id)
        known: Gold | Annotation | None = session.exec(earlier.order_by(col(Annotation.number).desc()).limit(1)).first()
    else:
        known = session.exec(select(Gold).where(Gold.item_id == item.copy_of)).first()
    graded = grade(task.kind, rubric_of(task.rubric), annotation, known) if known is not None else None
    return None if graded is None else graded.score


def _scores(session: Session, task_id: int, account_id: int) -> dict[ItemPurpose, list[float]]:
    """The rater's scores on gold and on repeats in order of time, each item's newest."""
    query = (
        select(Annotation.item_id, Item.purpose, Annotation.score)
        .join(Item, col(Item.id) == Annotation.item_id)
        .where(Annotation.task_id == task_id, Annotation.account_id == account_id, col(Annotation.score).is_not(None))
        .where(col(Item.purpose).in_(WATCHED))
        .order_by(col(Annotation.id))
    )
    newest: dict[ItemPurpose, dict[int, float]] = defaultdict(dict)
    for item_id, purpose, score in session.exec(query):
        newest[ItemPurpose(purpose)][item_id] = score or 0.0
    return {purpose: list(newest[purpose].values()) for purpose in WATCHED if newest[purpose]}


def _standing(session: Session, task_id: int, account_id: int) -> Qualification | None:
    query = select(Qualification).where(Qualification.task_id == task_id, Qualification.account_id == account_id)
    return session.exec(query.with_for_update().execution_options(populate_existing=True)).one_or_none()
