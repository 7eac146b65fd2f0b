"""Use-cases about an imbalance in the data: looking at what a mitigation would do, applying it, taking it back.

Promised: a preview changes nothing and says what applying would do to the same records; weights and copies are put back as
they were by `undo`, in the order in which they came (the newest of a kind first); of the synthetic records those go that
nobody has worked on. Not promised: that a balanced set makes a fair chatbot; measure the models again.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import update
from sqlmodel import Session, col, select

from backend.access import audit
from backend.access.actors import Actor
from backend.access.policy import check
from backend.conversations import Message, messages_from_json
from backend.curation.auditing import own_records
from backend.curation.observed import Row
from backend.curation.plans import Counted, Made, Plan, Planned, made, mention_counts, mention_report, planned
from backend.curation.synthesis import add_synthetic, take_back
from backend.detectors.counterfactuals import is_of_the_lists
from backend.errors import AlreadyDone, Conflict, InvalidInput, NotFound, NotReady
from backend.store.base import now
from backend.store.curation import Mitigation
from backend.store.locking import locked_project
from backend.store.records import Finding, Record, RecordRevision, Source
from backend.vocabulary import PERSONAL_FINDINGS, Action, FindingStatus, MadeBy, MitigationKind

_BATCH = 500
_EXAMPLES = 10
_REASON_MAX = 2000
_SUBJECT = {MitigationKind.REWEIGHING: "weight", MitigationKind.RESAMPLING: "copies"}
"""The column that a kind sets, and what it is without any mitigation: 1."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What applying would do. `examples` are of counterfactuals alone."""

    changes: int
    before: dict[str, Any]
    after: dict[str, Any]
    examples: tuple[Made, ...] = ()


def preview(*, session: Session, actor: Actor, project_id: int, plan: Plan) -> Preview:
    """What the plan would do now; nothing is changed."""
    check(actor, Action.BULK_REVIEW, project_id)
    if plan.kind is MitigationKind.COUNTERFACTUALS:
        conversations, found = _counterfactuals(session, project_id, plan)
        before, after = _mentions(conversations, found)
        return Preview(len(found), before, after, tuple(found[:_EXAMPLES]))
    would = planned(plan, _counted(session, project_id))
    return Preview(len(would.values), would.before, would.after)


def apply(*, session: Session, actor: Actor, project_id: int, plan: Plan, reason: str = "") -> Mitigation:
    """Do it, and keep the report before and after."""
    check(actor, Action.BULK_REVIEW, project_id)
    if len(reason) > _REASON_MAX:
        raise InvalidInput(f"The reason has at most {_REASON_MAX:,} characters.")
    locked_project(session, project_id)
    done = Mitigation(
        project_id=project_id, kind=plan.kind, options=plan.to_json(), reason=reason.strip(), created_by=actor.account_id
    )
    if plan.kind is MitigationKind.COUNTERFACTUALS:
        changes = _add(session, actor, project_id, plan, done)
    else:
        changes = _set(session, project_id, plan, done)
    session.add(done)
    session.flush()
    audit.record(
        session, actor, "mitigation_applied", project_id=project_id, subject=f"mitigation {done.id}",
        kind=plan.kind.value, records=changes, options=done.options, reason=done.reason,
    )  # fmt: skip
    session.commit()
    return done


def undo(*, session: Session, actor: Actor, project_id: int, mitigation_id: int) -> int:
    """Take a mitigation back; returns how many records are as before (of counterfactuals: how many are gone)."""
    check(actor, Action.BULK_REVIEW, project_id)
    locked_project(session, project_id)
    query = select(Mitigation).where(Mitigation.id == mitigation_id, Mitigation.project_id == project_id)
    done = session.exec(query.with_for_update().execution_options(populate_existing=True)).one_or_none()
    if done is None:
        raise NotFound("There is no such mitigation in this project.")
    if done.undone_at is not None:
        raise AlreadyDone("This was undone before. Nothing was changed.")
    changes = len(_remove(session, done)) if done.kind is MitigationKind.COUNTERFACTUALS else _put_back(session, done)
    done.undone_at, done.undone_by = now(), actor.account_id
    session.add(done)
    audit.record(
        session, actor, "mitigation_undone", project_id=project_id, subject=f"mitigation {mitigation_id}",
        kind=done.kind.value, records=changes,
    )  # fmt: skip
    session.commit()
    return changes


# --- weights and copies ---


def _trainable(project_id: int) -> list[Any]:
    return [*own_records(project_id), col(Record.approved_revision_id).is_not(None)]


def _counted(session: Session, project_id: int) -> list[Counted]:
    columns = (Record.id, Record.prompt, Record.answer, Record.slices, Record.weight, Record.copies)
    query = select(*columns).outerjoin(Source, col(Source.id) == col(Record.source_id)).where(*_trainable(project_id))  # type: ignore[call-overload]
    rows = session.exec(query.order_by(col(Record.id)).execution_options(yield_per=_BATCH))
    return [Counted(Row(record_id, prompt, answer, slices, True), weight, copies)
            for record_id, prompt, answer, slices, weight, copies in rows]  # fmt: skip


def _set(session: Session, project_id: int, plan: Plan, done: Mitigation) -> int:
    """Write the weights or copies; `done` keeps what every record had that was not 1."""
    would = planned(plan, _counted(session, project_id))
    if not would.values:
        raise AlreadyDone("The records count like this already. Nothing was changed.")
    column = _SUBJECT[plan.kind]
    field = getattr(Record, column)
    held = select(Record.id, field).where(Record.project_id == project_id, field != 1)
    done.before = {**would.before, "put_back": {str(record_id): value for record_id, value in session.exec(held)}}
    done.after = {**would.after, "changed": len(would.values)}
    _write(session, column, would)
    return len(would.values)


