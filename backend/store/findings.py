"""Keeps a record's findings in step with its text. Whoever adds a revision has it call `refresh_findings` and
`carry_findings`; whoever ran checks calls `merge_findings`.

A finding follows its span: found again in the newest revision, its row is moved there and keeps its status, so that what
somebody dismissed stays dismissed. A span that is gone closes its finding, and one that comes back opens it again.
Nothing here commits.

Not promised: rows about older revisions. `with_open_personal_data` looks into those texts itself.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, col, select

from backend.conversations import Message, messages_from_json
from backend.detectors import findings as values
from backend.detectors.personal import find_in_messages
from backend.store.base import now
from backend.store.bulk import add_rows
from backend.store.privacy import rules_for
from backend.store.records import Finding, Record, RecordRevision
from backend.vocabulary import PERSONAL_FINDINGS, FindingKind, FindingStatus

_BATCH = 500
_FIRST_TO_MATCH = (FindingStatus.OPEN, FindingStatus.DISMISSED, FindingStatus.FIXED)
FOLLOWING = (
    frozenset(FindingKind) - PERSONAL_FINDINGS - {FindingKind.DUPLICATE, FindingKind.NEAR_DUPLICATE, FindingKind.CONTRADICTION}
)
"""Kinds that `carry_findings` moves along. Personal data is looked for at once, and the others compare records."""
WHY, GONE_IN, BATCH = "why", "gone_in", "batch"
"""Keys of `Finding.detail`: what is wrong in words, the revision without it, the bulk of fixes that it was part of."""

Key = tuple[FindingKind, str]
"""What makes two findings of a record the same one: their kind and the text that they stand on."""
_Rows = dict[Key, list[Finding]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What checks that can find `kinds` found in one record's newest revision, which has this number and these messages."""

    record_id: int
    revision_id: int
    number: int
    messages: Sequence[Message]
    found: Sequence[values.Finding]
    kinds: frozenset[FindingKind]


def refresh_findings(session: Session, record: Record, revision: RecordRevision) -> list[Finding]:
    """Look for personal data in `revision`, which must be the record's newest; returns its findings, also dismissed ones."""
    session.flush()
    messages = messages_from_json(revision.messages)
    rules = rules_for(session, record.project_id)
    found = find_in_messages(messages, rules, stand_ins_of(session, record.project_id, [record.id or 0])[record.id or 0])
    looked = Looked(
        record_id=record.id or 0, revision_id=revision.id or 0, number=revision.number, messages=messages, found=found,
        kinds=PERSONAL_FINDINGS,
    )  # fmt: skip
    merge_findings(session, record.project_id, [looked])
    here = select(Finding).where(
        Finding.record_id == record.id, Finding.revision_id == revision.id, Finding.status != FindingStatus.FIXED,
        col(Finding.kind).in_(PERSONAL_FINDINGS),
    )  # fmt: skip
    return list(session.exec(here.order_by(col(Finding.message), col(Finding.start), col(Finding.id))))


def merge_findings(session: Session, project_id: int, looked: Sequence[Looked]) -> Counter[FindingKind]:
    """Store what was found in these records, and close what is gone; returns how many are new, or open again, by kind."""
    new: Counter[FindingKind] = Counter()
    rows: list[dict[str, Any]] = []
    held = {one.revision_id: one.messages for one in looked}
    earlier = _by_record(session, {one.record_id: one.kinds for one in looked}, held)
    for one in looked:
        mine = earlier.get(one.record_id, {})
        for found in one.found:
            candidates = mine.get((found.kind, one.messages[found.message].content[found.start : found.end]), [])
            row = min(candidates, key=lambda old: _distance(old, found), default=None)
            if row is None:
                rows.append(_new_row(project_id, one, found))
                new[found.kind] += 1
            else:
                candidates.remove(row)
                new[found.kind] += row.status is FindingStatus.FIXED
                place(row, found, one.revision_id)
        for row in (row for candidates in mine.values() for row in candidates):
            if row.status is FindingStatus.OPEN and row.kind in one.kinds:
                close_as_gone(row, one.number)
    session.flush()
    add_rows(session, Finding, rows)
    return +new


