"""Puts synthetic records into a project: pending, marked, and tied to what they were made from. Nothing here commits.

Promised: a synthetic record says how and from which records it was made, shares its original's group, so that no split
parts them, and was searched for personal data like any other; what somebody dismissed in the original, and the stand-ins
that were put into it, count as such in the copy too. A text that the project holds already is not added again.

Not promised: that a synthetic record is any good. That is for people to say: it waits for review like any other.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import uuid4

from sqlalchemy import delete, exists, or_, update
from sqlmodel import Session, col, select

from backend.access.actors import Actor
from backend.conversations import Conversation, Message, content_hash, fault
from backend.detectors.personal import DETECTOR, VERSION, find_in_messages
from backend.detectors.privacy import PrivacyRules
from backend.errors import Conflict, InvalidInput, NotFound
from backend.store import findings as finding_rows
from backend.store.conversations import Feedback
from backend.store.curation import Likeness
from backend.store.models import Response
from backend.store.privacy import rules_for
from backend.store.records import Approval, FaqCitation, Finding, Record, RecordComment, RecordRevision, Source
from backend.store.work import Annotation, Draft, Item, Skip, Slot
from backend.vocabulary import DETECTED, PERSONAL_FINDINGS, FindingKind, FindingStatus, MadeBy, RecordStatus

FORMAT = "synthetic"
"""The format of the source that a batch of synthetic records comes from."""
REASONS = {
    MadeBy.REPHRASED: "Rephrased from record {parent}",
    MadeBy.TYPOS: "Typed as customers do, from record {parent}",
    MadeBy.LOWER_CASE: "Lower-cased from record {parent}",
    MadeBy.JOINED: "Joined from records {parent}",
    MadeBy.MODEL: "Rephrased by a model from record {parent}",
    MadeBy.COUNTERFACTUAL: "With other names or groups of people, from record {parent}",
}
"""What the first revision of a synthetic record says."""
_BATCH = 500
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Settled:
    """What people have settled about an original's personal data."""

    dismissed: set[tuple[FindingKind, str]] = field(default_factory=set)
    stand_ins: dict[str, FindingKind] = field(default_factory=dict)


def add_synthetic(
    *,
    session: Session,
    actor: Actor,
    project_id: int,
    drafts: Sequence[tuple[int, Sequence[Message]]],
    made_by: MadeBy,
    name: str,
    made_with: Sequence[Sequence[int]] = (),
) -> list[int]:
    """Add a pending record for each draft of (original's id, messages), as one batch; returns the ids of those added.

    `made_with` names, draft by draft, the further records that one was made from. Raises NotFound for an original that is
    not the project's, and InvalidInput for a conversation that is none. Texts that are there already are passed over; where
    that leaves nothing, there is no batch either.
    """
    if made_by is MadeBy.PEOPLE:
        raise InvalidInput("Say how these records were made.")
    others = list(made_with) or [()] * len(drafts)
    parents = _parents(session, project_id, {parent for (parent, _), more in zip(drafts, others, strict=True)
                                             for parent in (parent, *more)})  # fmt: skip
    fresh = list(_unknown(session, project_id, drafts, others))
    if not fresh:
        return []
    said = hashlib.sha256(f"{uuid4()}".encode()).hexdigest()  # a batch is an act, not a file: it may be made again
    source = Source(project_id=project_id, name=name.strip()[:300] or FORMAT, format=FORMAT, shape=made_by.value,
                    content_hash=said, imported=len(fresh), duplicates=len(drafts) - len(fresh),
                    created_by=actor.account_id)  # fmt: skip
    session.add(source)
    session.flush()
    settled = _settled(session, [parent for parent, _, _ in fresh])
    rules = rules_for(session, project_id)
    made: list[int] = []
    for start in range(0, len(fresh), _BATCH):
        batch = fresh[start : start + _BATCH]
        records = [_record(source, parents[parent], messages, made_by, more) for parent, messages, more in batch]
        session.add_all(records)
        session.flush()
        _file(session, actor, records, [messages for _, messages, _ in batch], rules, settled)
        made += [record.id or 0 for record in records]
    return made


