"""Gold: items whose right answer a lead knows. Marked on a form, or taken over from a ruling; changed; taken back.

Promised: an item has at most one gold answer, it fits the task's questions, and every change is in the audit trail with
the answer before. Answers that raters gave to copies of it are scored anew. The item itself stays work where it was open:
its raters' answers count in results as before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlmodel import Session, col, select

from backend.access import audit
from backend.access.actors import Actor
from backend.access.policy import check
from backend.errors import InvalidInput, NotFound
from backend.review import qualifying, watching
from backend.review.copying import close_copies
from backend.review.known import Known, known_answer
from backend.store.base import now
from backend.store.work import Adjudication, Gold, Item, Task
from backend.vocabulary import Action, ItemPurpose, TaskKind, Verdict

LONGEST_EXPLANATION = 2000


def mark(
    *,
    session: Session,
    actor: Actor,
    project_id: int,
    item_id: int,
    answers: Mapping[str, object] | None = None,
    verdict: Verdict | None = None,
    ranking: Sequence[Sequence[int]] | None = None,
    explanation: str = "",
    calibration: bool = False,
) -> Gold:
    """Make the item gold, or change its answer. Sides and places are those of the item itself: the first is left.

    `ranking` lists places, the best first. Raises InvalidInput where nothing was answered that could be graded.
    """
    check(actor, Action.CREATE_TASK, project_id)
    task, item = _load(session, project_id, item_id)
    known = known_answer(session, task, item, answers=answers or {}, verdict=verdict, ranking=ranking)
    gold = _put(session, actor, task, item, known, explanation, calibration)
    session.commit()
    return gold


def mark_from_ruling(
    *, session: Session, actor: Actor, project_id: int, item_id: int, explanation: str = "", calibration: bool = False
) -> Gold:
    """Make the item gold with the answer of the ruling on it; its reason is the explanation unless there is another."""
    check(actor, Action.CREATE_TASK, project_id)
    task, item = _load(session, project_id, item_id)
    ruling = session.exec(
        select(Adjudication).where(Adjudication.item_id == item_id, col(Adjudication.withdrawn_at).is_(None))
    ).first()
    if ruling is None:
        raise NotFound("There is no ruling on this item that could be taken over.")
    known = Known(ruling.answers, ruling.verdict, ruling.winner_response_id, ruling.ranking)
    gold = _put(session, actor, task, item, known, explanation or ruling.reason, calibration)
    session.commit()
    return gold


def unmark(*, session: Session, actor: Actor, project_id: int, item_id: int) -> None:
    """The item is gold no more. Answers to copies of it stay, but count for nothing."""
    check(actor, Action.CREATE_TASK, project_id)
    task, _ = _load(session, project_id, item_id)
    gold = session.exec(select(Gold).where(Gold.item_id == item_id)).one_or_none()
    if gold is None:
        raise NotFound("This item is not gold any more.")
    before = _as_json(gold)
    qualifying.forget_gold(session, item_id)
    session.delete(gold)
    session.flush()
    close_copies(session, purposes=(ItemPurpose.GOLD,), copy_of=item_id)
    watching.score_again(session, task, item_id)
    audit.record(session, actor, "gold_unmarked", project_id=project_id, subject=f"item {item_id}", before=before)
    session.commit()


def _load(session: Session, project_id: int, item_id: int) -> tuple[Task, Item]:
    query = select(Task, Item).join(Item, col(Item.task_id) == Task.id).where(Item.id == item_id, Task.project_id == project_id)
    found = session.exec(query.with_for_update(of=Item, key_share=True)).one_or_none()
    if found is None or found[1].purpose is not ItemPurpose.WORK:
        raise NotFound("There is no such item in this project.")
    if found[0].kind is TaskKind.LABEL:
        raise InvalidInput("Records are reviewed, not rated: they have no gold answer.")
    return found[0], found[1]


def _put(session: Session, actor: Actor, task: Task, item: Item, known: Known, explanation: str, calibration: bool) -> Gold:
    words = explanation.strip().replace("\x00", "")
    if len(words) > LONGEST_EXPLANATION:
        raise InvalidInput(f"An explanation has at most {LONGEST_EXPLANATION} characters; this one has {len(words)}.")
    if calibration and not words:
        raise InvalidInput("Raters of the calibration round are shown why an answer is right: please write an explanation.")
    gold = session.exec(select(Gold).where(Gold.item_id == item.id)).one_or_none()
    before = None if gold is None else _as_json(gold)
    if gold is not None and gold.calibration and not calibration:
        qualifying.forget_gold(session, item.id or 0)
    gold = gold or Gold(item_id=item.id or 0)
    gold.answers, gold.verdict = dict(known.answers), known.verdict
    gold.winner_response_id = known.winner_response_id
    gold.ranking = None if known.ranking is None else [list(place) for place in known.ranking]
    gold.explanation, gold.calibration = words, calibration
    gold.author_id, gold.created_at = actor.account_id, now()
    session.add(gold)
    session.flush()
    watching.score_again(session, task, item.id or 0)
    changed: dict[str, Any] = {} if before is None else {"before": before}
    audit.record(
        session, actor, "gold_marked", project_id=task.project_id, subject=f"item {item.id}", answer=_as_json(gold), **changed
    )
    return gold


def _as_json(gold: Gold) -> dict[str, Any]:
    return {
        "answers": gold.answers,
        "verdict": None if gold.verdict is None else str(gold.verdict),
        "winner_response_id": gold.winner_response_id,
        "ranking": gold.ranking,
        "explanation": gold.explanation,
        "calibration": gold.calibration,
    }