def carry_findings(session: Session, record: Record, before: RecordRevision, after: RecordRevision) -> None:
    """Move open findings of FOLLOWING kinds from the text that was the newest to the one that is now, where their words still
    stand. One whose words are gone is closed; one about a whole message that changed waits for the next look.
    """
    query = select(Finding).where(
        Finding.record_id == record.id, Finding.revision_id == before.id, Finding.status == FindingStatus.OPEN,
        col(Finding.kind).in_(FOLLOWING),
    )  # fmt: skip
    taken: set[tuple[FindingKind, int, int]] = set()
    for row in session.exec(query.order_by(col(Finding.message), col(Finding.start), col(Finding.id))).all():
        if row.kind is FindingKind.POOR_ANSWER:  # cleaning makes no answer better; `store.poor_answers` knows what does
            row.message, row.start, row.end = len(after.messages) - 1, 0, len(after.messages[-1]["content"])
            row.revision_id = after.id or 0
            continue
        old = before.messages[row.message]["content"] if row.message < len(before.messages) else ""
        new = after.messages[row.message]["content"] if row.message < len(after.messages) else ""
        words = old[row.start : row.end]
        places = [at for at in _places(new, words) if (row.kind, row.message, at) not in taken]
        if old == new or places:
            at = row.start if old == new else min(places, key=lambda place: abs(place - row.start))
            taken.add((row.kind, row.message, at))
            row.revision_id, row.start, row.end = after.id or 0, at, at + len(words)
        elif words and words != old:
            close_as_gone(row, after.number)
    session.flush()


def close_as_gone(row: Finding, number: int) -> None:
    """Revision `number` no longer has it."""
    row.status = FindingStatus.FIXED
    row.detail = {**row.detail, GONE_IN: number}


def open_again(row: Finding) -> None:
    """As if it had just been found; only the words on what is wrong are kept."""
    row.status, row.closed_by = FindingStatus.OPEN, None
    row.detail = {WHY: row.detail[WHY]} if row.detail.get(WHY) else {}


def with_open_personal_data(session: Session, revision_ids: Iterable[int]) -> set[int]:
    """Those of the revisions, newest or not, whose text holds personal data that nobody dismissed."""
    wanted = list(revision_ids)
    found: set[int] = set()
    for start in range(0, len(wanted), _BATCH):
        batch = wanted[start : start + _BATCH]
        rows = select(Finding.revision_id).where(
            Finding.status == FindingStatus.OPEN,
            col(Finding.kind).in_(PERSONAL_FINDINGS),
            col(Finding.revision_id).in_(batch),
        )
        found |= set(session.exec(rows))
        found |= _in_older(session, batch)
    return found


def _in_older(session: Session, revision_ids: list[int]) -> set[int]:
    """Those of the revisions that are no longer the newest and still hold something undismissed."""
    older = (
        select(RecordRevision, Record)
        .join(Record, col(Record.id) == col(RecordRevision.record_id))
        .where(col(RecordRevision.id).in_(revision_ids), col(RecordRevision.number) != col(Record.head))
    )
    found = set()
    for revision, record in session.exec(older):
        dismissed = {
            key for key, rows in _rows_of(session, record).items() if any(row.status is FindingStatus.DISMISSED for row in rows)
        }
        rules = rules_for(session, record.project_id)
        stand_ins = stand_ins_of(session, record.project_id, [record.id or 0])[record.id or 0]
        for finding in find_in_messages(messages_from_json(revision.messages), rules, stand_ins):
            text = revision.messages[finding.message]["content"][finding.start : finding.end]
            if (finding.kind, text) not in dismissed:
                found.add(revision.id or 0)
    return found