def take_back(*, session: Session, project_id: int, source_id: int, keep_touched: bool = False) -> list[int]:
    """Remove a batch while nobody has touched any of it; returns the ids of the records that are gone.

    Raises Conflict where somebody decided on one, edited it, remarked on it or is looking at it, or made more from it; with
    `keep_touched` those stay and the others go.
    """
    query = select(Source).where(Source.id == source_id, Source.project_id == project_id, Source.format == FORMAT)
    source = session.exec(query).one_or_none()
    if source is None:
        raise NotFound("There is no such batch of synthetic records in this project.")
    held = select(Record).where(Record.source_id == source_id).order_by(col(Record.id))
    ids = [record.id or 0 for record in session.exec(held.with_for_update(key_share=True))]
    touched = [record_id for batch in _batches(ids) for record_id in _touched(session, batch)]
    if touched and not keep_touched:
        named = ", ".join(map(str, touched[:10])) + (f" and {len(touched) - 10} more" if len(touched) > 10 else "")
        raise Conflict(f"People have worked on records of this batch already ({named}), so it stays. Reject what is no good.")
    ids = [record_id for record_id in ids if record_id not in set(touched)]
    for batch in _batches(ids):
        items = select(col(Item.id)).where(col(Item.record_id).in_(batch))
        gone = [
            delete(Draft).where(col(Draft.item_id).in_(items)),
            delete(Skip).where(col(Skip.item_id).in_(items)),
            delete(Slot).where(col(Slot.item_id).in_(items)),
            delete(Item).where(col(Item.record_id).in_(batch)),
            delete(Likeness).where(col(Likeness.record_id).in_(batch)),
            update(Likeness).where(col(Likeness.nearest_id).in_(batch)).values(nearest_id=None, settled=False),
            delete(Finding).where(col(Finding.record_id).in_(batch)),
            delete(FaqCitation).where(col(FaqCitation.record_id).in_(batch)),
            delete(RecordRevision).where(col(RecordRevision.record_id).in_(batch)),
            delete(Record).where(col(Record.id).in_(batch)),
        ]
        for statement in gone:
            session.execute(statement, execution_options={"synchronize_session": False})
    session.expire_all()
    if not touched:
        session.execute(delete(Source).where(col(Source.id) == source_id))
    return ids


def _touched(session: Session, ids: Sequence[int]) -> list[int]:
    """Those of the records that people have to do with."""
    decided = exists().where(col(Approval.record_id) == col(Record.id))
    remarked = exists().where(col(RecordComment.record_id) == col(Record.id))
    items = select(col(Item.id)).where(col(Item.record_id) == col(Record.id))
    looked = exists().where(
        col(Slot.item_id).in_(items), or_(col(Slot.account_id).is_not(None), col(Slot.done_at).is_not(None))
    )
    answered = exists().where(col(Annotation.item_id).in_(items))
    copied = exists().where(col(Item.copy_of).in_(items))
    ruled = exists().where(col(Finding.record_id) == col(Record.id), col(Finding.closed_by).is_not(None))
    judged = exists().where(col(Response.record_id) == col(Record.id))  # an answer that a task shows stands on it
    spoken = exists().where(col(Feedback.record_id) == col(Record.id))
    made_more = select(col(Record.made_from)).where(col(Record.made_from).in_(ids))
    query = select(Record.id).where(
        col(Record.id).in_(ids),
        or_(col(Record.status) != RecordStatus.PENDING, col(Record.head) > 1, decided, remarked, looked, answered, copied,
            ruled, judged, spoken, col(Record.id).in_(made_more)),
    )  # fmt: skip
    return [record_id or 0 for record_id in session.exec(query.order_by(col(Record.id)))]


def _parents(session: Session, project_id: int, ids: Collection[int]) -> dict[int, Record]:
    """The originals by id, each with a group that its copies can share."""
    parents: dict[int, Record] = {}
    for batch in _batches(sorted(ids)):
        query = select(Record).where(col(Record.id).in_(batch), Record.project_id == project_id).order_by(col(Record.id))
        parents |= {record.id or 0: record for record in session.exec(query.with_for_update(key_share=True))}
    if len(parents) != len(ids):
        raise NotFound("One of these records is not there any more. Look at the list again.")
    for parent in parents.values():
        if not parent.group:
            parent.group = f"record {parent.id}"
            session.add(parent)
    return parents


