"""Reads of the bias audit: what there is to look at, every slice against the rest, pairs of records, variants of one.

Records of general talk (`SourcePurpose.GENERAL`) are left out: the audit is about the project's own subject. Of more than
`MOST_AUDITED` records a random sample is looked at, the same one every time. What is read is the last question and the last
answer of the newest text; pairs are made sure of by their whole conversations.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd
from sqlmodel import Session, col, func, or_, select

from backend.access.actors import Actor
from backend.access.policy import check
from backend.conversations import Message, messages_from_json
from backend.curation import fairness, probes
from backend.curation.observed import Observed, Row, observe
from backend.curation.probes import Asked, Pair
from backend.detectors import counterfactuals
from backend.detectors.counterfactuals import KINDS, Variant
from backend.detectors.scorecards import card
from backend.errors import NotFound
from backend.store.curation import CheckRun, Mitigation, Topic
from backend.store.records import Approval, Record, RecordRevision, Source
from backend.vocabulary import Action, RecordStatus, SourcePurpose

MOST_AUDITED = 20_000
MOST_PROBED = 100_000
"""The newest records that are looked through for pairs."""
_BATCH = 500
_SEED = 0


class Scope(StrEnum):
    """Which records are audited."""

    ALL = "all"
    APPROVED = "approved"


@dataclass(frozen=True, slots=True)
class Audit:
    """The audit: one row for each slice and measure (see `fairness.audit_table`), and what it looked at."""

    table: pd.DataFrame
    counts: dict[str, pd.DataFrame]
    """Key → how many records each value has."""
    titles: dict[str, str]
    """Measure → what it is called."""
    overall: dict[str, float]
    """Measure → its mean over all records."""
    looked_at: int
    records: int
    left_out: tuple[str, ...]
    """Keys with too many values to be groups."""


@dataclass(frozen=True, slots=True)
class Probed:
    """What the probes found."""

    pairs: tuple[Pair, ...]
    compared: int
    looked_at: int
    records: int


def state(session: Session, *, actor: Actor, project_id: int) -> tuple[int, ...]:
    """Changes whenever the audit may come out differently; for keeping results."""
    check(actor, Action.VIEW_RESULTS, project_id)
    columns: list[Any] = [
        func.count(),
        func.max(Record.id),
        func.sum(Record.head),
        func.sum(Record.approved_revision_id),
        func.sum(func.length(Record.checked)),
    ]
    numbers = list(session.execute(select(*columns).where(Record.project_id == project_id)).one())
    newest: list[Any] = [func.max(Approval.id), func.count(col(Approval.withdrawn_at))]
    numbers += session.execute(select(*newest)).one()
    for table in (CheckRun, Topic, Mitigation):
        mine: Any = select(func.max(table.id)).where(table.project_id == project_id)
        numbers.append(session.exec(mine).one())
    ended = select(func.count(col(CheckRun.finished_at))).where(CheckRun.project_id == project_id)
    numbers.append(session.exec(ended).one())
    return tuple(int(number or 0) for number in numbers)


def audit(
    session: Session,
    *,
    actor: Actor,
    project_id: int,
    scope: Scope = Scope.ALL,
    min_n: int = fairness.MIN_N,
    most: int = MOST_AUDITED,
    step: Callable[[int], None] = lambda done: None,
) -> Audit:
    """Every slice against the rest, in every measure; slices with fewer than `min_n` records are marked and not tested."""
    check(actor, Action.VIEW_RESULTS, project_id)
    ids = _ids(session, project_id, scope)
    looked_at = _sampled(ids, most)
    observed = observe(_rows(session, looked_at), step)
    return audited(observed, records=len(ids), min_n=min_n)


def audited(observed: Observed, *, records: int, min_n: int) -> Audit:
    """The audit of what was observed."""
    return Audit(
        table=fairness.audit_table(observed, min_n=min_n),
        counts={key: fairness.counts_table(observed, key) for key in observed.cuts},
        titles={one.key: one.title for one in observed.measures},
        overall={one.key: float(np.nanmean(one.values)) for one in observed.measures},
        looked_at=len(observed.record_ids),
        records=records,
        left_out=observed.left_out,
    )


def pairs(session: Session, *, actor: Actor, project_id: int, scope: Scope = Scope.ALL, most: int = MOST_PROBED) -> Probed:
    """Pairs of records that ask the same for different people and are treated unlike."""
    check(actor, Action.VIEW_RECORDS, project_id)
    ids = _ids(session, project_id, scope)
    looked_at = ids[-most:]
    asked = (Asked(row.record_id, row.prompt, row.answer) for row in _rows(session, looked_at))
    found, compared = probes.pairs(_same_context(session, probes.candidates(asked)))
    return Probed(tuple(found), compared, len(looked_at), len(ids))


def variants_of(
    session: Session,
    *,
    actor: Actor,
    project_id: int,
    record_id: int,
    seed: int = 0,
    kinds: Collection[str] = KINDS,
    each: int = 2,
) -> tuple[tuple[Message, ...], tuple[Variant, ...]]:
    """A record's newest turns, and the same about somebody else."""
    check(actor, Action.VIEW_RECORDS, project_id)
    query = (
        select(RecordRevision.messages)
        .join(Record, (col(Record.id) == col(RecordRevision.record_id)) & (col(Record.head) == col(RecordRevision.number)))
        .where(Record.id == record_id, Record.project_id == project_id)
    )
    held = session.exec(query).first()
    if held is None:
        raise NotFound("There is no such record in this project.")
    messages = messages_from_json(held)
    return messages, counterfactuals.variants(messages, seed=seed, kinds=kinds, each=each)