def _write(session: Session, column: str, would: Planned) -> None:
    by_value: dict[float, list[int]] = defaultdict(list)
    for record_id, value in would.values.items():
        by_value[value].append(record_id)
    for value, ids in by_value.items():
        for batch in _batches(ids):
            session.execute(update(Record).where(col(Record.id).in_(batch)).values({column: value}), execution_options=_PLAIN)
    session.expire_all()


_PLAIN = {"synchronize_session": False}


def _put_back(session: Session, done: Mitigation) -> int:
    later = select(Mitigation.id).where(
        Mitigation.project_id == done.project_id, Mitigation.kind == done.kind, col(Mitigation.id) > done.id,
        col(Mitigation.undone_at).is_(None),
    )  # fmt: skip
    if session.exec(later).first() is not None:
        raise Conflict("Something of the same kind was applied after this. Undo the newest first.")
    column = _SUBJECT[done.kind]
    field = getattr(Record, column)
    mine = [Record.project_id == done.project_id, field != 1]
    changed = session.exec(select(Record.id).where(*mine)).all()
    session.execute(update(Record).where(*mine).values({column: 1}), execution_options=_PLAIN)
    before: Mapping[str, float] = done.before.get("put_back", {})
    _write(session, column, Planned({int(record_id): value for record_id, value in before.items()}, {}, {}))
    return len({*changed, *map(int, before)})


# --- counterfactuals ---


def _counterfactuals(session: Session, project_id: int, plan: Plan) -> tuple[list[tuple[int, tuple[Message, ...]]], list[Made]]:
    """The approved conversations of people's own, and the variants of them in an order drawn by the plan's seed."""
    query = (
        select(Record.id, RecordRevision.messages)
        .join(RecordRevision, col(RecordRevision.id) == col(Record.approved_revision_id))
        .outerjoin(Source, col(Source.id) == col(Record.source_id))
        .where(*_trainable(project_id), Record.made_by == MadeBy.PEOPLE)
        .order_by(col(Record.id))
    )
    rows = session.exec(query.execution_options(yield_per=_BATCH))
    conversations = [(record_id or 0, messages_from_json(messages)) for record_id, messages in rows]
    if not conversations:
        raise NotReady("No record is approved yet, so there is nothing to make variants of. Approve some first.")
    drawn = conversations[:]
    random.Random(plan.seed).shuffle(drawn)  # noqa: S311 - a choice of examples, not a secret
    return conversations, made(plan, drawn)


def _mentions(
    conversations: Sequence[tuple[int, tuple[Message, ...]]], found: Sequence[Made]
) -> tuple[dict[str, Any], dict[str, Any]]:
    before = mention_counts([messages for _, messages in conversations])
    after = before + mention_counts([one.variant.messages for one in found])
    swaps: dict[str, int] = defaultdict(int)
    for one in found:
        swaps[one.variant.swap.kind] += 1
    return mention_report({key: before[key] for key in after}), {**mention_report(after), "swaps": dict(swaps)}


def _add(session: Session, actor: Actor, project_id: int, plan: Plan, done: Mitigation) -> int:
    """Store the variants as pending records."""
    conversations, found = _counterfactuals(session, project_id, plan)
    if not found:
        raise NotReady("No approved record mentions anybody who could be swapped. Nothing was made.")
    ids = add_synthetic(
        session=session,
        actor=actor,
        project_id=project_id,
        drafts=[(one.record_id, one.variant.messages) for one in found],
        made_by=MadeBy.COUNTERFACTUAL,
        name=f"Counterfactuals {now():%Y-%m-%d %H:%M}",
    )
    if not ids:
        raise AlreadyDone("The project holds all of these variants already. Nothing was made.")
    _know_made_up(session, ids, dict(conversations))
    done.before, done.after = _mentions(conversations, found)
    source_id = session.exec(select(Record.source_id).where(Record.id == ids[0])).one()
    done.after = {**done.after, "made": len(ids), "source_id": source_id}
    return len(ids)


def _remove(session: Session, done: Mitigation) -> list[int]:
    """Take the copies back that nobody has worked on; none where somebody took the whole batch back before."""
    source_id = int(done.after["source_id"])
    if session.get(Source, source_id) is None:
        return []
    return take_back(session=session, project_id=done.project_id, source_id=source_id, keep_touched=True)


def _know_made_up(session: Session, ids: Sequence[int], originals: Mapping[int, Sequence[Message]]) -> None:
    """Names and terms that a swap put in are nobody's: findings on them are closed as stand-ins are. What the original says
    too was not put in, whatever list it is on.
    """
    for batch in _batches(ids):
        query = (
            select(Finding, RecordRevision.messages, Record.made_from)
            .join(RecordRevision, col(RecordRevision.id) == col(Finding.revision_id))
            .join(Record, col(Record.id) == col(Finding.record_id))
            .where(col(Finding.record_id).in_(batch), Finding.status == FindingStatus.OPEN)
            .where(col(Finding.kind).in_(PERSONAL_FINDINGS))
        )
        for finding, messages, original_id in session.exec(query).all():
            said = messages[finding.message]["content"][finding.start : finding.end]
            before = "\n".join(message.content for message in originals[original_id or 0]).casefold()
            if is_of_the_lists(said) and said.casefold() not in before:
                finding.status, finding.detail = FindingStatus.FIXED, {**finding.detail, "stand_in": said}
                session.add(finding)
    session.flush()


def _batches(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    return (ids[start : start + _BATCH] for start in range(0, len(ids), _BATCH))