def _unknown(
    session: Session, project_id: int, drafts: Sequence[tuple[int, Sequence[Message]]], others: Sequence[Sequence[int]]
) -> Iterator[tuple[int, Sequence[Message], Sequence[int]]]:
    """The drafts whose text is new to the project and to the batch."""
    hashes = [content_hash(messages) for _, messages in drafts]
    known: set[str] = set()
    for batch in _batches(hashes):
        query = select(Record.content_hash).where(Record.project_id == project_id, col(Record.content_hash).in_(batch))
        known |= set(session.exec(query))
    for (parent, messages), more, key in zip(drafts, others, hashes, strict=True):
        if reason := fault(messages, answer=False):
            raise InvalidInput(f"What was made of record {parent} cannot be kept: {reason}.")
        if key not in known:
            known.add(key)
            yield parent, messages, more


def _record(source: Source, parent: Record, messages: Sequence[Message], made_by: MadeBy, more: Sequence[int]) -> Record:
    said = Conversation(tuple(messages))
    return Record(
        project_id=source.project_id,
        source_id=source.id,
        group=parent.group,
        cluster=parent.cluster,
        content_hash=content_hash(messages),
        prompt=said.prompt,
        answer=said.answer or "",
        slices={key: value for key, value in parent.slices.items() if not key.startswith(DETECTED)},
        compared=False,
        made_by=made_by,
        made_from=parent.id,
        made_with=list(more),
    )


def _file(
    session: Session,
    actor: Actor,
    records: Sequence[Record],
    texts: Sequence[Sequence[Message]],
    rules: PrivacyRules,
    settled: dict[int, _Settled],
) -> None:
    """First revisions of stored records, and what is found in them."""
    revisions = [
        RecordRevision(
            record_id=record.id or 0, number=1, messages=[message.to_json() for message in messages],
            content_hash=record.content_hash, author_id=actor.account_id,
            reason=REASONS[record.made_by].format(parent=", ".join(map(str, (record.made_from, *record.made_with)))),
        )
        for record, messages in zip(records, texts, strict=True)
    ]  # fmt: skip
    session.add_all(revisions)
    session.flush()
    for record, revision, messages in zip(records, revisions, texts, strict=True):
        session.add_all(_findings(record, revision, messages, rules, settled.get(record.made_from or 0, _Settled())))
    session.flush()


def _findings(
    record: Record, revision: RecordRevision, messages: Sequence[Message], rules: PrivacyRules, settled: _Settled
) -> Iterator[Finding]:
    """The record's personal data; and the stand-ins in it, as fixed findings, by which later searches know them."""
    of: dict[str, Any] = {"project_id": record.project_id, "record_id": record.id or 0, "revision_id": revision.id or 0}
    text = "\n".join(message.content for message in messages)
    for said, kind in settled.stand_ins.items():
        if said in text:
            detail = {"stand_in": said, "from": record.made_from}
            yield Finding(**of, kind=kind, detector=DETECTOR, version=VERSION, detail=detail, status=FindingStatus.FIXED)
    for found in find_in_messages(messages, rules, settled.stand_ins):
        row = Finding(**of, kind=found.kind, detector=found.detector, version=found.version)
        finding_rows.place(row, found, revision.id or 0)
        if (found.kind, messages[found.message].content[found.start : found.end]) in settled.dismissed:
            row.status, row.detail = FindingStatus.DISMISSED, {"reason": f"Dismissed in record {record.made_from}"}
        yield row


def _settled(session: Session, ids: Iterable[int]) -> dict[int, _Settled]:
    """Record id → what people dismissed in it, and the stand-ins that were put into it."""
    known: dict[int, _Settled] = defaultdict(_Settled)
    closed = (FindingStatus.DISMISSED, FindingStatus.FIXED)
    for batch in _batches(sorted(set(ids))):
        query = (
            select(Finding, RecordRevision.messages)
            .join(RecordRevision, col(RecordRevision.id) == col(Finding.revision_id))
            .where(col(Finding.record_id).in_(batch), col(Finding.kind).in_(PERSONAL_FINDINGS))
            .where(col(Finding.status).in_(closed))
        )
        for finding, messages in session.exec(query):
            if stand_in := finding.detail.get("stand_in"):
                known[finding.record_id].stand_ins[str(stand_in)] = finding.kind
            elif finding.status is FindingStatus.DISMISSED:
                span = messages[finding.message]["content"][finding.start : finding.end]
                known[finding.record_id].dismissed.add((finding.kind, span))
    return known


def _batches(things: Sequence[T]) -> Iterator[Sequence[T]]:
    return (things[start : start + _BATCH] for start in range(0, len(things), _BATCH))