def slice_keys(session: Session, *, actor: Actor, project_id: int) -> list[str]:
    """The keys of the slices that the newest records have."""
    check(actor, Action.VIEW_RESULTS, project_id)
    newest = select(Record.slices).where(Record.project_id == project_id).order_by(col(Record.id).desc()).limit(2000)
    return sorted({key for slices in session.exec(newest) for key in slices})


def scorecard() -> dict[str, Any] | None:
    """How well it is found whom a question mentions, as it was measured last."""
    return card("identity")


# --- rows ---


def own_records(project_id: int) -> list[Any]:
    """The conditions of a project's records that are not general talk; `Source` is joined from outside."""
    return [Record.project_id == project_id, or_(col(Source.id).is_(None), Source.purpose != SourcePurpose.GENERAL)]


def _ids(session: Session, project_id: int, scope: Scope) -> list[int]:
    query = select(Record.id).outerjoin(Source, col(Source.id) == col(Record.source_id)).where(*own_records(project_id))
    if scope is Scope.APPROVED:
        query = query.where(col(Record.approved_revision_id).is_not(None))
    return [record_id or 0 for record_id in session.exec(query.order_by(col(Record.id)))]


def _sampled(ids: Sequence[int], most: int) -> list[int]:
    if len(ids) <= most:
        return list(ids)
    drawn = np.random.default_rng(_SEED).choice(len(ids), size=most, replace=False)
    return [ids[place] for place in sorted(drawn.tolist())]


def _rows(session: Session, ids: Sequence[int]) -> Iterator[Row]:
    """The records with these ids, in batches of bounded memory."""
    columns = (Record.id, Record.prompt, Record.answer, Record.slices, Record.status, Record.approved_revision_id)
    for start in range(0, len(ids), _BATCH):
        query = select(*columns).where(col(Record.id).in_(ids[start : start + _BATCH])).order_by(col(Record.id))  # type: ignore[call-overload]
        for record_id, prompt, answer, slices, status, approved in session.exec(query):
            verdict = True if approved is not None else False if status is RecordStatus.REJECTED else None
            yield Row(record_id, prompt, answer, slices, verdict)


def _same_context(session: Session, groups: Sequence[Sequence[Asked]]) -> Iterator[list[Asked]]:
    """The groups cut so that all turns before the answer are the same but for people."""
    ids = [row.record_id for group in groups for row in group]
    keys: dict[int, tuple[str, ...]] = {}
    for start in range(0, len(ids), _BATCH):
        query = (
            select(Record.id, RecordRevision.messages)
            .join(
                RecordRevision,
                (col(Record.id) == col(RecordRevision.record_id)) & (col(Record.head) == col(RecordRevision.number)),
            )
            .where(col(Record.id).in_(ids[start : start + _BATCH]))
        )
        for record_id, messages in session.exec(query):
            keys[record_id or 0] = probes.context_key(messages_from_json(messages))
    for group in groups:
        alike: dict[tuple[str, ...], list[Asked]] = defaultdict(list)
        for row in group:
            alike[keys.get(row.record_id, (str(row.record_id),))].append(row)
        yield from (held for held in alike.values() if len(held) > 1)