def stand_ins_of(session: Session, project_id: int, record_ids: Collection[int] | None = None) -> dict[int, set[str]]:
    """Record id → the stand-ins that were put into it, of every record of the project, or of these; others have none. They
    look like personal data and are none.
    """
    said = col(Finding.detail)["stand_in"].as_string()
    fixed = select(Finding.record_id, said).where(
        Finding.project_id == project_id, Finding.status == FindingStatus.FIXED, said.is_not(None)
    )
    if record_ids is not None:
        fixed = fixed.where(col(Finding.record_id).in_(record_ids))
    found: dict[int, set[str]] = defaultdict(set)
    for record_id, stand_in in session.exec(fixed):
        found[record_id].add(stand_in)
    return found


def _rows_of(session: Session, record: Record) -> _Rows:
    """The record's personal-data findings by what they stand on."""
    return _by_record(session, {record.id or 0: PERSONAL_FINDINGS}, {}).get(record.id or 0, {})


def _by_record(
    session: Session, wanted: Mapping[int, frozenset[FindingKind]], held: Mapping[int, Sequence[Message]]
) -> dict[int, _Rows]:
    """Record id → its findings of the kinds that are wanted of it, by what they stand on. `held` are the messages of
    revisions that are at hand already.
    """
    kinds = frozenset[FindingKind]().union(*wanted.values())
    query = select(Finding).where(col(Finding.record_id).in_(wanted), col(Finding.kind).in_(kinds))
    rows = [row for row in session.exec(query.order_by(col(Finding.id))) if row.kind in wanted[row.record_id]]
    named = {row.revision_id for row in rows}
    texts = {one: [message.content for message in held[one]] for one in named & held.keys()}
    texts |= _texts(session, named - held.keys())
    found: dict[int, _Rows] = {}
    for row in rows:
        words = texts[row.revision_id][row.message][row.start : row.end]
        found.setdefault(row.record_id, {}).setdefault((row.kind, words), []).append(row)
    return found


def _texts(session: Session, revision_ids: Collection[int]) -> dict[int, list[str]]:
    """Revision id → the texts of its messages."""
    wanted, found = sorted(revision_ids), {}
    for start in range(0, len(wanted), _BATCH):
        query = select(RecordRevision.id, RecordRevision.messages)
        for revision_id, messages in session.exec(query.where(col(RecordRevision.id).in_(wanted[start : start + _BATCH]))):
            found[revision_id or 0] = [message["content"] for message in messages]
    return found


def _new_row(project_id: int, one: Looked, found: values.Finding) -> dict[str, Any]:
    return {
        "project_id": project_id,
        "record_id": one.record_id,
        "revision_id": one.revision_id,
        "kind": found.kind,
        "message": found.message,
        "start": found.start,
        "end": found.end,
        "score": found.score,
        "detector": found.detector,
        "version": found.version,
        "proposal": found.proposal,
        "detail": {WHY: found.why} if found.why else {},
        "status": FindingStatus.OPEN,
        "closed_by": None,
        "created_at": now(),
    }


def place(row: Finding, found: values.Finding, revision_id: int) -> None:
    """Put a row where `found` is in the revision; one that was fixed is open again."""
    row.revision_id, row.message, row.start, row.end = revision_id, found.message, found.start, found.end
    row.score, row.detector, row.version, row.proposal = found.score, found.detector, found.version, found.proposal
    if row.status is FindingStatus.FIXED:
        open_again(row)
    if row.detail.get(WHY, "") != found.why:
        row.detail = {**row.detail, WHY: found.why}


def _places(text: str, words: str) -> list[int]:
    """Where `words` stand in `text`."""
    places, at = [], text.find(words) if words else -1
    while at >= 0:
        places.append(at)
        at = text.find(words, at + 1)
    return places


def _distance(row: Finding, found: values.Finding) -> tuple[int, int, int]:
    """How badly a row fits a finding on the same text: by status first, then by place."""
    return _FIRST_TO_MATCH.index(row.status), abs(row.message - found.message), abs(row.start - found.start)
